package standalone

import (
	"maps"
	"slices"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/callback"
)

// Completion callbacks come with the start, or are attached by a later request
// that finds the run open (AX-8). When the run closes each is told once (AX-53).

// attachCallbacks adds callbacks to the run. requestID is that of the request
// which attaches them; empty for the start.
func (d *draft) attachCallbacks(list []*commonpb.Callback, requestID string) error {
	have := len(d.base.Callbacks)
	if limit := d.env.Limits.ActivityCallbacks; len(list) > 0 && have+len(list) > limit {
		return d.refuse("cannot attach more than %d callbacks to an activity (%d callbacks already attached)", limit, have)
	}
	for i, cb := range list {
		number := int64(have + i + 1) // none is ever removed
		s := callback.New(d.base.Key, cb, callback.Origin{AttachedBy: requestID, Index: i}, d.env.Now)
		d.putCallback(number, s)
	}
	return nil
}

func (d *draft) putCallback(number int64, s *callback.State) {
	if d.change.Callbacks == nil {
		d.change.Callbacks = make(map[int64]*callback.State)
	}
	d.change.Callbacks[number] = s
}

// callBack tells everybody who waits for the run, which has just closed.
func (d *draft) callBack(outcome *activitypb.ActivityExecutionOutcome) {
	for _, n := range slices.Sorted(maps.Keys(d.base.Callbacks)) {
		d.try(n, d.base.Callbacks[n].Trigger(d.env.Now), outcome)
	}
}

// try has the callback delivered.
func (d *draft) try(number int64, s *callback.State, outcome *activitypb.ActivityExecutionOutcome) {
	d.putCallback(number, s)
	x := s.Delivery(d.base.Key, d.base.Start.NamespaceName, number)
	x.Completion = completion(outcome)
	x.StartTime = d.base.Start.ScheduleTime
	x.Link = link(d.base.Start.NamespaceName, d.base.Key)
	d.change.Deliveries = append(d.change.Deliveries, x)
}

// completion is an outcome as a callback tells it.
func completion(o *activitypb.ActivityExecutionOutcome) *engine.Completion {
	if f := o.GetFailure(); f != nil {
		return &engine.Completion{Failure: f, Canceled: f.GetCanceledFailureInfo() != nil}
	}
	c := &engine.Completion{}
	if list := o.GetResult().GetPayloads(); len(list) > 0 {
		c.Result = list[0]
	}
	return c
}

// dueCallbacks makes the tries whose time has come, and reports whether there
// were any. The run has closed.
func (d *draft) dueCallbacks() (worked bool) {
	for _, n := range slices.Sorted(maps.Keys(d.base.Callbacks)) {
		s := d.base.Callbacks[n]
		if at := s.Deadline(); !at.IsZero() && !at.After(d.env.Now) {
			d.try(n, s.Try(d.env.Now), d.base.Outcome)
			worked = true
		}
	}
	return worked
}

// callbackAnswered takes the report of a try in.
func (d *draft) callbackAnswered(in *CallbackAnswered) (any, error) {
	s := d.base.Callbacks[in.Number]
	if s == nil {
		return nil, engine.Stale("no callback of that number")
	}
	a := in.Answer
	if a.Failure != nil {
		a.Failure = activity.Alone.Shrink(a.Failure, d.env.Limits.LastFailureBytes, true)
	}
	next := s.Answered(in.Stamp, a, d.env.Now)
	if next == nil {
		return nil, engine.Stale("the callback has been tried again, or delivered")
	}
	d.putCallback(in.Number, next)
	return nil, nil
}

// callbackDeadline is the earliest of the callbacks; zero for none.
func (r *Run) callbackDeadline() time.Time {
	var next time.Time
	for _, s := range r.Callbacks { // a minimum: their order does not matter
		next = earliest(next, s.Deadline())
	}
	return next
}

// earliest of two times of which zero means none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
