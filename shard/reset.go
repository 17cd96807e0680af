package shard

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// A reset is one step (workflow.ResetWorkflow), but it needs histories: that of
// the base run and of those it was continued as. They are read beside the loop
// while other inputs for the id wait, once all that is in them is durable. What
// the new run shares with its base is copied, row by row as it is stored: with
// the step itself if it is small, else before it, a piece at a time, under a run
// id that nobody can know of yet. Should that end half-way, the row of a deadline
// that comes with the first piece leads back to what is left (see looked).

// resetting is a reset whose histories are being read.
type resetting struct {
	base, key engine.RunKey // the run to begin from, and the one to be made
	cut       int64         // first event not shared
	read      *workflow.ResetHistory
	// at is how far the id was when reading began; see resetPosition.
	at resetPosition

	// shared are the rows to be copied with the step; large: there are too many,
	// and next is the first event not copied so far.
	shared      []sharedRow
	sharedBytes int
	large       bool
	next        int64
	// guard is the deadline that leads to rows copied before the step.
	guard time.Time
}

type sharedRow struct {
	first int64
	value []byte
}

// resetPosition is the state of an id that a reset has been prepared for.
type resetPosition struct {
	current      string
	currentEvent int64
	baseEvent    int64
}

// guardFor is how long a copy may take before its remains may be removed.
const guardFor = time.Hour

// reset serves a request to reset; it reports false when something has to be
// read first.
func (s *shard) reset(e *entry, current *held, r *request) bool {
	in := r.in.(*workflow.ResetWorkflow)
	runID := cmp.Or(r.runID, e.current)
	base := e.run(runID)
	switch {
	case runID == "":
		s.refused(r, workflowMachine{}.notFound(r.id, r.runID))
		return true
	case base == nil:
		s.loadRun(e, runID)
		return false
	case base.run == nil:
		s.refused(r, workflowMachine{}.notFound(r.id, r.runID))
		return true
	}
	var now *workflow.Run
	if current != nil {
		now = current.workflow()
	}
	reply, err := workflow.CheckReset(now, base.workflow(), in.Request)
	switch {
	case err != nil:
		s.refused(r, err)
		return true
	case reply != nil:
		s.answer(r, reply, nil)
		return true
	case s.holding():
		s.answer(r, nil, ErrFull)
		return true
	}
	at := resetPosition{current: e.current, baseEvent: base.workflow().Info.NextEventID}
	if now != nil {
		at.currentEvent = now.Info.NextEventID
	}
	if r.reset == nil || r.reset.at != at {
		s.beginReset(e, base, r, at)
		return false
	}
	s.carryOutReset(e, current, base, r)
	return true
}

// beginReset reads what the reset needs, once it is durable. The id is busy
// meanwhile.
func (s *shard) beginReset(e *entry, base *held, r *request, at resetPosition) {
	in := r.in.(*workflow.ResetWorkflow)
	env, err := s.env(e.id, true)
	if err != nil { // the namespace is gone; the step will say so
		env = &engine.Env{Namespace: &engine.Namespace{}, Limits: s.opt.Limits}
	}
	x := &resetting{
		base: base.key, key: engine.RunKey{ID: e.id, RunID: engine.NewFresh(s.opt.Seed()).RunID(s.now)},
		cut: in.Request.GetWorkflowTaskFinishEventId(), at: at, next: 1,
	}
	x.read = workflow.NewResetHistory(env, x.key, base.key.RunID, x.cut)
	r.reset = x
	e.loading = true
	s.after(e.lastBatch, func(fault error) {
		if fault != nil {
			return // the shard is finished, and so is the request
		}
		s.beside(func(ctx context.Context) {
			err := x.readHistories(ctx, s.store, s.opt.MaxPieceBytes)
			s.inbox.report(func() { s.resetRead(e, x, err) })
		})
	})
}

// resetRead goes on when the histories have been read.
func (s *shard) resetRead(e *entry, x *resetting, err error) {
	switch {
	case err != nil:
		e.loading = false
		s.unreadable(e, err)
	case x.large && x.read.Check() == nil:
		x.guard = s.now.Add(guardFor)
		s.open.rows.Put(record.DeadlineKey(x.guard, x.key), record.DeadlineValue)
		s.copyShared(e, x)
	default: // the step refuses what cannot be
		s.resetReady(e)
	}
}

func (s *shard) resetReady(e *entry) {
	e.loading = false
	s.enqueue(e)
}

// copyShared copies the next piece of a large history, and goes on when that is
// durable: of a history only so much is in memory at a time.
func (s *shard) copyShared(e *entry, x *resetting) {
	if x.next >= x.cut {
		s.resetReady(e)
		return
	}
	s.beside(func(ctx context.Context) {
		var piece []sharedRow
		next, err := scanHistory(ctx, s.store, x.base, x.next, x.cut, s.opt.MaxPieceBytes, func(row sharedRow, batch record.HistoryBatch) error {
			piece = append(piece, x.cutOff(row, batch))
			return nil
		})
		s.inbox.report(func() {
			if err == nil && next == x.next {
				err = fmt.Errorf("history of %v has no event %d: %w", x.base, next, store.ErrCorrupt)
			}
			if err != nil {
				s.forgetShared(x)
				e.loading = false
				s.unreadable(e, err)
				return
			}
			s.putShared(x, piece)
			x.next = next
			e.lastBatch = s.open.no
			s.after(s.open.no, func(fault error) {
				if fault == nil {
					s.copyShared(e, x)
				}
			})
		})
	})
}

func (s *shard) putShared(x *resetting, rows []sharedRow) {
	for _, row := range rows {
		s.open.rows.Put(record.HistoryKey(x.key, row.first), row.value)
	}
}

// forgetShared removes what was copied for a reset that will not be.
func (s *shard) forgetShared(x *resetting) {
	if x.guard.IsZero() {
		return
	}
	record.DeleteRun(&s.open.rows, x.key)
	s.open.rows.Delete(record.DeadlineKey(x.guard, x.key))
}

// carryOutReset steps.
func (s *shard) carryOutReset(e *entry, current, base *held, r *request) {
	x := r.reset
	in := *r.in.(*workflow.ResetWorkflow)
	in.NewRunID, in.Base, in.Read = x.key.RunID, base.workflow(), x.read
	var run execution
	if current != nil {
		run = current.run
	}
	res, err := s.core(e.id, run, &in)
	if err != nil {
		s.forgetShared(x)
		s.refused(r, err)
		return
	}
	s.putShared(x, x.shared)
	if !x.guard.IsZero() {
		res.born.run.arm(x.guard)
	}
	s.absorb(e, current, &res)
	if res.base != nil {
		s.change(base, res.base)
	}
	s.stepped(e, current, r, res.reply)
}

// readHistories reads the base run's history and those of the runs that it was
// continued as; most is how much of it is kept.
func (x *resetting) readHistories(ctx context.Context, st store.Shard, most int) error {
	for runID := x.base.RunID; runID != ""; runID = x.read.Continued() {
		key := engine.RunKey{ID: x.base.ID, RunID: runID}
		next, err := scanHistory(ctx, st, key, 1, math.MaxInt64, math.MaxInt, func(row sharedRow, batch record.HistoryBatch) error {
			x.share(runID, row, batch, most)
			events, err := batch.Events()
			if err != nil {
				return err
			}
			return x.read.Batch(events)
		})
		if err != nil {
			return err
		}
		if next == 1 { // deleted: it is as if the chain ended before
			break
		}
	}
	x.read.Done()
	return nil
}

// cutOff is the part of a row that the new run is to have: all of it, but for the
// last, whose last event may be that of the workflow task that the reset begins at.
func (x *resetting) cutOff(row sharedRow, batch record.HistoryBatch) sharedRow {
	if batch.Last >= x.cut {
		row.value = batch.Before(x.cut)
	}
	return row
}

// share keeps a row that the new run is to have, while there is room.
func (x *resetting) share(runID string, row sharedRow, batch record.HistoryBatch, most int) {
	if runID != x.base.RunID || batch.First >= x.cut || x.large {
		return
	}
	row = x.cutOff(row, batch)
	if x.sharedBytes += len(row.value); x.sharedBytes > most {
		x.shared, x.large = nil, true
		return
	}
	row.value = bytes.Clone(row.value)
	x.shared = append(x.shared, row)
}

// scanHistory visits the batches of a history from the one that begins with the
// event from, up to the event to (exclusive) or until so many bytes were seen.
// It returns the event to go on with. Rows are the visitor's only while it is
// called, unless a bound is given: then they are its own.
func scanHistory(ctx context.Context, st store.Shard, key engine.RunKey, from, to int64, most int, visit func(sharedRow, record.HistoryBatch) error) (next int64, err error) {
	next = from
	seen := 0
	lower, upper := record.HistoryRows(key, from, to)
	scanned := st.Scan(ctx, lower, upper, func(entry store.Entry) bool {
		value := entry.Value
		if most < math.MaxInt {
			value = bytes.Clone(value)
		}
		batch, bad := record.OpenHistory(value)
		if bad == nil && batch.First != next {
			bad = fmt.Errorf("history of %v has no event %d: %w", key, next, store.ErrCorrupt)
		}
		if bad == nil {
			bad = visit(sharedRow{first: batch.First, value: value}, batch)
		}
		if bad != nil {
			err = bad
			return false
		}
		next = batch.Last + 1
		seen += len(value)
		return seen < most
	})
	if err = errors.Join(err, scanned); err != nil {
		return next, fmt.Errorf("read history of %v: %w", key, err)
	}
	return next, nil
}
