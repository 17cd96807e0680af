package main

import (
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/record"
)

// checkTasks: every task that a run has on offer has its row in the backlog, and
// there are no others: no work is forgotten by a crash (I6), and none is left.
func (o *observer) checkTasks() {
	wanted := map[string]bool{}
	for _, l := range o.order {
		if l.state == nil || !l.state.Open() {
			continue
		}
		o.checkOffers(wanted, l.key, l.state.Offers(), l.tell)
	}
	for _, x := range o.singles.order {
		if x.state != nil {
			o.checkOffers(wanted, x.key, x.state.Offers(), x.tell)
		}
	}
	for _, name := range sortedKeys(o.tasks) {
		if t := o.tasks[name]; !wanted[name] {
			o.broken("the backlog has a task that nobody offers: event %d, stamp %d of %s", t.EventID, t.Stamp, short(t.Run))
		}
	}
}

// checkOffers: what a run has on offer is in the backlog.
func (o *observer) checkOffers(wanted map[string]bool, run engine.RunKey, offers []engine.Task, tell func() string) {
	for _, t := range offers {
		name := string(record.TaskKey(&t).Name)
		wanted[name] = true
		if o.tasks[name] == nil {
			o.broken("I6: %s has a task on offer (event %d, stamp %d) that is not in the backlog:\n%s",
				short(run), t.EventID, t.Stamp, tell())
		}
	}
}

// checkWoken: the row of a run is never later than what it has to be woken for
// (I7). A run that has not closed does without one as long as the feed leads to it.
func (o *observer) checkWoken(run engine.RunKey, open bool, next, armed time.Time, tell func() string) {
	o.checkPunctual(run, next, tell)
	rows := o.due[run]
	if len(rows) > 1 {
		o.broken("I7: %s has %d deadline rows", short(run), len(rows))
	}
	if next.IsZero() {
		return
	}
	if len(rows) == 0 && open && o.fed[run] {
		if armed.IsZero() || armed.After(next) {
			o.broken("I7: %s is to be woken at %v, its state says %v:\n%s", short(run), next.Sub(epoch), armed.Sub(epoch), tell())
		}
		return
	}
	if len(rows) == 0 {
		o.broken("I7: %s is to be woken at %v and has no deadline row:\n%s", short(run), next.Sub(epoch), tell())
	}
	if rows[0].After(next) {
		o.broken("I7: %s is to be woken at %v, its row says %v:\n%s", short(run), next.Sub(epoch), rows[0].Sub(epoch), tell())
	}
	if !armed.Equal(rows[0]) {
		o.broken("I7: the row of %s says %v, its state %v", short(run), rows[0].Sub(epoch), armed.Sub(epoch))
	}
}

// patience is how long after its time something comes at the latest, with no
// trouble in between: a shard may be opened again, or a read tried again.
const patience = time.Minute

// checkPunctual: a run is woken when it is to be (I7).
func (o *observer) checkPunctual(run engine.RunKey, next time.Time, tell func() string) {
	if p := o.process; next.IsZero() || p == nil || p.stopping || p.driver.Full() || p.driver.Err() != nil {
		return
	}
	if since := latest(next, latest(o.trouble, o.process.began)); o.now.Sub(since) > patience {
		o.broken("I7: %s was to be woken at %v, and is not:\n%s", short(run), next.Sub(epoch), tell())
	}
}

// resetter is who ends a run that a reset takes the place of.
const resetter = "history-resetter"

// checkOrphans: what is to become of a child when its parent ends has become of it
// a while later (I8). One that ends because of a reset tells nobody.
func (o *observer) checkOrphans() {
	for _, l := range o.order {
		if l.state == nil || l.state.Open() || l.skips || len(l.state.Children) == 0 {
			continue
		}
		closed := l.events[len(l.events)-1]
		if o.now.Sub(latest(closed.EventTime.AsTime(), o.trouble)) < patience || o.process == nil ||
			closed.GetWorkflowExecutionTerminatedEventAttributes().GetIdentity() == resetter {
			continue
		}
		for _, id := range sortedNumbers(l.state.Children) {
			c := l.state.Children[id]
			child := o.lives[engine.RunKey{ID: idOf(c.WorkflowID), RunID: c.RunID}]
			if c.StartedEventID == 0 || child == nil || child.state == nil || !child.state.Open() {
				continue
			}
			if c.ParentClosePolicy == enumspb.PARENT_CLOSE_POLICY_TERMINATE ||
				c.ParentClosePolicy == enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL && !child.state.Info.CancelRequested {
				o.broken("I8: %s has ended, and its child %s has not heard of it (%v):\n%s%s", short(l.key), short(child.key), c.ParentClosePolicy, l.tell(), child.tell())
			}
		}
	}
}

// checkChildren: what a workflow has initiated once is started once (I8), as long
// as the run that was started is kept.
func (o *observer) checkChildren() {
	type initiation struct {
		parent string
		event  int64
	}
	seen := map[initiation]*life{}
	for _, l := range o.order {
		if len(l.events) == 0 {
			continue
		}
		a := l.events[0].GetWorkflowExecutionStartedEventAttributes()
		if a.GetParentWorkflowExecution() == nil || a.GetFirstExecutionRunId() != l.key.RunID || l.resetBy != nil || l.gone || o.auditor.deleted[l.key.ID] {
			continue
		}
		by := initiation{a.GetParentWorkflowExecution().GetRunId(), a.GetParentInitiatedEventId()}
		if other := seen[by]; other != nil {
			o.broken("I8: event %d of run %s has started %s and then %s:\n%s", by.event, by.parent, short(other.key), short(l.key), l.tell())
		}
		seen[by] = l
	}
}

// checkSignals: a signal from a workflow reaches one run of one receiver, once
// (I8; the last is checked where histories are read). Runs made by a reset have
// what their base has. That a repetition is recognised takes the run that has
// got it: it must not have been deleted.
func (o *observer) checkSignals() {
	seen := map[string]*life{}
	for _, l := range o.order {
		for _, name := range sortedKeys(l.signals) {
			if !strings.HasPrefix(name, "from-") {
				continue
			}
			if other := seen[name]; other != nil && other.key.ID != l.key.ID {
				o.broken("I8: %s reached %s and %s", name, short(other.key), short(l.key))
			}
			if l.resetBy != nil {
				continue
			}
			if other := seen[name]; other != nil && other != l && !other.gone && !o.auditor.deleted[l.key.ID] {
				o.broken("I8: %s reached %s and then %s", name, short(other.key), short(l.key))
			}
			seen[name] = l
		}
	}
}
