package standalone

import (
	"cmp"
	"slices"

	"github.com/perdure/perdure/engine/activity"
)

// due carries out whatever is due.
func (d *draft) due() (any, error) {
	switch at := d.info.DeleteAt; {
	case d.open():
		d.untouched = !d.overdue()
	case !at.IsZero() && !at.After(d.env.Now):
		d.forget()
	default:
		d.untouched = !d.dueCallbacks()
	}
	return nil, nil
}

// overdue carries out what is due of the activity: timeouts, one after the other
// since each may make the rest void (AT-91), and the offer of an attempt whose
// time has come. It reports whether there was anything.
func (d *draft) overdue() (worked bool) {
	for d.open() {
		passed := d.activity.Overdue(d.env.Now)
		if len(passed) == 0 {
			break
		}
		first := slices.MinFunc(passed, func(a, b activity.Overdue) int {
			return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Rank, b.Rank))
		})
		d.stepped(d.activity.TimeOut(d.env, first.Type))
		worked = true
	}
	if d.open() && d.activity.MayOffer(d.env.Now) {
		d.put(d.activity)
		worked = true
	}
	return worked
}
