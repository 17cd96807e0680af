package workflow

import (
	"slices"
	"strings"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/duration"
	"github.com/perdure/perdure/engine/searchattr"
	"github.com/perdure/perdure/internal/invariant"
)

// What operators do to the activities of a run (spec/activity.md 9). None of it
// is history: a worker that replays the workflow never learns of it.

// pauseActivity keeps activities from being handed out (AT-161). Of several, the
// ones already paused stay as they are; it is refused when all of them are.
func (d *draft) pauseActivity(in *PauseActivity) (any, error) {
	var refused error
	taken := false
	err := d.operate(in.Which, func(s *activity.State) (*activity.State, error) {
		next, err := s.SetPaused(activity.Pause{
			Time: d.env.Now, Identity: in.Identity, Reason: in.Reason, RequestID: in.RequestID})
		if err != nil {
			refused = err
			return s, nil
		}
		taken = true
		return next, nil
	})
	if err == nil && !taken {
		err = refused
	}
	return &workflowservice.PauseActivityResponse{}, err
}

// unpauseActivity is AT-162.
func (d *draft) unpauseActivity(in *UnpauseActivity) (any, error) {
	err := d.operate(in.Which, func(s *activity.State) (*activity.State, error) {
		return s.Unpause(d.env, in.Unpause), nil
	})
	return &workflowservice.UnpauseActivityResponse{}, err
}

// resetActivity is AT-163 to AT-165.
func (d *draft) resetActivity(in *ResetActivity) (any, error) {
	err := d.operate(in.Which, func(s *activity.State) (*activity.State, error) {
		r := activity.Reset{ResetHeartbeat: in.ResetHeartbeat, KeepPaused: in.KeepPaused, Jitter: in.Jitter}
		if in.RestoreOriginal {
			r.Original = d.originalOptions(s)
		}
		return s.Reset(d.env, r), nil
	})
	return &workflowservice.ResetActivityResponse{}, err
}

// updateActivityOptions is AT-166 and AT-167.
func (d *draft) updateActivityOptions(in *UpdateActivityOptions) (any, error) {
	var first *activity.Options
	err := d.operate(in.Which, func(s *activity.State) (*activity.State, error) {
		o, err := d.newOptions(s, in)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = &o
		}
		return s.SetOptions(d.env, o), nil
	})
	return first, err
}

func (d *draft) newOptions(s *activity.State, in *UpdateActivityOptions) (activity.Options, error) {
	if in.RestoreOriginal {
		return *d.originalOptions(s), nil
	}
	return in.Apply(s, d.env.Limits, d.fixed().RunTimeout)
}

// originalOptions are those the workflow asked for, resolved; the priority is
// the present one. The scheduled event is in memory: see activityNeeds.
func (d *draft) originalOptions(s *activity.State) *activity.Options {
	ev := d.scheduledEvent(s.ScheduledEventID)
	invariant.Check(ev != nil, "activity %s: its scheduled event %d is not in memory", s.ID, s.ScheduledEventID)
	a := ev.GetActivityTaskScheduledEventAttributes()
	return &activity.Options{
		TaskQueue:       a.GetTaskQueue().GetName(),
		ScheduleToClose: duration.Of(a.GetScheduleToCloseTimeout()),
		ScheduleToStart: duration.Of(a.GetScheduleToStartTimeout()),
		StartToClose:    duration.Of(a.GetStartToCloseTimeout()),
		Heartbeat:       duration.Of(a.GetHeartbeatTimeout()),
		RetryPolicy:     a.GetRetryPolicy(),
		Priority:        s.Priority,
	}
}

// operate carries out what an operator asks of the activities selected, in the
// order they were scheduled, and then what became due by it: what was overdue
// before an unpause (AT-94), and hand-outs.
func (d *draft) operate(which ActivitySelection, f func(*activity.State) (*activity.State, error)) error {
	if !d.isOpen() {
		return closedRun()
	}
	ids := d.selected(which)
	if len(ids) == 0 {
		return engine.NotFound("Can't find pending activity with such ID. Invalid activityID or activity already completed")
	}
	d.untouched = true
	for _, id := range ids {
		s := d.activities.get(id)
		next, err := f(s)
		if err != nil {
			return err
		}
		if next == s {
			continue
		}
		if next.Stamp != s.Stamp {
			d.withdrawActivity(s)
		}
		d.activities.put(id, next)
		d.untouched = false
	}
	if !d.untouched {
		d.dueActivities(ids)
	}
	return nil
}

// selected are the scheduled event ids of the pending activities meant.
func (d *draft) selected(which ActivitySelection) []int64 {
	return slices.DeleteFunc(d.activities.keys(), func(id int64) bool {
		return !which.includes(d.activities.get(id))
	})
}

func (w ActivitySelection) includes(s *activity.State) bool {
	return (w.ID == "" || w.ID == s.ID) && (w.Type == "" || w.Type == s.Type)
}

// activityNeeds are the events that in wants in memory: event id to batch. Only
// going back to the original options needs any: the edge reads the input of an
// activity from history.
func activityNeeds(run *Run, in Input) map[int64]int64 {
	var which ActivitySelection
	switch in := in.(type) {
	case *ResetActivity:
		if !in.RestoreOriginal {
			return nil
		}
		which = in.Which
	case *UpdateActivityOptions:
		if !in.RestoreOriginal {
			return nil
		}
		which = in.Which
	default:
		return nil
	}
	needs := make(map[int64]int64)
	for id, s := range run.Activities {
		if which.includes(s) {
			needs[id] = s.BatchID
		}
	}
	return needs
}

// pauseProperty begins the entries about activities in TemporalPauseInfo.
const pauseProperty = "property:activityType="

// notePauses keeps the types of which an activity is paused in the search
// attribute TemporalPauseInfo (AT-161). What else it holds is left alone.
func (d *draft) notePauses() {
	changed := false
	for id, s := range d.activities.changed {
		was := d.base.Activities[id]
		changed = changed || (was != nil && was.Paused) != (s != nil && s.Paused)
	}
	if !changed {
		return
	}
	before := d.systemAttribute(searchattr.PauseInfo)
	after := slices.DeleteFunc(slices.Clone(before), func(v string) bool { return strings.HasPrefix(v, pauseProperty) })
	for _, id := range d.activities.keys() {
		if s := d.activities.get(id); s.Paused && !slices.Contains(after, pauseProperty+s.Type) {
			after = append(after, pauseProperty+s.Type)
		}
	}
	switch {
	case slices.Equal(before, after):
	case len(after) == 0:
		d.setSystemAttribute(searchattr.PauseInfo, nil)
	default:
		d.setSystemAttribute(searchattr.PauseInfo, after)
	}
}
