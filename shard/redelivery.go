package shard

import (
	"context"
	"errors"
	"fmt"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// A message is recognised as a repetition by the run that has taken it. One that
// names no run goes to whichever is current, and by the time it is delivered
// again, because its answer was lost in a crash, that may be another. So before a
// letter that may have been delivered is delivered again, all runs of the id are
// asked whether one has taken it (I8). That is rare, and costs two look-ups a run;
// remembering in each new run what the ones before it have taken would cost every
// run, and without end.

// asksRuns reports whether a request may repeat a message that another run than
// the current one has taken.
func (r *request) asksRuns() bool { return r.again != nil && r.again.ToRunID == "" && !r.asked }

// effective reports whether a message has an effect on its receiver that must
// not be had twice, and leaves its mark there.
func effective(m *engine.Message) bool {
	switch m.Kind {
	case engine.MessageStartChild, engine.MessageSignal, engine.MessageCancel:
		return true
	}
	return false
}

// askRuns looks for a run that has taken the message. The id is busy meanwhile.
func (s *shard) askRuns(e *entry, r *request) {
	e.loading = true
	s.after(e.lastBatch, func(fault error) {
		if fault != nil {
			return // the shard is finished, and so is the request
		}
		s.beside(func(ctx context.Context) {
			runID, err := takenBy(ctx, s.store, r.again)
			s.inbox.report(func() {
				e.loading = false
				if err != nil {
					s.unreadable(e, err)
					return
				}
				r.asked, r.takenBy = true, runID
				s.enqueue(e)
			})
		})
	})
}

// takenReply is what the sender is told when the run has taken the message before.
func takenReply(m *engine.Message, runID string) any {
	if m.Kind == engine.MessageStartChild {
		return &workflow.Started{RunID: runID, Started: true}
	}
	return nil
}

// takenBy is the run of the receiver's id that has taken the message; empty for
// none.
func takenBy(ctx context.Context, st store.Shard, m *engine.Message) (string, error) {
	from, to := record.BeginRowsOf(m.To)
	for {
		var run engine.RunKey
		err := scanRuns(ctx, st, from, to, func(next engine.RunKey) bool {
			run = next
			return false
		})
		if err != nil {
			return "", fmt.Errorf("read the runs of %v: %w", m.To, err)
		}
		if run.RunID == "" {
			return "", nil
		}
		taken, err := hasTaken(ctx, st, run, m)
		if err != nil {
			return "", fmt.Errorf("ask run %v: %w", run, err)
		}
		if taken {
			return run.RunID, nil
		}
		from = record.BeginKey(run)
		from.Name = append(from.Name, 0) // the next name there could be
	}
}

// hasTaken reports whether the message had its effect on the run. What a run
// keeps of it has a row of its own, but for two: the request that has started it,
// and the latest that asked for its cancellation.
func hasTaken(ctx context.Context, st store.Shard, run engine.RunKey, m *engine.Message) (bool, error) {
	if m.Kind == engine.MessageSignal {
		_, err := st.Get(ctx, record.StateKey{Run: run, Part: record.PartRequest, Text: m.RequestID}.Key())
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	}
	loader := record.NewLoader(run)
	for _, part := range []record.Part{record.PartStart, record.PartInfo} {
		key := record.StateKey{Run: run, Part: part}.Key()
		value, err := st.Get(ctx, key)
		if errors.Is(err, store.ErrNotFound) && part == record.PartInfo {
			break // it is in the first row still
		}
		if err != nil {
			return false, err
		}
		loader.Add(store.Entry{Key: key, Value: value})
	}
	state, err := loader.Run()
	if err != nil {
		return false, err
	}
	if m.Kind == engine.MessageStartChild {
		return state.Start.RequestID == m.RequestID, nil
	}
	return state.Info.CancelRequestID == m.RequestID, nil
}
