package visibility

import (
	"context"
	"time"

	"github.com/perdure/perdure/shard"
	"github.com/perdure/perdure/store"
)

const (
	// maxBatch is how many rows a transaction holds at most, so that readers'
	// view moves on and the log stays small.
	maxBatch = 2000
	// maxGathered is from how many on the loop no longer waits for more: some 10 MB.
	// It is what comes in two seconds (Options.Gather) under full load. With 2,000
	// a workflow that takes a second, because thousands are under way, came to be
	// written 2.4 times, and with this 1.5 times.
	maxGathered = 10_000
	// retryAfter is the pause after a failed write.
	retryAfter = time.Second
)

// loop writes until ctx ends, and then once more.
func (x *Index) loop(ctx context.Context) {
	var building *build
	if !x.file.Load().complete.Load() {
		building = x.build(ctx)
	}
	var syncDue chan struct{} // closed when a sync is due; nil: nothing to sync
	for {
		x.turn()
		if syncDue == nil && len(x.unsynced) > 0 {
			due := make(chan struct{})
			x.options.Clock.AfterFunc(x.options.SyncEvery, func() { close(due) })
			syncDue = due
		}
		select {
		case <-x.feed.wake:
		case <-syncDue:
			syncDue = nil
			x.sync(false)
		case err := <-building.outcome():
			building = x.built(ctx, err)
		case <-ctx.Done():
			building.wait()
			x.turn()
			x.sync(false)
			return
		}
		if x.file.Load().damaged.Load() {
			// A build in progress ends first; its end then replaces the file.
			if building == nil {
				building = x.replace(ctx)
			} else {
				building.cancel()
			}
		}
	}
}

// turn writes what is pending, and reports whether that succeeded.
func (x *Index) turn() bool {
	f := x.file.Load()
	if f.damaged.Load() {
		return false
	}
	b := x.feed.take()
	if len(b.records) == 0 && len(b.positions) == 0 {
		return true
	}
	for from := 0; from < len(b.records); from += maxBatch {
		part := b.records[from:min(from+maxBatch, len(b.records))]
		if err := f.writer.put(part, x.options.Namespaces); err != nil {
			x.fault(f, "write", err)
			// Rows are idempotent: those written already are written again.
			x.feed.putBack(b)
			return false
		}
	}
	x.unsynced.merge(b.positions)
	x.feed.wrote(b.appended)
	return true
}

// fault notes an error of the file. A damaged file is replaced by the loop,
// anything else (a full disk) is tried again a little later.
func (x *Index) fault(f *file, doing string, err error) {
	if isDamage(err) {
		f.damaged.Store(true)
	}
	x.options.Log.Error("visibility index", "doing", doing, "error", err, "damaged", f.damaged.Load())
	x.options.Clock.AfterFunc(retryAfter, x.feed.kick)
}

// sync makes what is written durable and acknowledges it.
func (x *Index) sync(complete bool) {
	if len(x.unsynced) == 0 && !complete {
		return
	}
	f := x.file.Load()
	if f.damaged.Load() {
		return
	}
	if err := f.writer.sync(x.unsynced, complete); err != nil {
		x.fault(f, "sync", err)
		return
	}
	if complete {
		f.complete.Store(true)
	}
	var positions []shard.FeedPosition
	for slot, sequence := range x.unsynced {
		if sequence > 0 {
			positions = append(positions, shard.FeedPosition{Slot: store.Slot(slot), Seq: sequence})
		}
	}
	x.unsynced = nil
	if len(positions) > 0 && x.acknowledge != nil {
		x.acknowledge(positions)
	}
}
