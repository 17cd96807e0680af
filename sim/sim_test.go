package main

import "testing"

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
