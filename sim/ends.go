package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/store"
)

// end is the last of a world in which everything has ended: what is seen of it by
// those who look at all of it, and that nothing is left of it once its namespace
// is removed.
func (w *world) end() {
	w.describeQueues()
	if w.oneIn(4) {
		w.rebuild()
	}
	if w.oneIn(4) {
		w.removeNamespace()
	}
}

// finish lets a call come to its end, again if need be: the last fault may not be
// over yet.
func (w *world) finish(talk func(c *caller, p *process) error) {
	var err error
	for range 5 {
		over := false
		w.converse(time.Hour, func(c *caller, p *process) {
			err = talk(c, p)
			over = true
		})
		for limit := w.now.Add(2 * time.Hour); !over && w.step(limit); {
		}
		if over && err == nil {
			return
		}
		for to := w.now.Add(10 * time.Second); w.step(to); {
		}
	}
	w.broken("a call in a healed world: %v", err)
}

// rebuild reads the rows of a visibility index that is built anew: they are what
// the state says (I10).
func (w *world) rebuild() {
	var rows map[engine.RunKey]*engine.VisibilityRecord
	w.finish(func(c *caller, p *process) error {
		rows = map[engine.RunKey]*engine.VisibilityRecord{}
		return p.host.VisibilityRecords(c, func(r *engine.VisibilityRecord) error {
			if rows[r.Run] != nil {
				w.broken("I10: %s comes twice when the index is built anew", short(r.Run))
			}
			rows[r.Run] = r
			return nil
		})
	})
	w.disk.look(w.present()) // retention goes on
	there := 0
	for _, l := range w.disk.order {
		if l.state == nil {
			continue
		}
		there++
		if r := rows[l.key]; r == nil || r.Status != l.state.Info.Status || r.Deleted {
			w.broken("I10: %s is %v, and when the index is built anew it is %+v", short(l.key), l.state.Info.Status, r)
		}
	}
	for _, x := range w.singles.order {
		if x.state == nil {
			continue
		}
		there++
		if r := rows[x.key]; r == nil || r.Status != x.state.VisibilityRecord().Status || r.Deleted {
			w.broken("I10: %s is %v, and when the index is built anew it is %+v", short(x.key), x.state.Info.Status, r)
		}
	}
	if len(rows) < there {
		w.broken("I10: the index built anew has %d rows, there are %d executions", len(rows), there)
	}
}

// removeNamespace deletes every run, and then nothing must be left of any.
func (w *world) removeNamespace() {
	for _, l := range w.disk.order {
		w.auditor.deleting(l.key.ID)
	}
	for _, x := range w.singles.order {
		w.auditor.deleting(x.key.ID)
	}
	for range 100 {
		found := 0
		w.finish(func(c *caller, p *process) error {
			n, err := p.host.DeleteRuns(c, namespaceID)
			if found = n; unclear(err) {
				found++ // some inboxes take only a few at a time
				err = nil
			}
			return err
		})
		for to := w.now.Add(10 * time.Second); w.step(to); {
		}
		if found == 0 {
			w.nothingLeft()
			return
		}
	}
	w.broken("the namespace was removed a hundred times, and there are runs in it")
}

// nothingLeft: no row is about a run any more, once what may be written later has
// been. What a reset wrote that a crash kept from its end is looked at an hour
// later.
func (w *world) nothingLeft() {
	for to := w.now.Add(2 * time.Hour); w.step(to); {
	}
	left := map[store.Family]int{}
	for key := range w.present().All() {
		left[key.Family]++
	}
	for _, family := range []store.Family{store.FamilyCurrent, store.FamilyState, store.FamilyHistory, store.FamilyDeadline,
		store.FamilyTask, store.FamilyOutbox, store.FamilyFeed} {
		if left[family] > 0 {
			w.broken("all runs are removed, and of family %v there are %d rows", family, left[family])
		}
	}
	w.say("nothing is left")
}

// describeQueues looks at the task queues as an operator does. Counts add up, and
// the pollers are those there are.
func (w *world) describeQueues() {
	p := w.process
	if p == nil {
		return
	}
	for _, q := range []engine.TaskQueue{
		queue(workflowQueueName, enumspb.TASK_QUEUE_TYPE_WORKFLOW), queue(activityQueueName, enumspb.TASK_QUEUE_TYPE_ACTIVITY),
		queue("nobody's", enumspb.TASK_QUEUE_TYPE_WORKFLOW),
	} {
		w.describeQueue(p, q)
	}
	if c := p.matcher.Counters(); c.EmptyPolls > c.Polls || c.Pollers < 0 || c.Offers < 0 {
		w.broken("the counters of matching make no sense: %+v", c)
	}
}

func (w *world) describeQueue(p *process, q engine.TaskQueue) {
	names := map[string]bool{}
	for _, wk := range w.workers {
		names[fmt.Sprint("worker-", wk.number)] = true
	}
	d := p.matcher.Describe(q)
	var count int64
	for _, level := range slices.Sorted(maps.Keys(d.ByPriority)) {
		count += d.ByPriority[level].BacklogCount
	}
	if d.Stats.BacklogCount < count || d.Stats.BacklogAge < 0 || w.healed && d.Stats.BacklogCount > 0 && len(w.disk.tasks) == 0 {
		w.broken("queue %s: %d tasks wait since %v, by priority %d", q.Name, d.Stats.BacklogCount, d.Stats.BacklogAge, count)
	}
	for _, x := range d.Pollers {
		if worker, _, _ := strings.Cut(x.Poller.Identity, "."); !names[worker] {
			w.broken("queue %s: %q has polled, whom nobody knows", q.Name, x.Poller.Identity)
		}
	}
}
