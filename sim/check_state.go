package main

import (
	"fmt"

	"github.com/perdure/perdure/engine"
)

// compare holds the state against the history: what is pending in one is pending
// in the other. Buffered events count as history to come.
func (l *life) compare() string {
	run := l.state
	if next := run.Info.NextEventID; next != int64(len(l.events))+1 {
		return fmt.Sprintf("I2: the state expects event %d after %d events", next, len(l.events))
	}
	if run.Open() == l.closed {
		return fmt.Sprintf("I2: the state says %v, the history is closed: %v", run.Info.Status, l.closed)
	}
	if !run.Open() && run.Info.DeleteAt.IsZero() {
		return "it is closed, and will never be forgotten"
	}
	if wrong := l.compareUpdates(); wrong != "" || !run.Open() {
		return wrong
	}
	ahead := map[int64]bool{}
	fired := map[int64]bool{}
	for _, ev := range run.Buffered {
		if id, ok := closes(ev); ok {
			ahead[id] = true
		}
		if id, ok := answers(ev); ok {
			ahead[id] = true
		}
		if t := ev.GetTimerFiredEventAttributes(); t != nil {
			fired[t.StartedEventId] = true
		}
	}
	for id, a := range l.activities {
		if want := a.end == 0 && !ahead[id]; want != (run.Activities[id] != nil) {
			return fmt.Sprintf("I6: activity %d is pending in the history: %v, in the state: %v", id, want, run.Activities[id] != nil)
		}
	}
	for id, t := range l.timers {
		state := run.Timers[t.id]
		if want := !t.over && !fired[id]; want != (state != nil && state.StartedEventID == id) {
			return fmt.Sprintf("I7: timer %s is pending in the history: %v, in the state: %+v", t.id, want, state)
		}
	}
	for id, o := range l.others {
		state := run.Children[id] != nil || run.Signals[id] != nil || run.Cancels[id] != nil
		if want := !o.over && !ahead[id]; want != state {
			return fmt.Sprintf("I8: event %d is pending in the history: %v, in the state: %v", id, want, state)
		}
	}
	return ""
}

// compareUpdates: the state and the history know the same updates.
func (l *life) compareUpdates() string {
	accepted := 0
	for _, u := range l.state.Updates {
		if u.AcceptedEventID != 0 { // else it was admitted by a reset
			accepted++
		}
	}
	if len(l.updates) != accepted {
		return fmt.Sprintf("I8: %d updates in the history, %d in the state", len(l.updates), accepted)
	}
	for id, u := range l.updates {
		s := l.state.Updates[id]
		if s == nil || s.AcceptedEventID != u.accepted || s.CompletedEventID != u.completed {
			return fmt.Sprintf("I8: update %s is %+v in the history, %+v in the state", id, *u, s)
		}
	}
	return ""
}

// checkIDs: an id has one open run at most, and its pointer leads to it (I3).
func (o *observer) checkIDs() {
	open := map[engine.ID]*life{}
	for _, l := range o.order {
		if l.state == nil || !l.state.Open() {
			continue
		}
		if other := open[l.key.ID]; other != nil {
			o.broken("I3: %s and %s are both open", short(other.key), short(l.key))
		}
		open[l.key.ID] = l
		if current := o.current[l.key.ID]; current != l.key.RunID {
			o.broken("I3: %s is open, and the current run is %s", short(l.key), current)
		}
	}
	for id, runID := range o.current {
		if id.Archetype == engine.ArchetypeActivity {
			if x := o.singles.runs[engine.RunKey{ID: id, RunID: runID}]; x == nil || x.state == nil {
				o.broken("I3: the current run %s of %s does not exist", runID, id.Name)
			}
			continue
		}
		if l := o.lives[engine.RunKey{ID: id, RunID: runID}]; l == nil || l.state == nil {
			o.broken("I3: the current run %s of %s does not exist", runID, id.Name)
		}
	}
}
