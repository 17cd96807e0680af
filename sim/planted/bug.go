package main

// bug is a deliberate defect.
type bug struct {
	name string
	// what goes wrong, for people.
	what  string
	edits []edit
	// hunter finds it.
	hunter hunter
}

// edit puts one text of a file in place of another, which stands there once.
type edit struct {
	file     string // from the root of the repository
	from, to string
}

// hunter is a way to look for bugs. Exactly one of its fields is set.
type hunter struct {
	// worlds of the simulator, at most so many.
	sim int
	// worlds of the model, at most so many.
	model int
	// tests of a package, those whose name matches, and flags for them:
	// "./matching Reserve -v".
	tests string
}

// bugs are all that are planted.
func bugs() []bug {
	var all []bug
	for _, some := range [][]bug{shardBugs, workflowBugs, activityBugs, belowBugs} {
		all = append(all, some...)
	}
	return all
}

var (
	bySim   = hunter{sim: 300}
	byModel = hunter{model: 5000}
	// Random scripts must not leave files in the source tree.
	byActivityTests = hunter{tests: "./engine/activity/... . -rapid.nofailfile"}
	byMatchingTests = hunter{tests: "./matching . -rapid.nofailfile"}
)
