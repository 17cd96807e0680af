package matching

import "testing"

// A poller is told how many tasks wait behind its own, not of those that others
// are in the middle of getting. The Go SDK polls a sticky queue with all it has
// while it believes in a backlog there: two that each hear of the other's task go
// back to it together, and nobody polls the normal queue until a minute is over.
func TestBacklogHint(t *testing.T) {
	w, b := newWorld(t), &backlog{hold: true}
	polls := w.pollN(sticky, 2)
	w.offer(b, taskOn(sticky, "a", 1), taskOn(sticky, "b", 2))
	if len(b.held) != 2 {
		t.Fatalf("%d are starting", len(b.held))
	}
	b.letGo()
	w.settle()
	for i, p := range polls {
		if n := p.handover.BacklogCount; n != 0 {
			t.Errorf("poll %d hears of %d more", i, n)
		}
	}
	w.offer(b, taskOn(sticky, "c", 3), taskOn(sticky, "d", 4), taskOn(sticky, "e", 5))
	for want := int64(2); want >= 0; want-- {
		if n := w.poll(pollOf(sticky, "w1")).handover.BacklogCount; n != want {
			t.Errorf("%d wait, want %d", n, want)
		}
	}
}
