package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	seed := flag.Uint64("seed", 1, "the first seed (with -ledger the least)")
	seeds := flag.Uint64("seeds", 0, "how many seeds, one world each (1; with -ledger as many as there is time for)")
	steps := flag.Uint64("steps", 10_000, "events of a world before everything heals")
	quiet := flag.Bool("quiet", false, "tell only failures, also of a single seed")
	parallel := flag.Int("parallel", runtime.NumCPU(), "worlds at the same time")
	first := flag.Bool("first", false, "end with the first world that is broken")
	book := flag.String("ledger", "", "a file that runs add up in: goes on after its last seed")
	most := flag.Duration("for", 0, "with -ledger: begin nothing more after this time")
	report := flag.Bool("report", false, "with -ledger: print what it comes to, and play nothing")
	flag.Parse()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(800) // worlds are small and short: a quarter of the time went into collecting them
	}
	began := time.Now()
	var r results
	if *book != "" {
		l, err := openLedger(*book)
		if err == nil && *report {
			fmt.Print(l.report())
			return
		}
		c := &campaign{ledger: l, commit: commit(), steps: *steps, parallel: *parallel, from: *seed, seeds: *seeds, most: *most,
			create: func(seed uint64) *world { return newWorld(options{seed: seed, steps: *steps}) }}
		if err == nil {
			r, err = c.run()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	} else {
		n := max(*seeds, 1)
		r = run(*seed, n, *parallel, *first, func(seed uint64) *world {
			return newWorld(options{seed: seed, steps: *steps, tell: n == 1 && !*quiet})
		})
	}
	fmt.Printf("%d worlds, %d events, %.0f simulated hours in %v, %d promises checked, %d broken\n",
		r.seeds, r.events, r.simulated.Hours(), time.Since(began).Round(time.Millisecond), r.promises, len(r.broken))
	fmt.Printf("%d histories of %d calls, the outcome of %d unknown, were checked for linearizability\n", r.histories.Histories, r.histories.Calls, r.histories.Lost)
	fmt.Print(r.faults.table())
	missing := r.unstruck()
	for _, name := range missing {
		fmt.Printf("never struck: %s\n", name)
	}
	if len(r.broken) > 0 || len(missing) > 0 {
		os.Exit(1)
	}
}

// enoughSeeds are so many that every fault strikes in one of them: one that does
// not is played no more, and what is said of it is not true.
const enoughSeeds = 5000

// unstruck are the faults that should have struck and have not.
func (r *results) unstruck() (names []string) {
	if r.seeds < enoughSeeds {
		return nil
	}
	for _, name := range everyFault() {
		if r.faults.counts[name] == 0 {
			names = append(names, name)
		}
	}
	return names
}

// results of many worlds.
type results struct {
	seeds     uint64 // worlds that were played
	broken    []broken
	faults    faults
	events    uint64
	simulated time.Duration
	promises  int
	histories judged
}

func newResults() results { return results{faults: faults{counts: map[string]int{}}} }

// run lets worlds live, one for each seed, and prints how those ended that ended
// badly. With first no more begin once one has.
func run(seed, seeds uint64, parallel int, first bool, create func(seed uint64) *world) results {
	var mu sync.Mutex
	total := newResults()
	var next atomic.Uint64
	next.Store(seed)
	var all sync.WaitGroup
	for range min(uint64(max(parallel, 1)), seeds) {
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
	one := results{seeds: 1, faults: w.faults, events: w.done, simulated: w.now.Sub(epoch), promises: w.auditor.acknowledged,
		histories: w.linearity.judged}
	if wrong != "" {
		what, _, _ := strings.Cut(wrong, "\n")
		one.broken = []broken{{w.seed, what}}
		fmt.Println(w.epitaph(wrong))
	}
	r.merge(one)
}

// merge adds the results of other worlds.
func (r *results) merge(other results) {
	r.seeds += other.seeds
	r.broken = append(r.broken, other.broken...)
	for name, n := range other.faults.counts {
		r.faults.counts[name] += n
	}
	r.events += other.events
	r.simulated += other.simulated
	r.promises += other.promises
	r.histories.add(other.histories)
}

// epitaph is what a person needs to know of a world that ended badly.
func (w *world) epitaph(wrong string) string {
	return fmt.Sprintf("%s\nseed %d, steps %d, commit %s\n%sagain: go run ./sim -seed %d -steps %d\n",
		wrong, w.seed, w.steps, commit(), w.ending(wrong), w.seed, w.steps)
}

// commit is the version of the code: what the build knows of it, or else, since
// go run may know nothing, what is checked out here.
var commit = sync.OnceValue(func() string {
	info, _ := debug.ReadBuildInfo()
	revision, dirty := "", ""
	if info != nil {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				dirty = " with changes"
			}
		}
	}
	if revision != "" {
		return revision + dirty
	}
	head, err := exec.Command("git", "rev-parse", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	changed, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no", "--", "*.go").Output()
	if err != nil || len(changed) > 0 {
		dirty = " with changes"
	}
	return strings.TrimSpace(string(head)) + dirty
})
