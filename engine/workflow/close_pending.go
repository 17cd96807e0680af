package workflow

import (
	"slices"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
)

// closePending ends what is pending when the run closes, whatever the reason.
// Offers of activities are withdrawn, timers and unanswered messages forgotten,
// children told as their parent close policy wants it. No events are written
// (AT-136, UT-8). Activities and children stay as they are: Describe goes on
// listing them (AT-150), and a child whose start is on its way is recognised
// when the answer comes (see orphan).
func (d *draft) closePending() {
	// What this very step asked of others is not asked any more: a child not
	// started when its parent closes never starts (spec/workflow.md 4.5, 4.6).
	d.change.Messages = slices.DeleteFunc(d.change.Messages, func(m engine.Message) bool { return m.Answered() })
	for _, id := range d.activities.keys() {
		s := d.activities.get(id)
		if !s.Offered {
			continue
		}
		d.withdrawActivity(s)
		void := *s
		void.Offered = false
		d.activities.put(id, &void)
	}
	for _, id := range d.timers.keys() {
		d.timers.remove(id)
	}
	for _, id := range d.signals.keys() {
		d.signals.remove(id)
	}
	for _, id := range d.cancels.keys() {
		d.cancels.remove(id)
	}
	if d.reborn {
		return // children are not told: some go on for the run that follows
	}
	for _, id := range d.children.keys() {
		c := d.children.get(id)
		if c.StartedEventID != 0 && c.ParentClosePolicy != enumspb.PARENT_CLOSE_POLICY_ABANDON {
			d.sendParentClosed(c, c.RunID, c.ParentClosePolicy)
		}
	}
}

// sendParentClosed addresses whichever run the child's chain has got to.
func (d *draft) sendParentClosed(c *Child, firstRunID string, policy enumspb.ParentClosePolicy) {
	d.send(engine.Message{
		Kind: engine.MessageParentClosed, To: d.to(c.WorkflowID), ToFirstRunID: firstRunID,
		EventID: c.InitiatedEventID, BatchID: c.BatchID, ParentClosePolicy: policy,
	})
}
