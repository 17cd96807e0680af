package main

import (
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/store"
)

// life is what is known of a run: all events ever seen, and its state by the
// last look.
type life struct {
	key    engine.RunKey
	rows   map[int64][]byte // history rows by first event id
	events []*historypb.HistoryEvent
	state  *workflow.Run // nil once deleted
	gone   bool
	lastly time.Time // when its state was last seen
	// stored are the rows that state was read from. atRest: it has closed and
	// nobody waits for it, so that as long as they are the same there is nothing
	// to check again.
	stored []store.Entry
	atRest bool
	// shared: what it has in common with the base of its reset was compared;
	// replayed: so many events were replayed and compared with the state.
	// begun: how it began was compared with what it was asked for.
	shared   bool
	replayed int
	begun    bool
	course
}

func (o *observer) life(key engine.RunKey) *life {
	l := o.lives[key]
	if l == nil {
		l = &life{key: key, rows: map[int64][]byte{}, course: newCourse()}
		o.lives[key] = l
		o.order = append(o.order, l)
	}
	return l
}

// signaled reports whether the run has got the signal, in its history or among
// the buffered events.
func (l *life) signaled(name string) bool {
	return l.signals[name] > 0 || l.buffers(func(ev *historypb.HistoryEvent) bool {
		return ev.GetWorkflowExecutionSignaledEventAttributes().GetSignalName() == name
	})
}

// ended reports whether the activity has ended so, in the history or among the
// buffered events.
func (l *life) ended(scheduledID int64, how enumspb.EventType) bool {
	if a := l.activities[scheduledID]; a != nil && a.end == how {
		return true
	}
	return l.buffers(func(ev *historypb.HistoryEvent) bool {
		id, ok := closes(ev)
		return ok && id == scheduledID && ev.EventType == how
	})
}

func (l *life) buffers(is func(*historypb.HistoryEvent) bool) bool {
	if l.state == nil {
		return false
	}
	for _, ev := range l.state.Buffered {
		if is(ev) {
			return true
		}
	}
	return false
}

// tell is the history of a run, a line an event.
func (l *life) tell() string {
	var b strings.Builder
	for _, ev := range l.events {
		fmt.Fprintf(&b, "    %3d %10.3f %v\n", ev.EventId, ev.EventTime.AsTime().Sub(epoch).Seconds(), ev.EventType)
	}
	if l.state != nil {
		fmt.Fprintf(&b, "    state %v, workflow task %+v, %d buffered, sticky %v\n", l.state.Info.Status, l.state.Info.Task,
			len(l.state.Buffered), l.state.Info.Sticky)
		for id, a := range l.state.Activities {
			fmt.Fprintf(&b, "    activity %d: status %d attempt %d due %v stamp %d offered %v\n", id, a.Status, a.Attempt, a.DueTime.Sub(epoch), a.Stamp, a.Offered)
		}
	}
	return b.String()
}
