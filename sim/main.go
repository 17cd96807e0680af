package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
)

func main() {
	seed := flag.Uint64("seed", 1, "the first seed")
	seeds := flag.Uint64("seeds", 1, "how many seeds, one world each")
	steps := flag.Uint64("steps", 20_000, "events of a world before everything heals")
	quiet := flag.Bool("quiet", false, "tell only failures, also of a single seed")
	flag.Parse()
	failed := false
	total := map[string]int{}
	for s := *seed; s < *seed+*seeds; s++ {
		w := newWorld(options{seed: s, steps: *steps, tell: *seeds == 1 && !*quiet})
		if wrong := w.live(); wrong != "" {
			failed = true
			fmt.Println(w.epitaph(wrong))
		}
		for name, n := range w.faults.counts {
			total[name] += n
		}
	}
	f := faults{counts: total}
	fmt.Printf("%d worlds\n%s", *seeds, f.table())
	if failed {
		os.Exit(1)
	}
}

// epitaph is what a person needs to know of a world that ended badly.
func (w *world) epitaph(wrong string) string {
	return fmt.Sprintf("%s\nseed %d, steps %d, commit %s\n%s\nagain: go run ./sim -seed %d -steps %d\n",
		wrong, w.seed, w.steps, commit(), strings.Join(w.tail(), "\n"), w.seed, w.steps)
}

// commit is the version of the code, as far as the build knows it.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision, dirty := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = " with changes"
		}
	}
	return revision + dirty
}
