package clock_test

import (
	"slices"
	"testing"
	"time"

	"github.com/perdure/perdure/internal/clock"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// Calls are made in the order of their times, each seeing its own time, and a
// call asked for by another is made in the same Advance if it is due by then.
func TestFakeCallsInOrder(t *testing.T) {
	fake := clock.NewFake(start)
	var got []string
	note := func(name string) func() {
		return func() { got = append(got, name+"@"+fake.Now().Sub(start).String()) }
	}
	fake.AfterFunc(3*time.Second, note("c"))
	fake.AfterFunc(time.Second, note("a"))
	fake.AfterFunc(time.Second, func() {
		note("b")()
		fake.AfterFunc(time.Second, note("asked by b"))
	})
	fake.AfterFunc(time.Minute, note("late"))

	fake.Advance(0)
	if len(got) != 0 {
		t.Fatalf("fired early: %v", got)
	}
	fake.Advance(10 * time.Second)
	want := []string{"a@1s", "b@1s", "asked by b@2s", "c@3s"}
	if !slices.Equal(got, want) {
		t.Errorf("calls %v, want %v", got, want)
	}
	if now := fake.Now().Sub(start); now != 10*time.Second {
		t.Errorf("the clock shows +%v, want +10s", now)
	}
	if due, ok := fake.Next(); !ok || due.Sub(start) != time.Minute {
		t.Errorf("next call at %v, %v", due, ok)
	}
}

// A stopped call is not made, and Stop says whether it came in time.
func TestFakeStop(t *testing.T) {
	fake := clock.NewFake(start)
	stopped := fake.AfterFunc(time.Second, func() { t.Error("a stopped call was made") })
	made := false
	other := fake.AfterFunc(time.Second, func() { made = true })
	if !stopped.Stop() {
		t.Error("Stop before the time reports false")
	}
	if stopped.Stop() {
		t.Error("a second Stop reports true")
	}
	fake.Advance(time.Second)
	if !made {
		t.Error("the other call was not made")
	}
	if other.Stop() {
		t.Error("Stop after the call reports true")
	}
}

// A clock set back shows the earlier time, and what was asked for stays where
// it was.
func TestFakeSetBack(t *testing.T) {
	fake := clock.NewFake(start)
	made := false
	fake.AfterFunc(time.Second, func() { made = true })
	fake.Set(start.Add(-time.Hour))
	if made || !fake.Now().Equal(start.Add(-time.Hour)) {
		t.Errorf("made=%v now=%v", made, fake.Now())
	}
	fake.Set(start.Add(time.Second))
	if !made {
		t.Error("the call was lost")
	}
}
