package matching

import (
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/shard"
)

// match is one task on its way to one poller. While it is under way both are in
// state starting (or the offer void).
type match struct {
	queue  *queue
	poller *poller
	offer  *offer
	// sync: the task had not waited when it found the poller.
	sync bool
}

// match brings waiting pollers and waiting work together until one of them runs
// out, or the rate limit says stop. arriving: the offers of this round have only
// now come. Locked.
func (q *queue) match(now time.Time, arriving bool) {
	for {
		p := q.mu.pollers.first
		if p == nil {
			return
		}
		o := q.mu.waiting.first()
		if q.mu.queries.Len() > 0 && (o == nil || !q.mu.tasksTurn) {
			q.mu.tasksTurn = true
			q.giveQuery(p, now)
			continue
		}
		q.mu.tasksTurn = false
		if o == nil {
			return
		}
		if !q.mu.limiter.take(now) {
			q.wakeAt(now)
			return
		}
		q.start(p, o, arriving && o.round == q.mu.round)
	}
}

// start takes a waiting poller and a waiting offer out and has the shard asked. Locked.
func (q *queue) start(p *poller, o *offer, sync bool) {
	q.mu.pollers.remove(p)
	p.state = pollerStarting
	q.mu.waiting.remove(o)
	o.state = offerStarting
	q.leaveWindow(o)
	q.mu.calls = append(q.mu.calls, call{
		kind: callStart, owner: o.owner, match: &match{queue: q, poller: p, offer: o, sync: sync},
	})
}

// done takes the shard's answer to the start.
func (x *match) done(started any, err error) {
	q := x.queue
	now := q.matcher.now()
	q.mu.Lock()
	switch {
	case err == nil:
		q.started(x, started, now)
	case engine.KindOf(err) == engine.KindStale:
		q.matcher.counters.stale.Add(1)
		q.forgetOffer(x.offer)
		q.mu.limiter.giveBack()
		q.waitOn(x.poller, now)
	default:
		q.matcher.options.Log.Debug("task not started, put back", "queue", q.name.Name, "err", err)
		q.mu.limiter.giveBack()
		q.rest(x.offer)
		q.waitOn(x.poller, now)
	}
	q.match(now, false)
	q.release(elsewhere)
}

// started hands the task over, or takes it back from a poller that has gone. Locked.
func (q *queue) started(x *match, started any, now time.Time) {
	q.forgetOffer(x.offer)
	if x.poller.gone {
		q.close(x.poller, now)
		q.abort(x.offer.owner, started)
		return
	}
	q.mu.traffic.dispatched(x.offer.level, now)
	if x.sync {
		q.matcher.counters.syncMatches.Add(1)
	} else {
		q.matcher.counters.backlogMatches.Add(1)
	}
	h := &Handover{Task: x.offer.task, owner: x.offer.owner}
	q.hand(h, started, x.poller, x.sync, now)
}

// hand gives a started task to its poller. Locked.
func (q *queue) hand(h *Handover, started any, p *poller, sync bool, now time.Time) {
	h.Started = started
	h.BacklogCount = q.mu.waiting.count()
	h.PollerDelta = q.advise(p, sync, now)
	h.matcher, h.Abort = q.matcher, h.abort
	q.finish(p, h, now)
}

func (q *queue) abort(owner shard.Backlog, started any) {
	q.mu.calls = append(q.mu.calls, call{kind: callAbort, owner: owner, started: started})
}

// forgetOffer drops an offer that is starting, unless it was already. Locked.
func (q *queue) forgetOffer(o *offer) {
	if o.state == offerStarting {
		delete(q.mu.offers, keyOf(&o.task))
	}
	o.state = offerVoid
}

// The back-off of an offer whose start failed: it doubles from the first to the last.
const (
	restFirst = 50 * time.Millisecond
	restLast  = 2 * time.Second
)

// rest sets an offer aside whose start failed for a reason that should pass. Locked.
func (q *queue) rest(o *offer) {
	if o.state != offerStarting {
		return // withdrawn meanwhile
	}
	pause := min(restFirst<<min(o.failures, 10), restLast)
	o.failures++
	o.state = offerResting
	q.enterWindow(o)
	o.rest = q.matcher.options.Clock.AfterFunc(pause, func() { q.wakeOffer(o) })
}

// wakeOffer ends an offer's rest; its queue may have been retired meanwhile.
func (q *queue) wakeOffer(o *offer) {
	q.mu.Lock()
	moves := false
	switch {
	case o.state != offerResting:
	case q.mu.retired && fallsBack(o.task.Queue):
		moves = true
		q.drop(o)
	default:
		o.state = offerWaiting
		q.mu.waiting.push(o)
		q.match(q.matcher.now(), false)
	}
	q.release(onOwnStack)
	if moves {
		q.matcher.offerTo(normalOf(o.task.Queue), o.owner, []engine.Task{o.task}, false)
	}
}

// wakeAt sets the timer for the limiter's next token. Locked.
func (q *queue) wakeAt(now time.Time) {
	wait, ever := q.mu.limiter.wait(now)
	if q.mu.wake != nil || !ever {
		return
	}
	q.mu.wake = q.matcher.options.Clock.AfterFunc(wait, q.woken)
}

func (q *queue) woken() {
	q.mu.Lock()
	q.mu.wake = nil
	q.match(q.matcher.now(), false)
	q.release(onOwnStack)
}
