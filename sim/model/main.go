package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"time"
)

func main() {
	seed := flag.Uint64("seed", 1, "the first seed")
	steps := flag.Uint64("steps", 1_000_000, "inputs to play, in as many worlds as it takes")
	worlds := flag.Uint64("worlds", 0, "worlds to play instead; 1 tells its story")
	first := flag.Bool("first", false, "end with the first world that is broken")
	every := flag.Duration("tell", time.Minute, "how often to say how far it has come")
	flag.Parse()
	debug.SetGCPercent(400) // what lives is small, and most of the time would go into collecting it
	if *worlds == 1 {
		os.Exit(tellOne(*seed))
	}
	most := maxBroken
	if *first {
		most = 1
	}
	total := run(*seed, *steps, *worlds, most, *every)
	fmt.Println(total)
	if total.broken > 0 {
		os.Exit(1)
	}
}

// tellOne prints the story of a single world.
func tellOne(seed uint64) int {
	w := newWorld(seed)
	w.story = &story{}
	p := live(w, nil)
	for _, line := range p.story {
		fmt.Println(line)
	}
	if p.broken != "" {
		fmt.Println("BROKEN:", p.broken)
		return 1
	}
	return 0
}

// totals of many worlds.
type totals struct {
	worlds, steps uint64
	broken        int
	took          time.Duration
}

func (t totals) String() string {
	return fmt.Sprintf("%d steps in %d worlds, %v, %.0f steps/s, %d worlds broken",
		t.steps, t.worlds, t.took.Round(time.Millisecond), float64(t.steps)/t.took.Seconds(), t.broken)
}

// maxBroken is after how many broken worlds no more are played, if not asked otherwise.
const maxBroken = 5

// run plays worlds one after another, from a seed on, until there are enough or
// too many are broken.
func run(seed, steps, worlds uint64, most int, every time.Duration) totals {
	var t totals
	began := time.Now()
	told := began
	for worlds > 0 && t.worlds < worlds || worlds == 0 && t.steps < steps {
		p := play(seed+t.worlds, nil)
		t.worlds++
		t.steps += p.steps
		t.took = time.Since(began)
		if p.broken != "" {
			t.broken++
			report(seed+t.worlds-1, p)
			if t.broken == most {
				return t
			}
		}
		if time.Since(told) > every {
			told = time.Now()
			fmt.Println(t)
		}
	}
	return t
}

// storyEnd is how much of a story is shown at once.
const storyEnd = 60

func report(seed uint64, p played) {
	fmt.Printf("seed %d: %s\n", seed, p.broken)
	lines := p.story
	if len(lines) > storyEnd {
		fmt.Printf("… the whole story: go run ./sim/model -worlds 1 -seed %d\n", seed)
		lines = lines[len(lines)-storyEnd:]
	}
	for _, line := range lines {
		fmt.Println(line)
	}
}
