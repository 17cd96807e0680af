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

// hunter is who looks for a bug: the simulator first, then the model, then tests,
// those of them that are set. The first that finds it in every hunt has found it.
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

// The simulator has three hundred worlds for what it must find, and a hundred for
// what others know to find: bugs of a machine the model, which sees every step,
// and of what lies below its tests.
var (
	bySim   = hunter{sim: 300}
	byModel = hunter{sim: 100, model: 5000}
	// Random scripts must not leave files in the source tree.
	byActivityTests = hunter{sim: 100, tests: "./engine/activity/... . -rapid.nofailfile"}
	byMatchingTests = hunter{sim: 100, tests: "./matching . -rapid.nofailfile"}
	byRecordTests   = hunter{sim: 100, tests: "./record . -rapid.nofailfile"}
)
