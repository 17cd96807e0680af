package matching

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// Polls of all lengths come, are cancelled and get tasks in any order; each of the
// others ends when its time is over, not before and not later, though a queue has
// one timer for them.
func TestPollsEndInTime(t *testing.T) {
	w := newWorld(t)
	b := &backlog{}
	r := rand.New(rand.NewPCG(1, 2))
	type open struct {
		*result
		over time.Time
	}
	var polls []open
	check := func() {
		t.Helper()
		kept := polls[:0]
		for _, p := range polls {
			switch over := !w.clock.Now().Before(p.over); {
			case p.answered && p.handover != nil:
			case p.answered != over:
				t.Fatalf("at %v a poll that is over at %v: answered %t", w.clock.Now(), p.over, p.answered)
			case !over:
				kept = append(kept, p)
			}
		}
		polls = kept
	}
	for i := range 3000 {
		switch n := r.IntN(10); {
		case n < 5:
			wait := time.Duration(1+r.IntN(3000)) * 10 * time.Millisecond
			request := pollOf(orders, fmt.Sprint("w", i%20))
			request.Wait = wait + time.Second
			polls = append(polls, open{w.poll(request), w.clock.Now().Add(wait)})
		case n < 7 && len(polls) > 0:
			at := r.IntN(len(polls))
			if !polls[at].Cancel() {
				t.Fatal("an open poll was not cancelled")
			}
			polls = append(polls[:at], polls[at+1:]...)
		case n < 8:
			w.offer(b, taskOn(orders, fmt.Sprint("run", i), i))
		default:
			w.advance(time.Duration(r.IntN(200)) * 10 * time.Millisecond)
		}
		check()
	}
	w.advance(time.Minute)
	if check(); len(polls) > 0 {
		t.Errorf("%d polls never end", len(polls))
	}
}

// A clock that is set back makes polls end later, but they end.
func TestPollsEndAfterTheClockWasSetBack(t *testing.T) {
	w := newWorld(t)
	p := w.poll(pollOf(orders, "w"))
	q := w.find(orders)
	q.mu.expiries.timer.Stop() // it fires now, when the clock shows less than was asked for
	q.expire(q.mu.expiries.no)
	p.wants(t, "-")
	w.advance(time.Minute)
	p.wants(t, "")
}
