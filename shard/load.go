package shard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// beside runs work that may wait for the store, outside the loop. It reports
// back through the inbox. At most Options.MaxLoads run at a time; the rest wait
// their turn.
func (s *shard) beside(work func(ctx context.Context)) {
	if s.reading >= s.opt.MaxLoads {
		s.readers = append(s.readers, work)
		return
	}
	s.reading++
	s.opt.Spawn(func() {
		work(s.ctx)
		s.inbox.report(s.besideDone)
	})
}

func (s *shard) besideDone() {
	s.reading--
	if len(s.readers) > 0 {
		next := s.readers[0]
		s.readers = s.readers[1:]
		s.beside(next)
	}
}

// loaded is what a read for an entry brought.
type loaded struct {
	// current was asked for, and is the answer.
	withCurrent bool
	current     string

	runID string
	run   execution // nil: not found

	events map[int64]*historypb.HistoryEvent
	err    error
}

// isNew reports, and notes, that the id has no current run, if the store can tell
// that without waiting. Nearly every start is of a new id: it is then stepped in
// the turn that it came in.
func (s *shard) isNew(e *entry) bool {
	e.known = s.store.Absent(record.CurrentKey(e.id))
	return e.known
}

// loadCurrent reads the pointer of an id and the run it points to.
func (s *shard) loadCurrent(e *entry) {
	s.fetch(e, func(ctx context.Context, l *loaded) {
		l.withCurrent = true
		if l.current, l.err = readPointer(ctx, s.store, e.id); l.current == "" || l.err != nil {
			return
		}
		l.runID = l.current
		l.run, l.err = s.readRun(ctx, engine.RunKey{ID: e.id, RunID: l.runID})
		if l.err == nil && l.run == nil {
			l.err = fmt.Errorf("run %s of %v is current and not there: %w", l.runID, e.id, store.ErrCorrupt)
		}
	})
}

// loadPointer reads the pointer alone.
func (s *shard) loadPointer(e *entry) {
	s.fetch(e, func(ctx context.Context, l *loaded) {
		l.withCurrent = true
		l.current, l.err = readPointer(ctx, s.store, e.id)
	})
}

func (s *shard) loadRun(e *entry, runID string) {
	s.fetch(e, func(ctx context.Context, l *loaded) {
		l.runID = runID
		l.run, l.err = s.readRun(ctx, engine.RunKey{ID: e.id, RunID: runID})
	})
}

// loadEvents reads events of a run, by event id and the batch each is in.
func (s *shard) loadEvents(h *held, events map[int64]int64) {
	s.fetch(h.entry, func(ctx context.Context, l *loaded) {
		l.runID, l.run = h.key.RunID, h.run
		l.events = make(map[int64]*historypb.HistoryEvent, len(events))
		for _, id := range slices.Sorted(maps.Keys(events)) {
			ev, err := readEvent(ctx, s.store, h.key, events[id], id)
			if err != nil {
				l.err = err
				return
			}
			l.events[id] = ev
		}
	})
}

// fetch reads something for an entry beside the loop. Requests for the entry
// queue until it is there.
func (s *shard) fetch(e *entry, read func(ctx context.Context, l *loaded)) {
	e.loading = true
	began := s.opt.Clock.Now()
	s.beside(func(ctx context.Context) {
		l := new(loaded)
		read(ctx, l)
		s.inbox.report(func() {
			s.opt.Metrics.Load(s.opt.Clock.Now().Sub(began))
			s.arrived(e, l)
		})
	})
}

// arrived brings into memory what was read, and has the requests that waited
// for it served.
func (s *shard) arrived(e *entry, l *loaded) {
	e.loading = false
	if l.err != nil {
		s.unreadable(e, l.err)
		return
	}
	if l.withCurrent && !e.known {
		e.known, e.current = true, l.current
	}
	switch h := e.run(l.runID); {
	case l.events != nil:
		if h != nil && h.run != nil {
			h.run.keep(l.events)
		}
	case l.runID == "" || h != nil:
	default:
		h = s.hold(e, l.runID, l.run)
		if l.run != nil {
			s.remember(h)
		}
	}
	s.enqueue(e)
}

// enqueue puts an entry whose requests can be served into the ready list.
func (s *shard) enqueue(e *entry) {
	if !e.ready && !e.loading && len(e.waiting) > 0 {
		e.ready = true
		s.ready = append(s.ready, e)
	}
}

// unreadable answers the request that wanted what could not be read. The next
// one tries again.
func (s *shard) unreadable(e *entry, err error) {
	s.opt.Log.Error("load", "shard", s.index, "id", e.id, "error", err)
	fault := fmt.Errorf("%w (load: %w)", ErrUnavailable, err)
	if errors.Is(err, store.ErrCorrupt) {
		fault = engine.Refuse(engine.KindDataLoss, "the execution cannot be read")
	}
	if s.host.isFatal() {
		s.fail(err)
		return
	}
	if len(e.waiting) > 0 {
		r := e.waiting[0]
		e.waiting = e.waiting[1:]
		s.answer(r, nil, fault)
	}
	s.enqueue(e)
}

// readPointer returns the run id of the current run; empty when there is none.
func readPointer(ctx context.Context, st store.Shard, id engine.ID) (string, error) {
	value, err := st.Get(ctx, record.CurrentKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read current run of %v: %w", id, err)
	}
	c, err := record.DecodeCurrent(value)
	if err != nil {
		return "", fmt.Errorf("current run of %v: %w", id, err)
	}
	return c.RunID, nil
}

// readRun returns nil when there is no such run.
func (s *shard) readRun(ctx context.Context, key engine.RunKey) (execution, error) {
	loader := machineOf(key.Archetype).load(key)
	err := scanState(ctx, s.store, key, func(e store.Entry) bool {
		loader.Add(e)
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("read run %v: %w", key, err)
	}
	return loader.run(s.opened)
}

// scanState calls visit for the rows of a run's state, from the one it begins
// with on, until visit returns false; for none when there is no such run.
func scanState(ctx context.Context, st store.Shard, key engine.RunKey, visit func(store.Entry) bool) error {
	begin := record.BeginKey(key)
	value, err := st.Get(ctx, begin)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case !visit(store.Entry{Key: begin, Value: value}):
		return nil
	}
	from, to := record.StateRows(key)
	return st.Scan(ctx, from, to, visit)
}

func readEvent(ctx context.Context, st store.Shard, key engine.RunKey, batchID, eventID int64) (*historypb.HistoryEvent, error) {
	row, err := st.Get(ctx, record.HistoryKey(key, batchID))
	if err != nil {
		return nil, fmt.Errorf("read event %d of %v: %w", eventID, key, err)
	}
	ev, err := record.HistoryEvent(row, eventID)
	if err != nil {
		return nil, fmt.Errorf("event %d of %v: %w", eventID, key, err)
	}
	return ev, nil
}
