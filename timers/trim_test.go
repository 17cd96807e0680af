package timers

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Trim keeps what must stay and the earliest of the rest, forgets nothing that
// is due before what it returns, and leaves a queue that still gives things out
// in order. Compared with a list, at random.
func TestTrim(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var q Queue[int]
		due := map[int]time.Time{}
		for k := range chance.IntN(60) {
			due[k] = time.Unix(int64(chance.IntN(40)), 0)
			q.Set(k, due[k])
		}
		stays := func(k int, _ time.Time) bool { return k%5 == 0 }
		most := 1 + chance.IntN(20)
		from, ok := q.Trim(most, stays)
		left := map[time.Time]int{}
		for k, at := range due {
			got, there := q.Due(k)
			if there && !got.Equal(at) {
				t.Fatalf("%d is due at %v, was %v", k, got, at)
			}
			if want := !ok || stays(k, at) || at.Before(from); there != want {
				t.Fatalf("%d, due %v, is there: %v; forgotten from %v on: %v", k, at, there, from, ok)
			}
			if there && !stays(k, at) {
				left[at]++
			}
		}
		before, last := 0, time.Time{}
		for at, n := range left {
			if before += n; at.After(last) {
				last = at
			}
		}
		if before -= left[last]; before >= most {
			t.Fatalf("%d are left before the last, of at most %d", before, most)
		}
		last = time.Time{}
		for range q.Len() {
			next, _ := q.Next()
			k, ok := q.Pop(time.Unix(1000, 0))
			if !ok || next.Before(last) || !next.Equal(due[k]) {
				t.Fatalf("%d came out at %v after %v", k, next, last)
			}
			last = next
		}
	}
}
