package shard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/internal/await"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// VisibilityRecords calls visit with the present row of every run there is, for
// building the visibility index anew. Runs change meanwhile: what changed comes
// by the feed too, with a higher version. It ends with visit's first error. Its
// cost follows the number of executions; nothing else in a Host does that.
func (h *Host) VisibilityRecords(ctx context.Context, visit func(*engine.VisibilityRecord) error) error {
	for i := range h.shards {
		slots := h.bounds[i]
		for slot := slots.From; slot < slots.To; slot++ {
			s := h.shards[i].Load()
			records, err := recordsOf(ctx, s.store, slot)
			if err == nil && len(records) > 0 {
				// A store may show what is not durable yet.
				err = s.barrier(ctx)
			}
			if err != nil {
				return fmt.Errorf("read the executions of slot %d: %w", slot, err)
			}
			for _, r := range records {
				if err := visit(r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// barrier waits until all that has been committed up to now is durable.
func (s *shard) barrier(ctx context.Context) error {
	reached := make(chan error, 1)
	s.inbox.report(func() { s.after(s.newest(), func(fault error) { reached <- fault }) })
	fault, _, ok, err := await.Either(ctx, reached, s.stopped)
	switch {
	case err != nil:
		return err
	case !ok:
		return ErrUnavailable
	}
	return fault
}

// recordsOf reads the rows of one slot's runs.
func recordsOf(ctx context.Context, st store.Shard, slot store.Slot) (records []*engine.VisibilityRecord, err error) {
	var runs []engine.RunKey
	from, to := record.BeginRows(slot)
	err = scanRuns(ctx, st, from, to, func(run engine.RunKey) bool {
		runs = append(runs, run)
		return true
	})
	if err != nil {
		return nil, err
	}
	for _, run := range runs {
		r, _, err := recordOf(ctx, st, run)
		if err != nil {
			return nil, err
		}
		if r != nil { // not deleted meanwhile
			records = append(records, r)
		}
	}
	return records, nil
}

// scanRuns calls visit for the runs whose first rows lie in [from, to), until
// visit returns false.
func scanRuns(ctx context.Context, st store.Shard, from, to store.Key, visit func(engine.RunKey) bool) error {
	var bad error
	err := st.Scan(ctx, from, to, func(e store.Entry) bool {
		var key record.StateKey
		if key, bad = record.ParseStateKey(e.Key); bad != nil {
			return false
		}
		return visit(key.Run)
	})
	return errors.Join(err, bad)
}

// recordOf reads the row of one run, of its state only the parts the index
// shows, and when the run is to be looked at by what is stored; nil when there is
// no such run.
func recordOf(ctx context.Context, st store.Shard, run engine.RunKey) (r *engine.VisibilityRecord, armed time.Time, err error) {
	m := machineOf(run.Archetype)
	if m == nil {
		return nil, armed, errArchetype
	}
	loading, found := m.load(run), 0
	var bad error
	err = scanState(ctx, st, run, func(e store.Entry) bool {
		var key record.StateKey
		if key, bad = record.ParseStateKey(e.Key); bad != nil || !loading.shown(key.Part) {
			return false // those that are shown come first
		}
		loading.Add(e)
		found++
		return true
	})
	if err == nil {
		err = bad
	}
	if err != nil || found == 0 {
		return nil, armed, err
	}
	if found == 1 { // the rest may have been deleted after the first row was read
		switch _, err := st.Get(ctx, record.BeginKey(run)); {
		case errors.Is(err, store.ErrNotFound):
			return nil, armed, nil
		case err != nil:
			return nil, armed, err
		}
	}
	return loading.visibility()
}
