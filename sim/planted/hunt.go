package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// finding is what became of the hunts for a bug.
type finding struct {
	by    string // who found it
	hunts int
	// worlds that each hunt took that found it; tests take none.
	worlds []int
	// sign is how it showed: the invariant that was violated, or the first test
	// that failed.
	sign string
}

// found reports whether every hunt was a success.
func (f finding) found() bool { return len(f.worlds) == f.hunts }

// median of how many worlds it took.
func (f finding) median() int {
	slices.Sort(f.worlds)
	return f.worlds[len(f.worlds)/2]
}

// hunted plants the bug and sends its hunters out, until one has found it in every
// hunt. Failing that it returns what the best of them has found. The error is
// about the hunt itself.
func (b *bug) hunted(ctx context.Context, root string, starts int) (best finding, err error) {
	work, err := os.MkdirTemp("", "planted-")
	if err != nil {
		return best, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	overlay, err := b.plant(root, work)
	if err != nil {
		return best, err
	}
	for _, hunt := range []func() (finding, error){
		func() (finding, error) {
			return worldHunts(ctx, root, work, overlay, "simulator", "./sim", "-seeds", b.hunter.sim, starts)
		},
		func() (finding, error) {
			return worldHunts(ctx, root, work, overlay, "model", "./sim/model", "-worlds", b.hunter.model, starts)
		},
		func() (finding, error) { return testHunt(ctx, root, overlay, b.hunter.tests) },
	} {
		f, err := hunt()
		if err != nil {
			return best, err
		}
		if f.found() && f.hunts > 0 {
			return f, nil
		}
		if len(f.worlds) > len(best.worlds) || best.by == "" {
			best = f
		}
	}
	return best, nil
}

// worldHunts sends the simulator or the model hunting, each time from other seeds
// on and through most worlds.
func worldHunts(ctx context.Context, root, work, overlay, by, pkg, flag string, most, starts int) (finding, error) {
	if most == 0 {
		return finding{}, nil
	}
	binary := filepath.Join(work, by)
	if out, err := run(ctx, root, "go", "build", "-overlay", overlay, "-o", binary, pkg); err != nil {
		return finding{}, fmt.Errorf("build with the bug: %w\n%s", err, out)
	}
	f := finding{by: by, hunts: starts}
	for i := range starts {
		worlds, sign, err := hunterWorlds(ctx, root, binary, flag, 1+i*1_000_000, most)
		if err != nil {
			return finding{}, err
		}
		if worlds == 0 {
			break // this is not who finds it
		}
		f.worlds = append(f.worlds, worlds)
		f.sign = cmp.Or(f.sign, sign)
	}
	return f, nil
}

// plant writes the changed files and the compiler's list of them.
func (b *bug) plant(root, work string) (overlay string, err error) {
	texts := map[string]string{}
	for _, e := range b.edits {
		if _, ok := texts[e.file]; !ok {
			text, err := os.ReadFile(filepath.Join(root, e.file))
			if err != nil {
				return "", err
			}
			texts[e.file] = string(text)
		}
		if n := strings.Count(texts[e.file], e.from); n != 1 {
			return "", fmt.Errorf("the text to replace stands %d times in %s:\n%s", n, e.file, e.from)
		}
		texts[e.file] = strings.Replace(texts[e.file], e.from, e.to, 1)
	}
	var list struct{ Replace map[string]string }
	list.Replace = map[string]string{}
	for file, text := range texts {
		changed := filepath.Join(work, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
			return "", err
		}
		list.Replace[filepath.Join(root, file)] = changed
	}
	data, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(work, "overlay.json")
	return overlay, os.WriteFile(overlay, data, 0o600)
}

// failedTest is how go test names a test that has failed.
var failedTest = regexp.MustCompile(`(?m)^--- FAIL: (\w+)`)

// testHunt has found the bug when a test fails. Tests do the same each time: once is enough.
func testHunt(ctx context.Context, root, overlay, tests string) (finding, error) {
	words := strings.Fields(tests)
	if len(words) == 0 {
		return finding{}, nil
	}
	args := []string{"test", "-short", "-count", "1", "-timeout", "5m", "-overlay", overlay, "-run", words[1], words[0]}
	out, err := run(ctx, root, "go", append(args, words[2:]...)...)
	f := finding{by: "tests", hunts: 1}
	switch {
	case err == nil:
		return f, nil
	case strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]"):
		return finding{}, fmt.Errorf("build with the bug: %s", out)
	}
	f.worlds, f.sign = []int{0}, "a panic or a timeout"
	if m := failedTest.FindStringSubmatch(out); m != nil {
		f.sign = m[1]
	}
	return f, nil
}

var (
	// brokenSeed is how both hunters name the world that they found broken.
	brokenSeed = regexp.MustCompile(`(?m)^seed (\d+)`)
	// invariantOf is what they say is broken, if it has a name.
	invariantOf = regexp.MustCompile(`(?m)\b(I\d+|linearizability|liveness)\b`)
)

// hunterWorlds plays worlds from a seed on until one is broken, at most so many,
// and returns how many that took: 0 when none was.
func hunterWorlds(ctx context.Context, root, binary, flag string, first, most int) (worlds int, sign string, err error) {
	out, err := run(ctx, root, binary, "-seed", strconv.Itoa(first), "-first", flag, strconv.Itoa(most))
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, "", nil
	case !errors.As(err, &exit):
		return 0, "", err
	}
	m := brokenSeed.FindStringSubmatch(out)
	if m == nil { // the bug has brought the hunter down; that is found, too
		return 1, "a panic", nil
	}
	seed, err := strconv.Atoi(m[1])
	// What is broken comes before the seed, or behind it in the same line.
	said, _, _ := strings.Cut(out[strings.Index(out, m[0]):], "\n")
	said = out[:strings.Index(out, m[0])] + said
	return seed - first + 1, invariantOf.FindString(said), err
}

func run(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}
