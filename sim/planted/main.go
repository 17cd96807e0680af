package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
)

func main() {
	only := flag.String("bug", "", "the name of the only bug to plant")
	starts := flag.Int("starts", 3, "hunts for each bug, each from other seeds")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := hunt(ctx, *only, *starts); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// hunt plants the bugs and prints, as docs/reliability.md shows it, how they were
// found.
func hunt(ctx context.Context, only string, starts int) error {
	root, err := root()
	if err != nil {
		return err
	}
	fmt.Printf("| bug | what goes wrong | found by | median of the worlds %d hunts took | shows as |\n| --- | --- | --- | --- | --- |\n", starts)
	found, hunted := map[string]int{}, 0
	var wrong error
	for _, b := range bugs() {
		if only != "" && b.name != only {
			continue
		}
		hunted++
		f, err := b.hunted(ctx, root, starts)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			wrong = errors.Join(wrong, fmt.Errorf("bug %s: %w", b.name, err))
			continue
		}
		if f.found() {
			found[f.by]++
		} else {
			wrong = errors.Join(wrong, fmt.Errorf("bug %s has slipped through, which is a finding about its hunter", b.name))
		}
		fmt.Println(b.row(f))
	}
	if hunted == 0 {
		return fmt.Errorf("there is no bug %q", only)
	}
	fmt.Printf("\n%d bugs planted: %d found by the simulator, %d by the model, %d by tests\n", hunted, found["simulator"], found["model"], found["tests"])
	return wrong
}

// row is what became of a bug, as a line of the table.
func (b *bug) row(f finding) string {
	median := ""
	switch {
	case len(f.worlds) == 0:
		median = "not found"
	case !f.found():
		median = fmt.Sprintf("found in %d of %d hunts", len(f.worlds), f.hunts)
	case f.by != "tests":
		median = fmt.Sprintf("%d", f.median())
	}
	sign := f.sign
	if f.by == "tests" {
		sign = fmt.Sprintf("`%s.%s`", strings.Trim(strings.Fields(b.hunter.tests)[0], "./"), sign)
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s |", b.name, b.what, f.by, median, sign)
}

// root is the folder of the repository.
func root() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module's root: %w", err)
	}
	return string(out[:len(out)-1]), nil
}
