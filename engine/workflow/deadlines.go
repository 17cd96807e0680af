package workflow

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// deadlines finds the earliest deadline of a run's timers, activities and callbacks in
// constant time. It is not stored: it is built from the parts when first asked.
//
// It is a binary heap with lazy deletion. A part that changes leaves its old
// entry behind; an entry counts only while the part it names still has that
// deadline, and is dropped when it comes to the top. A heartbeat that moves a
// deadline on costs one push; searching the heap for the old entry would cost
// what the heap holds. So that an activity that heartbeats for ever does not
// fill it, the heap is rebuilt when it holds twice what is pending.
type deadlines struct {
	heap  []deadline
	built bool
	// paused: built for a paused run, whose activities are not handed out.
	paused bool
}

// deadline is the time of one timer, activity or callback.
type deadline struct {
	at       time.Time
	timer    string // timer id, or
	activity int64  // scheduled event id, or
	callback int64  // number
}

func compareDeadlines(a, b deadline) int {
	return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.activity, b.activity), cmp.Compare(a.callback, b.callback), strings.Compare(a.timer, b.timer))
}

// NextDeadline is the earliest time at which a Due input would do something;
// zero when there is none. Constant time on a run that was stepped before.
func (r *Run) NextDeadline() time.Time { return r.ShardTime(r.nextDeadline()) }

// nextDeadline is NextDeadline in the run's own time.
func (r *Run) nextDeadline() time.Time {
	if !r.Open() {
		return earliest(r.Info.DeleteAt, r.callbackDeadline())
	}
	next := earliest(r.Start.RunDeadline, earliest(r.Info.Task.deadline(), r.Info.forwardDeadline()))
	if !r.Info.FirstTaskDone && !r.Info.AwaitsParent {
		next = earliest(next, r.Start.ExecutionTime())
	}
	return earliest(next, r.deadlines.first(r))
}

// deadline of the workflow task, whatever it waits for; zero for none.
func (t *Task) deadline() time.Time {
	switch {
	case t == nil:
		return time.Time{}
	case !t.onOffer():
		return t.StartedTime.Add(t.Timeout)
	}
	return t.ScheduleToStartDeadline
}

// earliest of two times of which zero means none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// applied takes note of what a change did to the deadlines.
func (d *deadlines) applied(r *Run, c *Change) {
	if !d.built {
		return
	}
	if d.paused != r.paused() {
		d.built = false
		return
	}
	for id, t := range c.Timers {
		if t != nil {
			d.push(deadline{at: t.FireTime, timer: id})
		}
	}
	for id, a := range c.Activities {
		if a == nil {
			continue
		}
		if at := activityDeadline(a, d.paused); !at.IsZero() {
			d.push(deadline{at: at, activity: id})
		}
	}
	for n, s := range c.Callbacks {
		if at := s.Deadline(); !at.IsZero() {
			d.push(deadline{at: at, callback: n})
		}
	}
	if len(d.heap) > 2*(len(r.Timers)+len(r.Activities)+len(r.Callbacks))+16 {
		d.build(r)
	}
}

// first is the earliest deadline that counts.
func (d *deadlines) first(r *Run) time.Time {
	if !d.built {
		d.build(r)
	}
	for len(d.heap) > 0 {
		if top := d.heap[0]; top.counts(r) {
			return top.at
		}
		d.pop()
	}
	return time.Time{}
}

// counts reports whether the part still has this deadline.
func (e deadline) counts(r *Run) bool {
	if e.callback != 0 {
		c := r.Callbacks[e.callback]
		return c != nil && c.Deadline().Equal(e.at)
	}
	if e.activity != 0 {
		a := r.Activities[e.activity]
		return a != nil && activityDeadline(a, r.deadlines.paused).Equal(e.at)
	}
	t := r.Timers[e.timer]
	return t != nil && t.FireTime.Equal(e.at)
}

func (d *deadlines) build(r *Run) {
	d.heap = d.heap[:0]
	d.paused = r.paused()
	for id, t := range r.Timers {
		d.heap = append(d.heap, deadline{at: t.FireTime, timer: id})
	}
	for id, a := range r.Activities {
		if at := activityDeadline(a, d.paused); !at.IsZero() {
			d.heap = append(d.heap, deadline{at: at, activity: id})
		}
	}
	for n, c := range r.Callbacks {
		if at := c.Deadline(); !at.IsZero() {
			d.heap = append(d.heap, deadline{at: at, callback: n})
		}
	}
	slices.SortFunc(d.heap, compareDeadlines) // a sorted list is a heap
	d.built = true
}

// due are the timers and activities whose deadline has come at now, in order of
// their deadlines. It walks only that part of the heap, and leaves it alone: a
// step changes nothing.
func (r *Run) due(now time.Time) (timers []string, activities []int64) {
	if !r.deadlines.built {
		r.deadlines.build(r)
	}
	var found []deadline
	r.deadlines.walk(0, now, func(e deadline) {
		if e.counts(r) {
			found = append(found, e)
		}
	})
	slices.SortFunc(found, compareDeadlines)
	for _, e := range slices.CompactFunc(found, func(a, b deadline) bool { return compareDeadlines(a, b) == 0 }) {
		if e.callback != 0 {
			continue // see dueCallbacks
		}
		if e.activity != 0 {
			activities = append(activities, e.activity)
		} else {
			timers = append(timers, e.timer)
		}
	}
	return timers, activities
}

// walk visits the entries of the subtree at i that are not after now.
func (d *deadlines) walk(i int, now time.Time, visit func(deadline)) {
	if i >= len(d.heap) || d.heap[i].at.After(now) {
		return
	}
	visit(d.heap[i])
	d.walk(2*i+1, now, visit)
	d.walk(2*i+2, now, visit)
}

func (d *deadlines) push(e deadline) {
	d.heap = append(d.heap, e)
	for i := len(d.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if compareDeadlines(d.heap[up], d.heap[i]) <= 0 {
			return
		}
		d.heap[up], d.heap[i] = d.heap[i], d.heap[up]
		i = up
	}
}

func (d *deadlines) pop() {
	last := len(d.heap) - 1
	d.heap[0] = d.heap[last]
	d.heap[last] = deadline{}
	d.heap = d.heap[:last]
	for i := 0; ; {
		least := i
		for _, c := range [2]int{2*i + 1, 2*i + 2} {
			if c < last && compareDeadlines(d.heap[c], d.heap[least]) < 0 {
				least = c
			}
		}
		if least == i {
			return
		}
		d.heap[i], d.heap[least] = d.heap[least], d.heap[i]
		i = least
	}
}
