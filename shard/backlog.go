package shard

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/record"
)

// backlog is the shard's part of the task queues. Every task that is on offer
// has a row, unless it was handed over in the batch that made it. Matching holds
// the first of each queue; behind them the shard keeps a window in memory, and
// what is behind the window is read from the rows when the window empties. A
// volatile task (a speculative workflow task) has no row: pushed out of the
// window it is lost, and its schedule-to-start deadline brings a normal one.
type backlog struct {
	// queues by nickname: matching does not tell a sticky queue's normal name.
	queues map[engine.TaskQueue]*queue

	// depths are counted for Depth, which any goroutine may call.
	depths struct {
		sync.Mutex
		of map[engine.TaskQueue]int
	}
}

// queue is the part of one task queue that is not in matching's hands. It
// exists only while there is something to know.
type queue struct {
	name engine.TaskQueue // in full, as rows have it
	// waiting tasks that matching did not take, in order.
	waiting []engine.Task
	// pending counts offers in batches that are not durable: a later task may
	// not be started before them.
	pending int

	// beyond: there are rows behind bound that are not in waiting.
	beyond bool
	bound  *engine.Task
	// reading: rows behind bound are being read. Meanwhile what is added there
	// is noted, and what is withdrawn.
	reading bool
	added   []engine.Task
	removed map[offerKey]bool
	// asked: matching has asked for more than there is in memory.
	asked bool
}

// offerKey identifies an offer. Run ids are unique across the server, so that the
// rest of the run's name is not needed.
type offerKey struct {
	runID   string
	eventID int64
	stamp   int64
	kind    int32
}

func keyOf(t *engine.Task) offerKey {
	return offerKey{t.Run.RunID, t.EventID, t.Stamp, int32(t.Queue.Type)}
}

// compareTasks is the order of a queue, the same as that of record.TaskKey.
func compareTasks(a, b *engine.Task) int {
	if c := cmp.Or(cmp.Compare(priorityOf(a), priorityOf(b)), a.Order.Compare(b.Order)); c != 0 {
		return c
	}
	return cmp.Or(strings.Compare(a.Run.NamespaceID, b.Run.NamespaceID),
		cmp.Compare(a.Run.Archetype, b.Run.Archetype),
		strings.Compare(a.Run.Name, b.Run.Name), strings.Compare(a.Run.RunID, b.Run.RunID),
		cmp.Compare(a.EventID, b.EventID), cmp.Compare(a.Stamp, b.Stamp))
}

func priorityOf(t *engine.Task) int32 {
	if t.Priority == 0 {
		return 3
	}
	return t.Priority
}

func sortTasks(tasks []engine.Task) {
	slices.SortFunc(tasks, func(a, b engine.Task) int { return compareTasks(&a, &b) })
}

// offers are a batch's changes of the backlog.
type offers struct {
	made      []madeOffer
	dropped   map[offerKey]bool // withdrawn in this batch
	withdrawn []engine.Task
	at        map[offerKey]int // places in made, but for those withdrawn again
}

// madeOffer is an offer that a batch makes.
type madeOffer struct {
	task  *engine.Task // nil: withdrawn in this batch, it has no row and is never on offer
	queue *queue       // has it pending
}

// tasks are the offers made that stand.
func (o *offers) tasks() []engine.Task {
	if len(o.at) == 0 {
		return nil
	}
	tasks := make([]engine.Task, 0, len(o.at))
	for _, m := range o.made {
		if m.task != nil {
			tasks = append(tasks, *m.task)
		}
	}
	return tasks
}

// nickname names a queue without what is no part of its identity.
func nickname(name engine.TaskQueue) engine.TaskQueue {
	name.NormalName = ""
	return name
}

func (s *shard) queueIf(name engine.TaskQueue) *queue { return s.backlog.queues[nickname(name)] }

func (s *shard) queueOf(name engine.TaskQueue) *queue {
	q := s.queueIf(name)
	if q == nil {
		q = &queue{name: name}
		s.backlog.queues[nickname(name)] = q
	}
	return q
}

// tidy forgets a queue about which nothing is to be known.
func (s *shard) tidy(q *queue) {
	if len(q.waiting) == 0 && q.pending == 0 && !q.beyond && !q.reading {
		delete(s.backlog.queues, nickname(q.name))
	}
}

// offer notes that a task is to be on offer once the open batch is durable.
func (s *shard) offer(t *engine.Task) {
	o := &s.open.offers
	if o.at == nil {
		o.at = make(map[offerKey]int)
	}
	k := keyOf(t)
	if _, there := o.at[k]; there {
		return
	}
	delete(o.dropped, k)
	o.at[k] = len(o.made)
	q := s.queueOf(t.Queue)
	q.pending++
	o.made = append(o.made, madeOffer{t, q})
}

// withdraw notes that a task is no longer on offer. If it was made in the open
// batch, it leaves no trace at all.
func (s *shard) withdraw(t *engine.Task) {
	o := &s.open.offers
	k := keyOf(t)
	if at, ok := o.at[k]; ok {
		delete(o.at, k)
		m := &o.made[at]
		m.task = nil
		m.queue.pending--
		s.tidy(m.queue)
		return
	}
	if o.dropped[k] {
		return
	}
	if o.dropped == nil {
		o.dropped = make(map[offerKey]bool)
	}
	o.dropped[k] = true
	o.withdrawn = append(o.withdrawn, *t)
	s.forgetWaiting(t)
}

// forgetWaiting takes a task out of the window.
func (s *shard) forgetWaiting(t *engine.Task) {
	q := s.queueIf(t.Queue)
	if q == nil {
		return
	}
	if q.reading {
		q.removed[keyOf(t)] = true
	}
	if i, ok := slices.BinarySearchFunc(q.waiting, t, func(a engine.Task, b *engine.Task) int {
		return compareTasks(&a, b)
	}); ok {
		q.waiting = slices.Delete(q.waiting, i, i+1)
		s.tidy(q)
	}
}

// ahead reports whether other tasks wait here than the pending one in question, so
// that it may not be started before them.
func (q *queue) ahead() bool { return q.pending > 1 || len(q.waiting) > 0 || q.beyond }

func (s *shard) sealOffers(b *batch) {
	for i := range b.offers.withdrawn {
		if t := &b.offers.withdrawn[i]; !t.Volatile {
			b.rows.Delete(record.TaskKey(t))
		}
	}
	for _, m := range b.offers.made {
		if t := m.task; t != nil && !t.Volatile {
			b.rows.Put(record.TaskKey(t), record.EncodeTask(t))
		}
	}
}

// performOffers tells matching what the batch has changed.
func (s *shard) performOffers(b *batch) {
	if len(b.offers.withdrawn) > 0 {
		s.count(b.offers.withdrawn, -1)
		s.opt.Matcher.Withdraw(b.offers.withdrawn)
	}
	made := b.offers.tasks()
	if len(made) == 0 {
		return
	}
	s.count(made, 1)
	// Stable: tasks of one queue stay together in the order they were made.
	slices.SortStableFunc(made, func(a, b engine.Task) int { return compareQueues(a.Queue, b.Queue) })
	for len(made) > 0 {
		n := 1
		for n < len(made) && made[n].Queue == made[0].Queue {
			n++
		}
		s.performOffer(made[:n:n])
		made = made[n:]
	}
}

// performOffer offers durable tasks of one queue, those that have not been
// withdrawn by a later batch.
func (s *shard) performOffer(tasks []engine.Task) {
	name := tasks[0].Queue
	q := s.queueOf(name)
	q.pending -= len(tasks)
	tasks = slices.DeleteFunc(tasks, func(t engine.Task) bool { return s.withdrawnLater(&t) })
	sortTasks(tasks)
	if q.beyond {
		// What goes behind the bound stays in its row until it is read.
		n, _ := slices.BinarySearchFunc(tasks, q.bound, func(a engine.Task, b *engine.Task) int {
			return compareTasks(&a, b)
		})
		if q.reading {
			q.added = append(q.added, tasks[n:]...)
		}
		tasks = tasks[:n]
	}
	if len(tasks) > 0 {
		taken := s.opt.Matcher.Offer(s, tasks)
		s.wait(q, tasks[taken:])
	}
	s.tidy(q)
}

// withdrawnLater reports whether a batch behind the one being performed
// withdraws the task.
func (s *shard) withdrawnLater(t *engine.Task) bool {
	k := keyOf(t)
	for _, b := range s.flying {
		if b.offers.dropped[k] {
			return true
		}
	}
	return s.open.offers.dropped[k]
}

func compareQueues(a, b engine.TaskQueue) int {
	sticky := 0
	if a.Sticky != b.Sticky {
		sticky = 1
		if b.Sticky {
			sticky = -1
		}
	}
	return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type),
		strings.Compare(a.NamespaceID, b.NamespaceID), strings.Compare(a.NormalName, b.NormalName), sticky)
}

// count keeps the depths.
func (s *shard) count(tasks []engine.Task, by int) {
	s.backlog.depths.Lock()
	defer s.backlog.depths.Unlock()
	for i := range tasks {
		name := nickname(tasks[i].Queue)
		if n := s.backlog.depths.of[name] + by; n > 0 {
			s.backlog.depths.of[name] = n
		} else {
			delete(s.backlog.depths.of, name)
		}
	}
}

// Depth implements Depth.
func (s *shard) Depth(name engine.TaskQueue) int {
	s.backlog.depths.Lock()
	defer s.backlog.depths.Unlock()
	return s.backlog.depths.of[nickname(name)]
}

// StartTask implements Backlog.
func (s *shard) StartTask(task engine.Task, poller engine.Poller, done func(started any, err error)) {
	m := machineOf(task.Run.Archetype)
	if m == nil {
		done(nil, engine.Stale(errArchetype.Message))
		return
	}
	s.submit(&request{
		id: task.Run.ID, runID: task.Run.RunID, in: m.start(&task, poller), task: &task,
		done: func(reply any, err error) {
			if err != nil && !mayComeLater(err) {
				err = engine.Stale(err.Error()) // whatever the reason: this offer is void
			}
			if err == nil {
				// On the loop, as every reply without an error.
				if h := s.inMemory(task.Run); h != nil {
					h.giveHistory(reply)
				}
			}
			done(reply, err)
		},
	})
}

// AbortTask implements Backlog.
func (s *shard) AbortTask(started any) {
	if run, in := abortOf(started); in != nil {
		s.submit(&request{id: run.ID, runID: run.RunID, in: in, done: func(any, error) {}})
	}
}

// Refill implements Backlog.
func (s *shard) Refill(name engine.TaskQueue) { s.inbox.report(func() { s.refill(name) }) }
