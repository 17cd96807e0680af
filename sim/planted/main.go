package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"text/tabwriter"
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

// hunt plants the bugs and prints a table of how they were found.
func hunt(ctx context.Context, only string, starts int) error {
	root, err := root()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "bug\thunter\tfound\tmedian\twhat goes wrong")
	slipped, hunted := 0, 0
	var wrong error
	for _, b := range bugs() {
		if only != "" && b.name != only {
			continue
		}
		hunted++
		found, err := b.hunted(ctx, root, starts)
		if err != nil {
			wrong = errors.Join(wrong, fmt.Errorf("bug %s: %w", b.name, err))
			continue
		}
		if len(found) < b.hunter.times(starts) {
			slipped++
		}
		fmt.Fprintf(table, "%s\t%s\t%d of %d\t%s\t%s\n", b.name, b.hunter.name(), len(found), b.hunter.times(starts), b.hunter.median(found), b.what)
		_ = table.Flush() // a line at a time: it takes long
	}
	if hunted == 0 {
		return fmt.Errorf("there is no bug %q", only)
	}
	fmt.Printf("%d bugs planted, %d slipped through\n", hunted, slipped)
	if slipped > 0 {
		wrong = errors.Join(wrong, errors.New("what slips through is a finding about its hunter"))
	}
	return wrong
}

// median of how many worlds it took.
func (h hunter) median(found []int) string {
	if h.tests != "" || len(found) == 0 {
		return "-"
	}
	slices.Sort(found)
	return fmt.Sprint(found[len(found)/2])
}

// times is how often it is worth hunting: tests do the same each time.
func (h hunter) times(starts int) int {
	if h.tests != "" {
		return 1
	}
	return starts
}

func (h hunter) name() string {
	switch {
	case h.sim > 0:
		return "simulator"
	case h.model > 0:
		return "model"
	}
	return "tests"
}

// root is the folder of the repository.
func root() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module's root: %w", err)
	}
	return string(out[:len(out)-1]), nil
}
