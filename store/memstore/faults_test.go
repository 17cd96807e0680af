package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
	"github.com/perdure/perdure/store/storetest"
)

var (
	slots = store.SlotRange{From: 0, To: 4}
	bg    = context.Background()
)

func keyOf(name string) store.Key { return store.Key{Family: store.FamilyState, Name: []byte(name)} }

func put(name, value string) *store.Batch {
	b := &store.Batch{}
	b.Put(keyOf(name), []byte(value))
	return b
}

func openShard(t *testing.T, d *memstore.Driver) store.Shard {
	t.Helper()
	s, err := d.Open(bg, slots)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func commit(s store.Shard, b *store.Batch) error {
	done := make(chan error, 1)
	s.Commit(b, func(err error) { done <- err })
	return <-done
}

// has reads through a new owner, as someone does who has lost track.
func has(t *testing.T, d *memstore.Driver, name string) bool {
	t.Helper()
	_, err := openShard(t, d).Get(bg, keyOf(name))
	if err != nil && err != store.ErrNotFound {
		t.Fatal(err)
	}
	return err == nil
}

// TestFates: a batch of unknown outcome may have been applied, may not, and may
// be later; whoever opens the slots next sees what became of it, for good.
func TestFates(t *testing.T) {
	for fate, want := range map[memstore.Fate]struct{ atOnce, later bool }{
		memstore.Lost: {false, false}, memstore.Applied: {true, true}, memstore.AppliedLate: {false, true},
	} {
		d := memstore.New(memstore.Options{Faults: memstore.Faults{
			Commit: func(_ store.Shard, b *store.Batch) memstore.CommitFault {
				if string(b.Ops[0].Key.Name) == "doomed" {
					return memstore.CommitFault{Err: store.ErrUnknown, Fate: fate}
				}
				return memstore.CommitFault{}
			},
		}})
		s := openShard(t, d)
		if err := commit(s, put("doomed", "1")); !errors.Is(err, store.ErrUnknown) {
			t.Fatalf("fate %d: %v", fate, err)
		}
		if err := commit(s, put("behind", "1")); !errors.Is(err, store.ErrNotDone) {
			t.Fatalf("fate %d: behind it: %v", fate, err)
		}
		if _, ok := d.Image().Get(keyOf("doomed")); ok != want.atOnce {
			t.Fatalf("fate %d: applied at once is %v", fate, ok)
		}
		if has(t, d, "doomed") != want.later || has(t, d, "behind") {
			t.Fatalf("fate %d: the next owner sees doomed=%v behind=%v", fate, has(t, d, "doomed"), has(t, d, "behind"))
		}
		if _, ok := d.Crash().Get(keyOf("doomed")); ok != want.later {
			t.Fatalf("fate %d: after a crash applied is %v", fate, ok)
		}
	}
}

// TestDelays: slow batches keep their order, slow reads end with their context.
func TestDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		delays := []time.Duration{30 * time.Millisecond, 0, 10 * time.Millisecond}
		d := memstore.New(memstore.Options{Faults: memstore.Faults{
			Commit: func(store.Shard, *store.Batch) memstore.CommitFault {
				delay := delays[0]
				delays = delays[1:]
				return memstore.CommitFault{Delay: delay}
			},
			Read: func(k store.Key) memstore.ReadFault {
				if string(k.Name) == "broken" {
					return memstore.ReadFault{Err: store.ErrCorrupt}
				}
				return memstore.ReadFault{Delay: time.Hour}
			},
		}})
		s := openShard(t, d)
		start := time.Now()
		var order []int
		done := make(chan struct{})
		for i := range 3 {
			s.Commit(put("a", fmt.Sprint(i)), func(error) {
				if order = append(order, i); len(order) == 3 {
					close(done)
				}
			})
		}
		<-done
		if fmt.Sprint(order) != "[0 1 2]" || time.Since(start) != 30*time.Millisecond {
			t.Fatalf("order %v after %v", order, time.Since(start))
		}
		value, err := s.Get(bg, keyOf("a"))
		if err != nil || string(value) != "2" || time.Since(start) != time.Hour+30*time.Millisecond {
			t.Fatalf("a slow read gave %q, %v after %v", value, err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		if _, err := s.Get(ctx, keyOf("a")); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a read slower than its context: %v", err)
		}
		if _, err := s.Get(bg, keyOf("broken")); !errors.Is(err, store.ErrCorrupt) {
			t.Fatalf("a failing read: %v", err)
		}
		time.Sleep(2 * time.Hour) // in the bubble: lets the abandoned delay end
	})
}

// TestFail: a broken disk ends everything, and what was in flight is unknown.
func TestFail(t *testing.T) {
	for seed := range uint64(10) {
		var work []func()
		d := memstore.New(memstore.Options{
			Spawn:  func(f func()) { work = append(work, f) },
			Chance: rand.New(rand.NewPCG(seed, 0)),
		})
		s := openShard(t, d)
		var outcomes []error
		for i := range 5 {
			s.Commit(put(fmt.Sprint(i), ""), func(err error) { outcomes = append(outcomes, err) })
		}
		cause := errors.New("no more disk")
		d.Fail(cause)
		<-d.Fatal()
		for len(work) > 0 {
			next := work[0]
			work = work[1:]
			next()
		}
		img := d.Crash()
		for i, err := range outcomes {
			_, kept := img.Get(keyOf(fmt.Sprint(i)))
			if err == nil && !kept || err != nil && !errors.Is(err, store.ErrUnknown) {
				t.Fatalf("batch %d: %v, kept %v", i, err, kept)
			}
		}
		if len(outcomes) != 5 || !errors.Is(d.Err(), cause) {
			t.Fatalf("%d outcomes, Err %v", len(outcomes), d.Err())
		}
	}
}

// TestOneGoroutine: with Spawn and After of its own a simulator runs the driver
// in one goroutine, and the same seed gives the same disk.
func TestOneGoroutine(t *testing.T) {
	run := func(seed uint64) (trace string) {
		r := rand.New(rand.NewPCG(seed, 0))
		var work []func()
		later := func(f func()) { work = append(work, f) }
		d := memstore.New(memstore.Options{
			Spawn: later, After: func(_ time.Duration, f func()) { later(f) }, Chance: r, EarlyReads: seed%2 == 0,
			Faults: memstore.Faults{Commit: func(store.Shard, *store.Batch) memstore.CommitFault {
				return memstore.CommitFault{Delay: time.Duration(r.IntN(3))}
			}},
		})
		s := openShard(t, d)
		for i := range 200 {
			if r.IntN(2) == 0 {
				s.Commit(put(fmt.Sprint(r.IntN(20)), fmt.Sprint(i)), func(err error) { trace += fmt.Sprint(i, err, " ") })
			} else if n := len(work); n > 0 {
				pick := r.IntN(n)
				f := work[pick]
				work = append(work[:pick], work[pick+1:]...)
				f()
			}
			if r.IntN(50) == 0 {
				s = openShard(t, d)
			}
		}
		for k, v := range d.Crash().All() {
			trace += fmt.Sprint(k, "=", string(v), " ")
		}
		return trace
	}
	for seed := range uint64(20) {
		if a, b := run(seed), run(seed); a != b {
			t.Fatalf("seed %d ran differently:\n%s\n%s", seed, a, b)
		}
	}
}

// judge is a TB that remembers whether a check failed.
type judge struct{ failed bool }

type verdict struct{}

func (j *judge) Helper()               {}
func (j *judge) Logf(string, ...any)   {}
func (j *judge) Errorf(string, ...any) { j.failed = true }
func (j *judge) Fatalf(string, ...any) { j.failed = true; panic(verdict{}) }

// TestBrokenStoresAreNoticed: the checks of the suite see a torn batch and a
// lost row, or they would be worth nothing.
func TestBrokenStoresAreNoticed(t *testing.T) {
	var work []func()
	d := memstore.New(memstore.Options{Spawn: func(f func()) { work = append(work, f) }})
	s := openShard(t, d)
	for n := 1; n <= 5; n++ {
		s.Commit(storetest.Numbered(s, n), func(error) {})
	}
	whole := d.CrashBroken(memstore.Broken{})
	if noticed(t, whole) {
		t.Fatal("an honest crash counts as broken")
	}
	d = memstore.New(memstore.Options{Spawn: func(f func()) { work = append(work, f) }})
	s = openShard(t, d)
	s.Commit(storetest.Numbered(s, 1), func(error) {})
	if !noticed(t, d.CrashBroken(memstore.Broken{Tear: true})) {
		t.Fatal("a torn batch was not noticed")
	}
	d = memstore.New(memstore.Options{})
	s = openShard(t, d)
	if err := commit(s, storetest.Numbered(s, 1)); err != nil {
		t.Fatal(err)
	}
	lost := d.CrashBroken(memstore.Broken{Lose: func(k store.Key) bool { return k.Family == store.FamilyState }})
	if !noticed(t, lost) {
		t.Fatal("a lost row was not noticed")
	}
	if damaged := lost.With(keyOf("x"), []byte("y")); damaged.Len() != lost.Len()+1 || damaged.With(keyOf("x"), nil).Len() != lost.Len() {
		t.Fatal("With changes the wrong number of keys")
	}
}

func noticed(t *testing.T, img *memstore.Image) bool {
	j := &judge{}
	func() {
		defer func() {
			if r := recover(); r != nil && r != (verdict{}) {
				panic(r)
			}
		}()
		storetest.Count(j, openShard(t, memstore.Open(img, memstore.Options{})))
	}()
	return j.failed
}

// TestBitFlips: Faults.Value changes what is read and not what is stored.
func TestBitFlips(t *testing.T) {
	flip := true
	d := memstore.New(memstore.Options{Faults: memstore.Faults{Value: func(_ store.Key, v []byte) []byte {
		if flip {
			v[0] ^= 1
		}
		return v
	}}})
	s := openShard(t, d)
	if err := commit(s, put("a", "a")); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Get(bg, keyOf("a")); err != nil || string(v) != "`" {
		t.Fatalf("%q, %v", v, err)
	}
	flip = false
	if v, err := s.Get(bg, keyOf("a")); err != nil || string(v) != "a" {
		t.Fatalf("%q, %v", v, err)
	}
}

// TestTornLog: cut at any byte, or zeroed from there on, or with a byte flipped,
// the log of what was in flight leaves whole batches only: those before the damage.
func TestTornLog(t *testing.T) {
	damage := map[string]func(log []byte, at int) []byte{
		"cut":     func(log []byte, at int) []byte { return log[:at] },
		"zeroed":  func(log []byte, at int) []byte { return append(log[:at:at], make([]byte, len(log)-at)...) },
		"flipped": func(log []byte, at int) []byte { log[at] ^= 0x10; return log },
	}
	for name, spoil := range damage {
		for at, size := 0, 1; at < size; at++ {
			whole := 0
			d := memstore.New(memstore.Options{
				Spawn: func(func()) {}, // nothing is ever synced
				Tear: func(log []byte, ends []int) []byte {
					size = len(log)
					for whole < len(ends) && ends[whole] <= at {
						whole++
					}
					return spoil(log, at)
				},
			})
			s := openShard(t, d)
			for n := 1; n <= 4; n++ {
				s.Commit(storetest.Numbered(s, n), func(error) {})
			}
			if n := storetest.Count(t, openShard(t, memstore.Open(d.Crash(), memstore.Options{}))); n != whole {
				t.Fatalf("%s at byte %d: %d batches are there, %d were whole", name, at, n, whole)
			}
		}
	}
}
