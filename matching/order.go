package matching

import (
	"cmp"
	"container/heap"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/internal/clock"
	"github.com/perdure/perdure/shard"
)

// levels are the priorities 1 to 5; index 0 is not used (TQ-31).
const levels = 6

const defaultLevel = 3

// levelOf is the level a task is ordered by: unset is 3, and what is beyond 5
// counts as 5 (TQ-31).
func levelOf(priority int32) int {
	if priority <= 0 {
		return defaultLevel
	}
	return int(min(priority, levels-1))
}

// offerState is where an offer stands; see the package comment.
type offerState uint8

const (
	offerWaiting offerState = iota
	offerStarting
	offerResting
	// offerVoid: withdrawn or forgotten while it was starting. Its outcome
	// still decides about the poller, not about the offer.
	offerVoid
)

// offerKey tells offers of one queue apart. Run ids are unique across the
// server, so that the rest of the run's key is not needed.
type offerKey struct {
	runID   string
	eventID int64
	stamp   int64
}

func keyOf(t *engine.Task) offerKey {
	return offerKey{runID: t.Run.RunID, eventID: t.EventID, stamp: t.Stamp}
}

// offer is a task its owner has offered. Guarded by the lock of the queue whose
// index holds it.
type offer struct {
	task   engine.Task
	owner  shard.Backlog
	window *window
	level  int
	due    int64 // task.Order as Unix nanoseconds
	state  offerState
	// index in the heap of its level. Invariant: -1 unless state is waiting.
	index int
	// round is the queue's round in which it came; a match in the same round is
	// one without waiting.
	round uint64
	// failures counts starts that failed in a row, for the back-off.
	failures int
	rest     clock.Timer // while resting
}

func newOffer(owner shard.Backlog, task engine.Task) *offer {
	return &offer{task: task, owner: owner, level: levelOf(task.Priority), due: task.Order.UnixNano(), index: -1}
}

// before reports whether o is to be handed out before other: by level, then
// age, and at the same instant by the run's names, so that the order does not
// depend on which shard spoke first.
func (o *offer) before(other *offer) bool {
	if o.level != other.level {
		return o.level < other.level
	}
	if o.due != other.due {
		return o.due < other.due
	}
	a, b := &o.task, &other.task
	return cmp.Or(
		cmp.Compare(a.Run.Name, b.Run.Name),
		cmp.Compare(a.Run.RunID, b.Run.RunID),
		cmp.Compare(a.EventID, b.EventID),
		cmp.Compare(a.Stamp, b.Stamp),
	) < 0
}

// offers is a heap of waiting offers of one level.
type offers []*offer

func (h offers) Len() int           { return len(h) }
func (h offers) Less(i, j int) bool { return h[i].before(h[j]) }

func (h offers) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *offers) Push(x any) {
	o := x.(*offer)
	o.index = len(*h)
	*h = append(*h, o)
}

// Pop implements heap.Interface.
func (h *offers) Pop() any {
	last := len(*h) - 1
	o := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	o.index = -1
	return o
}

// waitingOffers are the waiting offers of a queue, a heap for each level, so
// that the oldest of each level is at hand for the statistics.
type waitingOffers [levels]offers

func (w *waitingOffers) count() (n int64) {
	for level := range w {
		n += int64(len(w[level]))
	}
	return n
}

func (w *waitingOffers) push(o *offer) { heap.Push(&w[o.level], o) }

func (w *waitingOffers) remove(o *offer) { heap.Remove(&w[o.level], o.index) }

// first is the offer to be handed out next; nil when none waits.
func (w *waitingOffers) first() *offer {
	for level := range w {
		if len(w[level]) > 0 {
			return w[level][0]
		}
	}
	return nil
}

func (w *waitingOffers) empty() bool { return w.first() == nil }
