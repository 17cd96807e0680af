package standalone

import (
	"slices"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/priority"
)

// draft is a run being stepped: the run as it was, and over it what the step has
// changed so far. Nothing below it is touched, so that a step that fails is
// undone by forgetting its draft.
type draft struct {
	env  *engine.Env
	base *Run

	// info is a copy, changed freely; what its pointers lead to is replaced.
	info Info
	// activity as it is now; replaced, never changed.
	activity *activity.State
	change   Change

	// visible: the run's row in the visibility index has changed.
	visible bool
	// untouched: the input turned out to change nothing (a repetition).
	untouched bool
	// heard: a heartbeat was all there was.
	heard bool
}

func newDraft(env *engine.Env, run *Run) *draft {
	return &draft{env: env, base: run, info: *run.Info, activity: run.Activity}
}

func (d *draft) open() bool { return d.info.open() }

// put keeps the activity's next state. An offer that is void by it is taken back,
// and an attempt that is due is offered.
func (d *draft) put(next *activity.State) {
	was := d.activity
	if was != nil && was.Offered && (was.Stamp != next.Stamp || !next.Offered) {
		d.withdraw(was)
	}
	if next.MayOffer(d.env.Now) {
		next = next.Offer()
		d.change.Offers = append(d.change.Offers, attemptTask(d.base.Key, next))
	}
	d.activity = next
	status := enumspb.ACTIVITY_EXECUTION_STATUS_RUNNING
	if next.Paused && next.Unstarted() {
		status = enumspb.ACTIVITY_EXECUTION_STATUS_PAUSED
	}
	d.visible = d.visible || d.info.Status != status || was == nil || was.TaskQueue != next.TaskQueue || was.StartDelay != next.StartDelay
	d.info.Status = status
}

// withdraw takes back the offer of s, which was made earlier or in this very
// step: then the two cancel out.
func (d *draft) withdraw(s *activity.State) {
	offers := slices.DeleteFunc(d.change.Offers, func(t engine.Task) bool { return t.Stamp == s.Stamp })
	if len(offers) == len(d.change.Offers) {
		d.change.Withdrawn = append(d.change.Withdrawn, attemptTask(d.base.Key, s))
	}
	d.change.Offers = offers
}

// stepped keeps what a transition of the activity has yielded.
func (d *draft) stepped(step activity.Step) {
	if step.Outcome != nil {
		d.end(step.Outcome)
		return
	}
	d.put(step.State)
}

// result ends the step.
func (d *draft) result(reply any) *Result {
	if d.untouched {
		return &Result{Reply: reply}
	}
	return &Result{Run: d.finish(), Reply: reply}
}

// finish gives all that changed.
func (d *draft) finish() *Change {
	// A closed run's count is final, and in the index: what becomes of its
	// callbacks is no transition.
	if ended := !d.base.Open() && d.base.Info.Transitions > 0; !d.heard && (!ended || d.change.Deleted) {
		d.info.Transitions++
	}
	c, info := d.change, d.info // pointers into the draft would keep all of it alive
	c.Info = &info
	if d.activity != d.base.Activity {
		c.Activity = d.activity
	}
	if d.visible {
		c.Visibility = d.visibilityRecord()
	}
	return &c
}

// attemptTask is the offer of the attempt of s. A retry queues up anew, by the
// end of its back-off (AT-108).
func attemptTask(key engine.RunKey, s *activity.State) engine.Task {
	t := engine.Task{
		Queue: engine.TaskQueue{
			NamespaceID: key.NamespaceID, Name: s.TaskQueue, Type: enumspb.TASK_QUEUE_TYPE_ACTIVITY,
		},
		Run:   key,
		Stamp: s.Stamp,
		Order: s.DueTime,
	}
	priority.Apply(&t, s.Priority)
	return t
}
