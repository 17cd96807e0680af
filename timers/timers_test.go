package timers_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/perdure/perdure/timers"
)

// The queue is compared with a map that is searched for its earliest entry:
// after any operations both give the same times, and nothing comes out early
// (invariant I7).
func TestQueueAgreesWithMap(t *testing.T) {
	start := time.Unix(1000, 0)
	rapid.Check(t, func(t *rapid.T) {
		var q timers.Queue[int]
		model := map[int]time.Time{}
		for range rapid.IntRange(1, 60).Draw(t, "operations") {
			k := rapid.IntRange(0, 8).Draw(t, "name")
			at := start.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "due")) * time.Second)
			switch rapid.SampledFrom([]string{"set", "remove", "pop"}).Draw(t, "operation") {
			case "set":
				q.Set(k, at)
				model[k] = at
			case "remove":
				q.Remove(k)
				delete(model, k)
			case "pop":
				popped, ok := q.Pop(at)
				due, there := earliest(model)
				if want := there && !due.After(at); ok != want {
					t.Fatalf("Pop(%v) = %v, want %v", at, ok, want)
				}
				if ok && !model[popped].Equal(due) {
					t.Fatalf("popped %d due at %v, the earliest is %v", popped, model[popped], due)
				}
				if ok {
					delete(model, popped)
				}
			}
			due, ok := q.Next()
			if want, there := earliest(model); ok != there || !due.Equal(want) {
				t.Fatalf("Next = %v %v, want %v %v", due, ok, want, there)
			}
			if q.Len() != len(model) {
				t.Fatalf("Len = %d, want %d", q.Len(), len(model))
			}
		}
	})
}

func earliest(m map[int]time.Time) (due time.Time, ok bool) {
	for _, at := range m {
		if !ok || at.Before(due) {
			due, ok = at, true
		}
	}
	return due, ok
}

// What is due at one time comes out in the order it was put in.
func TestQueueKeepsOrderOfAsking(t *testing.T) {
	var q timers.Queue[string]
	at := time.Unix(5, 0)
	for _, k := range []string{"a", "b", "c"} {
		q.Set(k, at)
	}
	for _, want := range []string{"a", "b", "c"} {
		if k, ok := q.Pop(at); !ok || k != want {
			t.Fatalf("Pop = %q %v, want %q", k, ok, want)
		}
	}
}

// After a jump of the clock all that is due comes out, earliest first (I7).
func TestQueueGivesAllThatIsDue(t *testing.T) {
	var q timers.Queue[int]
	start := time.Unix(1000, 0)
	const n = 20000
	for i := range n {
		q.Set(i, start.Add(time.Duration(i*7919%n)*time.Millisecond))
	}
	half := start.Add(n / 2 * time.Millisecond)
	last, popped := time.Time{}, 0
	for {
		due, _ := q.Next()
		if _, ok := q.Pop(half); !ok {
			break
		}
		if due.Before(last) {
			t.Fatalf("%v came out after %v", due, last)
		}
		last = due
		popped++
	}
	if popped != n/2+1 || q.Len() != n-popped {
		t.Errorf("%d came out and %d are left of %d", popped, q.Len(), n)
	}
	if due, ok := q.Next(); !ok || !due.After(half) {
		t.Errorf("next is %v, %v; want later than %v", due, ok, half)
	}
}

// One deadline moved on, as each step of a busy run does, among many.
func BenchmarkSetAmongMany(b *testing.B) {
	var q timers.Queue[int]
	start := time.Unix(1000, 0)
	const n = 100_000
	for i := range n {
		q.Set(i, start.Add(time.Duration(i)*time.Second))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		q.Set(i%n, start.Add(time.Duration(i*7919%n)*time.Second))
		i++
	}
}
