package shard

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"

	enumspb "go.temporal.io/api/enums/v1"
	updatepb "go.temporal.io/api/update/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/internal/await"
)

// Whoever asks for an update waits for news of it (spec/workflow.md 6.1). The
// machine says what has become of an update in Change.News; here it is told to
// those who wait, once it is durable. They are in memory only, like the updates
// that no worker has accepted: when a shard is opened again they hear
// UNAVAILABLE, and ask again.

// Stage is how far an update has come.
type Stage = enumspb.UpdateWorkflowExecutionLifecycleStage

// updateWaiter is a caller that waits until an update has reached a stage.
type updateWaiter struct {
	Patience
	result chan updateResult
	// reached is the stage that the update is known to have reached.
	reached atomic.Int32
	// gone: the caller has left.
	gone atomic.Bool
}

type updateResult struct {
	status *workflow.UpdateStatus
	err    error
}

func newUpdateWaiter(p Patience) *updateWaiter {
	return &updateWaiter{Patience: p, result: make(chan updateResult, 1)}
}

// errUpdateLost is the end of an update whose shard is opened again.
var errUpdateLost = engine.Refuse(engine.KindUnavailable, "workflow update was aborted")

// Patience is how long, and for what, a caller waits for an update.
type Patience struct {
	// Stage it is to reach; zero: whatever it has reached.
	Stage Stage
	// Over ends the waiting, but not the call: its answer is then the stage that
	// was reached. nil: the call's context alone ends it.
	Over <-chan struct{}
}

// Update has an update admitted, or joins the one that has its id, and waits
// until that has reached the stage or has an outcome, or patience is over.
func (h *Host) Update(ctx context.Context, id engine.ID, runID string, in *workflow.UpdateWorkflow, p Patience) (*workflow.UpdateStatus, error) {
	w := newUpdateWaiter(p)
	reply, err := h.doJoining(ctx, id, runID, in, w)
	if err != nil {
		return nil, err
	}
	return h.awaitUpdate(ctx, reply.(*workflow.UpdateStatus), w)
}

// UpdateWithStart is Update for the run that a start yields. The reply says which
// half was refused; an error is that of waiting for the update, and then the
// reply tells of the start.
func (h *Host) UpdateWithStart(ctx context.Context, id engine.ID, in *workflow.UpdateWithStart, p Patience) (*workflow.UpdatedWithStart, error) {
	w := newUpdateWaiter(p)
	reply, err := h.doJoining(ctx, id, "", in, w)
	if err != nil {
		return nil, err
	}
	done := *reply.(*workflow.UpdatedWithStart)
	if done.Update == nil {
		return &done, nil
	}
	done.Update, err = h.awaitUpdate(ctx, done.Update, w)
	return &done, err
}

// PollUpdate waits for an update that was admitted before, as Update does.
func (h *Host) PollUpdate(ctx context.Context, id engine.ID, runID, updateID string, p Patience) (*workflow.UpdateStatus, error) {
	w := newUpdateWaiter(p)
	var status *workflow.UpdateStatus
	err := h.look(ctx, id, runID, func(s *shard, held *held) {
		if status = held.workflow().UpdateStatus(updateID); status != nil {
			s.join(held, w, status)
		}
	})
	switch {
	case err != nil:
		h.leave(id, w)
		return nil, err
	case status == nil:
		return nil, engine.NotFound("update %q not found", updateID)
	}
	return h.awaitUpdate(ctx, status, w)
}

// doJoining is Do for an input about an update, whose news the waiter hears from
// the very step on.
func (h *Host) doJoining(ctx context.Context, id engine.ID, runID string, in engine.Input, w *updateWaiter) (any, error) {
	type outcome struct {
		reply any
		err   error
	}
	result := make(chan outcome, 1)
	h.shardOf(id).submit(&request{
		id: id, runID: runID, in: in, joins: w, outside: true,
		done: func(reply any, err error) { result <- outcome{reply, err} },
	})
	o, err := await.Value(ctx, result)
	if err != nil {
		h.leave(id, w)
		return nil, err
	}
	return o.reply, o.err
}

// awaitUpdate waits for what is wanted of an update that has this status.
func (h *Host) awaitUpdate(ctx context.Context, status *workflow.UpdateStatus, w *updateWaiter) (*workflow.UpdateStatus, error) {
	if !enough(status.Stage, w.Stage) {
		r, _, heard, err := await.Either(ctx, w.result, w.Over)
		switch {
		case err != nil:
			h.leave(status.Run.ID, w)
			return status, err
		case !heard: // patience is over
			h.leave(status.Run.ID, w)
			so := *status
			so.Stage = max(so.Stage, Stage(w.reached.Load()))
			return &so, nil
		case r.err != nil:
			return status, r.err
		}
		status = r.status
	}
	if status.Stage != stageCompleted || status.Outcome != nil {
		return status, nil
	}
	ev, err := h.Event(ctx, status.Run, status.BatchID, status.EventID)
	if err != nil {
		return nil, err
	}
	whole := *status
	whole.Outcome = ev.GetWorkflowExecutionUpdateCompletedEventAttributes().GetOutcome()
	if whole.Outcome == nil {
		whole.Outcome = &updatepb.Outcome{}
	}
	return &whole, nil
}

const stageCompleted = enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED

// enough reports whether an update at that stage is what its caller waits for.
func enough(stage, want Stage) bool { return stage >= want || stage == stageCompleted }

// leave forgets a waiter whose caller has gone, and keeps it from joining late.
func (h *Host) leave(id engine.ID, w *updateWaiter) {
	w.gone.Store(true)
	s := h.shardOf(id)
	s.inbox.report(func() { s.forgetWaiter(id, w) })
}

func (s *shard) forgetWaiter(id engine.ID, w *updateWaiter) {
	e := s.entries[id]
	if e == nil {
		return
	}
	for _, h := range e.runs { // it is in one of them at most
		for updateID, waiters := range h.updates {
			s.keepWaiters(h, updateID, without(waiters, w))
		}
	}
}

// without is the other waiters, in a slice of their own: news that are not durable
// yet still hold the one given.
func without(waiters []*updateWaiter, w *updateWaiter) []*updateWaiter {
	i := slices.Index(waiters, w)
	if i < 0 {
		return waiters
	}
	return slices.Concat(waiters[:i], waiters[i+1:])
}

func (s *shard) keepWaiters(h *held, updateID string, waiters []*updateWaiter) {
	if len(waiters) > 0 {
		h.updates[updateID] = waiters
	} else if delete(h.updates, updateID); len(h.updates) == 0 {
		h.updates = nil
	}
}

// joinReply lets the waiter of an input about an update join what came of it.
func (s *shard) joinReply(e *entry, w *updateWaiter, reply any) {
	status, ok := reply.(*workflow.UpdateStatus)
	if both, is := reply.(*workflow.UpdatedWithStart); is {
		status, ok = both.Update, both.Update != nil
	}
	if !ok {
		return
	}
	if h := e.run(status.Run.RunID); h != nil {
		s.join(h, w, status)
	}
}

// join has a waiter hear the news of an update, unless it knows enough.
func (s *shard) join(h *held, w *updateWaiter, status *workflow.UpdateStatus) {
	if w.gone.Load() || enough(status.Stage, w.Stage) {
		return
	}
	if h.updates == nil {
		h.updates = make(map[string][]*updateWaiter)
	}
	h.updates[status.UpdateID] = append(h.updates[status.UpdateID], w)
}

// bringNews tells those who wait what a step has done to updates, once that is
// durable.
func (s *shard) bringNews(h *held, news []workflow.UpdateNews) {
	for _, n := range news {
		waiters := h.updates[n.Status.UpdateID]
		if len(waiters) == 0 {
			continue
		}
		var done, others []*updateWaiter
		for _, w := range waiters {
			if n.Refusal != nil || enough(n.Status.Stage, w.Stage) {
				done = append(done, w)
			} else {
				others = append(others, w)
			}
		}
		s.keepWaiters(h, n.Status.UpdateID, others)
		s.after(h.entry.lastBatch, func(fault error) {
			if fault == nil {
				tellWaiters(done, others, n)
				return
			}
			for _, w := range done {
				w.result <- updateResult{err: errUpdateLost}
			}
		})
	}
}

func tellWaiters(done, others []*updateWaiter, n workflow.UpdateNews) {
	for _, w := range others {
		w.reached.Store(int32(n.Status.Stage))
	}
	for _, w := range done {
		if n.Refusal != nil {
			w.result <- updateResult{err: n.Refusal}
		} else {
			w.result <- updateResult{status: n.Status}
		}
	}
}

// dropUpdates fails those who wait for updates of a run whose shard is finished.
func (s *shard) dropUpdates(h *held) {
	for _, id := range slices.Sorted(maps.Keys(h.updates)) {
		for _, w := range h.updates[id] {
			w.result <- updateResult{err: errUpdateLost}
		}
	}
	h.updates = nil
}
