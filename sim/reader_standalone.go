package main

import (
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/standalone"
)

// readAlone is one look of a client at a standalone activity, which may wait for
// it to go on. What it is shown must be durable, and must never go back.
func (r *reader) readAlone(id engine.ID) {
	r.after(r.latency(), func() {
		p := r.process
		if p == nil {
			return
		}
		before := r.known(id)
		var key engine.RunKey
		var seen int64
		p.host.LookActivity(id, "", func(run *standalone.Run) {
			key, seen = run.Key, run.Info.Transitions
		}, func(err error) {
			if err != nil {
				return
			}
			r.shownAlone(key, seen, before[key.RunID])
			if r.oneIn(2) {
				r.watchAlone(p, key, seen)
			}
		})
	})
}

func (r *reader) shownAlone(key engine.RunKey, seen, last int64) {
	if seen < last {
		r.broken("I1: %s was shown after %d transitions, there were %d before", short(key), seen, last)
	}
	r.events[key] = max(r.events[key], seen)
	if state := r.singles.stateOf(r.present(), key); state != nil && state.Info.Transitions < seen {
		r.broken("I1: %s was shown after %d transitions, the disk has %d", short(key), seen, state.Info.Transitions)
	}
}

func (r *reader) watchAlone(p *process, key engine.RunKey, seen int64) {
	x := &watch{process: p, run: key, seen: seen}
	r.watches = append(r.watches, x)
	stop := p.host.Watch(key, seen, func(err error) {
		if err == nil && !x.told {
			if state := r.singles.stateOf(r.present(), key); state != nil && state.Open() && state.Info.Transitions == seen {
				r.broken("%s: a long poll for what follows transition %d is answered, and nothing does", short(key), seen)
			}
		}
		x.told = true
	})
	if r.oneIn(3) {
		r.after(r.between(0, 20*time.Second), p.living(func() {
			stop()
			x.told = true // or nobody cares
		}))
	}
}

// checkAlone is check for one long poll.
func (r *reader) checkAlone(x *watch) {
	run := r.singles.runs[x.run]
	if run == nil || run.state == nil {
		return
	}
	due := !run.state.Open() || run.state.Info.Transitions != x.seen
	if due && x.overdue && r.now.Sub(r.trouble) > time.Minute {
		r.broken("a long poll of %s for what follows transition %d is not told of %d", short(x.run), x.seen, run.state.Info.Transitions)
	}
	x.overdue = due
}

// followAlone waits for a standalone activity to go on, and is shown how it has.
func (r *reader) followAlone(id engine.ID) {
	r.converse(r.between(time.Second, 2*time.Minute), func(c *caller, p *process) {
		before := r.known(id)
		var key engine.RunKey
		var seen, next int64
		open := true
		if err := p.host.ViewActivity(c, id, "", func(run *standalone.Run) { key, seen = run.Key, run.Info.Transitions }); err != nil {
			return
		}
		r.shownAlone(key, seen, before[key.RunID])
		err := p.host.FollowActivity(c, nil, key, func(run *standalone.Run) bool { return run.Info.Transitions > seen }, func(run *standalone.Run) {
			next, open = run.Info.Transitions, run.Open()
		})
		switch {
		case err != nil:
		case next > seen:
			r.shownAlone(key, next, seen)
		case open:
			r.broken("%s: a long poll for what follows transition %d is answered, and nothing does", short(key), seen)
		}
	})
}
