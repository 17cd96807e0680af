package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	seed := flag.Uint64("seed", 1, "the first seed")
	seeds := flag.Uint64("seeds", 1, "how many seeds, one world each")
	steps := flag.Uint64("steps", 10_000, "events of a world before everything heals")
	quiet := flag.Bool("quiet", false, "tell only failures, also of a single seed")
	parallel := flag.Int("parallel", runtime.NumCPU(), "worlds at the same time")
	first := flag.Bool("first", false, "end with the first world that is broken")
	flag.Parse()
	if *seeds == 1 {
		*parallel = 1
	}
	began := time.Now()
	r := run(*seed, *seeds, *parallel, *first, func(seed uint64) *world {
		return newWorld(options{seed: seed, steps: *steps, tell: *seeds == 1 && !*quiet})
	})
	took := time.Since(began)
	fmt.Printf("%d worlds, %d events, %.0f simulated hours in %v, %d promises checked, %d broken\n",
		*seeds, r.events, r.simulated.Hours(), took.Round(time.Millisecond), r.promises, len(r.failed))
	fmt.Print(r.faults.table())
	if len(r.failed) > 0 {
		os.Exit(1)
	}
}

// results of many worlds.
type results struct {
	failed    []uint64
	faults    faults
	events    uint64
	simulated time.Duration
	promises  int
}

// run lets worlds live, one for each seed, and prints how those ended that ended
// badly. With first no more begin once one has.
func run(seed, seeds uint64, parallel int, first bool, create func(seed uint64) *world) results {
	var mu sync.Mutex
	total := results{faults: faults{counts: map[string]int{}}}
	var next atomic.Uint64
	next.Store(seed)
	var all sync.WaitGroup
	for range max(parallel, 1) {
		all.Go(func() {
			for {
				s := next.Add(1) - 1
				if s >= seed+seeds {
					return
				}
				w := create(s)
				wrong := w.live()
				mu.Lock()
				total.add(w, wrong)
				mu.Unlock()
				if first && wrong != "" {
					next.Store(seed + seeds)
				}
			}
		})
	}
	all.Wait()
	return total
}

func (r *results) add(w *world, wrong string) {
	if wrong != "" {
		r.failed = append(r.failed, w.seed)
		fmt.Println(w.epitaph(wrong))
	}
	for name, n := range w.faults.counts {
		r.faults.counts[name] += n
	}
	r.events += w.done
	r.simulated += w.now.Sub(epoch)
	r.promises += w.auditor.acknowledged
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
