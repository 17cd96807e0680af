package shard

import (
	"testing"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
)

// Who waits for the close of a run is asked at every change, reads the run once,
// and hears when what it has read is durable; of a run that is deleted it hears
// that it is gone.
func TestFollowReadsTheRunWhenItIsEnough(t *testing.T) {
	w := newWorld(t)
	key := engine.RunKey{ID: idOf("a"), RunID: w.do("a", "", startOf("a")).(*workflow.Started).RunID}
	task := w.take().(*workflow.TaskStarted)
	var events []int64
	var told []error
	follow := func(key engine.RunKey) {
		w.host.watch(key, &watcher{
			enough: func(*held) bool { return false },
			read:   func(h *held) { events = append(events, h.workflow().Info.NextEventID) },
			done:   func(err error) { told = append(told, err) },
		})
		w.settle()
	}
	follow(key)
	w.do("a", "", signalOf("a", "one"))
	if len(events)+len(told) != 0 {
		t.Fatalf("read %d times, told %v by a signal", len(events), told)
	}
	w.do("a", "", completeTask(task, timerCommand("t", time.Hour)))
	w.do("a", "", signalOf("a", "another"))
	task = w.take().(*workflow.TaskStarted)
	w.slowCommits()
	w.submit("a", "", completeTask(task, closeCommand()))
	w.settle()
	if len(told) != 0 {
		t.Fatal("told before the close is durable (I1)")
	}
	w.advance(2 * time.Second)
	if len(events) != 1 || len(told) != 1 || told[0] != nil {
		t.Errorf("read %v, told %v; want one reading", events, told)
	}
	w.faults.Commit = nil

	other := engine.RunKey{ID: idOf("b"), RunID: w.do("b", "", startOf("b")).(*workflow.Started).RunID}
	follow(other)
	w.do("b", "", &workflow.Delete{})
	if len(told) != 2 || engine.KindOf(told[1]) != engine.KindNotFound {
		t.Errorf("of the deleted run: %v", told[1:])
	}
}

// Deleting an open standalone activity ends it first: who waits for its outcome
// gets it, however soon the run is gone after that.
func TestFollowHearsTheOutcomeOfADeletedActivity(t *testing.T) {
	w := newWorld(t)
	w.doAlone("a", startAlone("a"))
	var key engine.RunKey
	w.viewAlone("a", func(run *standalone.Run) { key = run.Key })
	var outcomes []string
	var told []error
	w.host.watch(key, &watcher{
		enough: func(*held) bool { return false },
		read:   func(h *held) { outcomes = append(outcomes, h.activity().Outcome.GetFailure().GetMessage()) },
		done:   func(err error) { told = append(told, err) },
	})
	w.settle()
	w.slowCommits()
	w.submitTo(key.ID, key.RunID, &standalone.Delete{})
	w.settle()
	if len(told) != 0 {
		t.Fatal("told before the end is durable (I1)")
	}
	w.advance(3 * time.Second)
	if len(outcomes) != 1 || outcomes[0] != "Delete activity execution" || len(told) != 1 || told[0] != nil {
		t.Errorf("read %q, told %v", outcomes, told)
	}
	w.await(func() {
		if err := w.host.ViewActivity(t.Context(), key.ID, key.RunID, func(*standalone.Run) {}); engine.KindOf(err) != engine.KindNotFound {
			t.Errorf("the run is there still: %v", err)
		}
	})
}
