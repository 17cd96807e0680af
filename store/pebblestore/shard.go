package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/perdure/perdure/store"
)

// shard is a range of slots under one owner. See the package comment for its
// two goroutines.
//
// A batch holds a place in room from Commit until just before its done function
// is called. Commit puts it into both queues; they are as long as the room, so
// that only room ever makes anybody wait.
type shard struct {
	driver *Driver
	epoch  uint64
	slots  store.SlotRange

	room    chan struct{}
	toApply chan *flight
	toTell  chan *flight
	told    chan struct{} // closed when the teller has told everything

	released atomic.Bool // Close was called: no reads any more

	// gate is held while a batch is given to Pebble, and by whoever forbids
	// that. Once ended is set nothing of this shard enters the log.
	gate struct {
		sync.Mutex
		ended error
	}

	// commits orders Commit and Close.
	commits struct {
		sync.Mutex
		closed bool
		tail   <-chan struct{} // closed when the last commit after Close was told
	}
}

// flight is a batch in flight.
type flight struct {
	batch   *store.Batch
	done    func(error)
	pebble  *pebble.Batch // valid after applied if err is nil; nil for an empty batch
	err     error         // valid after applied
	applied chan struct{} // closed when Pebble has the batch or it has failed
}

var _ store.Shard = (*shard)(nil)

func newShard(d *Driver, epoch uint64, slots store.SlotRange) *shard {
	n := d.opt.MaxInFlight
	s := &shard{
		driver: d, epoch: epoch, slots: slots,
		room:    make(chan struct{}, n),
		toApply: make(chan *flight, n),
		toTell:  make(chan *flight, n),
		told:    make(chan struct{}),
	}
	s.commits.tail = s.told
	return s
}

// start starts the goroutines. They end when Close closes their queues, or,
// the applier, stay in a call of Pebble's that a fault never lets return.
func (s *shard) start() {
	go func() {
		for f := range s.toApply {
			f.pebble, f.err = s.apply(f.batch)
			close(f.applied)
		}
	}()
	go func() {
		for f := range s.toTell {
			err := s.await(f)
			<-s.room
			f.done(err)
		}
		close(s.told)
	}()
}

func (s *shard) Epoch() uint64          { return s.epoch }
func (s *shard) Slots() store.SlotRange { return s.slots }

// Get returns the value of key. See store.Shard.
func (s *shard) Get(ctx context.Context, key store.Key) ([]byte, error) {
	if err := s.beginRead(ctx, key); err != nil {
		return nil, fmt.Errorf("get %v: %w", key, err)
	}
	defer s.driver.reads.Done()
	value, err := s.driver.get(ctx, key)
	if err == nil || err == store.ErrNotFound {
		return value, err
	}
	return nil, fmt.Errorf("get %v: %w", key, err)
}

// get reads a key. Pebble's own Get does not look at the filters of the lowest
// level, where most keys are: for an id that is new, and most are, it read and
// unpacked a block of a large store in vain.
func (d *Driver) get(ctx context.Context, key store.Key) (value []byte, err error) {
	it, err := d.db.NewIterWithContext(ctx, &pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return nil, mapError(err)
	}
	var scratch [128]byte
	err = store.ErrNotFound
	// The prefix that is sought is all of the key: nothing else is found.
	if it.SeekPrefixGE(appendKey(scratch[:0], key)) {
		if value, err = it.ValueAndErr(); err == nil {
			value = append(make([]byte, 0, len(value)), value...)
		}
	}
	if closeErr := it.Close(); closeErr != nil { // the iterator's own error, too
		err = closeErr
	}
	if err != nil && err != store.ErrNotFound { // an everyday answer, as it is
		err = mapError(err)
	}
	return value, err
}

// Scan visits the entries of [from, to). See store.Shard.
func (s *shard) Scan(ctx context.Context, from, to store.Key, visit func(store.Entry) bool) error {
	if err := store.CheckScan(s.slots, from, to); err != nil {
		return err
	}
	if err := s.beginRead(ctx, from); err != nil {
		return fmt.Errorf("scan from %v: %w", from, err)
	}
	defer s.driver.reads.Done()
	if from.Compare(to) >= 0 {
		return nil
	}
	it, err := s.driver.db.NewIterWithContext(ctx, &pebble.IterOptions{
		LowerBound: appendKey(nil, from),
		UpperBound: appendKey(nil, to),
	})
	if err != nil {
		return fmt.Errorf("scan from %v: %w", from, mapError(err))
	}
	err = visitAll(ctx, it, visit)
	if closeErr := it.Close(); err == nil {
		err = mapError(closeErr)
	}
	if err != nil {
		return fmt.Errorf("scan from %v: %w", from, err)
	}
	return nil
}

func visitAll(ctx context.Context, it *pebble.Iterator, visit func(store.Entry) bool) error {
	for valid := it.First(); valid; valid = it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		key, err := parseKey(it.Key())
		if err != nil {
			return err
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return mapError(err)
		}
		if !visit(store.Entry{Key: key, Value: value}) {
			return nil
		}
	}
	return mapError(it.Error())
}

// beginRead checks a read and notes it; reads.Done must follow if it is nil.
func (s *shard) beginRead(ctx context.Context, key store.Key) error {
	if err := store.CheckKey(s.slots, key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.released.Load() {
		return store.ErrClosed
	}
	return s.driver.begin()
}

// Commit queues the batch. See store.Shard.
func (s *shard) Commit(b *store.Batch, done func(error)) {
	s.commits.Lock()
	defer s.commits.Unlock()
	if s.commits.closed {
		s.tellLate(done)
		return
	}
	s.room <- struct{}{}
	f := &flight{batch: b, done: done, applied: make(chan struct{})}
	s.toTell <- f
	select {
	case s.toApply <- f:
	case <-s.driver.fault.gone: // the applier may be gone for good; the teller knows
	}
}

// tellLate answers a commit after Close, in order behind everything else.
func (s *shard) tellLate(done func(error)) {
	former, told := s.commits.tail, make(chan struct{})
	s.commits.tail = told
	go func() {
		<-former
		done(store.ErrClosed)
		close(told)
	}()
}

// apply gives a batch to Pebble, unless the shard has ended.
func (s *shard) apply(b *store.Batch) (*pebble.Batch, error) {
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.gate.ended != nil {
		return nil, s.gate.ended
	}
	p, err := s.give(b)
	if err != nil {
		s.gate.ended = fmt.Errorf("%w: an earlier batch of the shard failed: %w", store.ErrNotDone, err)
	}
	return p, err
}

// give builds Pebble's batch and applies it. The gate is held.
func (s *shard) give(b *store.Batch) (*pebble.Batch, error) {
	d := s.driver
	if err := store.CheckBatch(s.slots, b); err != nil {
		return nil, err
	}
	if err := d.fault.get(); err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrNotDone, err)
	}
	if d.space.look(); d.space.empty.Load() && !b.Shrinks() {
		return nil, fmt.Errorf("%w: %d bytes are free", store.ErrFull, d.space.free.Load())
	}
	if b.Empty() {
		return nil, nil
	}
	p := d.db.NewBatchWithSize(batchOverhead + b.SizeBytes + len(b.Ops)*opOverhead)
	mark := d.acknowledged.Load()
	if err := errors.Join(p.LogData(encodeMark(mark), nil), fill(p, b)); err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrNotDone, err)
	}
	d.roll.note(b)
	d.pace.given(len(b.Ops))
	err := d.fault.catch(func() error {
		if d.opt.NoSync {
			return d.db.Apply(p, pebble.NoSync)
		}
		return d.db.ApplyNoSyncWait(p, pebble.Sync)
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrUnknown, err)
	}
	d.idle.carried(mark)
	d.space.written.Add(uint64(b.SizeBytes))
	d.count.batches.Add(1)
	d.count.batchBytes.Add(uint64(b.SizeBytes))
	return p, nil
}

// opOverhead is what an operation takes in Pebble's batch beside the bytes that
// Batch.SizeBytes counts.
const opOverhead = 8

// batchOverhead is Pebble's header and our mark.
const batchOverhead = batchHeaderBytes + 2 + markBytes

// fill writes the operations into Pebble's batch.
func fill(p *pebble.Batch, b *store.Batch) error {
	for i := range b.Ops {
		op := &b.Ops[i]
		size := prefixBytes + len(op.Key.Name)
		switch {
		case op.Until != nil:
			from := appendKey(nil, op.Key)
			to := appendKey(nil, store.Key{Family: op.Key.Family, Slot: op.Key.Slot, Name: op.Until})
			if string(from) == string(to) {
				continue // an empty range, which Pebble does not allow
			}
			if err := p.DeleteRange(from, to, nil); err != nil {
				return err
			}
		case op.Value == nil:
			deferred := p.DeleteDeferred(size)
			appendKey(deferred.Key[:0], op.Key)
			if err := deferred.Finish(); err != nil {
				return err
			}
		default:
			deferred := p.SetDeferred(size, len(op.Value))
			appendKey(deferred.Key[:0], op.Key)
			copy(deferred.Value, op.Value)
			if err := deferred.Finish(); err != nil {
				return err
			}
		}
	}
	return nil
}

// await waits until the batch is durable or has failed, and says which.
func (s *shard) await(f *flight) error {
	select {
	case <-f.applied:
	case <-s.driver.fault.gone:
		// The applier may never return. What it holds may or may not be in
		// the log; what lies behind it may not, but that cannot be told here.
		return fmt.Errorf("%w: %w", store.ErrUnknown, s.driver.fault.err)
	}
	if f.err != nil || f.pebble == nil {
		return f.err
	}
	if !s.driver.opt.NoSync {
		if err := f.pebble.SyncWait(); err != nil {
			s.driver.fault.set(fmt.Errorf("sync of the store's log: %w", err))
			return fmt.Errorf("%w: %w", store.ErrUnknown, err)
		}
		s.driver.acknowledge(uint64(f.pebble.SeqNum()))
	}
	// Gives the batch's buffer back. Its error is about writes, and those are done.
	_ = f.pebble.Close()
	return nil
}

// end forbids anything more to enter the log, with err as the reason. What is
// queued and not yet applied fails with it.
func (s *shard) end(err error) {
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.gate.ended == nil {
		s.gate.ended = err
	}
}

// Close gives the slots up, after everything in flight. See store.Shard.
func (s *shard) Close() error {
	s.commits.Lock()
	if !s.commits.closed {
		s.commits.closed = true
		close(s.toApply)
		close(s.toTell)
	}
	s.commits.Unlock()
	<-s.told
	s.released.Store(true)
	s.driver.forget(s)
	return nil
}
