package memstore

import (
	"context"
	"fmt"
	"sync"

	"github.com/perdure/perdure/store"
)

// shard is a range of slots under one owner. Its fields are guarded by the
// driver's lock.
//
// A batch goes through three moments: it is ready when its delay has passed,
// settled when its outcome is decided and the disk has it or not, and done when
// its owner has been told. Each happens in the order of the Commit calls.
type shard struct {
	driver *Driver
	epoch  uint64
	slots  store.SlotRange

	// Invariant: settled batches are a prefix of the queue; a batch behind a
	// failed one is settled with an error.
	queue    []*batch // committed and not done, oldest first
	draining bool     // a drain is running or has been spawned
	ended    error    // no batch is accepted any more, and why
	released bool     // Close was called
	idle     sync.Cond
}

// batch is one commit in flight.
type batch struct {
	ops     []store.Op
	fault   CommitFault
	done    func(error)
	ready   bool
	settled bool
	err     error // outcome, once settled
}

var _ store.Shard = (*shard)(nil)

func (s *shard) Epoch() uint64          { return s.epoch }
func (s *shard) Slots() store.SlotRange { return s.slots }

// Get returns a copy of the value. See store.Shard.
func (s *shard) Get(ctx context.Context, key store.Key) ([]byte, error) {
	root, err := s.read(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("get %v: %w", key, err)
	}
	value, ok := get(root, encodeKey(key))
	if !ok {
		return nil, store.ErrNotFound
	}
	return s.driver.give(key, value), nil
}

// Absent knows what Get would find, unless chance has it know nothing. See store.Shard.
func (s *shard) Absent(key store.Key) bool {
	if store.CheckKey(s.slots, key) != nil {
		return false
	}
	d := s.driver
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.usable() != nil || s.released || d.opt.Chance != nil && d.opt.Chance.IntN(3) == 0 {
		return false
	}
	_, ok := get(d.mu.visible, encodeKey(key))
	return !ok
}

// Scan visits the entries of [from, to) as they were when it began.
func (s *shard) Scan(ctx context.Context, from, to store.Key, visit func(store.Entry) bool) error {
	if err := store.CheckScan(s.slots, from, to); err != nil {
		return err
	}
	root, err := s.read(ctx, from)
	if err != nil {
		return fmt.Errorf("scan from %v: %w", from, err)
	}
	walk(root, encodeKey(from), encodeKey(to), func(n *node) bool {
		if err = ctx.Err(); err != nil {
			return false
		}
		key := decodeKey(n.key)
		return visit(store.Entry{Key: key, Value: s.driver.give(key, n.value)})
	})
	return err
}

// read waits as long as the faults ask for and returns the tree to read from.
func (s *shard) read(ctx context.Context, key store.Key) (*node, error) {
	if err := store.CheckKey(s.slots, key); err != nil {
		return nil, err
	}
	d := s.driver
	if fault := d.opt.Faults.Read; fault != nil {
		f := fault(key)
		if f.Delay > 0 {
			passed := make(chan struct{})
			d.opt.After(f.Delay, func() { close(passed) })
			select {
			case <-passed:
			case <-ctx.Done():
			}
		}
		if f.Err != nil {
			return nil, f.Err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.usable(); err != nil {
		return nil, err
	}
	if s.released {
		return nil, store.ErrClosed
	}
	return d.mu.visible, nil
}

// give returns a copy of a value, or what the faults make of it.
func (d *Driver) give(key store.Key, value []byte) []byte {
	value = append([]byte{}, value...)
	if fault := d.opt.Faults.Value; fault != nil {
		return fault(key, value)
	}
	return value
}

// Commit queues the batch. See store.Shard.
func (s *shard) Commit(b *store.Batch, done func(error)) {
	d := s.driver
	p := &batch{ops: b.Ops, done: done}
	if d.opt.Faults.Commit != nil {
		p.fault = d.opt.Faults.Commit(s, b)
	}
	if err := store.CheckBatch(s.slots, b); err != nil {
		p.fault = CommitFault{Err: err}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.crashed {
		return // the process is no more, and nobody is told
	}
	if d.mu.full && p.fault.Err == nil && !b.Shrinks() {
		p.fault.Err = store.ErrFull
	}
	s.queue = append(s.queue, p)
	if s.ended != nil {
		p.ready, p.settled, p.err = true, true, s.ended
		s.kick()
		return
	}
	if d.opt.EarlyReads && p.fault.Err == nil {
		d.mu.visible = apply(d.mu.visible, p.ops)
	}
	if p.fault.Delay > 0 {
		d.opt.After(p.fault.Delay, func() { s.ripen(p) })
		return
	}
	p.ready = true
	s.kick()
}

// ripen notes that a batch's delay has passed.
func (s *shard) ripen(p *batch) {
	s.driver.mu.Lock()
	defer s.driver.mu.Unlock()
	p.ready = true
	s.kick()
}

// kick sees to it that a drain runs if the head of the queue is ready. The
// lock is held.
func (s *shard) kick() {
	if s.draining || len(s.queue) == 0 || !s.queue[0].ready {
		return
	}
	s.draining = true
	s.driver.opt.Spawn(s.drain)
}

// drain settles what is ready, in order, and tells its owner.
func (s *shard) drain() {
	d := s.driver
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(s.queue) > 0 && s.queue[0].ready && !d.mu.crashed {
		p := s.queue[0]
		s.settle(p)
		s.queue = s.queue[1:]
		s.tell(p)
	}
	s.draining = false
	s.idle.Broadcast()
	s.forgetIfSpent()
}

// tell tells the owner, without the lock, and has it again afterwards even if the
// owner panics, as simulations do when something is wrong.
func (s *shard) tell(p *batch) {
	s.driver.mu.Unlock()
	defer s.driver.mu.Lock()
	p.done(p.err)
}

// settle decides the outcome of the first batch that has none. The lock is held.
func (s *shard) settle(p *batch) {
	if p.settled {
		return
	}
	d := s.driver
	p.settled, p.err = true, p.fault.Err
	if p.err == nil {
		d.mu.durable = apply(d.mu.durable, p.ops)
		if !d.opt.EarlyReads {
			d.mu.visible = d.mu.durable
		}
		return
	}
	switch p.fault.Fate {
	case Applied:
		d.mu.durable = apply(d.mu.durable, p.ops)
	case AppliedLate:
		d.mu.late = append(d.mu.late, p)
	case Lost:
	}
	s.refuse(fmt.Errorf("%w: an earlier batch of the shard failed: %w", store.ErrNotDone, p.err))
	d.refresh()
}

// refuse ends every batch that has no outcome yet, and every later one, with
// err. The lock is held.
func (s *shard) refuse(err error) {
	s.ended = err
	for _, p := range s.queue {
		if !p.settled {
			p.ready, p.settled, p.err = true, true, err
		}
	}
	s.kick()
}

// settleAll gives everything in flight its outcome now. The lock is held.
func (s *shard) settleAll() {
	for _, p := range s.queue {
		s.settle(p)
	}
}

// hurry makes everything in flight ready.
func (s *shard) hurry() {
	for _, p := range s.queue {
		p.ready = true
	}
	s.kick()
}

// end takes the slots away. Of what is in flight a prefix, drawn by chance,
// still takes effect; the rest ends with err. The lock is held.
func (s *shard) end(err error) {
	d := s.driver
	for slot := s.slots.From; slot < s.slots.To; slot++ {
		if d.mu.owners[slot] == s {
			d.mu.owners[slot] = nil
		}
	}
	if s.ended != nil && s.ended == err {
		return
	}
	open := s.unsettled()
	for _, p := range open[:d.prefix(len(open))] {
		p.ready = true
		s.settle(p)
	}
	s.refuse(err)
	d.refresh()
	s.forgetIfSpent()
}

// unsettled returns the batches whose outcome is open, oldest first.
func (s *shard) unsettled() []*batch {
	for i, p := range s.queue {
		if !p.settled {
			return s.queue[i:]
		}
	}
	return nil
}

// forgetIfSpent drops a shard that has ended and has nothing left to tell.
func (s *shard) forgetIfSpent() {
	if s.ended == nil || len(s.queue) > 0 || s.draining {
		return
	}
	d := s.driver
	for i, other := range d.mu.shards {
		if other == s {
			d.mu.shards = append(d.mu.shards[:i:i], d.mu.shards[i+1:]...)
			return
		}
	}
}

// awaitIdle waits until every done function has returned, if goroutines of our
// own call them. The lock is held, and let go while waiting.
func (s *shard) awaitIdle() {
	for s.driver.waits && !s.driver.mu.crashed && (len(s.queue) > 0 || s.draining) {
		s.idle.Wait()
	}
}

// Close gives the slots up. What is in flight takes effect at once, whatever
// delay it was given.
func (s *shard) Close() error {
	s.driver.mu.Lock()
	defer s.driver.mu.Unlock()
	if s.released || s.driver.mu.crashed {
		return nil
	}
	s.hurry()
	s.settleAll()
	if s.ended == nil {
		s.end(store.ErrClosed)
	}
	s.released = true
	s.awaitIdle()
	return nil
}
