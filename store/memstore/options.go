package memstore

import (
	"time"

	"github.com/perdure/perdure/store"
)

// Options say how the driver runs its asynchronous work and what goes wrong.
// The zero value is a fast, faultless store on goroutines.
type Options struct {
	// Spawn runs the work that follows a Commit. Defaults to starting a
	// goroutine. A single-goroutine simulator hands in a function that puts the
	// work on its own schedule; it must not run it before Spawn returns.
	//
	// With a Spawn of the caller's, Close settles what is in flight but does not
	// wait for the done functions: they come through Spawn.
	Spawn func(work func())

	// After runs work once the duration has passed. Defaults to
	// time.AfterFunc. Used for the delays that Faults ask for.
	After func(delay time.Duration, work func())

	// Faults is asked before each read and commit. Defaults to none.
	Faults Faults

	// Chance decides what survives when the order of events leaves it open: how
	// many of the batches in flight at a crash, or at a change of owner, take
	// effect. Defaults to none of them. Whether Absent knows an answer that it might
	// not. Defaults to always.
	Chance Chance

	// Tear is asked at a crash what remains of the log of what a shard has in
	// flight: log, whose batches end at ends, in order. What it returns, which may
	// be log itself, cut off or damaged anywhere, is what recovery reads, up to
	// the first batch that is not whole. Defaults to whole batches, as many as
	// Chance draws.
	Tear func(log []byte, ends []int) []byte

	// EarlyReads makes reads see batches that are still in flight, which the
	// contract allows and the Pebble driver does. Defaults to seeing only what
	// is durable, which hides fewer mistakes in overlays; a simulation should
	// run with both.
	EarlyReads bool

	// FormerEpoch is the largest epoch ever given out, for a test that wants
	// large epochs. The image's own is used when larger.
	FormerEpoch uint64
}

// Chance draws numbers. *math/rand/v2.Rand is one.
type Chance interface {
	// IntN returns a number in [0, n).
	IntN(n int) int
}

// Faults are the things that go wrong, chosen by the test. A nil function
// means that nothing does. The functions are called without locks held, from
// whatever goroutine reads or commits.
type Faults struct {
	// Read is asked before each Get, and before each Scan with its first key.
	Read func(key store.Key) ReadFault

	// Commit is asked once for each batch, when it is committed.
	Commit func(owner store.Shard, b *store.Batch) CommitFault

	// Open is asked before each Open. An error fails it, with nothing changed.
	Open func(slots store.SlotRange) error

	// Value may change what a read returns: a copy is passed, and what comes
	// back is given to the reader. The stored value stays as it is.
	Value func(key store.Key, value []byte) []byte
}

// ReadFault is what happens to one read. The zero value is nothing.
type ReadFault struct {
	// Delay holds the reader back. It needs a second goroutine (or a synctest
	// bubble) to end, so a single-goroutine simulator delays the call instead.
	Delay time.Duration
	// Err, if not nil, is returned instead of what is stored.
	Err error
}

// CommitFault is what happens to one batch. The zero value is nothing.
type CommitFault struct {
	// Delay passes between Commit and the end of the batch. Delays of batches
	// in flight run at the same time; order is kept all the same.
	Delay time.Duration
	// Err, if not nil, is how the batch ends. It should be, or wrap,
	// store.ErrNotDone, store.ErrUnknown or store.ErrFull.
	Err error
	// Fate says whether a batch with an error was applied. Only an unknown
	// outcome may be anything but Lost.
	Fate Fate
}

// Fate is what became of a batch whose commit failed.
type Fate uint8

const (
	// Lost: it was not applied and never will be.
	Lost Fate = iota
	// Applied: it was applied at the moment the failure was reported.
	Applied
	// AppliedLate: it is applied when its slots are next opened, the database
	// is closed or the process crashes, whichever comes first.
	AppliedLate
)
