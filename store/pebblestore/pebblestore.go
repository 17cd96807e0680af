package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/perdure/perdure/store"
)

// Driver is a database in a folder. See store.Driver.
type Driver struct {
	opt   Options
	db    *pebble.DB
	lock  io.Closer
	write *pebble.WriteOptions
	fault *fault
	guard *guardFS
	space *space
	idle  *idle
	roll  *roll
	count counters
	pace  pace

	// acknowledged is the largest sequence number of Pebble's that is known to
	// be on the disk. It only grows. See tail.go.
	acknowledged atomic.Uint64

	// opening is held for the whole of Open, so that epochs become durable in
	// the order in which they are given out.
	opening sync.Mutex
	epoch   uint64 // largest given out; guarded by opening

	mu struct {
		sync.Mutex
		// Invariant: owners[s] is the shard that was opened last with slot s
		// and is not closed.
		owners [store.Slots + 1]*shard
		shards map[*shard]struct{} // not closed, fenced ones included
		closed bool
	}
	reads sync.WaitGroup // reads and checkpoints under way; none is added once closed
}

var _ store.Driver = (*Driver)(nil)

// counters are what Pebble does not count for us.
type counters struct {
	batches, batchBytes, stalls, backgroundErrors atomic.Uint64
}

// Open opens the database in the folder, creating both if they do not exist,
// and recovers what the last process left. It fails with ErrInUse when another
// process has the folder, with ErrNewerFormat when a newer server has written
// it, and with store.ErrCorrupt when it is damaged; then it has changed nothing.
func Open(o Options) (*Driver, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = absolute(o.withDefaults())
	lock, err := claim(o)
	if err != nil {
		return nil, err
	}
	d := &Driver{
		opt: o, lock: lock, write: pebble.Sync,
		fault: &fault{gone: make(chan struct{})},
		space: &space{usage: o.DiskUsage, now: o.Now, every: o.SpaceCheckEvery, lowWater: o.LowWaterBytes, reserve: o.ReserveBytes},
	}
	d.idle = &idle{after: o.MarkAfter, write: d.writeMark}
	if o.NoSync {
		d.write, d.idle.after = pebble.NoSync, -1
	}
	d.roll = newRoll(o)
	d.mu.shards = make(map[*shard]struct{})
	if err := d.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("open data folder %s: %w", o.Dir, err), lock.Close())
	}
	go d.keepRoll() // until Close
	return d, nil
}

// recover opens Pebble's database, which replays its log, and reads the epoch.
// A folder without a database gets one.
func (d *Driver) recover() error {
	dir := d.opt.FS.PathJoin(d.opt.Dir, dbName)
	d.guard = &guardFS{FS: d.opt.FS, dir: dir, fault: d.fault, synced: &syncedFile{every: d.opt.MarkAfter}}
	// Once more under the lock, where nobody else can change it.
	version, err := examine(d.opt)
	if err != nil {
		return err
	}
	err = d.fault.call(func() (err error) {
		if version == 0 {
			err = create(d.opt, d.pebbleOptions(d.opt.FS))
		} else {
			err = errors.Join(checkTables(d.opt.FS, dir), checkTail(d.opt.FS, dir))
		}
		if err != nil {
			return err
		}
		d.db, err = pebble.Open(dir, d.pebbleOptions(d.guard))
		if fault := d.fault.get(); err == nil && fault != nil {
			return errors.Join(fault, d.db.Close()) // nobody waits any more
		}
		return mapError(err)
	})
	if err != nil {
		return err
	}
	d.guard.armed.Store(true)
	if err := errors.Join(d.readEpoch(), d.guard.synced.begin(d.opt.FS, dir)); err != nil {
		// Pebble's background work may have found the same damage and made it a
		// fault, after which an armed guard lets nothing close a log.
		d.guard.armed.Store(false)
		return errors.Join(mapError(err), d.fault.catch(d.db.Close), d.guard.synced.end())
	}
	if version != 0 && version < FormatVersion {
		// From now on there may be what older servers would misread.
		if err := writeFile(d.opt.FS, dir, formatName, formatLine(FormatVersion)); err != nil {
			return errors.Join(err, d.fault.catch(d.db.Close), d.guard.synced.end())
		}
	}
	return nil
}

// readEpoch finds the largest epoch given out; 0 when none was.
func (d *Driver) readEpoch() error {
	value, closer, err := d.db.Get(epochKey)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	d.epoch, err = decodeEpoch(value)
	return errors.Join(err, closer.Close())
}

// events is what we want to hear of Pebble's background work.
func (d *Driver) events() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			if pebble.IsCorruptionError(err) {
				// A table that cannot be compacted would be tried for ever, until
				// commits stall. Better to stop where somebody looks.
				d.fault.set(fmt.Errorf("%w: %s; restore from a checkpoint", store.ErrCorrupt, firstLine(err)))
				// What looks at the tables' properties tries again at once and for
				// ever, and would keep a core from those who end this.
				time.Sleep(50 * time.Millisecond)
				return
			}
			d.count.backgroundErrors.Add(1)
			d.guard.failed.Store(true)
			d.opt.Log.Error("the store's background work failed and will be tried again", "error", err)
		},
		// Without this Pebble ends the process for each read of a damaged block.
		// Whoever reads gets store.ErrCorrupt; what else there is can be read.
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			d.opt.Log.Error("a table of the store is damaged; perdure doctor tells what is in it", "file", info.Path, "error", firstLine(info.Details))
		},
		WriteStallBegin: func(info pebble.WriteStallBeginInfo) {
			d.count.stalls.Add(1)
			d.opt.Log.Warn("commits wait until the store has caught up", "reason", info.Reason)
		},
	}
}

// Open takes ownership of the slots. See store.Driver and the package comment.
func (d *Driver) Open(ctx context.Context, slots store.SlotRange) (store.Shard, error) {
	if err := store.CheckRange(slots); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var s *shard
	err := d.fault.call(func() (err error) {
		d.opening.Lock()
		defer d.opening.Unlock()
		s, err = d.takeOver(slots)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open slots [%d, %d): %w", slots.From, slots.To, err)
	}
	return s, nil
}

// takeOver fences the former owners, makes the next epoch durable and only then
// the new shard the owner. The opening lock is held.
func (d *Driver) takeOver(slots store.SlotRange) (*shard, error) {
	formers, err := d.ownersOf(slots)
	if err != nil {
		return nil, err
	}
	for _, former := range formers {
		former.end(store.ErrFenced)
	}
	epoch := d.epoch + 1
	if err := d.db.Set(epochKey, encodeEpoch(epoch), d.write); err != nil {
		return nil, mapError(err)
	}
	d.epoch = epoch
	s := newShard(d, epoch, slots)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.closed {
		return nil, store.ErrClosed
	}
	for slot := slots.From; slot < slots.To; slot++ {
		d.mu.owners[slot] = s
	}
	d.mu.shards[s] = struct{}{}
	s.start()
	return s, nil
}

// ownersOf returns whoever has one of the slots.
func (d *Driver) ownersOf(slots store.SlotRange) ([]*shard, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.closed {
		return nil, store.ErrClosed
	}
	var formers []*shard
	for slot := slots.From; slot < slots.To; slot++ {
		former := d.mu.owners[slot]
		if former != nil && (len(formers) == 0 || formers[len(formers)-1] != former) {
			formers = append(formers, former)
		}
	}
	return formers, nil
}

// forget removes a shard that has been closed.
func (d *Driver) forget(s *shard) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.mu.shards, s)
	for slot := s.slots.From; slot < s.slots.To; slot++ {
		if d.mu.owners[slot] == s {
			d.mu.owners[slot] = nil
		}
	}
}

// Close ends all shards, waits for what is in flight, and releases the folder.
// After a fault the database is left as it is, the lock with it: the process
// must end, and its error is returned again.
func (d *Driver) Close() error {
	d.mu.Lock()
	if d.mu.closed {
		d.mu.Unlock()
		return nil
	}
	d.mu.closed = true
	shards := make([]*shard, 0, len(d.mu.shards))
	for s := range d.mu.shards {
		shards = append(shards, s)
	}
	d.mu.Unlock()

	d.idle.stop()
	d.roll.end(d.fault)
	var errs []error
	for _, s := range shards {
		errs = append(errs, s.Close())
	}
	d.reads.Wait()
	err := d.fault.call(func() error {
		d.opening.Lock() // an Open that was under way is over
		defer d.opening.Unlock()
		return errors.Join(mapError(d.db.Close()), d.guard.synced.end())
	})
	if d.fault.get() != nil {
		return fmt.Errorf("close data folder %s: %w", d.opt.Dir, err)
	}
	// Best effort: a stale owner is only read while the lock is held.
	_ = d.opt.FS.Remove(d.opt.FS.PathJoin(d.opt.Dir, ownerName))
	return errors.Join(append(errs, err, d.lock.Close())...)
}

// Full reports that the disk is below its low-water mark.
func (d *Driver) Full() bool {
	d.space.look()
	return d.space.low.Load()
}

// Fatal is closed when the database cannot go on. See the package comment.
func (d *Driver) Fatal() <-chan struct{} { return d.fault.gone }

// Err says why Fatal's channel was closed, or nil.
func (d *Driver) Err() error { return d.fault.get() }

// acknowledge notes that the batch with this sequence number is on the disk,
// and with it all before.
func (d *Driver) acknowledge(seq uint64) {
	for {
		known := d.acknowledged.Load()
		if seq <= known {
			return
		}
		if d.acknowledged.CompareAndSwap(known, seq) {
			d.idle.acknowledged()
			return
		}
	}
}

// begin notes a read, which keeps the database open until reads.Done.
func (d *Driver) begin() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.closed {
		return store.ErrClosed
	}
	d.reads.Add(1)
	return nil
}

// firstLine is an error without the stack that Pebble's may carry.
func firstLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}

// mapError gives Pebble's errors our names.
func mapError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pebble.ErrNotFound):
		return store.ErrNotFound
	case pebble.IsCorruptionError(err):
		return fmt.Errorf("%w: %w", store.ErrCorrupt, err)
	case errors.Is(err, pebble.ErrClosed):
		return store.ErrClosed
	}
	return err
}
