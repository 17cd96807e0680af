// Package timers says which of many things falls due next. It knows names and
// times, not what they mean: package shard keeps in it the deadlines of its
// runs that come soon, and reads later ones from its index.
//
// It is not safe for concurrent use: it belongs to the loop that owns it.
package timers

import (
	"container/heap"
	"time"
)

// Queue holds at most one time for each name. All operations but Len and Due
// cost the logarithm of what it holds. The zero value is empty and ready.
type Queue[K comparable] struct {
	items heapOf[K]
	// Invariant: at[k] is the item of k in items, and its index is its place.
	at map[K]*item[K]
	// asked numbers the items, so that what is due at one time comes out in
	// the order it was put in: chance must not decide.
	asked uint64
}

// Set notes that k is due at the time, replacing what was noted for k before.
func (q *Queue[K]) Set(k K, due time.Time) {
	if it := q.at[k]; it != nil {
		if it.due.Equal(due) {
			return
		}
		it.due = due
		heap.Fix(&q.items, it.index)
		return
	}
	if q.at == nil {
		q.at = make(map[K]*item[K])
	}
	q.asked++
	it := &item[K]{key: k, due: due, number: q.asked}
	q.at[k] = it
	heap.Push(&q.items, it)
}

// Remove forgets k, if it is there.
func (q *Queue[K]) Remove(k K) {
	if it := q.at[k]; it != nil {
		heap.Remove(&q.items, it.index)
		delete(q.at, k)
	}
}

// Due is the time noted for k.
func (q *Queue[K]) Due(k K) (due time.Time, ok bool) {
	it := q.at[k]
	if it == nil {
		return time.Time{}, false
	}
	return it.due, true
}

// Next is the earliest time noted; ok is false when there is none.
func (q *Queue[K]) Next() (due time.Time, ok bool) {
	if len(q.items) == 0 {
		return time.Time{}, false
	}
	return q.items[0].due, true
}

// Pop takes the earliest out, if it is due by now.
func (q *Queue[K]) Pop(now time.Time) (k K, ok bool) {
	if len(q.items) == 0 || q.items[0].due.After(now) {
		return k, false
	}
	it := heap.Pop(&q.items).(*item[K])
	delete(q.at, it.key)
	return it.key, true
}

// Len is how many times are noted.
func (q *Queue[K]) Len() int { return len(q.items) }

type item[K comparable] struct {
	key    K
	due    time.Time
	number uint64
	index  int
}

type heapOf[K comparable] []*item[K]

func (h heapOf[K]) Len() int { return len(h) }

func (h heapOf[K]) Less(i, j int) bool {
	if c := h[i].due.Compare(h[j].due); c != 0 {
		return c < 0
	}
	return h[i].number < h[j].number
}

func (h heapOf[K]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *heapOf[K]) Push(x any) {
	it := x.(*item[K])
	it.index = len(*h)
	*h = append(*h, it)
}

// Pop implements heap.Interface.
func (h *heapOf[K]) Pop() any {
	last := len(*h) - 1
	it := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return it
}
