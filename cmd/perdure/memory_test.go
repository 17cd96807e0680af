package main

import (
	"runtime"
	"runtime/metrics"
	"testing"
)

// What waits with a deep stack counts for the stacks of goroutines that begin
// later. In this process there are few others, so the average is high.
func TestLoadStacks(t *testing.T) {
	loadStacks(t.Context().Done())
	sample := []metrics.Sample{{Name: "/gc/stack/starting-size:bytes"}}
	for range 1000 { // until they wait
		runtime.GC()
		if metrics.Read(sample); sample[0].Value.Uint64() >= 8<<10 {
			return
		}
	}
	t.Errorf("goroutines begin with %d bytes of stack, want 8 KiB or more", sample[0].Value.Uint64())
}
