package pebblestore

import (
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// idle writes a mark after the last batch of a burst, so that the log knows the
// batch to be acknowledged although no other follows it (tail.go). Under load
// every batch carries a mark and this does nothing; a quiet store pays one sync.
type idle struct {
	after time.Duration // negative: never
	write func()

	mu struct {
		sync.Mutex
		timer   *time.Timer // set while a look is due
		marked  uint64      // the newest mark in the log
		seen    uint64      // marked when the timer was set
		stopped bool
	}
}

// carried notes that a batch with this mark went into the log.
func (i *idle) carried(mark uint64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.mu.marked = max(i.mu.marked, mark)
}

// acknowledged notes that a batch was, which no mark tells yet.
func (i *idle) acknowledged() {
	if i.after < 0 {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.mu.timer == nil && !i.mu.stopped {
		i.wait()
	}
}

// wait sets the timer. The lock is held.
func (i *idle) wait() {
	i.mu.seen = i.mu.marked
	i.mu.timer = time.AfterFunc(i.after, i.look)
}

// look has the mark written, unless batches have come meanwhile: then it looks
// again later.
func (i *idle) look() {
	i.mu.Lock()
	i.mu.timer = nil
	stopped, busy := i.mu.stopped, i.mu.marked != i.mu.seen
	if busy && !stopped {
		i.wait()
	}
	i.mu.Unlock()
	if !stopped && !busy {
		i.write()
	}
}

// stop ends it. A mark being written is waited for by what it writes to.
func (i *idle) stop() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.mu.stopped = true
	if i.mu.timer != nil {
		i.mu.timer.Stop()
		i.mu.timer = nil
	}
}

// writeMark puts a mark into the log that belongs to no batch, and syncs it.
func (d *Driver) writeMark() {
	if d.begin() != nil {
		return // closed; the log ends with a trailer
	}
	defer d.reads.Done()
	mark := d.acknowledged.Load()
	d.idle.carried(mark)
	// Its failure is the log's, which the guard notes; nobody waits for a mark.
	_ = d.fault.call(func() error { return d.db.LogData(encodeMark(mark), pebble.Sync) })
}
