package pebblestore_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/pebblestore"
	"github.com/perdure/perdure/store/storetest"
)

var slots = store.SlotRange{From: 0, To: 4}

// changes reports whether a file system operation changes what a power cut
// would leave. The moments before them are all the moments there are.
func changes(op errorfs.Op) bool {
	switch op.Kind {
	case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo,
		errorfs.OpCreate, errorfs.OpRename, errorfs.OpRemove, errorfs.OpReuseForWrite, errorfs.OpLink:
		return true
	}
	return false
}

// remains is a disk after a power cut, with what it may hold.
type remains struct {
	fs                      *vfs.MemFS
	acknowledged, committed int64
	before                  string
}

// TestPowerCutAtEverySync (I1) cuts the power before every operation that makes
// anything durable, through opening, commits, flushes, compactions and closing,
// and checks each disk: what was acknowledged is there, nothing out of order.
func TestPowerCutAtEverySync(t *testing.T) {
	mem := vfs.NewCrashableMem()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var acknowledged, committed atomic.Int64
	var cuts struct {
		sync.Mutex
		list []remains
	}
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if changes(op) {
			cuts.Lock()
			defer cuts.Unlock()
			cut := remains{acknowledged: acknowledged.Load(), before: op.Path}
			cut.fs = cutPower(mem, r)
			cut.committed = committed.Load()
			cuts.list = append(cuts.list, cut)
		}
		return nil
	}))
	for range 2 {
		d := mustOpen(t, pebblestore.Options{Dir: "/data", FS: fs, MemTableBytes: 1 << 20})
		s := mustOpenShard(t, d)
		for range 40 {
			n := committed.Add(1)
			b := storetest.Numbered(s, int(n))
			b.Put(store.Key{Family: store.FamilyFeed, Name: []byte("ballast")}, make([]byte, 100<<10))
			s.Commit(b, func(err error) {
				if err != nil {
					t.Errorf("commit %d: %v", n, err)
				}
				acknowledged.Store(n)
			})
			if n%5 == 0 {
				wait(t, s)
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d power cuts", len(cuts.list))
	if len(cuts.list) < 50 {
		t.Fatalf("only %d places to cut the power were seen", len(cuts.list))
	}
	for i, cut := range cuts.list {
		d, err := pebblestore.Open(pebblestore.Options{Dir: "/data", FS: cut.fs})
		if err != nil {
			t.Fatalf("cut %d, before %s: %v", i, cut.before, err)
		}
		n := int64(storetest.Count(t, mustOpenShard(t, d)))
		if n < cut.acknowledged || n > cut.committed {
			t.Fatalf("cut %d, before %s: %d batches survived; %d were acknowledged, %d committed", i, cut.before, n, cut.acknowledged, cut.committed)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDiskFails makes the file system fail for good at one kind of file. The
// driver must say so on Fatal, acknowledge nothing it does not have, answer
// every commit, close, and not panic; after the process has ended, what was
// acknowledged is there.
func TestDiskFails(t *testing.T) {
	for name, broken := range map[string]func(errorfs.Op) bool{
		"log sync":         func(op errorfs.Op) bool { return isSync(op) && strings.HasSuffix(op.Path, ".log") },
		"log write":        func(op errorfs.Op) bool { return op.Kind == errorfs.OpFileWrite && strings.HasSuffix(op.Path, ".log") },
		"log creation":     func(op errorfs.Op) bool { return isCreate(op) && strings.HasSuffix(op.Path, ".log") },
		"list of tables":   func(op errorfs.Op) bool { return isSync(op) && strings.Contains(op.Path, "MANIFEST") },
		"write of a table": func(op errorfs.Op) bool { return op.Kind == errorfs.OpFileWrite && strings.HasSuffix(op.Path, ".sst") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mem := vfs.NewCrashableMem()
			var on atomic.Bool
			var failures atomic.Int64
			// Tables are written in the background and tried again, so that
			// commits stall until the disk works again, which it does soon.
			tables := name == "write of a table"
			fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if on.Load() && broken(op) && (failures.Add(1) <= 2 || !tables) {
					return errorfs.ErrInjected
				}
				return nil
			}))
			d := mustOpen(t, pebblestore.Options{Dir: "/data", FS: fs, MemTableBytes: 1 << 20})
			shards := []store.Shard{mustOpenShard(t, d), nil}
			var err error
			if shards[1], err = d.Open(context.Background(), store.SlotRange{From: 4, To: 8}); err != nil {
				t.Fatal(err)
			}
			acknowledged := commitUntilFailure(t, d, shards, func(n int) { on.Store(n >= 5) })
			err = d.Close()
			if failures.Load() == 0 {
				t.Fatal("nothing failed")
			}
			if tables {
				if d.Err() != nil || err != nil || acknowledged[0] != 60 {
					t.Fatalf("the disk had a fit; Err is %v, Close returned %v, %v were acknowledged", d.Err(), err, acknowledged)
				}
			} else if d.Err() == nil || err == nil {
				t.Fatalf("the disk failed; Err is %v, Close returned %v", d.Err(), err)
			}
			after := mustOpen(t, pebblestore.Options{Dir: "/data", FS: mem.CrashClone(vfs.CrashCloneCfg{})})
			for i := range shards {
				from := store.Slot(4 * i)
				s, err := after.Open(context.Background(), store.SlotRange{From: from, To: from + 4})
				if err != nil {
					t.Fatal(err)
				}
				if n := storetest.Count(t, s); n < acknowledged[i] {
					t.Fatalf("shard %d: %d batches survived of %d that were acknowledged", i, n, acknowledged[i])
				}
			}
			if err := after.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// commitUntilFailure commits to the shards in turn until each has failed, or
// sixty times, and returns how many batches of each were acknowledged.
func commitUntilFailure(t *testing.T, d *pebblestore.Driver, shards []store.Shard, before func(n int)) []int {
	acknowledged := make([]int, len(shards))
	failed := make([]bool, len(shards))
	for n := 1; n <= 60; n++ {
		before(n)
		for i, s := range shards {
			b := storetest.Numbered(s, n)
			b.Put(store.Key{Family: store.FamilyFeed, Slot: s.Slots().From, Name: []byte("ballast")}, make([]byte, 60<<10))
			done := make(chan error, 1)
			s.Commit(b, func(err error) { done <- err })
			switch err := <-done; {
			case err == nil && failed[i]:
				t.Fatalf("batch %d was acknowledged behind one that failed", n)
			case err == nil:
				acknowledged[i] = n
			case !failed[i] && !errors.Is(err, store.ErrUnknown) && !errors.Is(err, store.ErrNotDone):
				t.Fatalf("batch %d: %v", n, err)
			default:
				failed[i] = true
			}
		}
	}
	if failed[0] {
		<-d.Fatal()
		if _, err := d.Open(context.Background(), slots); err == nil {
			t.Fatal("opened slots of a database that has failed")
		}
		if d.Metrics() != (pebblestore.Metrics{}) {
			t.Fatal("metrics of a database that has failed")
		}
	}
	return acknowledged
}

func isSync(op errorfs.Op) bool {
	return op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo
}

func isCreate(op errorfs.Op) bool {
	return op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpReuseForWrite
}

func mustOpen(t testing.TB, o pebblestore.Options) *pebblestore.Driver {
	t.Helper()
	d, err := pebblestore.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mustOpenShard(t testing.TB, d store.Driver) store.Shard {
	t.Helper()
	s, err := d.Open(context.Background(), slots)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wait returns when everything committed so far is durable.
func wait(t testing.TB, s store.Shard) {
	t.Helper()
	if err := commit(s, &store.Batch{}); err != nil {
		t.Fatal(err)
	}
}

func commit(s store.Shard, b *store.Batch) error {
	done := make(chan error, 1)
	s.Commit(b, func(err error) { done <- err })
	return <-done
}
