package shard

import (
	"context"
	"fmt"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/internal/await"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// reclaimAtOnce bounds the runs being deleted for a namespace at one time, so
// that others' work goes on beside it. They share commits, so more would not be
// much faster.
const reclaimAtOnce = 64

// DeleteRuns begins to delete every run of a namespace that the store holds, a
// bounded number at a time, and returns how many it found; open ones are
// terminated now and are gone a moment later. It ends with the first run that
// could not be deleted. Call it again until it finds none: runs may be born
// while it goes through the slots.
func (h *Host) DeleteRuns(ctx context.Context, namespaceID string) (found int, err error) {
	for slot := store.Slot(0); slot < store.Slots; slot++ {
		runs, err := h.runsIn(ctx, slot, namespaceID)
		if err != nil {
			return found, fmt.Errorf("read the executions of namespace %s in slot %d: %w", namespaceID, slot, err)
		}
		found += len(runs)
		for len(runs) > 0 {
			n := min(len(runs), reclaimAtOnce)
			if err := h.deleteRuns(ctx, runs[:n]); err != nil {
				return found, err
			}
			runs = runs[n:]
		}
	}
	return found, nil
}

// maxRunsRead bounds the runs of one slot that are held in memory by name; the
// rest is found by the next call of DeleteRuns.
const maxRunsRead = 10_000

func (h *Host) runsIn(ctx context.Context, slot store.Slot, namespaceID string) (runs []engine.RunKey, err error) {
	from, to := record.BeginRowsIn(slot, namespaceID)
	err = scanRuns(ctx, h.ownerOf(slot).store, from, to, func(run engine.RunKey) bool {
		runs = append(runs, run)
		return len(runs) < maxRunsRead
	})
	return runs, err
}

func (h *Host) deleteRuns(ctx context.Context, runs []engine.RunKey) error {
	results := make(chan error, len(runs))
	for _, run := range runs {
		m := machineOf(run.Archetype)
		if m == nil {
			return errArchetype
		}
		h.Submit(run.ID, run.RunID, m.deletion(), func(_ any, err error) {
			if engine.KindOf(err) == engine.KindNotFound {
				err = nil // gone meanwhile
			} else if err != nil {
				err = fmt.Errorf("delete %v: %w", run, err)
			}
			results <- err
		})
	}
	var first error
	for range runs {
		told, err := await.Value(ctx, results)
		if err != nil {
			return err
		}
		if first == nil {
			first = told
		}
	}
	return first
}
