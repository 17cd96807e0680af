package shard

import (
	"context"
	"fmt"
	"runtime/debug"

	"go.temporal.io/api/errordetails/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/internal/await"
	"github.com/perdure/perdure/record"
)

// submit leaves a request for the loop, from any goroutine.
func (s *shard) submit(r *request) {
	if r.outside {
		if s.pending.Add(1) > s.placesFor(r) {
			s.pending.Add(-1)
			r.tell(nil, ErrBusy)
			return
		}
	}
	if !s.inbox.put(r) {
		s.finish(r, nil, ErrUnavailable)
	}
}

// placesFor is how many requests may be in hand for this one to be taken. A quarter
// of the places is kept from those that start something, so that what runs can be
// finished when more comes in than can be done.
func (s *shard) placesFor(r *request) int64 {
	most := int64(s.opt.MaxPending)
	if m := machineOf(r.id.Archetype); m != nil && r.in != nil && m.concernsID(r.in) {
		most -= most / 4
	}
	return most
}

// finish tells the caller.
func (s *shard) finish(r *request, reply any, err error) {
	if r.told {
		return // a bug had it told already
	}
	r.told = true
	if r.outside {
		s.pending.Add(-1)
	}
	r.tell(reply, err)
}

// tell gives the outcome to whoever is to have it.
func (r *request) tell(reply any, err error) {
	switch {
	case r.done != nil:
		r.done(reply, err)
	case r.watch == nil:
		r.reply, r.err = reply, err
		r.answered <- struct{}{}
	case err != nil:
		r.watch.tell(err)
	}
}

// call submits a request and waits for its outcome. When ctx ends before that the
// error is ctx's, and the request goes on.
func (s *shard) call(ctx context.Context, r *request) (reply any, err error) {
	r.answered = make(chan struct{}, 1)
	s.submit(r)
	if _, err := await.Value(ctx, r.answered); err != nil {
		return nil, err
	}
	return r.reply, r.err
}

// answer tells the caller once nothing it could have seen can be undone.
func (s *shard) answer(r *request, reply any, err error) {
	if s.hand == r {
		s.hand = nil
	}
	if r.due {
		s.deadlines.flying--
	}
	e := r.entry
	if e == nil {
		e = s.entries[r.id]
	}
	var last uint64
	if e != nil {
		last = e.lastBatch
	}
	r.reply, r.err = reply, err
	s.tellAfter(last, r)
}

// admit begins to serve a request, or queues it behind others of its id.
func (s *shard) admit(r *request) {
	if err := s.aside[r.id]; err != nil {
		s.answer(r, nil, err)
		return
	}
	if machineOf(r.id.Archetype) == nil {
		s.answer(r, nil, errArchetype)
		return
	}
	if r.peek != nil {
		s.peek(r)
		return
	}
	e := s.entryOf(r.id)
	r.entry = e
	if e.busy() {
		e.waiting = append(e.waiting, r)
		return
	}
	if !s.serve(e, r) {
		e.waiting = append(e.waiting, r)
	}
}

func (s *shard) peek(r *request) {
	var h *held
	if r.entry = s.entries[r.id]; r.entry != nil {
		h = r.entry.run(r.runID)
	}
	r.peek(h)
	s.answer(r, nil, nil)
	if h != nil && h.awaited {
		h.awaited = false
		s.retire(h)
	}
}

// drainReady serves the requests of entries whose load has come.
func (s *shard) drainReady() {
	for len(s.ready) > 0 && s.accepts() {
		e := s.ready[0]
		s.ready = s.ready[1:]
		e.ready = false
		for len(e.waiting) > 0 && !e.loading && s.accepts() {
			r := e.waiting[0]
			if err := s.aside[r.id]; err != nil {
				s.answer(r, nil, err)
			} else if !s.serve(e, r) {
				break
			}
			e.waiting = e.waiting[1:]
		}
		if len(e.waiting) == 0 {
			e.waiting = nil
		}
		s.enqueue(e)
		if !s.accepts() {
			return
		}
	}
}

// serve carries a request out. It reports false when something has to be read
// first; the read is under way then.
func (s *shard) serve(e *entry, r *request) bool {
	outer := s.hand
	s.hand = r
	served := s.carryOut(e, r)
	s.hand = outer
	return served
}

func (s *shard) carryOut(e *entry, r *request) bool {
	h, ok := s.resolve(e, r)
	if !ok {
		return false
	}
	m := machineOf(e.id.Archetype)
	if r.look != nil || r.watch != nil {
		if h == nil || h.run == nil {
			s.answer(r, nil, m.notFound(r.id, r.runID))
			return true
		}
		if r.watch != nil {
			s.watch(h, r.watch)
		} else {
			r.look(h)
		}
		s.answer(r, nil, nil)
		if !h.run.Open() && !h.awaited {
			s.retire(h)
		}
		return true
	}
	if _, ok := r.in.(*workflow.ResetWorkflow); ok {
		return s.reset(e, h, r)
	}
	if r.asksRuns() {
		s.askRuns(e, r)
		return false
	}
	if r.takenBy != "" {
		s.answer(r, takenReply(r.again, r.takenBy), nil)
		return true
	}
	var run execution
	if h != nil {
		run = h.run
	}
	if run != nil {
		if missing := run.missing(r.in); len(missing) > 0 {
			s.loadEvents(h, missing)
			return false
		}
	}
	if run == nil && !m.concernsID(r.in) {
		s.refused(r, m.notFound(r.id, r.runID))
		return true
	}
	if r.due && !run.Open() && e.outgoing > 0 {
		// Its last words are still on their way and must stay readable.
		s.answer(r, nil, ErrUnavailable)
		return true
	}
	if s.holding() {
		s.answer(r, nil, ErrFull)
		return true
	}
	res, err := s.core(e.id, run, r.in)
	if err != nil {
		s.refused(r, err)
		return true
	}
	s.absorb(e, h, &res)
	s.stepped(e, h, r, res.reply)
	return true
}

// stepped does what follows a step that was carried out.
func (s *shard) stepped(e *entry, h *held, r *request, reply any) {
	if r.also != nil {
		r.also(&s.open.rows)
		e.lastBatch = s.open.no
	}
	if r.task != nil {
		s.withdraw(r.task) // unless the step has done so
	}
	if r.due && h.run != nil {
		s.alreadyDue(h)
	}
	s.queriesAfter(h, r.in, reply)
	if r.joins != nil {
		s.joinReply(e, r.joins, reply)
	}
	s.postLocal()
	if refusal, ok := reply.(*engine.Refusal); ok && refusal.Commit {
		s.answer(r, nil, refusal)
		return
	}
	s.answer(r, reply, nil)
}

func (s *shard) refused(r *request, err error) {
	if r.also != nil && !isFault(err) {
		r.also(&s.open.rows)
	}
	if r.task != nil && engine.KindOf(err) == engine.KindStale {
		// The offer is void for good; should its row be there, it must not come
		// back with the next start.
		s.lazy.Delete(record.TaskKey(r.task))
		s.lazyAdded()
	}
	s.answer(r, nil, err)
}

// resolve finds the run a request is about; nil when there is none. It reports
// false when that has to be read first.
func (s *shard) resolve(e *entry, r *request) (*held, bool) {
	m := machineOf(e.id.Archetype)
	runID := r.runID
	if runID == "" || m.concernsID(r.in) {
		if !e.known && !s.isNew(e) {
			s.loadCurrent(e)
			return nil, false
		}
		if runID = e.current; runID == "" {
			return nil, true
		}
	}
	h := e.run(runID)
	if h == nil {
		s.loadRun(e, runID)
		return nil, false
	}
	if !e.known && h.run != nil && m.mayDelete(r.in) {
		s.loadPointer(e)
		return nil, false
	}
	return h, true
}

// core calls the machine. A panic inside it is a bug that has changed nothing:
// the execution is set aside and the shard goes on.
func (s *shard) core(id engine.ID, run execution, in engine.Input) (res outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			res, err = outcome{}, s.setAside(id, fmt.Errorf("step %T: %v\n%s", in, p, debug.Stack()))
		}
	}()
	m := machineOf(id.Archetype)
	concernsID := m.concernsID(in)
	env, err := s.env(id, concernsID)
	if err != nil {
		return outcome{}, err
	}
	s.open.steps++
	if concernsID {
		res, err = m.stepID(env, id, run, in)
	} else {
		res, err = run.step(env, in)
	}
	s.opt.Metrics.Step(kindOf(in), err != nil)
	return res, err
}

// env is what a step may know, valid during it. An input that concerns an id may start something:
// not in a namespace that is gone.
func (s *shard) env(id engine.ID, concernsID bool) (*engine.Env, error) {
	ns := s.opt.Namespaces.ByID(id.NamespaceID)
	if ns == nil {
		if concernsID {
			return nil, &engine.Refusal{
				Kind: engine.KindNamespaceNotFound, Message: fmt.Sprintf("Namespace %s is not found.", id.NamespaceID),
				Detail: &errordetails.NamespaceNotFoundFailure{Namespace: id.NamespaceID},
			}
		}
		// What runs in a namespace that is gone still times out and is removed.
		ns = &engine.Namespace{ID: id.NamespaceID, Name: id.NamespaceID}
	}
	s.fresh = *engine.NewFresh(s.opt.Seed())
	s.stepEnv = engine.Env{Now: s.now, Fresh: &s.fresh, Namespace: ns, Limits: s.opt.Limits}
	return &s.stepEnv, nil
}

// setAside lets nothing happen to an execution any more: what a bug has brought
// about once it will again. A restart of the process lifts it.
func (s *shard) setAside(id engine.ID, bug error) error {
	s.opt.Log.Error("an execution is set aside because of a bug; please report it", "shard", s.index, "id", id, "error", bug)
	err := engine.Refuse(engine.KindUnavailable, "the execution is set aside because of a bug in the server; see its log")
	s.aside[id] = err
	return err
}

// isFault reports whether an error tells of the server, not of the request: the
// same may succeed later.
func isFault(err error) bool {
	k := engine.KindOf(err)
	return err != nil && (k == 0 || k == engine.KindUnavailable || k == engine.KindStorageFull)
}
