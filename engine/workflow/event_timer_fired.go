package workflow

import (
	"cmp"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
)

// fireTimers fires those of the timers named that are due, in the order of their
// expiry and then of their start (UT-4).
func (d *draft) fireTimers(ids []string) (fired bool) {
	var due []*Timer
	for _, id := range ids {
		if t := d.timers.get(id); t != nil && !t.FireTime.After(d.env.Now) {
			due = append(due, t)
		}
	}
	slices.SortFunc(due, func(a, b *Timer) int {
		return cmp.Or(a.FireTime.Compare(b.FireTime), cmp.Compare(a.StartedEventID, b.StartedEventID))
	})
	for _, t := range due {
		ev := d.event(enumspb.EVENT_TYPE_TIMER_FIRED)
		ev.Attributes = &historypb.HistoryEvent_TimerFiredEventAttributes{
			TimerFiredEventAttributes: &historypb.TimerFiredEventAttributes{
				TimerId: t.ID, StartedEventId: t.StartedEventID,
			}}
		d.timers.remove(t.ID)
		d.arrive(ev)
		d.wantTask()
	}
	return len(due) > 0
}
