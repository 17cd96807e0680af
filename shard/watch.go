package shard

import (
	"context"
	"errors"
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
	// perhaps twice; with NotFound when the run is gone. It is nil where somebody
	// waits in Host.await.
	done func(err error)
	// heard is sent to then, for who waits; the first outcome, err, counts. told
	// says that there is one. Both are the loop's until then.
	heard chan struct{}
	told  bool
	err   error
	// leaves: read takes all that is wanted of a run, nobody comes back for more.
	leaves bool
	// left: the caller does not wait any more. Set and read on the loop.
	left bool

	// request brings the watcher to its run.
	request request
}

// tell tells the caller.
func (w *watcher) tell(err error) {
	switch {
	case w.done != nil:
		w.done(err)
	case !w.told:
		w.told, w.err = true, err
		w.heard <- struct{}{}
	}
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
	w.heard = make(chan struct{}, 1)
	s := h.watch(key, w)
	_, _, heard, err := await.Either(ctx, w.heard, over)
	if err == nil && heard {
		return w.err
	}
	s.endWatch(key, w)
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
	w := &watcher{enough: goneOn(seenNextEventID), done: done}
	s := h.watch(key, w)
	return func() { s.endWatch(key, w) }
}

// watch brings a watcher to its run. Who ends the watch tells the same shard.
func (h *Host) watch(key engine.RunKey, w *watcher) *shard {
	s := h.shardOf(key.ID)
	w.request = request{id: key.ID, runID: key.RunID, outside: true, watch: w}
	s.submit(&w.request)
	return s
}

// endWatch ends a watch whose caller has gone.
func (s *shard) endWatch(key engine.RunKey, w *watcher) {
	s.inbox.report(func() {
		w.left = true // the request may not have been looked at yet
		s.unwatch(key, w)
	})
}

// watch registers a watcher, unless what it waits for has happened.
func (s *shard) watch(h *held, w *watcher) {
	// Who wants no more than the end of a run finds it in memory once it is
	// written; now it would have to be read from the store.
	if w.left || !(w.leaves && h.dirty) && s.tell(h, w) {
		return
	}
	if s.watching >= s.opt.MaxPending {
		w.tell(ErrBusy)
		return
	}
	s.watching++
	h.watchers = append(h.watchers, w)
}

// tell tells a watcher if what it waits for has happened, once that is durable.
func (s *shard) tell(h *held, w *watcher) bool {
	if h.run == nil {
		w.tell(machineOf(h.key.Archetype).notFound(h.key.ID, h.key.RunID))
		return true
	}
	if h.run.Open() && !w.enough(h) {
		return false
	}
	if w.read != nil {
		w.read(h)
	}
	s.tellAfter(h.lastBatch, w)
	return true
}

func (s *shard) unwatch(key engine.RunKey, w *watcher) {
	e := s.entries[key.ID]
	if e == nil {
		return
	}
	if h := e.run(key.RunID); h != nil {
		if at := slices.Index(h.watchers, w); at >= 0 {
			h.watchers = slices.Delete(h.watchers, at, at+1)
			s.watching--
		}
	}
}

// wakeWatchers tells those who have waited for what is now durable, and reports
// whether any of them will be back for more: for the run, if they have not read
// it, or for the last event of a workflow.
func (s *shard) wakeWatchers(h *held) (back bool) {
	h.watchers = slices.DeleteFunc(h.watchers, func(w *watcher) bool {
		told := s.tell(h, w)
		if told {
			s.watching--
			back = back || w.read == nil || !w.leaves && h.key.Archetype == engine.ArchetypeWorkflow
		}
		return told
	})
	return back
}

func (s *shard) dropWatchers(h *held, fault error) {
	s.watching -= len(h.watchers)
	for _, w := range h.watchers {
		w.tell(fault)
	}
	h.watchers = nil
}
