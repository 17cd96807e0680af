package main

import "os"

// ballastBytes is how much garbage may gather, at least, before it is
// collected. The server keeps few objects alive (closed and idle executions are
// in the store's cache, outside the heap), and a collector that waits until
// that little has doubled runs a dozen times a second under load: with 64
// workflows of one activity in flight a tenth to a sixth of the CPU went into it
// (docs/performance.md).
const ballastBytes = 64 << 20

// ballast counts for the collector and costs no memory: pages nobody writes to
// are never given to us. Unlike a higher GOGC it does not multiply what a large
// heap takes; it adds at most twice its size.
var ballast []byte

// loadBallast is for subcommands that serve. Whoever has set the collector's
// own variables has said what they want.
func loadBallast() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		ballast = make([]byte, ballastBytes)
	}
}
