package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/perdure/perdure/store"
)

// A sieve holds all that was put into it, and of other names about as many as its
// comment says.
func TestSieve(t *testing.T) {
	for perWord, percent := range map[int]int{8: 3, 16: 18, 32: 56} {
		r := rand.New(rand.NewPCG(1, uint64(perWord)))
		s := newSieve(1 << 12)
		in := make([]uint64, perWord<<12)
		for i := range in {
			in[i] = r.Uint64()
			s.put(in[i])
			s.put(in[i]) // again, which changes nothing
		}
		for _, hash := range in {
			if !s.holds(hash) {
				t.Fatalf("%x was put in and is not held", hash)
			}
		}
		const asked = 100_000
		wrong := 0
		for range asked {
			if s.holds(r.Uint64()) {
				wrong++
			}
		}
		if got := (100*wrong + asked/2) / asked; got != percent {
			t.Errorf("%d names a word: %d of 100 others seem to be held, not %d", perWord, got, percent)
		}
		if n := s.names.Load(); n > int64(len(in)) || n < int64(len(in))*(100-int64(percent))/100 {
			t.Errorf("%d names are counted of %d", n, len(in))
		}
	}
}

// rollOptions make sieves so small that a test sees many.
func rollOptions(fs vfs.FS) Options {
	return Options{Dir: "/data", FS: fs, MarkAfter: -1, MemTableBytes: 1 << 20, firstWords: 16, mostWords: 1 << 10}
}

func openRoll(t testing.TB, o Options) (*Driver, store.Shard) {
	t.Helper()
	d, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.Open(context.Background(), store.SlotRange{From: 0, To: 16})
	if err != nil {
		t.Fatal(err)
	}
	return d, s
}

func closeRoll(t testing.TB, d *Driver) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func currentKey(slot store.Slot, n int) store.Key {
	return store.Key{Family: store.FamilyCurrent, Slot: slot, Name: fmt.Appendf(nil, "workflow-%06d", n)}
}

func putCurrent(t testing.TB, s store.Shard, from, to int) {
	t.Helper()
	b := &store.Batch{}
	for n := from; n < to; n++ {
		b.Put(currentKey(s.Slots().From, n), []byte("run"))
	}
	if err := commitNow(s, b); err != nil {
		t.Fatal(err)
	}
}

// known counts the keys that are not there, of a thousand, that are said to be absent.
func known(s store.Shard) (n int) {
	for i := range 1000 {
		if s.Absent(currentKey(s.Slots().From, 1_000_000+i)) {
			n++
		}
	}
	return n
}

// The largest sieve follows from the cache, and is a power of two.
func TestSizeOfSieves(t *testing.T) {
	for cacheBytes, words := range map[int64]int{1: firstWords, 1 << 20: firstWords, 64 << 20: 512 << 10, 100 << 20: 512 << 10, 1 << 30: 8 << 20} {
		if got := newRoll(Options{CacheBytes: cacheBytes}).mostWords; got != words {
			t.Errorf("with a cache of %d bytes it has %d words, not %d", cacheBytes, got, words)
		}
	}
}

// awaitSieve waits until there is one of so many words that is not full.
func awaitSieve(d *Driver, words int) {
	for now := d.roll.state.Load(); now.whole == nil || len(now.whole.words) < words || now.whole.crowded(); now = d.roll.state.Load() {
		<-d.roll.filled
	}
}

// Nearly all keys that are not there are known to be absent, in a store that is new,
// that has grown beyond its first sieves, and that is opened again, with rows in
// tables and in the log.
func TestAbsentKeysAreKnown(t *testing.T) {
	fs := vfs.NewMem()
	d, s := openRoll(t, rollOptions(fs))
	<-d.roll.filled
	if n := known(s); n != 1000 {
		t.Errorf("of an empty store %d of 1,000 absent keys are known", n)
	}
	for n := 0; n < 2500; n += 100 {
		if putCurrent(t, s, n, n+100); n == 1000 {
			if err := d.db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		awaitSieve(d, 1<<10)
		for n := range 2500 {
			if s.Absent(currentKey(0, n)) {
				t.Fatalf("workflow %d is stored, and said to be absent", n)
			}
		}
		if n := known(s); n < 980 {
			t.Errorf("%d of 1,000 absent keys are known", n)
		}
		if other := (store.Key{Family: store.FamilyState, Name: []byte("workflow")}); s.Absent(other) {
			t.Error("a key of another family is said to be absent")
		}
		closeRoll(t, d)
		d, s = openRoll(t, rollOptions(fs))
	}
	closeRoll(t, d)
}

// Keys that come and go fill one sieve after the other, and absent ones stay known.
func TestDeletedKeysDoNotFillTheSieve(t *testing.T) {
	o := rollOptions(vfs.NewMem())
	o.mostWords = 64
	d, s := openRoll(t, o)
	defer closeRoll(t, d)
	for n := range 60 {
		putCurrent(t, s, 100*n, 100*n+100)
		b := &store.Batch{}
		b.DeleteRange(currentKey(0, 100*n), currentKey(0, 100*n+100).Name)
		if err := commitNow(s, b); err != nil {
			t.Fatal(err)
		}
	}
	awaitSieve(d, 64)
	if n := known(s); n < 800 {
		t.Errorf("%d of 1,000 absent keys are known", n)
	}
}

// A store with more keys than the largest sieve is good for does without.
func TestTooManyNames(t *testing.T) {
	o := rollOptions(vfs.NewMem())
	o.mostWords = 128
	d, s := openRoll(t, o)
	defer closeRoll(t, d)
	for n := 0; n < 2*namesAtOnce+mostFound*128; n += 500 {
		putCurrent(t, s, n, n+500)
	}
	<-d.roll.ended
	if n := known(s); n != 0 {
		t.Errorf("%d absent keys are known by a sieve that is too small", n)
	}
	if _, err := s.Get(context.Background(), currentKey(0, 7)); err != nil {
		t.Error(err)
	}
}

// Shards put and delete keys, compare what is said to be absent with what is there,
// and are closed and opened, while sieves become full and are replaced all the time,
// by others' keys as well as their own.
func TestRollBesideCommits(t *testing.T) {
	d, s := openRoll(t, rollOptions(vfs.NewMem()))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	var wg sync.WaitGroup
	var said atomic.Int64
	for i := range store.Slot(4) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			there := map[int]bool{}
			for range 4 {
				s, err := d.Open(ctx, store.SlotRange{From: i, To: i + 1})
				if err != nil {
					t.Error(err)
					return
				}
				for range 60 {
					b := &store.Batch{}
					for range 20 {
						n := r.IntN(3000)
						if r.IntN(3) > 0 {
							b.Put(currentKey(i, n), []byte("run"))
							there[n] = true
						} else {
							b.Delete(currentKey(i, n))
							delete(there, n)
						}
					}
					if err := commitNow(s, b); err != nil {
						t.Error(err)
						return
					}
					for range 100 {
						n := r.IntN(3000)
						absent := s.Absent(currentKey(i, n))
						if absent {
							said.Add(1)
						}
						if _, err := s.Get(ctx, currentKey(i, n)); absent && there[n] || there[n] != (err == nil) {
							t.Errorf("slot %d, workflow %d: stored %v, said to be absent %v, get: %v", i, n, there[n], absent, err)
						}
					}
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if said.Load() == 0 {
		t.Error("nothing was ever said to be absent")
	}
	closeRoll(t, d)
}

// A batch that Pebble was being given when a sieve was made, and that knew nothing of
// it, is waited for before the sieve is filled.
func TestFillingWaitsForBatchesOnTheirWay(t *testing.T) {
	d, s := openRoll(t, rollOptions(vfs.NewMem()))
	defer closeRoll(t, d)
	<-d.roll.filled
	gate := &s.(*shard).gate
	gate.Lock() // as apply does
	b := &store.Batch{}
	b.Put(currentKey(0, 1), []byte("run"))
	d.roll.note(b)
	young, filled := newSieve(16), make(chan error, 1)
	go func() { filled <- d.fill(young) }()
	for d.roll.state.Load().filling == nil {
		runtime.Gosched()
	}
	for range 1000 { // were it not waited for, that would be long enough
		runtime.Gosched()
	}
	if err := d.db.Set(appendKey(nil, currentKey(0, 1)), []byte("run"), d.write); err != nil {
		t.Fatal(err)
	}
	gate.Unlock()
	if err := <-filled; err != nil {
		t.Fatal(err)
	}
	if !young.holds(d.roll.hash(currentKey(0, 1).Name)) {
		t.Error("a key has neither been put in by its batch nor found")
	}
}

// The driver is closed while a sieve is being filled, of which most is still to come.
func TestCloseWhileFilling(t *testing.T) {
	fs := vfs.NewMem()
	o := rollOptions(fs)
	o.firstWords, o.mostWords = 1<<16, 1<<16
	d, s := openRoll(t, o)
	for n := 0; n < 20*namesAtOnce; n += 1000 {
		putCurrent(t, s, n, n+1000)
	}
	closeRoll(t, d)
	for range 5 {
		d, s := openRoll(t, o)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for n := range 2000 {
					if s.Absent(currentKey(0, n)) {
						t.Errorf("workflow %d is stored, and said to be absent", n)
					}
				}
			})
		}
		closeRoll(t, d)
		wg.Wait()
		if d.roll.state.Load().whole != nil {
			t.Error("a sieve of which most was still to come is in use")
		}
	}
}

// When the rows cannot be read everybody looks for himself, and what can be read is.
func TestFillingFails(t *testing.T) {
	var broken atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && strings.HasSuffix(op.Path, ".sst") && op.Kind.ReadOrWrite() == errorfs.OpIsRead {
			return errorfs.ErrInjected
		}
		return nil
	}))
	d, s := openRoll(t, rollOptions(fs))
	defer closeRoll(t, d)
	<-d.roll.filled
	putCurrent(t, s, 0, 100)
	if err := d.db.Flush(); err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	putCurrent(t, s, 100, 300) // too many for the first sieve
	<-d.roll.ended
	broken.Store(false)
	putCurrent(t, s, 300, 310)
	if n := known(s); n != 0 || s.Absent(currentKey(0, 5)) {
		t.Errorf("%d absent keys are known although rows cannot be read", n)
	}
	if _, err := s.Get(context.Background(), currentKey(0, 5)); err != nil {
		t.Error(err)
	}
}

// I11: a store that has failed is closed although its roll waits for a batch that
// will never end.
func TestCloseDoesNotWaitForTheRoll(t *testing.T) {
	d, s := openRoll(t, rollOptions(vfs.NewMem()))
	<-d.roll.filled
	s.(*shard).gate.Lock() // as an applier does that a fault never lets return
	b := &store.Batch{}
	for n := range 1000 {
		b.Put(currentKey(0, n), []byte("run"))
	}
	d.roll.note(b)
	for d.roll.state.Load().filling == nil {
		runtime.Gosched()
	}
	d.fault.set(errors.New("the disk is gone"))
	if err := d.Close(); err == nil {
		t.Error("closed without a word")
	}
}
