package main

import (
	"errors"
	"strings"
	"time"

	"github.com/perdure/perdure/engine"
)

var (
	errDown = errors.New("the server is down")
	errLost = errors.New("no answer")
)

// call sends something to the server and brings the answer back, unless one of
// the two is lost on the way, or comes late, after others that left later. done is
// called once.
func (w *world) call(send func(p *process, answer func(reply any, err error)), done func(reply any, err error)) {
	w.after(w.onTheWay(faultRequestLate), func() {
		p := w.process
		if p == nil || w.strikes(faultLostRequest) {
			w.after(w.between(10*time.Millisecond, time.Second), func() { done(nil, errDown) })
			return
		}
		over := false
		once := func(reply any, err error) {
			if over {
				return
			}
			over = true
			if err == nil && w.strikes(faultLostReply) {
				reply, err = nil, errLost
				w.trouble = w.now // a workflow task may have been in it
			}
			w.after(w.onTheWay(faultReplyLate), func() { done(reply, err) })
		}
		p.onDeath = append(p.onDeath, func() { once(nil, errLost) })
		send(p, once)
	})
}

func (w *world) latency() time.Duration { return w.between(50*time.Microsecond, 3*time.Millisecond) }

// onTheWay is how long a request or an answer takes, which may be long.
func (w *world) onTheWay(late string) time.Duration {
	if w.strikes(late) {
		return w.between(10*time.Millisecond, 3*time.Second)
	}
	return w.latency()
}

// Carry implements shard.Post: messages between executions may be late and
// overtake each other.
func (p *process) Carry(_ *engine.Message, deliver func()) {
	if w := p.world; w.strikes(faultMessageLate) {
		w.after(w.between(time.Millisecond, 3*time.Second), p.living(deliver))
		return
	}
	deliver()
}

// Return implements shard.Post: an answer may be lost, so that the message comes
// again, or late.
func (p *process) Return(_ *engine.Message, hear func(lost bool)) {
	w := p.world
	lost := w.strikes(faultMessageAgain)
	if w.strikes(faultMessageLate) {
		w.after(w.between(time.Millisecond, 3*time.Second), p.living(func() { hear(lost) }))
		return
	}
	hear(lost)
}

// submit sends an input. What the server answers is audited where it leaves the
// server: whether the answer arrives makes no difference to the promise.
func (w *world) submit(id engine.ID, runID string, in engine.Input, done func(reply any, err error)) {
	send := func(p *process, answer func(any, error)) {
		w.auditor.asks(in)
		w.auditor.forgetting(id, in)
		toCancel := w.auditor.toCancel(id, runID, in)
		p.load.pending++
		p.host.Submit(id, runID, in, func(reply any, err error) {
			if p.dead {
				w.broken("a dead process answers %T", in)
			}
			p.load.pending--
			w.auditor.answered(id, runID, in, reply, err)
			if toCancel {
				w.auditor.toldOfCancel(id, in, reply, err)
			}
			answer(reply, err)
		})
		p.accepted()
	}
	w.call(send, done)
	// What names no run may reach another when it comes again: that is no mistake,
	// but no order of the calls explains it.
	if !strings.HasPrefix(id.Name, hotPrefix) && w.strikes(faultRequestTwice) {
		w.after(w.between(0, 2*time.Second), func() {
			if p := w.process; p != nil {
				send(p, func(any, error) {}) // the client has gone on
			}
		})
	}
}

// unclear reports whether a call may or may not have had its effect, so that a
// client asks again.
func unclear(err error) bool {
	if errors.Is(err, errDown) || errors.Is(err, errLost) {
		return true
	}
	switch engine.KindOf(err) {
	case 0, engine.KindUnavailable, engine.KindBusyWorkflow, engine.KindConcurrentLimit:
		return err != nil
	}
	return false
}
