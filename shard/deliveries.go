package shard

import (
	"context"

	failurepb "go.temporal.io/api/failure/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/engine/workflow"
)

// Completion callbacks are delivered at least once. A step that asks for a try
// has put it into the state, with a deadline; the try itself is made when that is
// durable, and its report comes back as an input. Whatever is lost in between (a
// crash, a report that finds its shard closed) is made good when the deadline
// comes: the step asks for another try. So nothing of it needs a row of its own.

// callBack makes a try that is durable in the state. After a first one that
// failed, what to tell has to be read from history.
func (s *shard) callBack(d *engine.Delivery) {
	if s.state != serving {
		return // it is made again when the slots are open again
	}
	if d.Completion != nil {
		s.handOut(d)
		return
	}
	s.beside(func(ctx context.Context) {
		ev, err := readEvent(ctx, s.store, d.Run, d.BatchID, d.EventID)
		s.inbox.report(func() {
			if err != nil {
				s.opt.Log.Error("read what a callback is to be told", "shard", s.index, "run", d.Run, "event", d.EventID, "error", err)
				return
			}
			complete := *d
			complete.Completion = workflow.CompletionOf(ev)
			s.handOut(&complete)
		})
	})
}

// handOut gives a try to the deliverer, and its report to the execution. A shard
// that has been opened anew meanwhile takes it as well.
func (s *shard) handOut(d *engine.Delivery) {
	m := machineOf(d.Run.Archetype)
	s.opt.Deliverer.Deliver(d, func(a callback.Answer) {
		s.peers(d.Run.ID).submit(&request{
			id: d.Run.ID, runID: d.Run.RunID, in: m.called(d, a),
			done: func(any, error) {},
		})
	})
}

// noDeliverer stands for a server that delivers no callbacks.
type noDeliverer struct{}

func (noDeliverer) Deliver(_ *engine.Delivery, done func(callback.Answer)) {
	done(callback.Answer{Verdict: callback.Refused, Failure: &failurepb.Failure{Message: "this server delivers no callbacks"}})
}
