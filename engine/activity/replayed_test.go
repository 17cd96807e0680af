package activity

import (
	"testing"
	"time"
)

// Asked for anew by a reset, all its clocks count from then.
func TestRescheduledCountsAnew(t *testing.T) {
	s := New(InWorkflow, "a", "T", Options{ScheduleToClose: time.Minute, ScheduleToStart: time.Second}, epoch)
	later := epoch.Add(time.Hour)
	again := s.Rescheduled(later)
	if next := again.Next(); !next.Equal(later) || !again.MayOffer(later) || again.MayOffer(epoch) {
		t.Errorf("due at %v", next)
	}
	if next := again.Offer().Next(); !next.Equal(later.Add(time.Second)) {
		t.Errorf("schedule-to-start is over at %v", next)
	}
	if !s.ScheduledTime.Equal(epoch) {
		t.Error("what it was before has changed")
	}
}

// An attempt that only history knows of runs until start-to-close is over, and is
// then retried as any other.
func TestStartedBeforeRuns(t *testing.T) {
	s := New(InWorkflow, "a", "T", Options{StartToClose: time.Minute}, epoch)
	running := s.StartedBefore(epoch.Add(time.Second), 3, "w")
	if running.Unstarted() || running.Attempt != 3 || running.Identity != "w" || !running.Next().Equal(epoch.Add(61*time.Second)) {
		t.Errorf("got %+v", running)
	}
}
