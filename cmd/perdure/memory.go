package main

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// ballast is how much garbage may gather, at least, before it is collected. The
// server keeps few objects alive (closed and idle executions are in the store's
// cache), and a collector that waits until that little has doubled runs a dozen
// times a second under load: with 64 workflows of one activity in flight a tenth
// to a sixth of the CPU went into it (docs/performance.md).
//
// It counts for the collector and costs no memory: pages nobody writes to are
// never given to us. Unlike a higher GOGC it does not multiply what a large heap
// takes; it adds at most twice its size. Built without cgo the store's cache
// lies in the Go heap and does the same, so there is none (ballastBytes).
var ballast []byte

// loadBallast is for subcommands that serve. Whoever has set the collector's
// own variables has said what they want.
func loadBallast() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		ballast = make([]byte, ballastBytes)
		runtime.KeepAlive(ballast)
	}
}

// A call needs between 4 and 8 KiB of stack. Go begins a goroutine with as much as
// those that it found waiting at the last collection used on average, rounded up to
// a power of two. Where a thousand calls wait that is 8 KiB; where a hundred do, the
// server's own goroutines, which wait with nearly none, pull it down to 4, and the
// stack of every call is copied once: 20 of the 300 µs of a short workflow.
//
// So a few goroutines wait with deep stacks, of bytes that the collector need not look
// at. They are enough to keep the average above 3 KiB from the first calls on, and not
// enough for 8 when there are none.
const (
	deepStacks     = 4
	deepStackBytes = 50 << 10
)

// loadStacks is for subcommands that serve. Its goroutines end when the channel is
// closed.
func loadStacks(until <-chan struct{}) {
	for range deepStacks {
		go waitDeep(until)
	}
}

func waitDeep(until <-chan struct{}) {
	var deep [deepStackBytes]byte
	waitWith(&deep, until)
}

// waitWith has its caller keep the bytes: without a use the compiler leaves them out.
//
//go:noinline
func waitWith(_ *[deepStackBytes]byte, until <-chan struct{}) { <-until }

// The garbage of the last load would stay until the collector's two-minute
// round, and its pages for longer: a server that has gone quiet collects once
// and gives them back.
const (
	quietLook  = 10 * time.Second
	quietBytes = 4 << 20 // allocated between two looks by a server at rest
)

// giveBackWhenQuiet looks, until ctx ends, whether a load is over. It costs a
// look at one counter every ten seconds, and one collection per load.
func giveBackWhenQuiet(ctx context.Context) {
	tick := time.NewTicker(quietLook)
	defer tick.Stop()
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	var before uint64
	for kept := true; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(sample)
		allocated := sample[0].Value.Uint64()
		switch quiet := allocated-before < quietBytes; {
		case quiet && kept:
			debug.FreeOSMemory()
			kept = false
		case !quiet:
			kept = true
		}
		before = allocated
	}
}
