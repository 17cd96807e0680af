package shard

import (
	"context"

	"github.com/perdure/perdure/engine"
)

// watcher is a caller that waits until a run has gone on.
type watcher struct {
	seen int64 // progress, see execution
	done func(err error)
}

// WaitActivity is Wait for a standalone activity: it returns nil once the count
// of its state transitions is durably another than the one seen, or the run is
// closed or gone.
func (h *Host) WaitActivity(ctx context.Context, key engine.RunKey, seenTransitions int64) error {
	return h.Wait(ctx, key, seenTransitions)
}

// Wait returns nil once the run's next event id is durably another than the one
// seen, or the run is closed or gone. Otherwise it returns ctx's error, a
// Refusal of KindNotFound, or a fault.
func (h *Host) Wait(ctx context.Context, key engine.RunKey, seenNextEventID int64) error {
	result := make(chan error, 2) // a fault may be told twice
	stop := h.Watch(key, seenNextEventID, func(err error) { result <- err })
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		stop()
		return context.Cause(ctx)
	}
}

// Watch is Wait for a caller that does not wait: done is called from any
// goroutine, with a fault perhaps twice. stop ends the watch; done may still be
// called by someone who is about to.
func (h *Host) Watch(key engine.RunKey, seenNextEventID int64, done func(err error)) (stop func()) {
	w := &watcher{seen: seenNextEventID, done: done}
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
	return func() { s.inbox.report(func() { s.unwatch(key, w) }) }
}

// watch registers a watcher, unless what it waits for has happened: then it is
// told once that is durable.
func (s *shard) watch(h *held, w *watcher) {
	if h.run.progress() != w.seen || !h.run.Open() {
		s.after(h.lastBatch, w.done)
		return
	}
	if s.watching >= s.opt.MaxPending {
		w.done(ErrBusy)
		return
	}
	s.watching++
	if h.watchers == nil {
		h.watchers = make(map[*watcher]struct{})
	}
	h.watchers[w] = struct{}{}
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

// wakeWatchers tells those who have waited for what is now durable, and reports
// whether there were any.
func (s *shard) wakeWatchers(h *held, seen seen) (any bool) {
	for w := range h.watchers { // their order is of no consequence
		if seen.closed || seen.progress != w.seen {
			s.removeWatcher(h, w)
			w.done(nil)
			any = true
		}
	}
	return any
}

func (s *shard) dropWatchers(h *held, fault error) {
	for w := range h.watchers {
		s.removeWatcher(h, w)
		w.done(fault)
	}
}
