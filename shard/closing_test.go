package shard

import (
	"context"
	"errors"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// closingOf asks for the closing event of a run and returns what it holds.
func closingOf(t *testing.T, w *world, key engine.RunKey) (ev *historypb.HistoryEvent) {
	t.Helper()
	w.await(func() {
		closed, err := w.host.Closing(context.Background(), nil, key)
		if err != nil {
			t.Error(err)
			return
		}
		var h historypb.History
		if err := proto.Unmarshal(closed.Event, &h); err != nil || len(h.Events) != 1 {
			t.Errorf("%d events, %v", len(h.Events), err)
			return
		}
		ev = h.Events[0]
	})
	return ev
}

// The closing event is the one that was stored, whether the end of the history is
// still in memory, too large for that, or long gone from it.
func TestClosingEvent(t *testing.T) {
	for name, size := range map[string]int{"small": 10, "large": 2 * maxTailBytes} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			key := engine.RunKey{ID: idOf("a"), RunID: w.do("a", "", startOf("a")).(*workflow.Started).RunID}
			command := closeCommand()
			result := &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: make([]byte, size)}}}
			command.GetCompleteWorkflowExecutionCommandAttributes().Result = result
			w.do("a", "", completeTask(w.take().(*workflow.TaskStarted), command))
			for _, when := range []string{"at once", "after a crash"} {
				ev := closingOf(t, w, key)
				if !proto.Equal(ev.GetWorkflowExecutionCompletedEventAttributes().GetResult(), result) {
					t.Errorf("%s: %v", when, ev)
				}
				w.crash()
			}
			gone := key
			gone.RunID = "another"
			w.await(func() {
				if _, err := w.host.Closing(context.Background(), nil, gone); engine.KindOf(err) != engine.KindNotFound {
					t.Errorf("of a run that is not there: %v", err)
				}
			})
		})
	}
}

// Whoever waits for the close hears when it is durable (I1), takes the event with
// it, and leaves nothing behind: the run is let go at once.
func TestClosingIsAwaited(t *testing.T) {
	w := newWorld(t)
	key := engine.RunKey{ID: idOf("a"), RunID: w.do("a", "", startOf("a")).(*workflow.Started).RunID}
	task := w.take().(*workflow.TaskStarted)
	var c closing
	told := 0
	waiter := &watcher{
		enough: never, read: c.take, leaves: true,
		done: func(err error) {
			if told++; err != nil {
				t.Error(err)
			}
		},
	}
	s := w.host.watch(key, waiter)
	w.settle()
	w.do("a", "", completeTask(task, closeCommand()))
	w.settle()
	if told != 1 || len(c.closed.Event) == 0 {
		t.Errorf("told %d times, %d bytes", told, len(c.closed.Event))
	}
	if s.held != 0 || s.watching != 0 {
		t.Errorf("%d runs are in memory, %d waiters", s.held, s.watching)
	}
	s.endWatch(key, waiter)
	w.settle()
}

// Whose time is over hears so, and is forgotten.
func TestClosingIsAwaitedForATime(t *testing.T) {
	w := newWorld(t)
	key := engine.RunKey{ID: idOf("a"), RunID: w.do("a", "", startOf("a")).(*workflow.Started).RunID}
	over := make(chan struct{})
	close(over)
	w.await(func() {
		if _, err := w.host.Closing(context.Background(), over, key); !errors.Is(err, ErrOver) {
			t.Errorf("%v", err)
		}
	})
	w.settle()
	if s := w.host.shardOf(key.ID); s.watching != 0 {
		t.Errorf("%d waiters", s.watching)
	}
}

// Who leaves before the shard has come to look is not waited for.
func TestWatcherThatLeftIsForgotten(t *testing.T) {
	w := newWorld(t)
	key := engine.RunKey{ID: idOf("a"), RunID: w.do("a", "", startOf("a")).(*workflow.Started).RunID}
	waiter := &watcher{enough: never, done: func(error) { t.Error("told") }}
	s := w.host.watch(key, waiter)
	s.endWatch(key, waiter)
	w.settle()
	if s.watching != 0 {
		t.Errorf("%d waiters", s.watching)
	}
}
