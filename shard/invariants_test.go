package shard

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

// I2: wherever the power is cut, the history is 1, 2, 3… without a gap, what was
// acknowledged is in it, and what a reader has seen of it stays as it was.
func TestI2HistoryIsAppendOnly(t *testing.T) {
	for cut := range 8 {
		t.Run(fmt.Sprint("cut after commit ", cut), func(t *testing.T) {
			w := newWorld(t)
			commits := 0
			w.faults.Commit = func(store.Shard, *store.Batch) memstore.CommitFault {
				if commits++; commits > cut {
					return memstore.CommitFault{Err: store.ErrUnknown, Fate: memstore.Fate(commits % 2)}
				}
				return memstore.CommitFault{}
			}
			acknowledged := 0
			for i := range 6 {
				var in workflow.Input = signalOf("a", fmt.Sprint(i))
				if i == 0 {
					in = startOf("a")
				}
				o := w.submit("a", "", in)
				w.settle()
				if o.err == nil && o.answered {
					acknowledged++
				}
			}
			var seen []string
			if cut > 0 {
				w.faults.Commit = nil
				w.advance(0)
				for _, ev := range w.history(w.currentRun("a")) {
					seen = append(seen, ev.String())
				}
			}
			w.crash()
			w.faults.Commit = nil
			w.do("a", "", startOf("a"))
			w.do("a", "", signalOf("a", "last"))
			events := w.history(w.currentRun("a"))
			signals := 0
			for i, ev := range events {
				if ev.EventId != int64(i+1) {
					t.Errorf("event %d where %d belongs", ev.EventId, i+1)
				}
				if i < len(seen) && ev.String() != seen[i] {
					t.Errorf("event %d was %s and is %s", i+1, seen[i], ev)
				}
				if ev.GetWorkflowExecutionSignaledEventAttributes() != nil {
					signals++
				}
			}
			if signals < acknowledged-1 {
				t.Errorf("%d signals in history, %d were acknowledged (I1)", signals, acknowledged-1)
			}
		})
	}
}

// I3: of many starts of one id, in one batch or after a crash, one makes a run.
func TestI3OneOpenRun(t *testing.T) {
	w := newWorld(t)
	w.slowCommits()
	var starts []*answerTo
	start := func(n int) {
		in := startOf("a")
		in.Request.RequestId = fmt.Sprint("request ", n)
		starts = append(starts, w.submit("a", "", in))
	}
	for n := range 10 {
		start(n)
	}
	w.advance(3 * time.Second)
	w.faults.Commit = nil
	w.crash()
	start(11)
	w.settle()
	made := 0
	for _, o := range starts {
		switch {
		case o.err == nil && o.answered:
			made++
		case engine.KindOf(o.err) != engine.KindAlreadyStarted:
			t.Errorf("got %v", o.err)
		}
	}
	if made != 1 {
		t.Errorf("%d starts made a run", made)
	}
}

// I9: an owner that another has taken the slots from changes nothing any more,
// tells its callers so, and must open them again before it can go on.
func TestI9FormerOwnerCannotWrite(t *testing.T) {
	w := newWorld(t)
	w.do("a", "", startOf("a"))
	before := len(w.rows(store.FamilyCurrent))
	held := w.host.shards[0].Load()
	other, err := w.driver.Open(context.Background(), store.SlotRange{From: 0, To: store.Slots})
	if err != nil {
		t.Fatal(err)
	}
	w.faults.Open = func(store.SlotRange) error { return errors.New("the other owner keeps them") }
	o := w.submit("b", "", startOf("b"))
	w.settle()
	if !errors.Is(o.err, ErrUnavailable) {
		t.Fatalf("the former owner said %v", o.err)
	}
	n := 0
	err = other.Scan(context.Background(), store.Key{Family: store.FamilyCurrent}, store.Key{Family: store.FamilyCurrent, Slot: store.Slots},
		func(store.Entry) bool { n++; return true })
	if err != nil || n != before {
		t.Fatalf("%d executions, %d before; %v", n, before, err)
	}
	w.faults.Open = nil
	w.advance(30 * time.Second)
	if w.host.shards[0].Load() == held {
		t.Fatal("the slots were not opened again")
	}
	w.do("b", "", startOf("b"))
}

// I10: when a caller hears of a change, the index has been told before.
func TestI10IndexIsToldFirst(t *testing.T) {
	w := newWorld(t)
	told := -1
	w.host.Submit(idOf("a"), "", startOf("a"), func(any, error) { told = len(w.feed.entries) })
	w.settle()
	if told != 1 {
		t.Errorf("the index had %d changes when the caller was answered", told)
	}
}
