package bench

import (
	"cmp"
	"math"
	"slices"
	"testing"
	"time"
)

// A run's activities come in waves, on the null server: one commit for each and
// for each wave, and the four of the start, the first task, the signal and the end.
func TestFanOutOnTheFloor(t *testing.T) {
	b, log := onNull(t, "fanout10000")
	b.wave, b.Count, b.settle = 30, 40, time.Millisecond
	var w waves
	if err := w.measure(t.Context(), b, b.prefix+"-run"); err != nil {
		t.Fatal(err)
	}
	b.close()
	if want := 4 + 2 + b.Count; log.commits != want {
		t.Errorf("%d commits, want %d", log.commits, want)
	}
}

// An activity's cost in a wave is that of the wave over all runs, and the dearest
// wave is compared with the cheapest.
func TestCostOfWaves(t *testing.T) {
	w := waves{runs: 2, cpu: []time.Duration{4 * time.Second, 5 * time.Second, time.Second}, took: []time.Duration{2 * time.Second, 2 * time.Second, time.Second}}
	f := w.report(&bench{Options: Options{Count: 4_500, wave: 2_000}}, usage{}).FanOut
	if want := []float64{1000, 1250, 1000}; !slices.Equal(f.CPUMicros, want) {
		t.Errorf("%v us an activity, want %v", f.CPUMicros, want)
	}
	if want := []float64{2000, 2000, 1000}; !slices.Equal(f.PerSecond, want) {
		t.Errorf("%v activities a second, want %v", f.PerSecond, want)
	}
	if math.Abs(f.Flat-1.25) > 1e-9 {
		t.Errorf("the dearest costs %v of the cheapest", f.Flat)
	}
}

// Ten times the clients, on the null server: what was accepted has ended, and what
// is best for the first server is the peak of all.
func TestOverloadOnTheFloor(t *testing.T) {
	one, _ := onNull(t, "overload")
	other, _ := onNull(t, "overload")
	one.press, one.mostClients = 20*time.Millisecond, 32
	other.press, other.role = one.press, roleFloor
	all := []*Overload{{}, {}}
	best, err := climb(t.Context(), []*bench{one, other}, all)
	if err != nil {
		t.Fatal(err)
	}
	if len(all[0].Levels) != len(all[1].Levels) {
		t.Errorf("the two met other numbers of clients: %+v", all)
	}
	most := slices.MaxFunc(all[0].Levels, func(a, b Level) int { return cmp.Compare(a.PerSecond, b.PerSecond) })
	if most.PerSecond > 0 && best != most.Clients {
		t.Errorf("%d clients are best, want %d", best, most.Clients)
	}
	for range 2 {
		if err := all[0].overdo(t.Context(), one, best); err != nil {
			t.Fatal(err)
		}
	}
	all[0].sumUp()
	if l := all[0].Tenfold; l.Clients != 10*best || l.Accepted != l.Ended || l.Ended == 0 || len(l.Turns) != 2 {
		t.Errorf("ten times as many: %+v", l)
	}
	if all[0].Peak.Clients != best || all[0].Recovered.Clients != best {
		t.Errorf("before and after: %+v", all[0])
	}
}
