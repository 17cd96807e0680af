package pebblestore

import (
	"sync/atomic"
	"time"
)

// pace keeps syncs of the log apart under load, so that each serves more
// batches. After a sync the next may begin at once; so with many callers a sync
// was always under way, for one or two batches each, and took a twentieth of
// the CPU, and the loops were woken for as many small batches.
//
// The pause is measured by what the last sync has carried: about as long as
// that took to bring about. A batch that comes alone, with its caller's next one
// behind it, is a dozen operations: the pause is over before the next one comes.
type pace struct {
	operations atomic.Int64 // given to the log since the last sync
}

const (
	pausePerOperation = 40 * time.Microsecond
	// maxPause bounds what a pause adds to an answer.
	maxPause = 2 * time.Millisecond
)

func (p *pace) given(operations int) { p.operations.Add(int64(operations)) }

// pause is how long the next sync keeps away from the one just done.
func (p *pace) pause() time.Duration {
	return min(time.Duration(p.operations.Swap(0))*pausePerOperation, maxPause)
}
