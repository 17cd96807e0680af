package workflow

import (
	"cmp"
	"slices"

	"github.com/perdure/perdure/engine/activity"
)

// dueActivities carries out what is due of the activities named: timeouts, in
// the order of AT-91, and offers of attempts whose back-off is over. Of several
// timeouts in one step all Started events come before all TimedOut (AT-46).
func (d *draft) dueActivities(scheduledIDs []int64) (worked bool) {
	type ended struct {
		state     *activity.State
		outcome   *activity.Outcome
		startedID int64
	}
	var closes []ended
	for _, o := range d.overdue(scheduledIDs) {
		s := d.activities.get(o.scheduledID)
		if s == nil || s != o.state {
			continue // an earlier timeout of this step has moved it on
		}
		worked = true
		step := s.TimeOut(d.env, o.Type)
		if step.Outcome == nil {
			d.putActivity(step.State)
			continue
		}
		closes = append(closes, ended{s, step.Outcome, d.writeStarted(s, step.Outcome)})
	}
	for _, c := range closes {
		d.writeClose(c.state, c.outcome, c.startedID)
	}
	for _, id := range scheduledIDs {
		if s := d.activities.get(id); s != nil && s.MayOffer(d.env.Now) && !d.paused() {
			d.putActivity(s)
			worked = true
		}
	}
	return worked
}

// overdueTimeout is one timeout of one activity that has passed.
type overdueTimeout struct {
	activity.Overdue
	scheduledID int64
	state       *activity.State // as it was when the timeout was found
}

func (d *draft) overdue(scheduledIDs []int64) []overdueTimeout {
	var found []overdueTimeout
	for _, id := range scheduledIDs {
		s := d.activities.get(id)
		if s == nil {
			continue
		}
		for _, o := range s.Overdue(d.env.Now) {
			found = append(found, overdueTimeout{o, id, s})
		}
	}
	slices.SortFunc(found, func(a, b overdueTimeout) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.scheduledID, b.scheduledID), cmp.Compare(a.Rank, b.Rank))
	})
	return found
}
