package main

import (
	"fmt"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
)

// expected is what the oracle says must come of an input.
type expected struct {
	// refusal is how it is refused; 0 when it must be taken.
	refusal engine.Kind
	// arrivals must come, each once, in whatever order.
	arrivals []arrival
	// optional may come besides.
	optional func(arrival) bool
	// commands are the events of a completion's commands, in order.
	commands []enumspb.EventType
	// completes: a WorkflowTaskCompleted comes; fails: a WorkflowTaskFailed, if the task is in history.
	completes, fails bool
	// mayComplete: a WorkflowTaskCompleted may come, or no trace of the task.
	mayComplete bool
	// starts: the reply brings a new token. ends: the good token is good no more.
	starts, ends bool
	// aborts: it ends because its poller was gone; the next worker takes it up.
	aborts bool
	// pauses: a task that no worker has ends.
	pauses bool
	// mayEnd: the good token may end, by a timeout.
	mayEnd bool
	// closes the run, with that event; 0: not at all.
	closes enumspb.EventType
	// mayClose: the run may end in time-out.
	mayClose bool
	// born: a new run; succeeds: a new run may come, of the same chain.
	born, succeeds bool
	// quiet: nothing at all may change (a repetition).
	quiet bool
	// births are the arrivals in the first batch of a new run.
	births []arrival
	// started describes the run that is to be born.
	started begun
	// prefix is what it begins with, if a reset has made it.
	prefix *prefix
	// vanished is a place in the buffer that a cancelled timer's firing leaves; with took.
	vanished []arrival
	// updates are what becomes of updates.
	updates map[string]stage
	// note is kept for the ledger by the ones who made the expectation.
	after func(*life)
}

// begun is what the oracle knows of a run about to be born.
type begun struct {
	request string
	from    *engine.Message // of a child
	start   startOptions
}

func (e *expected) String() string {
	var parts []string
	add := func(is bool, what string) {
		if is {
			parts = append(parts, what)
		}
	}
	add(e.refusal != 0, fmt.Sprintf("refusal %d", e.refusal))
	add(e.completes, "completion")
	add(e.fails, "failed task")
	add(e.ends, "end of the token")
	add(e.closes != 0, e.closes.String())
	add(e.born, "new run")
	for _, a := range e.arrivals {
		parts = append(parts, a.String())
	}
	for _, c := range e.commands {
		parts = append(parts, c.String())
	}
	return strings.Join(parts, ", ")
}

func refuse(kind engine.Kind) *expected { return &expected{refusal: kind, quiet: true} }

func nothing() *expected { return &expected{quiet: true} }

// judge compares how the input was answered.
func (e *expected) judge(w *world, r *engine.Refusal) {
	got := engine.Kind(0)
	if r != nil {
		got = r.Kind
	}
	if got == e.refusal {
		return
	}
	if r != nil {
		w.fail("refused with kind %d, %q; expected kind %d", got, r.Message, e.refusal)
	}
	w.fail("taken, although a refusal of kind %d was expected", e.refusal)
}

// changes reports whether something must have come of the input.
func (e *expected) changes(b *ledger) bool {
	return len(e.arrivals) > 0 || e.completes || e.ends && b.live != 0 || e.closes != 0
}

// without takes one arrival out of a list.
func without(list []arrival, a arrival) ([]arrival, bool) {
	i := slices.Index(list, a)
	if i < 0 {
		return list, false
	}
	return slices.Delete(slices.Clone(list), i, i+1), true
}
