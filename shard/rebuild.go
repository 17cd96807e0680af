package shard

import (
	"context"
	"fmt"

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

// recordsOf reads the rows of one slot's runs: of their state only the parts
// the index shows.
func recordsOf(ctx context.Context, st store.Shard, slot store.Slot) (records []*engine.VisibilityRecord, err error) {
	var loading loader
	var run engine.RunKey
	end := func() error {
		if loading == nil {
			return nil
		}
		r, err := loading.visibility()
		if err == nil {
			records = append(records, r)
		}
		return err
	}
	var bad error
	from, to := record.Family(store.FamilyState, store.SlotRange{From: slot, To: slot + 1})
	err = st.Scan(ctx, from, to, func(e store.Entry) bool {
		var key record.StateKey
		if key, bad = record.ParseStateKey(e.Key); bad != nil {
			return false
		}
		if loading == nil || key.Run != run {
			if bad = end(); bad != nil {
				return false
			}
			m := machineOf(key.Run.Archetype)
			if m == nil {
				bad = errArchetype
				return false
			}
			loading, run = m.load(key.Run), key.Run
		}
		if loading.shown(key.Part) {
			loading.Add(e)
		}
		return true
	})
	if err == nil && bad == nil {
		bad = end()
	}
	if err == nil {
		err = bad
	}
	return records, err
}

// recordOf reads the row of one run; nil when there is no such run.
func recordOf(ctx context.Context, st store.Shard, run engine.RunKey) (*engine.VisibilityRecord, error) {
	m := machineOf(run.Archetype)
	if m == nil {
		return nil, errArchetype
	}
	loading, found := m.load(run), false
	var bad error
	from, to := record.StateRows(run)
	err := st.Scan(ctx, from, to, func(e store.Entry) bool {
		var key record.StateKey
		if key, bad = record.ParseStateKey(e.Key); bad != nil || !loading.shown(key.Part) {
			return false // those that are shown come first
		}
		loading.Add(e)
		found = true
		return true
	})
	if err == nil {
		err = bad
	}
	if err != nil || !found {
		return nil, err
	}
	return loading.visibility()
}
