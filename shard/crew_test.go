package shard

import (
	"sync"
	"testing"
	"testing/synctest"
)

// Work is done, all of it, by no more goroutines than there were works at once;
// and when the crew has ended nobody is left: the bubble would not end.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew()
		var mu sync.Mutex
		done := 0
		work := func() { mu.Lock(); done++; mu.Unlock() }
		for range 10 {
			c.spawn(work)
			synctest.Wait()
		}
		var together sync.WaitGroup
		together.Add(3)
		for range 3 { // each needs the others to be running
			c.spawn(func() { work(); together.Done(); together.Wait() })
		}
		synctest.Wait()
		c.end()
		c.end()
		synctest.Wait()
		c.spawn(work)
		synctest.Wait()
		var many sync.WaitGroup
		many.Add(3 * maxSpare)
		fresh := newCrew()
		for range 3 * maxSpare {
			fresh.spawn(func() { many.Done(); many.Wait() })
		}
		synctest.Wait()
		if n := fresh.spare.Load(); n != maxSpare {
			t.Errorf("%d wait for more, want %d", n, maxSpare)
		}
		fresh.end()
		if done != 14 {
			t.Errorf("%d works done, want 14", done)
		}
	})
}
