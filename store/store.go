// Package store is the narrow contract between Perdure and what keeps its bytes.
//
// A store is an ordered map from keys to values, cut into slots. A shard opens
// a range of slots under an epoch, reads them, and commits batches to them. The
// store knows nothing of workflows: package record decides what keys and values
// mean, and every driver below this folder can be written from this file alone.
// A driver is correct when it passes package storetest.
//
// # Promises of every driver
//
//   - Atomic: of a batch all operations are applied or none.
//   - Durable: once a commit's done function has been called with nil, the batch
//     survives a power cut, and so does every batch of the same shard committed
//     before it.
//   - Ordered: the batches of one Shard take effect in the order of their Commit
//     calls, and their done functions are called in that order, one at a time. A
//     later batch is never durable without an earlier one. When one fails, all
//     batches behind it fail too.
//   - Fenced: opening a range of slots ends the rights of whoever had any of them
//     open. A commit by a former owner changes nothing and fails with ErrFenced.
//   - A batch or read that names a key outside the shard's slots, or in family 0,
//     is a mistake of the caller: it changes nothing and fails (a batch with
//     ErrNotDone).
//   - Reads see what has been committed and is durable; they may or may not see
//     a batch that is still in flight. The caller keeps what is in flight in
//     memory (see package shard).
package store

import (
	"context"
	"errors"
)

// Slots is the number of slots executions are hashed into. It is part of the
// format and never changes.
const Slots = 4096

// SystemSlot holds what belongs to no execution: namespaces, search attributes,
// shard epochs. It lies outside the range that executions are hashed into.
const SystemSlot Slot = Slots

// Slot is a bucket of executions. Every key lies in exactly one.
type Slot uint16

// Family groups the keys of one purpose. Drivers may lay families out
// differently; the numbers are part of the format.
type Family uint8

// The families. Package record documents the keys inside each.
const (
	FamilyCurrent  Family = 1 // execution id -> current run
	FamilyState    Family = 2 // parts of a run's state
	FamilyHistory  Family = 3 // batches of events
	FamilyDeadline Family = 4 // due time -> run
	FamilyTask     Family = 5 // durable backlog of the task queues
	FamilyOutbox   Family = 6 // messages to other executions
	FamilyFeed     Family = 7 // changes for the visibility index
	FamilyMeta     Family = 8 // namespaces, search attributes
)

// Family 0 belongs to the drivers: epochs and whatever else they keep for
// themselves. A shard that names it is refused.

// Key names one value. Order is by family, then slot, then name, bytewise; it
// is the same in memory and on disk.
type Key struct {
	Family Family
	Slot   Slot
	Name   []byte
}

// SlotRange is the half-open range [From, To) of slots.
type SlotRange struct{ From, To Slot }

// Contains reports whether s lies in the range.
func (r SlotRange) Contains(s Slot) bool { return r.From <= s && s < r.To }

// Entry is one key and its value, as scans return them.
type Entry struct {
	Key   Key
	Value []byte
}

// Faults a driver reports. Test with errors.Is; drivers wrap them with the key
// or batch they concern.
var (
	// ErrNotFound: no value is stored under the key. It comes unwrapped: a
	// missing key is an everyday answer, and must be cheap.
	ErrNotFound = errors.New("not found")
	// ErrFenced: another owner has opened these slots. Nothing was changed.
	ErrFenced = errors.New("fenced: the slots have another owner")
	// ErrNotDone: the batch was certainly not applied.
	ErrNotDone = errors.New("commit not done")
	// ErrUnknown: the batch may or may not have been applied, now or later. The
	// caller must forget what it holds in memory and open the slots again.
	ErrUnknown = errors.New("commit outcome unknown")
	// ErrCorrupt: what was read is not what was written.
	ErrCorrupt = errors.New("corrupt")
	// ErrClosed: the shard or driver was closed. Nothing was changed.
	ErrClosed = errors.New("store is closed")
	// ErrFull: the disk's reserve is touched. Nothing was changed. Batches that
	// only delete are still accepted. Driver.Full warns long before.
	ErrFull = errors.New("disk is full")
)

// Driver is one database. Its methods may be called from any goroutine.
type Driver interface {
	// Open takes ownership of the slots under a new epoch, larger than every
	// epoch any of them was opened with before, and durable before Open
	// returns. Whoever had one of them open is fenced from then on.
	Open(ctx context.Context, slots SlotRange) (Shard, error)

	// Close ends all shards and releases the database. Batches in flight end
	// durable or with ErrClosed. It must not be called from a done function.
	// Idempotent.
	Close() error

	// Full reports that the disk is below its low-water mark. Whoever asks
	// should then refuse work that makes the database grow; commits go on until
	// the driver's reserve is touched, where they fail with ErrFull. Cheap: it
	// may be asked for every request.
	Full() bool

	// Fatal returns a channel that is closed when the database cannot go on in
	// this process: a failed write or sync of its log. What is acknowledged is
	// safe; the process must stop and let recovery decide. Err then says why.
	Fatal() <-chan struct{}
	Err() error
}

// Shard is the right to read and write a range of slots. Commit is called by
// one goroutine at a time; reads from any.
type Shard interface {
	// Epoch is the number this range was opened under.
	Epoch() uint64

	// Slots is the range that was opened.
	Slots() SlotRange

	// Get returns the value of key, or ErrNotFound. The caller owns the bytes.
	Get(ctx context.Context, key Key) ([]byte, error)

	// Absent reports that no value is stored under key, where that can be told
	// from memory: it never waits for the disk. True is what Get would answer,
	// with ErrNotFound. False says nothing; a driver may always return it.
	Absent(key Key) bool

	// Scan calls visit for the entries of [from, to) in order, both in one
	// family, until visit returns false. It may cross slots; to may be the
	// first key past the shard's slots. The bytes passed to visit are valid
	// only during the call. The scan is one consistent view of the moment it
	// began. It fails with ctx's error when ctx ends. visit may read the shard.
	Scan(ctx context.Context, from, to Key, visit func(Entry) bool) error

	// Commit applies the batch and calls done exactly once, from another
	// goroutine, when it is durable (nil) or has failed (ErrFenced, ErrNotDone,
	// ErrUnknown, ErrClosed or ErrFull). Commit itself does not wait for the
	// disk and returns promptly; it may hold the caller back when too many
	// batches are in flight. The store owns the batch from then on, until it calls
	// done with nil: then the caller may use the list of operations again, though
	// not the bytes in it. done should return promptly, and must call neither Commit
	// nor Close of this shard.
	// After any failure this Shard accepts no more batches.
	Commit(b *Batch, done func(error))

	// Close gives the slots up. Batches in flight end first, so it must not be
	// called from a done function. Reads and commits fail with ErrClosed from
	// then on. Idempotent.
	Close() error
}

// Op is one operation of a batch.
type Op struct {
	Key   Key
	Value []byte // nil deletes the key
	Until []byte // not nil: delete the names [Key.Name, Until) of Key's family and slot
}

// Batch is a list of operations applied in order: a later one on the same key
// wins. The zero value is an empty batch. An empty batch may be committed; its
// done function keeps its place in the order, which makes it a read barrier.
type Batch struct {
	Ops []Op
	// SizeBytes is the sum of key and value lengths, kept for limits.
	SizeBytes int
}

// Put stores value under key. The batch keeps both slices. Nobody changes them
// any more, neither caller nor store: both may go on reading them.
func (b *Batch) Put(key Key, value []byte) {
	if value == nil {
		value = []byte{}
	}
	b.add(Op{Key: key, Value: value})
}

// Delete removes key, if present.
func (b *Batch) Delete(key Key) { b.add(Op{Key: key}) }

// DeleteRange removes the names [key.Name, until) of key's family and slot.
func (b *Batch) DeleteRange(key Key, until []byte) {
	if until == nil {
		until = []byte{}
	}
	b.add(Op{Key: key, Until: until})
}

// Empty reports whether the batch holds no operation.
func (b *Batch) Empty() bool { return len(b.Ops) == 0 }

func (b *Batch) add(op Op) {
	b.Ops = append(b.Ops, op)
	b.SizeBytes += len(op.Key.Name) + len(op.Value) + len(op.Until) + 4
}
