package main

import (
	"context"
	"errors"
	"time"

	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

// openDisk starts a driver on the disk there is. It is not the process's: a
// second one may come to own the same database.
func (w *world) openDisk() *memstore.Driver {
	w.owners = nil
	return memstore.Open(w.image, memstore.Options{
		Spawn: func(work func()) {
			delay, _ := w.workDelay()
			w.after(delay, work)
		},
		After:      func(d time.Duration, f func()) { w.after(d, f) },
		Chance:     w.chance,
		Tear:       w.tear,
		EarlyReads: w.faults.earlyReads,
		Faults:     memstore.Faults{Commit: w.commitFault, Read: w.readFault},
	})
}

// survival is what a crash does to what is in flight.
type survival uint8

const (
	asChanceHasIt survival = iota
	nothingSurvives
	allSurvives
)

// tear says what a crash leaves of the log of a shard's batches in flight: they
// survive up to the one in which the log ends, which may be torn, or followed by
// zeroes or by what was there before.
func (w *world) tear(log []byte, ends []int) []byte {
	at := 0
	switch {
	case w.survival == allSurvives:
		at = len(log)
	case w.survival == nothingSurvives:
		at = w.chance.IntN(ends[0])
	default:
		// As many at the end of a batch as in the middle of one.
		at = w.chance.IntN(len(log) + 1)
		if w.oneIn(2) {
			at = append([]int{0}, ends...)[w.chance.IntN(len(ends)+1)]
		}
	}
	whole := 0
	for whole < len(ends) && ends[whole] <= at {
		whole++
	}
	w.faults.counts[faultUnsynced] += len(ends) - whole
	if at > 0 && (whole == 0 || ends[whole-1] != at) {
		w.faults.counts[faultTorn]++
	}
	left := log[:at:at]
	switch w.chance.IntN(3) {
	case 0:
		left = append(left, make([]byte, len(log)-at)...)
	case 1:
		for range len(log) - at {
			left = append(left, byte(w.chance.IntN(256)))
		}
	}
	return left
}

// owned is the database as one process sees it. Once another has taken the
// shards over it opens none of them again, though it does not know: what it
// still has open is all it has.
type owned struct {
	*memstore.Driver
	process *process
}

var errDeposed = errors.New("the shards have another owner")

// Open implements store.Driver.
func (d owned) Open(ctx context.Context, slots store.SlotRange) (store.Shard, error) {
	if d.process.deposed {
		return nil, errDeposed
	}
	s, err := d.Driver.Open(ctx, slots)
	if err != nil {
		return nil, err
	}
	w := d.process.world
	for _, former := range w.owners {
		if former.Slots().From < slots.To && slots.From < former.Slots().To {
			former.fenced = true
		}
	}
	own := &ownedShard{Shard: s, process: d.process}
	w.owners = append(w.owners, own)
	return own, nil
}

// ownedShard watches what its owner writes.
type ownedShard struct {
	store.Shard
	process *process
	flying  int  // batches under way
	fenced  bool // some of its slots were opened again
}

// Commit implements store.Shard. A write of a former owner fails (I9), and there
// are never more under way than the shard's options say (I11).
func (s *ownedShard) Commit(b *store.Batch, done func(error)) {
	p := s.process
	w := p.world
	s.flying++
	p.checkBatch(s.flying, b)
	late := s.fenced
	s.Shard.Commit(b, func(err error) {
		s.flying--
		switch {
		case late && err == nil:
			w.broken("I9: a former owner has written %d rows to %v", len(b.Ops), s.Slots())
		case late && errors.Is(err, store.ErrFenced):
			w.faults.counts[faultFenced]++
		case err == nil && w.crashWhenSynced(p):
			return
		}
		done(err)
	})
}

// crashWhenSynced lets the server crash when a batch is durable and nobody has
// been told, or just after it began to tell.
func (w *world) crashWhenSynced(p *process) bool {
	switch {
	case p != w.process || p.stopping:
	case w.strikes(faultCrashBetween):
		w.crashAs(asChanceHasIt)
		w.rise()
		return true
	case w.strikes(faultCrashAfter):
		w.after(w.between(0, 400*time.Microsecond), p.living(func() {
			if p == w.process {
				w.crash()
				w.rise()
			}
		}))
	}
	return false
}

// crashInFlight lets the server crash while a batch is being synced, which is
// lost, or kept though nobody was told.
func (w *world) crashInFlight(delay time.Duration) {
	p := w.process
	if p == nil || p.stopping || !w.strikes(faultCrashBefore) {
		return
	}
	how := nothingSurvives
	if w.oneIn(3) {
		how = allSurvives
	}
	w.after(w.between(0, delay), p.living(func() {
		if p == w.process {
			w.crashAs(how)
			w.rise()
		}
	}))
}

// crashAs is crash with what becomes of what is in flight.
func (w *world) crashAs(how survival) {
	w.survival = how
	w.crash()
	w.survival = asChanceHasIt
}
