package shard

import (
	"cmp"
	"context"
	"slices"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// wait adds tasks that matching did not take to the window.
func (s *shard) wait(q *queue, tasks []engine.Task) {
	if len(tasks) == 0 {
		return
	}
	q.waiting = append(q.waiting, tasks...)
	sortTasks(q.waiting)
	if len(q.waiting) > 2*s.opt.Window {
		bound := q.waiting[s.opt.Window-1]
		q.bound = &bound
		if q.reading {
			q.added = append(q.added, q.waiting[s.opt.Window:]...)
		}
		q.waiting = slices.Clone(q.waiting[:s.opt.Window])
		q.beyond = true
	}
}

// refill offers what waits in the window, and reads on behind it.
func (s *shard) refill(name engine.TaskQueue) {
	const chunk = 256
	q := s.queueIf(name)
	if q == nil {
		return
	}
	for len(q.waiting) > 0 {
		n := min(chunk, len(q.waiting))
		taken := s.opt.Matcher.Offer(s, slices.Clone(q.waiting[:n]))
		q.waiting = q.waiting[taken:]
		if taken < n {
			return
		}
	}
	q.waiting = nil
	if !q.beyond {
		s.tidy(q)
		return
	}
	q.asked = true
	if !q.reading {
		s.readBacklog(q)
	}
}

// readBacklog reads the rows behind the bound, beside the loop. It begins when
// all that was written up to now is durable; what comes and goes from now on is
// noted.
func (s *shard) readBacklog(q *queue) {
	q.reading = true
	q.removed = make(map[offerKey]bool)
	q.added = nil
	bound := q.bound
	s.after(s.newest(), func(fault error) {
		if fault != nil {
			return
		}
		s.beside(func(ctx context.Context) {
			tasks, beyond, err := scanBacklog(ctx, s.store, q.name, bound, s.opt.Window)
			s.inbox.report(func() { s.readOn(q, tasks, beyond, err) })
		})
	})
}

func (s *shard) readOn(q *queue, tasks []engine.Task, beyond bool, err error) {
	q.reading = false
	if err != nil {
		s.opt.Log.Error("read backlog", "shard", s.index, "queue", q.name.Name, "error", err)
		s.opt.Clock.AfterFunc(retryDue, func() { s.inbox.report(func() { s.refill(q.name) }) })
		return
	}
	have := make(map[offerKey]bool, len(tasks))
	for i := range tasks {
		have[keyOf(&tasks[i])] = true
	}
	for _, t := range q.added {
		if !have[keyOf(&t)] {
			tasks = append(tasks, t)
		}
	}
	tasks = slices.DeleteFunc(tasks, func(t engine.Task) bool { return q.removed[keyOf(&t)] })
	sortTasks(tasks)
	if beyond && len(tasks) > s.opt.Window {
		tasks = tasks[:s.opt.Window]
	}
	q.added, q.removed = nil, nil
	q.beyond = beyond
	if beyond && len(tasks) > 0 {
		bound := tasks[len(tasks)-1]
		q.bound = &bound
	}
	s.wait(q, tasks)
	if q.asked {
		q.asked = false
		s.refill(q.name)
	}
}

// scanBacklog reads the first rows of a queue behind the bound, from all slots;
// beyond tells that there are more.
func scanBacklog(ctx context.Context, st store.Shard, name engine.TaskQueue, bound *engine.Task, most int) (tasks []engine.Task, beyond bool, err error) {
	slots := st.Slots()
	after := append(record.TaskKey(bound).Name, 0)
	for slot := slots.From; slot < slots.To; slot++ {
		from, to := record.TaskRows(slot, name)
		from.Name = after
		var bad error
		n := 0
		err := st.Scan(ctx, from, to, func(e store.Entry) bool {
			var t *engine.Task
			if t, bad = record.DecodeTask(e.Value); bad != nil {
				return false
			}
			tasks = append(tasks, *t)
			n++
			return n <= most
		})
		if err = cmp.Or(err, bad); err != nil {
			return nil, false, err
		}
		if len(tasks) > 4*most {
			sortTasks(tasks)
			tasks, beyond = tasks[:most], true
		}
	}
	if sortTasks(tasks); len(tasks) > most {
		tasks, beyond = tasks[:most], true
	}
	return tasks, beyond, nil
}
