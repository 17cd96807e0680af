package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// hunted plants the bug and returns, for each hunt that found it, how many worlds
// that took. The error is about the hunt itself.
func (b *bug) hunted(ctx context.Context, root string, starts int) (found []int, err error) {
	work, err := os.MkdirTemp("", "planted-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	overlay, err := b.plant(root, work)
	if err != nil {
		return nil, err
	}
	if b.hunter.tests != "" {
		return hunterTests(ctx, root, overlay, b.hunter.tests)
	}
	pkg, most := "./sim", b.hunter.sim
	if b.hunter.model > 0 {
		pkg, most = "./sim/model", b.hunter.model
	}
	binary := filepath.Join(work, "hunter")
	if out, err := run(ctx, root, "go", "build", "-overlay", overlay, "-o", binary, pkg); err != nil {
		return nil, fmt.Errorf("build with the bug: %w\n%s", err, out)
	}
	for i := range starts {
		first := 1 + i*1_000_000
		worlds, ok, err := hunterWorlds(ctx, root, binary, b.hunter, first, most)
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, worlds)
		}
	}
	return found, nil
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

// hunterTests reports one world if the tests fail, none if they pass.
func hunterTests(ctx context.Context, root, overlay, tests string) ([]int, error) {
	words := strings.Fields(tests)
	args := []string{"test", "-short", "-count", "1", "-timeout", "5m", "-overlay", overlay, "-run", words[1], words[0]}
	out, err := run(ctx, root, "go", append(args, words[2:]...)...)
	switch {
	case err == nil:
		return nil, nil
	case strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]"):
		return nil, fmt.Errorf("build with the bug: %s", out)
	}
	return []int{1}, nil
}

// brokenSeed is how both hunters name the world that they found broken.
var brokenSeed = regexp.MustCompile(`(?m)^seed (\d+)`)

// hunterWorlds plays worlds from a seed on until one is broken, at most so many.
func hunterWorlds(ctx context.Context, root, binary string, h hunter, first, most int) (worlds int, found bool, err error) {
	args := []string{"-seed", strconv.Itoa(first), "-first"}
	if h.model > 0 {
		args = append(args, "-worlds", strconv.Itoa(most))
	} else {
		args = append(args, "-seeds", strconv.Itoa(most))
	}
	out, err := run(ctx, root, binary, args...)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, false, nil
	case !errors.As(err, &exit):
		return 0, false, err
	}
	m := brokenSeed.FindStringSubmatch(out)
	if m == nil { // the bug has brought the hunter down; that is found, too
		return 1, true, nil
	}
	seed, err := strconv.Atoi(m[1])
	return seed - first + 1, true, err
}

func run(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}
