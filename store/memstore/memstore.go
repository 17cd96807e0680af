// Package memstore keeps a database in memory. It is the reference driver: the
// model the other drivers are compared with, the store of fast tests, and the
// disk of the simulator.
//
// It keeps the contract of package store to the letter and uses every freedom
// the contract leaves, when told to: batches take their time, fail, or end in
// an unknown outcome that turns out either way; reads are slow or fail; values
// come back corrupt; a crash keeps any prefix of what each shard had in flight.
// Options and Faults say what happens, Chance decides where the contract leaves
// it open, and Spawn and After decide when, so that a simulator can drive it
// from one goroutine with the same result for the same seed.
//
// A crash is Driver.Crash, which returns the Image of the disk that survived.
// Open starts a new driver on it. Broken is for proving that checkers notice a
// store that does not keep its promises.
//
// It does not hold back a caller with many batches in flight: whoever drives
// it decides when they end.
package memstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/perdure/perdure/store"
)

// Driver is a database in memory. See store.Driver.
type Driver struct {
	opt   Options
	waits bool // goroutines of our own: Close may wait for them
	fatal chan struct{}

	mu struct {
		sync.Mutex

		durable *node // what a power cut leaves
		visible *node // what reads see: durable, or with EarlyReads what is in flight as well

		// Invariant: owners[s] is the shard opened last with slot s, and is not
		// fenced or closed.
		owners [store.Slots + 1]*shard
		shards []*shard // not yet closed or fenced with an empty queue, oldest first
		late   []*batch // ErrUnknown, to be applied before the next owner looks
		epoch  uint64   // largest given out

		closed  bool
		crashed bool
		full    bool
		err     error // why fatal is closed
	}
}

var _ store.Driver = (*Driver)(nil)

// New returns a driver on an empty disk.
func New(opt Options) *Driver { return Open(nil, opt) }

// Open returns a driver on the disk a former one left; nil is an empty disk.
func Open(img *Image, opt Options) *Driver {
	d := &Driver{opt: opt, waits: opt.Spawn == nil, fatal: make(chan struct{})}
	if d.opt.Spawn == nil {
		d.opt.Spawn = func(work func()) { go work() }
	}
	if d.opt.After == nil {
		d.opt.After = func(delay time.Duration, work func()) { time.AfterFunc(delay, work) }
	}
	d.mu.epoch = opt.FormerEpoch
	if img != nil {
		d.mu.durable, d.mu.visible = img.root, img.root
		d.mu.epoch = max(d.mu.epoch, img.epoch)
	}
	return d
}

// Open takes ownership of the slots. See store.Driver.
func (d *Driver) Open(ctx context.Context, slots store.SlotRange) (store.Shard, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := store.CheckRange(slots); err != nil {
		return nil, err
	}
	if fault := d.opt.Faults.Open; fault != nil {
		if err := fault(slots); err != nil {
			return nil, fmt.Errorf("open slots %d to %d: %w", slots.From, slots.To, err)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.usable(); err != nil {
		return nil, fmt.Errorf("open slots %d to %d: %w", slots.From, slots.To, err)
	}
	for slot := slots.From; slot < slots.To; slot++ {
		if former := d.mu.owners[slot]; former != nil {
			former.end(store.ErrFenced)
		}
	}
	d.applyLate()
	d.mu.epoch++
	s := &shard{driver: d, epoch: d.mu.epoch, slots: slots}
	s.idle.L = &d.mu
	for slot := slots.From; slot < slots.To; slot++ {
		d.mu.owners[slot] = s
	}
	d.mu.shards = append(d.mu.shards, s)
	return s, nil
}

// Close ends all shards. Batches in flight end durable, whatever delay they
// were given, unless a fault was injected into them.
func (d *Driver) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.closed || d.mu.crashed {
		return nil
	}
	shards := d.mu.shards
	for _, s := range shards {
		s.hurry()
	}
	for _, s := range shards {
		s.settleAll()
		s.end(store.ErrClosed)
	}
	d.applyLate()
	d.mu.closed = true
	for _, s := range shards {
		s.awaitIdle()
	}
	return nil
}

// Fatal returns the channel that Fail closes.
func (d *Driver) Fatal() <-chan struct{} { return d.fatal }

// Err is what Fail was called with, or nil.
func (d *Driver) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.err
}

// Full reports what SetFull said last.
func (d *Driver) Full() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.full
}

// SetFull makes the disk full, or no longer so: commits that hold a put fail
// with store.ErrFull.
func (d *Driver) SetFull(full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.full = full
}

// Fail breaks the disk for good, as a failed sync of a log does: batches in
// flight end with store.ErrUnknown and take effect or not as Chance has it,
// Fatal's channel is closed, and nothing works from here on.
func (d *Driver) Fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.err != nil || d.mu.closed || d.mu.crashed {
		return
	}
	d.mu.err = err
	for _, s := range d.mu.shards {
		s.end(fmt.Errorf("%w: %w", store.ErrUnknown, err))
	}
	close(d.fatal)
}

// usable says why nothing can be done any more, or nil. The lock is held.
func (d *Driver) usable() error {
	switch {
	case d.mu.closed || d.mu.crashed:
		return store.ErrClosed
	case d.mu.err != nil:
		return fmt.Errorf("%w: %w", store.ErrClosed, d.mu.err)
	}
	return nil
}

// applyLate gives the batches of unknown outcome their late effect: the last
// moment at which the contract lets it happen.
func (d *Driver) applyLate() {
	for _, p := range d.mu.late {
		d.mu.durable = apply(d.mu.durable, p.ops)
	}
	d.mu.late = nil
	d.refresh()
}

// refresh works the visible tree out anew.
func (d *Driver) refresh() {
	d.mu.visible = d.mu.durable
	if !d.opt.EarlyReads {
		return
	}
	for _, s := range d.mu.shards {
		for _, p := range s.queue {
			if !p.settled {
				d.mu.visible = apply(d.mu.visible, p.ops)
			}
		}
	}
}

// prefix draws how many of n batches in flight take effect.
func (d *Driver) prefix(n int) int {
	if d.opt.Chance == nil || n == 0 {
		return 0
	}
	return d.opt.Chance.IntN(n + 1)
}
