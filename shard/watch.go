package shard

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/internal/await"
)

// watcher is a caller that waits until a run has gone on.
type watcher struct {
	// enough reports whether the run has gone on as far as is waited for. It is
	// asked on the loop, whenever a change of the run is durable; the run may
	// have gone on further by then. A run that has closed is enough for all.
	enough func(h *held) bool
	// read is called with the run before done is; it may be nil.
	read func(h *held)
	// done is called when what read has seen is durable, or with a fault, then
	// perhaps twice; with NotFound when the run is gone.
	done func(err error)
	// leaves: read takes all that is wanted of a run, nobody comes back for more.
	leaves bool
	// left: the caller does not wait any more. Set and read on the loop.
	left bool
	// no is the watcher's place among those of a shard: they are told in the order
	// they came.
	no uint64
}

// ErrOver is the answer to one who waits until their time is over: what they wait
// for has not happened.
var ErrOver = errors.New("the time of the wait is over")

// Follow waits until enough says so of the workflow run, or it is closed, and
// reads it then. enough and read are called as View calls read. Follow returns
// nil once what read has seen is durable; otherwise ErrOver when there is
// something in over, or it is closed, ctx's error, a Refusal of KindNotFound, or a
// fault, and then read may be called still, or have been.
func (h *Host) Follow(ctx context.Context, over <-chan struct{}, key engine.RunKey, enough func(*workflow.Run) bool, read func(*workflow.Run)) error {
	return h.await(ctx, over, key, &watcher{
		enough: func(h *held) bool { return enough(h.workflow()) },
		read:   func(h *held) { read(h.workflow()) },
	})
}

// FollowActivity is Follow for a standalone activity.
func (h *Host) FollowActivity(ctx context.Context, over <-chan struct{}, key engine.RunKey, enough func(*standalone.Run) bool, read func(*standalone.Run)) error {
	return h.await(ctx, over, key, &watcher{
		enough: func(h *held) bool { return enough(h.activity()) },
		read:   func(h *held) { read(h.activity()) },
	})
}

func goneOn(seen int64) func(*held) bool {
	return func(h *held) bool { return h.run.progress() != seen }
}

func (h *Host) await(ctx context.Context, over <-chan struct{}, key engine.RunKey, w *watcher) error {
	result := make(chan error, 2) // a fault may be told twice
	w.done = func(err error) { result <- err }
	stop := h.watch(key, w)
	told, _, heard, err := await.Either(ctx, result, over)
	if err == nil && heard {
		return told
	}
	stop()
	if err == nil {
		err = ErrOver
	}
	return err
}

// Watch is for a caller that does not wait until a workflow run has another next
// event id than the one seen, or is closed: done is called from any goroutine
// once that is durable, or with a Refusal of KindNotFound, or with a fault, then
// perhaps twice. stop ends the watch; done may still be called by someone who is
// about to.
func (h *Host) Watch(key engine.RunKey, seenNextEventID int64, done func(err error)) (stop func()) {
	return h.watch(key, &watcher{enough: goneOn(seenNextEventID), done: done})
}

func (h *Host) watch(key engine.RunKey, w *watcher) (stop func()) {
	s := h.shardOf(key.ID)
	s.submit(&request{
		id: key.ID, runID: key.RunID, outside: true,
		look: func(held *held) { s.watch(held, w) },
		done: func(_ any, err error) {
			if err != nil { // else the watcher is told
				w.done(err)
			}
		},
	})
	return func() {
		s.inbox.report(func() {
			w.left = true // the request may not have been looked at yet
			s.unwatch(key, w)
		})
	}
}

// watch registers a watcher, unless what it waits for has happened.
func (s *shard) watch(h *held, w *watcher) {
	// Who wants no more than the end of a run finds it in memory once it is
	// written; now it would have to be read from the store.
	if w.left || !(w.leaves && h.dirty) && s.tell(h, w) {
		return
	}
	if s.watching >= s.opt.MaxPending {
		w.done(ErrBusy)
		return
	}
	s.watching++
	s.watcherNo++
	w.no = s.watcherNo
	if h.watchers == nil {
		h.watchers = make(map[*watcher]struct{})
	}
	h.watchers[w] = struct{}{}
}

// tell tells a watcher if what it waits for has happened, once that is durable.
func (s *shard) tell(h *held, w *watcher) bool {
	if h.run == nil {
		w.done(machineOf(h.key.Archetype).notFound(h.key.ID, h.key.RunID))
		return true
	}
	if h.run.Open() && !w.enough(h) {
		return false
	}
	if w.read != nil {
		w.read(h)
	}
	s.after(h.lastBatch, w.done)
	return true
}

func (s *shard) unwatch(key engine.RunKey, w *watcher) {
	e := s.entries[key.ID]
	if e == nil {
		return
	}
	if h := e.runs[key.RunID]; h != nil {
		s.removeWatcher(h, w)
	}
}

func (s *shard) removeWatcher(h *held, w *watcher) {
	if _, ok := h.watchers[w]; ok {
		delete(h.watchers, w)
		s.watching--
	}
}

// inOrder are the run's watchers, those first who came first: what a simulated
// world does must follow from its seed alone.
func (h *held) inOrder() []*watcher {
	if len(h.watchers) == 0 {
		return nil
	}
	return slices.SortedFunc(maps.Keys(h.watchers), func(a, b *watcher) int { return cmp.Compare(a.no, b.no) })
}

// wakeWatchers tells those who have waited for what is now durable, and reports
// whether any of them will be back for more: for the run, if they have not read
// it, or for the last event of a workflow.
func (s *shard) wakeWatchers(h *held) (back bool) {
	for _, w := range h.inOrder() {
		if s.tell(h, w) {
			s.removeWatcher(h, w)
			back = back || w.read == nil || !w.leaves && h.key.Archetype == engine.ArchetypeWorkflow
		}
	}
	return back
}

func (s *shard) dropWatchers(h *held, fault error) {
	for _, w := range h.inOrder() {
		s.removeWatcher(h, w)
		w.done(fault)
	}
}
