package pebblestore

import (
	"bytes"
	"cmp"
	"errors"
	"hash/maphash"
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/perdure/perdure/store"
)

// roll tells of most keys of FamilyCurrent that are not there that they are not, from
// memory alone. Every start of an execution asks for the one of its id, and nearly
// every id is new: to look into the tables in vain took 4 % of the CPU of a short
// workflow, 6 % beside a million others, and the shard's loop another turn.
//
// It holds the names in a sieve, which never leaves one out:
//
//   - What is written is put into the sieve before Pebble gets it (note).
//   - What was there before is read once, in the background (fill). Until that is
//     done, and if it fails, the roll knows nothing and everybody reads.
//   - A sieve is published to the writers before it is filled, and the filling
//     begins when every batch that may have missed it is visible (passGates). So
//     each name is put in by its batch or found by the filling, or both.
//
// Nothing else writes to the family. Names are never taken out: a sieve that has
// become full, of names that were deleted since, perhaps, serves on until another
// one is filled. Sieves begin small and grow up to a bound; a store with more names
// than the largest is good for goes without. So memory is bounded, and so is the
// reading: after the start about one name for each that is written.
//
// An iterator that is kept for a second, beside a list of what was written since,
// would have saved half as much: memtables and filters are still to be asked, which
// may have to wait for the disk and so cannot be done in the loop.
type roll struct {
	seed  maphash.Seed
	state atomic.Pointer[sieves]

	firstWords, mostWords int

	full    chan struct{} // holds a note when a sieve may have become full
	closing chan struct{} // closed by end
	ended   chan struct{} // closed when keepRoll has returned
	filled  chan struct{} // for tests: gets a note, if it has room, when a sieve is whole
}

// sieves are those in use. Invariant: one of these is never changed, so that who
// puts a name into the sieves of one moment has not missed any.
type sieves struct {
	whole   *sieve // has every name that is stored; nil: there is none
	filling *sieve // will have; nil: none is being filled
}

const (
	// firstWords is the size that sieves begin with, 64 KiB.
	firstWords = 8 << 10
	// growth is how many times larger the sieve is that replaces a full one.
	growth = 8
	// shareOfCache is the part of Options.CacheBytes that a sieve may have: 4 MiB
	// of the default, good for four million names. While it is being replaced
	// there are two.
	shareOfCache = 16

	// crowded is how many names a word has when a sieve is full. One that has half
	// of that when it has been filled goes on to twice what it has, so that filling
	// does not become all it does.
	crowded = 8
	// fewFound is how many names a word may have when a sieve has been filled; with
	// more a larger one is tried. mostFound is that of the largest: beyond it
	// sieves are not worth having.
	fewFound, mostFound = crowded / 2, crowded

	// namesAtOnce are read without a pause, in about two milliseconds. The pause
	// after them is rest times as long, so that filling takes a tenth of a core at
	// most: some seven seconds for a million names.
	namesAtOnce = 2000
	rest        = 9
)

func newRoll(o Options) *roll {
	r := &roll{
		seed:       maphash.MakeSeed(),
		firstWords: cmp.Or(o.firstWords, firstWords),
		mostWords:  cmp.Or(o.mostWords, 1<<(bits.Len64(max(firstWords, uint64(o.CacheBytes)/shareOfCache/8))-1)),
		full:       make(chan struct{}, 1), closing: make(chan struct{}), ended: make(chan struct{}), filled: make(chan struct{}, 1),
	}
	r.state.Store(&sieves{})
	return r
}

// Absent reports, from memory, that no value is stored under the key. See store.Shard.
func (s *shard) Absent(key store.Key) bool {
	return store.CheckKey(s.slots, key) == nil && !s.released.Load() && s.driver.roll.absent(key)
}

// absent reports that the key is certainly not there. It only looks into memory.
func (r *roll) absent(key store.Key) bool {
	whole := r.state.Load().whole
	return key.Family == store.FamilyCurrent && whole != nil && !whole.holds(r.hash(key.Name))
}

// hash is of the name alone: the same name in another slot counts as the same.
func (r *roll) hash(name []byte) uint64 { return maphash.Bytes(r.seed, name) }

// note puts what a batch is about to write into the sieves. It is called with the
// gate of the batch's shard held until Pebble has the batch.
func (r *roll) note(b *store.Batch) {
	now := r.state.Load()
	if now.whole == nil && now.filling == nil {
		return
	}
	for i := range b.Ops {
		op := &b.Ops[i]
		if op.Key.Family != store.FamilyCurrent || op.Value == nil {
			continue
		}
		hash := r.hash(op.Key.Name)
		if now.whole != nil {
			now.whole.put(hash)
		}
		if now.filling != nil {
			now.filling.put(hash)
		}
	}
	if now.filling == nil && now.whole.crowded() {
		select {
		case r.full <- struct{}{}:
		default:
		}
	}
}

func (s *sieve) crowded() bool { return s.names.Load() >= s.room }

// end has keepRoll return, and waits for it, but not after a fault: that may hold
// what it waits for, and then the database is not closed either.
func (r *roll) end(f *fault) {
	close(r.closing)
	select {
	case <-r.ended:
	case <-f.gone:
	}
}

var errTooMany = errors.New("more names than the sieve is good for")

// keepRoll fills a sieve, and another one whenever that has become full, until the
// driver is closed.
func (d *Driver) keepRoll() {
	r := d.roll
	defer close(r.ended)
	for words := r.firstWords; ; words = min(growth*words, r.mostWords) {
		s := newSieve(words)
		err := d.fill(s)
		switch {
		case errors.Is(err, errTooMany) && words < r.mostWords:
			continue
		case err != nil:
			// Everybody reads, and learns what is wrong, if anything is.
			r.state.Store(&sieves{})
			if !errors.Is(err, store.ErrClosed) {
				d.opt.Log.Info("ids that are new are looked for in the store from now on", "reason", firstLine(err))
			}
			return
		}
		s.room = max(crowded*int64(words), 2*s.names.Load())
		r.state.Store(&sieves{whole: s})
		select {
		case r.filled <- struct{}{}:
		default:
		}
		for !s.crowded() {
			select {
			case <-r.full: // perhaps a note about the sieve before
			case <-r.closing:
				return
			}
		}
	}
}

// fill puts all names into a sieve that is not in use yet.
func (d *Driver) fill(s *sieve) (err error) {
	r := d.roll
	most := fewFound * int64(len(s.words))
	if len(s.words) >= r.mostWords {
		most = mostFound * int64(len(s.words))
	}
	r.state.Store(&sieves{whole: r.state.Load().whole, filling: s})
	d.passGates()
	for from := []byte{byte(store.FamilyCurrent)}; ; {
		began := time.Now()
		from, err = d.putNames(s, from)
		switch {
		case err != nil:
			return err
		case s.names.Load() > most:
			return errTooMany
		case from == nil:
			return nil
		}
		select {
		case <-time.After(rest * time.Since(began)):
		case <-r.closing:
			return store.ErrClosed
		}
	}
}

// passGates returns when each batch that Pebble was being given is visible. Those
// after it meet the sieves that were published before, and so do those of shards
// opened meanwhile, since they begin with the driver's lock held.
func (d *Driver) passGates() {
	d.mu.Lock()
	shards := make([]*shard, 0, len(d.mu.shards))
	for s := range d.mu.shards {
		shards = append(shards, s)
	}
	d.mu.Unlock()
	for _, s := range shards {
		s.passGate()
	}
}

// passGate returns when the batch that was being given to Pebble, if any, has been.
func (s *shard) passGate() {
	s.gate.Lock()
	defer s.gate.Unlock()
}

// putNames puts some names into the sieve, from a key on, and returns the key to
// go on with; nil at the end. Each call looks anew: nothing is held in between.
// Close waits for it by waiting for keepRoll.
func (d *Driver) putNames(s *sieve, from []byte) (next []byte, err error) {
	it, err := d.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: []byte{byte(store.FamilyCurrent) + 1}})
	if err != nil {
		return nil, mapError(err)
	}
	n := 0
	for valid := it.First(); valid; valid = it.Next() {
		if n == namesAtOnce {
			next = bytes.Clone(it.Key())
			break
		}
		s.put(d.roll.hash(it.Key()[prefixBytes:]))
		n++
	}
	return next, mapError(it.Close()) // with the iterator's own error
}
