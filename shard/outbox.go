package shard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// letter is a message that has a row in the outbox until its receiver has
// committed it, and its sender the answer if it awaits one (I8).
type letter struct {
	slot  store.Slot
	seq   uint64
	m     *engine.Message
	tries int
	// again: it may have been delivered before.
	again bool
	// counted in the sender's entry.outgoing.
	counted bool
}

// outbox delivers letters. Those of a shard leave in the order they were
// written, a bounded number at a time; one that has to be tried again waits
// aside.
type outbox struct {
	queue  []*letter
	flying int
}

// maxLetters bounds the letters of a shard under way at once.
const maxLetters = 512

// maxLocal bounds the messages delivered inside one batch on behalf of one
// input, so that a family of workflows that talks to itself lets others in.
const maxLocal = 16

// send takes a message of a step. If the receiver is at hand it gets it in this
// very batch, else it goes through the outbox.
func (s *shard) send(h *held, m *engine.Message) {
	own := *m
	if s.local.depth < maxLocal && h.entry.outgoing == 0 && s.atHand(&own) {
		s.local.depth++
		s.local.queue = append(s.local.queue, &own)
		return
	}
	s.post(&own)
}

// post puts a message into the outbox.
func (s *shard) post(m *engine.Message) {
	l := &letter{slot: record.SlotOf(m.From.ID), seq: s.nextSequence(), m: m}
	s.open.rows.Put(record.OutboxKey(l.slot, l.seq), record.EncodeMessage(m))
	s.open.letters = append(s.open.letters, l)
	if e := s.entries[m.From.ID]; e != nil {
		l.counted = true
		e.outgoing++
		e.lastBatch = s.open.no
	}
}

// local are messages to be delivered in the open batch.
type local struct {
	queue []*engine.Message
	depth int
}

// atHand reports whether the receiver of a message is in this shard's memory
// and nothing is queued before it.
func (s *shard) atHand(m *engine.Message) bool {
	e := s.entries[m.To]
	if m.NeedsEvent() && m.Event == nil { // it is in the sender's history
		return false
	}
	if e == nil || e.busy() || s.aside[m.To] != nil || m.Kind == engine.MessageStartChild && !e.known {
		return false
	}
	runID := m.ToRunID
	if runID == "" || m.Kind == engine.MessageStartChild {
		if !e.known {
			return false
		}
		if runID = e.current; runID == "" {
			return m.Kind == engine.MessageStartChild
		}
	}
	h := e.run(runID)
	return h != nil && h.run != nil
}

// postLocal delivers what the steps of this input have sent to receivers at
// hand, and what these deliveries send in turn.
func (s *shard) postLocal() {
	for len(s.local.queue) > 0 {
		m := s.local.queue[0]
		s.local.queue = s.local.queue[1:]
		if !s.deliverLocal(m) {
			s.post(m)
		}
	}
	s.local.queue, s.local.depth = nil, 0
}

// deliverLocal reports false when the message has to go through the outbox
// after all. Nothing has happened then.
func (s *shard) deliverLocal(m *engine.Message) bool {
	if e := s.entries[m.From.ID]; e == nil || e.outgoing > 0 || !s.atHand(m) {
		return false // later ones do not overtake
	}
	in := inputOf(m, s.nameOf(m.To))
	if in == nil {
		return false
	}
	reply, err, ok := s.stepLocal(m.To, m.ToRunID, in)
	if !ok || err != nil && mayComeLater(err) {
		return false
	}
	if !m.Answered() {
		return true
	}
	if _, err, ok := s.stepLocal(m.From.ID, m.From.RunID, answeredWith(m, reply, err)); !ok || err != nil && mayComeLater(err) {
		// The receiver recognises the repetition and gives the same answer.
		return false
	}
	return true
}

// stepLocal steps an execution that is in memory with all that the step needs.
func (s *shard) stepLocal(id engine.ID, runID string, in engine.Input) (reply any, err error, ok bool) { //nolint:revive // ok says whether there is an outcome at all
	e := s.entries[id]
	if e == nil || e.loading {
		return nil, nil, false
	}
	s.recent.used(e, s.now)
	m := machineOf(id.Archetype)
	if runID == "" || m.concernsID(in) {
		runID = e.current
	}
	h := e.run(runID)
	var run execution
	if h != nil {
		run = h.run
	}
	if run == nil && !m.concernsID(in) {
		return nil, engine.NotFound("workflow execution not found"), true
	}
	if run != nil && len(run.missing(in)) > 0 {
		return nil, nil, false
	}
	res, err := s.core(id, run, in)
	if err != nil {
		return nil, err, true
	}
	s.absorb(e, h, &res)
	s.queriesAfter(h, in, res.reply)
	return res.reply, nil, true
}

// nameOf is the name of an execution's namespace; empty when that is gone.
func (s *shard) nameOf(id engine.ID) string {
	if ns := s.opt.Namespaces.ByID(id.NamespaceID); ns != nil {
		return ns.Name
	}
	return ""
}

// dispatch sends a letter whose row is durable on its way.
func (s *shard) dispatch(l *letter) {
	s.outbox.queue = append(s.outbox.queue, l)
	s.dispatchMore()
}

func (s *shard) dispatchMore() {
	for len(s.outbox.queue) > 0 && s.outbox.flying < maxLetters && s.state == serving {
		l := s.outbox.queue[0]
		s.outbox.queue = s.outbox.queue[1:]
		s.outbox.flying++
		s.prepare(l)
	}
}

// prepare makes sure that the message is still wanted and complete.
func (s *shard) prepare(l *letter) {
	if l.m.Answered() {
		// What a sender that has closed asked for must not happen any more
		// (spec/workflow.md 4.5, 4.6).
		open, handedOn := false, false
		s.admit(&request{id: l.m.From.ID, runID: l.m.From.RunID,
			look: func(h *held) {
				if run := h.workflow(); run != nil {
					open, handedOn = run.Wants(l.m), run.HandedOn(l.m)
				}
			},
			done: func(_ any, err error) {
				switch {
				case isFault(err):
					s.later(l)
				case err == nil && handedOn:
					s.delivered(l) // the run in the sender's place sends it itself
				case err != nil || !open:
					s.unwanted(l)
				default:
					s.complete(l)
				}
			}})
		return
	}
	s.complete(l)
}

// complete reads the event that the message is about, after a restart.
func (s *shard) complete(l *letter) {
	if !l.m.NeedsEvent() || l.m.Event != nil {
		s.deliver(l)
		return
	}
	s.beside(func(ctx context.Context) {
		ev, err := readEvent(ctx, s.store, l.m.From, l.m.BatchID, l.m.EventID)
		s.inbox.report(func() {
			switch {
			case errors.Is(err, store.ErrNotFound):
				s.opt.Log.Error("the event of a message is gone", "shard", s.index, "from", l.m.From, "event", l.m.EventID)
				s.unwanted(l)
			case err != nil:
				s.opt.Log.Error("read the event of a message", "shard", s.index, "error", err)
				s.later(l)
			default:
				l.m.Event = ev
				s.deliver(l)
			}
		})
	})
}

// deliver hands the message to the shard of its receiver.
func (s *shard) deliver(l *letter) {
	target := s.nameOf(l.m.To)
	if target == "" {
		s.answered(l, nil, engine.Refuse(engine.KindNamespaceNotFound, "Namespace %s is not found.", l.m.To.NamespaceID))
		return
	}
	in := inputOf(l.m, target)
	if in == nil {
		s.opt.Log.Error("a message of a later release", "shard", s.index, "kind", l.m.Kind)
		s.later(l)
		return
	}
	var again *engine.Message
	if (l.again || l.m.Inherited()) && effective(l.m) {
		again = l.m
	}
	l.again = true
	s.opt.Post.Carry(l.m, func() {
		if s.ctx.Err() != nil {
			return // who opens the slots next delivers it: this one must not come after that
		}
		s.peers(l.m.To).submit(&request{
			id: l.m.To, runID: l.m.ToRunID, in: in, again: again,
			done: func(reply any, err error) { s.hear(l, reply, err) },
		})
	})
}

// hear waits for what became of a delivery to come back.
func (s *shard) hear(l *letter, reply any, err error) {
	s.opt.Post.Return(l.m, func(lost bool) {
		if lost {
			reply, err = nil, ErrUnavailable
		}
		s.inbox.report(func() { s.answered(l, reply, err) })
	})
}

// answered takes what became of a delivery back to the sender.
func (s *shard) answered(l *letter, reply any, err error) {
	if err != nil && mayComeLater(err) {
		s.later(l)
		return
	}
	if !l.m.Answered() {
		s.delivered(l)
		return
	}
	s.admit(&request{
		id: l.m.From.ID, runID: l.m.From.RunID, in: answeredWith(l.m, reply, err),
		also: func(b *store.Batch) { b.Delete(record.OutboxKey(l.slot, l.seq)) },
		done: func(_ any, err error) {
			switch {
			case err == nil:
				s.gone(l)
			case mayComeLater(err):
				s.later(l)
			default: // the sender was deleted meanwhile
				s.unwanted(l)
			}
		},
	})
}

// unwanted ends a letter whose sender has closed or was deleted without an
// answer. A child that an earlier delivery has created would wait for its parent
// for ever: it is terminated, whatever its parent close policy.
func (s *shard) unwanted(l *letter) {
	if l.m.Kind != engine.MessageStartChild {
		s.delivered(l)
		return
	}
	s.peers(l.m.To).submit(&request{
		id: l.m.To,
		in: &workflow.Terminate{
			Request: &workflowservice.TerminateWorkflowExecutionRequest{
				Namespace: s.nameOf(l.m.To), WorkflowExecution: receiver(l.m),
				Reason: parentClosedReason, Identity: historyIdentity,
			},
			From: l.m,
		},
		done: func(_ any, err error) {
			s.inbox.report(func() {
				if err != nil && mayComeLater(err) {
					s.later(l)
					return
				}
				s.delivered(l)
			})
		},
	})
}

// delivered removes the row of a letter that nobody waits for. A crash before
// that delivers it again, and the receiver recognises it.
func (s *shard) delivered(l *letter) {
	s.lazy.Delete(record.OutboxKey(l.slot, l.seq))
	s.lazyAdded()
	s.gone(l)
}

func (s *shard) gone(l *letter) {
	s.outbox.flying--
	if e := s.entries[l.m.From.ID]; e != nil && l.counted {
		e.outgoing--
	}
	s.dispatchMore()
}

// later tries a letter again after a while.
func (s *shard) later(l *letter) {
	s.outbox.flying--
	pause := min(100*time.Millisecond<<min(l.tries, 7), 10*time.Second)
	l.tries++
	s.opt.Clock.AfterFunc(pause, func() {
		s.inbox.report(func() { s.dispatch(l) })
	})
	s.dispatchMore()
}

// recoverOutbox reads the letters that are left from before.
func (s *shard) recoverOutbox(ctx context.Context) error {
	from, to := record.Family(store.FamilyOutbox, s.slots)
	var bad error
	err := s.store.Scan(ctx, from, to, func(e store.Entry) bool {
		slot, seq, err := record.ParseOutboxKey(e.Key)
		if err == nil {
			var m *engine.Message
			if m, err = record.DecodeMessage(e.Value); err == nil {
				s.outbox.queue = append(s.outbox.queue, &letter{slot: slot, seq: seq, m: m, again: true})
				return true
			}
		}
		bad = fmt.Errorf("message %v: %w", e.Key, err)
		return false
	})
	return errors.Join(err, bad)
}
