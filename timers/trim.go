package timers

import (
	"container/heap"
	"slices"
	"time"
)

// Trim keeps the earliest so many, at least one, of what does not have to stay,
// with those due at the same time as the last of them, and forgets the others.
// Nothing noted for a time before from is forgotten; ok is false when nothing is.
// It costs a sort of all there is.
func (q *Queue[K]) Trim(most int, stays func(k K, due time.Time) bool) (from time.Time, ok bool) {
	var others []*item[K]
	for _, it := range q.items {
		if !stays(it.key, it.due) {
			others = append(others, it)
		}
	}
	if len(others) <= most {
		return time.Time{}, false
	}
	slices.SortFunc(others, func(a, b *item[K]) int { return a.due.Compare(b.due) })
	last := others[most-1].due
	if !others[len(others)-1].due.After(last) {
		return time.Time{}, false
	}
	from = last.Add(1)
	kept := q.items[:0]
	for _, it := range q.items {
		if it.due.Before(from) || stays(it.key, it.due) {
			it.index = len(kept)
			kept = append(kept, it)
			continue
		}
		delete(q.at, it.key)
	}
	clear(q.items[len(kept):])
	q.items = kept
	heap.Init(&q.items)
	return from, true
}
