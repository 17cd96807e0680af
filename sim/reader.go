package main

import (
	"slices"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// reader looks at runs and waits for them to go on, as describe and long polls
// do. What it is shown must be durable, must include what was acknowledged
// before it asked, and must never go back.
type reader struct {
	*world
	// events is how far somebody has seen a run.
	events  map[engine.RunKey]int64
	watches []*watch
}

// watch is a long poll that has not been answered.
type watch struct {
	process *process
	run     engine.RunKey
	seen    int64
	told    bool
	// overdue: at the last look at the disk it should have been told already.
	overdue bool
}

func newReader(w *world) *reader {
	return &reader{world: w, events: map[engine.RunKey]int64{}}
}

// read is one look of a client.
func (r *reader) read(id engine.ID) {
	r.after(r.latency(), func() {
		p := r.process
		if p == nil {
			return
		}
		before := r.known(id)
		var key engine.RunKey
		var next int64
		p.host.Look(id, "", func(run *workflow.Run) {
			key, next = run.Key, run.Info.NextEventID
		}, func(err error) {
			if err != nil {
				return
			}
			r.shown(key, next-1, before)
			if r.oneIn(2) {
				r.watch(p, key, next)
			}
		})
	})
}

// known is how many events of each run of an id the disk was seen to have, or
// somebody was shown.
func (r *reader) known(id engine.ID) map[string]int64 {
	all := r.disk.known(id)
	for run, n := range r.events { // the largest: their order does not matter
		if run.ID == id {
			all[run.RunID] = max(all[run.RunID], n)
		}
	}
	return all
}

// shown checks what a look has shown: so many events of the run. before is how
// many the disk had when the look began.
func (r *reader) shown(key engine.RunKey, events int64, before map[string]int64) {
	if last := before[key.RunID]; events < last {
		r.broken("I2: %s was shown with %d events, there were %d before", short(key), events, last)
	}
	r.events[key] = max(r.events[key], events)
	if state := r.disk.state(r.present(), key); state != nil && state.Info.NextEventID-1 < events {
		r.broken("I1: %s was shown with %d events, the disk has %d", short(key), events, state.Info.NextEventID-1)
	}
}

func (r *reader) watch(p *process, key engine.RunKey, seen int64) {
	x := &watch{process: p, run: key, seen: seen}
	r.watches = append(r.watches, x)
	stop := p.host.Watch(key, seen, func(err error) {
		if err == nil && !x.told {
			if state := r.disk.state(r.present(), key); state != nil && state.Open() && state.Info.NextEventID == seen {
				r.broken("%s: a long poll for what follows event %d is answered, and nothing does", short(key), seen-1)
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

// check finds long polls that should have been told by the last look, and are
// not yet: lost wake-ups.
func (r *reader) check() {
	r.watches = slices.DeleteFunc(r.watches, func(x *watch) bool { return x.told || x.process.dead })
	for _, x := range r.watches {
		if x.run.Archetype == engine.ArchetypeActivity {
			r.checkAlone(x)
			continue
		}
		l := r.disk.lives[x.run]
		if l == nil || l.state == nil {
			continue
		}
		due := !l.state.Open() || l.state.Info.NextEventID != x.seen
		if due && x.overdue && r.now.Sub(r.trouble) > time.Minute {
			r.broken("a long poll of %s for what follows event %d is not told of %d", short(x.run), x.seen-1, l.state.Info.NextEventID-1)
		}
		x.overdue = due
	}
}
