package pebblestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/storetest"
)

// fate is what became of a flipped bit.
type fate int

const (
	refused   fate = iota // the folder does not open, and says why
	noticed               // what reads it gets store.ErrCorrupt
	harmless              // everything is read as it was written
	undefined             // anything else: what must not be
)

// TestEveryBit flips one bit of the data folder at rest and opens it: either it
// is refused, or whoever reads what is damaged gets store.ErrCorrupt, or every
// value is what was written, because nothing depends on that bit. Nothing else
// is ever returned. The long form (PERDURE_CRASH_POINTS) flips every bit of each
// file, the short one some of each.
func TestEveryBit(t *testing.T) {
	every := 211
	if os.Getenv(crashPointsEnv) != "" {
		every = 1
	}
	fewest := 25 // of a small file
	if underRace {
		every, fewest = 10*every, 2
	}
	for name, folder := range map[string]*vfs.MemFS{"stopped": smallFolder(t, true), "killed": smallFolder(t, false)} {
		t.Run(name, func(t *testing.T) {
			want, how, err := everything(folder.CrashClone(vfs.CrashCloneCfg{}))
			if err != nil || how != harmless || len(want) == 0 {
				t.Fatalf("the folder as it is: %v, %d lines", err, len(want))
			}
			total := [undefined]int{}
			for _, path := range files(t, folder, "/data") {
				var fates [undefined]int
				bits := 8 * len(content(t, folder, path))
				for bit := 0; bit < bits; bit += min(every, 1+bits/fewest) {
					flipped := folder.CrashClone(vfs.CrashCloneCfg{})
					data, err := flipped.UnsafeGetFileDataBuffer(path)
					if err != nil {
						t.Fatal(err)
					}
					data[bit/8] ^= 1 << (bit % 8)
					got, how, err := everything(flipped)
					if how == undefined || how == harmless && got != want {
						t.Fatalf("bit %d of byte %d of %s: %v; got\n%.300s", bit%8, bit/8, path, err, got)
					}
					fates[how]++
					total[how]++
				}
				t.Logf("%-28s %6d bits: %6d refused at the start, %5d noticed when read, %5d without effect",
					strings.TrimPrefix(path, "/data/"), bits, fates[refused], fates[noticed], fates[harmless])
			}
			n := total[refused] + total[noticed] + total[harmless]
			t.Logf("%d of %d flipped bits were detected or without effect (%d refused, %d noticed, %d without effect)",
				n, n, total[refused], total[noticed], total[harmless])
		})
	}
}

// smallFolder has a bit of everything: tables on two levels with a range
// deletion, a list of tables of some length, files that are obsolete, and a log
// with batches, closed or as a kill leaves it.
func smallFolder(t *testing.T, stopped bool) *vfs.MemFS {
	fs := vfs.NewCrashableMem()
	w := &work{}
	d := w.open(t, fs)
	s := w.own(t, d)
	w.commit(t, s, 3)
	w.flush(t, d)
	if err := d.db.Compact(context.Background(), []byte{0}, []byte{0xff}, false); err != nil {
		t.Fatal(err)
	}
	w.commit(t, s, 14) // with a range deletion
	w.flush(t, d)
	w.commit(t, s, 3)
	d.guard.synced.look() // as a moment later
	left := func() *vfs.MemFS {
		return fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	}
	killed := left()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if stopped {
		return left()
	}
	return killed
}

// everything opens a folder and reads all of it, by scans and one by one.
func everything(fs vfs.FS) (all string, how fate, err error) {
	d, err := Open(Options{Dir: "/data", FS: fs, MarkAfter: -1, CacheBytes: 1 << 20, MemTableBytes: 1 << 20, MaxOpenFiles: 20})
	if err != nil {
		return "", refused, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	s, err := d.Open(context.Background(), store.SlotRange{From: 0, To: 4})
	if err != nil {
		return "", fateOf(err), err
	}
	var b strings.Builder
	for family := store.FamilyCurrent; family <= store.FamilyMeta; family++ {
		if err := readFamily(&b, s, family); err != nil {
			return "", fateOf(err), err
		}
	}
	return b.String(), harmless, nil
}

func readFamily(b *strings.Builder, s store.Shard, family store.Family) error {
	var keys []store.Key
	err := s.Scan(context.Background(), store.Key{Family: family}, store.Key{Family: family, Slot: 4}, func(e store.Entry) bool {
		fmt.Fprintf(b, "%v=%x\n", e.Key, e.Value)
		keys = append(keys, store.Key{Family: family, Slot: e.Key.Slot, Name: append([]byte(nil), e.Key.Name...)})
		return true
	})
	if err != nil {
		return err
	}
	for _, k := range keys {
		value, err := s.Get(context.Background(), k)
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "%v=%x\n", k, value)
	}
	return nil
}

func fateOf(err error) fate {
	if errors.Is(err, store.ErrCorrupt) {
		return noticed
	}
	return undefined
}

// TestDamagedBlock: whoever reads what a damaged block holds is told so; the rest
// of the database goes on.
func TestDamagedBlock(t *testing.T) {
	fs := vfs.NewMem()
	w := &work{}
	d := w.open(t, fs)
	s := w.own(t, d)
	b := &store.Batch{}
	for i := range 100 {
		b.Put(store.Key{Family: store.FamilyState, Name: fmt.Appendf(nil, "row %02d", i)}, bytes.Repeat([]byte{byte(i)}, 1000))
	}
	if err := commitNow(s, b); err != nil {
		t.Fatal(err)
	}
	w.flush(t, d)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	damaged := false
	for _, path := range files(t, fs, "/data") {
		data, err := fs.UnsafeGetFileDataBuffer(path)
		if err != nil {
			t.Fatal(err)
		}
		// Compressed, but a row begins with its number.
		if at := bytes.Index(data, []byte("50")); strings.HasSuffix(path, ".sst") && at > 0 {
			data[at] ^= 1
			damaged = true
		}
	}
	if !damaged {
		t.Fatal("nothing was damaged")
	}
	d = w.open(t, fs)
	s = w.own(t, d)
	var ok, bad int
	for i := range 100 {
		switch _, err := s.Get(context.Background(), store.Key{Family: store.FamilyState, Name: fmt.Appendf(nil, "row %02d", i)}); {
		case err == nil:
			ok++
		case errors.Is(err, store.ErrCorrupt):
			bad++
		default:
			t.Fatal(err)
		}
	}
	if ok == 0 || bad == 0 || d.Err() != nil {
		t.Errorf("%d rows were read and %d refused; the driver says %v", ok, bad, d.Err())
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLongBatches: the log's records may be longer than its blocks; one bit in
// any of their pieces is told from a tear.
func TestLongBatches(t *testing.T) {
	fs := vfs.NewCrashableMem()
	w := &work{}
	d := w.open(t, fs)
	s := w.own(t, d)
	b := storetest.Numbered(s, 1)
	b.Put(store.Key{Family: store.FamilyFeed, Name: []byte("long")}, make([]byte, 100<<10))
	if err := commitNow(s, b); err != nil {
		t.Fatal(err)
	}
	killed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	name := logName(t, killed)
	for at := 1 << 10; at < 100<<10; at += 7 << 10 {
		flipped := killed.CrashClone(vfs.CrashCloneCfg{})
		data, err := flipped.UnsafeGetFileDataBuffer("/data/db/" + name)
		if err != nil {
			t.Fatal(err)
		}
		data[at] ^= 0x10
		if _, err := Open(Options{Dir: "/data", FS: flipped}); !errors.Is(err, store.ErrCorrupt) {
			t.Fatalf("a bit of byte %d of the last batch was flipped: %v", at, err)
		}
	}
}
