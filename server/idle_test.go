package server

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/perdure/perdure/config"
)

// I12: open executions that wait for something cost no goroutine, no poll and,
// once they have left memory, no place there.
func TestIdleExecutionsAreFree(t *testing.T) {
	c := config.Embedded()
	c.InMemory, c.CacheRuns = true, 50
	s := launch(t, Options{Config: &c})
	a := api(t, s)
	mustStart(t, a, "first")
	before := settled(runtime.NumGoroutine)
	for i := range 500 {
		mustStart(t, a, fmt.Sprint("idle-", i))
	}
	if after := settled(runtime.NumGoroutine); after > before+5 {
		t.Errorf("500 open executions have brought %d goroutines", after-before)
	}
	if n := metric(t, s, "perdure_loaded_runs"); n > 2*float64(c.CacheRuns) {
		t.Errorf("%v of 501 runs are in memory, there is room for %d", n, c.CacheRuns)
	}
}

// settled reads a number until it stays the same for a while.
func settled(read func() int) int {
	last, same := read(), 0
	for same < 20 {
		<-time.After(5 * time.Millisecond)
		if now := read(); now == last {
			same++
		} else {
			last, same = now, 0
		}
	}
	return last
}
