package main

import (
	"testing"
	"time"

	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

// A few worlds of every test run, each from another seed; `make sim` runs more.
func TestWorlds(t *testing.T) {
	seeds, steps := uint64(12), uint64(5000)
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		w := newWorld(options{seed: seed, steps: steps})
		if wrong := w.live(); wrong != "" {
			t.Errorf("%s", w.epitaph(wrong))
		}
	}
}

// The same seed tells the same story, to the letter: else no failure could be
// looked at twice. Nothing in the server may depend on the order of a map, on
// the real clock or on goroutines.
func TestSameSeedSameStory(t *testing.T) {
	for seed := uint64(100); seed < 106; seed++ {
		var sums []string
		for range 2 {
			w := newWorld(options{seed: seed, steps: 5000})
			if wrong := w.live(); wrong != "" {
				t.Fatalf("%s", w.epitaph(wrong))
			}
			sums = append(sums, w.sum())
		}
		if sums[0] != sums[1] {
			t.Errorf("seed %d: two runs differ", seed)
		}
	}
}

// These worlds came out in two ways while the watchers of a run, the runs of an id
// and the updates of a run were gone through in the order of a map.
func TestWorldsThatCameOutTwoWays(t *testing.T) {
	for _, seed := range []uint64{98, 6970, 9366} {
		sums := map[string]bool{}
		for range 8 {
			w := newWorld(options{seed: seed, steps: 1000})
			if wrong := w.live(); wrong != "" {
				t.Fatalf("%s", w.epitaph(wrong))
			}
			sums[w.sum()] = true
		}
		if len(sums) > 1 {
			t.Errorf("seed %d: eight runs come out in %d ways", seed, len(sums))
		}
	}
}

// A disk that loses what it has acknowledged, or applies half a batch, is
// noticed: what finds nothing proves nothing.
func TestBrokenDiskIsNoticed(t *testing.T) {
	for name, lying := range map[string]func(*world) memstore.Broken{
		"loses a history row": func(w *world) memstore.Broken { return losing(w, store.FamilyHistory) },
		"loses a state row":   func(w *world) memstore.Broken { return losing(w, store.FamilyState) },
		"loses the tasks":     func(*world) memstore.Broken { return memstore.Broken{Lose: isTask} }, // there are few at a time
		"loses a deadline":    func(w *world) memstore.Broken { return losing(w, store.FamilyDeadline) },
		"loses a pointer":     func(w *world) memstore.Broken { return losing(w, store.FamilyCurrent) },
		"tears a batch":       func(*world) memstore.Broken { return memstore.Broken{Tear: true} },
	} {
		t.Run(name, func(t *testing.T) {
			for seed := uint64(1); seed <= 20; seed++ {
				w := newWorld(options{seed: seed, steps: 3000, lying: lying, crashEvery: 500 * time.Millisecond})
				if wrong := w.live(); wrong != "" {
					return
				}
			}
			t.Error("20 worlds have not noticed")
		})
	}
}

func isTask(key store.Key) bool { return key.Family == store.FamilyTask }

// losing drops one row in eight of a family.
func losing(w *world, family store.Family) memstore.Broken {
	return memstore.Broken{Lose: func(key store.Key) bool { return key.Family == family && w.oneIn(8) }}
}

// Every kind of fault strikes in a few hundred worlds, the rarest included, or
// what is said of it would not be true.
func TestEveryFaultStrikes(t *testing.T) {
	if testing.Short() {
		t.Skip("plays many worlds")
	}
	counts := map[string]int{}
	missing := func() (names []string) {
		for _, name := range everyFault() {
			if counts[name] == 0 {
				names = append(names, name)
			}
		}
		return names
	}
	for seed := uint64(1000); len(missing()) > 0; seed++ {
		if seed == 1500 {
			t.Fatalf("never struck in 500 worlds: %q", missing())
		}
		w := newWorld(options{seed: seed, steps: 500})
		if wrong := w.live(); wrong != "" {
			t.Fatalf("%s", w.epitaph(wrong))
		}
		for name, n := range w.faults.counts {
			counts[name] += n
		}
	}
}
