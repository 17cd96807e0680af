package pebblestore

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
	"github.com/cockroachdb/pebble/v2/wal"

	"github.com/perdure/perdure/store"
)

// newLog returns the log of a database after some synced batches, as a power
// cut leaves it, with its number.
func newLog(t testing.TB, batches, valueBytes int) (log []byte, number uint32) {
	t.Helper()
	fs := vfs.NewCrashableMem()
	d, err := Open(Options{Dir: "/data", FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.Open(context.Background(), store.SlotRange{From: 0, To: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range batches {
		b := &store.Batch{}
		b.Put(store.Key{Family: 1, Name: []byte{byte(i)}}, make([]byte, valueBytes))
		done := make(chan error)
		s.Commit(b, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	cut := fs.CrashClone(vfs.CrashCloneCfg{})
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	name := logName(t, cut)
	n, _, _ := wal.ParseLogFilename(name)
	return contents(t, cut, name), uint32(n)
}

// logName returns the newest log; older ones are removed in the background.
func logName(t testing.TB, fs vfs.FS) string {
	t.Helper()
	names, err := fs.List("/data/db")
	if err != nil {
		t.Fatal(err)
	}
	newest := ""
	for _, name := range names {
		if strings.HasSuffix(name, ".log") {
			newest = max(newest, name)
		}
	}
	return newest
}

func contents(t testing.TB, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open("/data/db/" + name)
	if err != nil {
		t.Fatal(err)
	}
	log, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// starts returns the offset of every chunk.
func starts(log []byte, number uint32) []int {
	var at []int
	for i := 0; i < len(log); {
		i = skipPadding(log, i)
		c, ok := chunkFormat{number: number}.chunk(log, i)
		if !ok {
			break
		}
		at = append(at, i)
		i = c.end
	}
	return at
}

// TestTornOrDamaged cuts a log at every place (torn: recovery may go on), and
// damages every record (it may not go on): by one bit, which is always
// recognised, and by four bytes, which are unless it is one of the last two
// records, which nothing in the log knows to be acknowledged.
func TestTornOrDamaged(t *testing.T) {
	for _, valueBytes := range []int{10, 5000, 100_000} {
		log, number := newLog(t, 20, valueBytes)
		if _, damaged := tailDamage(log, number); damaged {
			t.Fatal("a whole log counts as damaged")
		}
		for cut := 0; cut < len(log); cut += max(1, len(log)/3000) {
			if p, damaged := tailDamage(log[:cut], number); damaged {
				t.Fatalf("a log torn at %d of %d counts as damaged at %d", cut, len(log), p.end)
			}
			zeroed := append(append([]byte{}, log[:cut]...), make([]byte, min(len(log)-cut, 4096))...)
			if p, damaged := tailDamage(zeroed, number); damaged {
				t.Fatalf("a log zeroed from %d of %d counts as damaged at %d", cut, len(log), p.end)
			}
		}
		chunks := starts(log, number)
		records := 0 // that begin behind the chunk
		for i := len(chunks) - 1; i >= 0; i-- {
			flipped := append([]byte{}, log...)
			flipped[chunks[i]+syncHeaderBytes] ^= 1
			if _, damaged := tailDamage(flipped, number); !damaged {
				t.Fatalf("values of %d bytes: a bit flipped in chunk %d of %d counts as torn", valueBytes, i, len(chunks))
			}
			copy(flipped[chunks[i]+syncHeaderBytes:], "torn")
			_, damaged := tailDamage(flipped, number)
			// Record n+1 was written when n was acknowledged, so that two
			// records behind it prove that a batch in between is missing.
			if want := records >= 2; damaged != want && records != 1 {
				t.Fatalf("values of %d bytes: bytes changed in chunk %d of %d, %d records from the end: damaged is %v", valueBytes, i, len(chunks), records, damaged)
			}
			if c, _ := (chunkFormat{number: number}).chunk(log, chunks[i]); c.part == partFull || c.part == partFirst {
				records++
			}
		}
	}
}

// TestDamageIsRefused: opening a folder with such a log fails and changes
// nothing. Pebble alone drops acknowledged batches here; the day it no longer
// does, this test fails, and marks may go.
func TestDamageIsRefused(t *testing.T) {
	fs := vfs.NewCrashableMem()
	d, err := Open(Options{Dir: "/data", FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.Open(context.Background(), store.SlotRange{From: 0, To: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		b := &store.Batch{}
		b.Put(store.Key{Family: 1, Name: []byte{byte(i)}}, []byte("value"))
		done := make(chan error)
		s.Commit(b, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	cut := fs.CrashClone(vfs.CrashCloneCfg{})
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	name := logName(t, cut)
	n, _, _ := wal.ParseLogFilename(name)
	log := contents(t, cut, name)
	log[starts(log, uint32(n))[4]+syncHeaderBytes] ^= 1
	f, err := cut.Create("/data/db/"+name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(append([]byte{}, log...)); err != nil { // Write may change what it is given
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: "/data", FS: cut}); !errors.Is(err, store.ErrCorrupt) {
		t.Fatalf("a damaged log was opened: %v", err)
	}
	if string(contents(t, cut, name)) != string(log) {
		t.Fatal("the damaged log was changed")
	}
	alone, err := pebble.Open("/data/db", &pebble.Options{FS: cut, Logger: &logger{log: slog.New(slog.DiscardHandler)}})
	if err != nil {
		t.Fatalf("Pebble alone sees the damage: %v", err)
	}
	if _, _, err := alone.Get(appendKey(nil, store.Key{Family: 1, Name: []byte{9}})); !errors.Is(err, pebble.ErrNotFound) {
		t.Fatalf("Pebble alone loses nothing: %v", err)
	}
	if err := alone.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestQuietLog: a log that was closed, or to which nothing was added for a
// while, has no batch whose damage looks like a tear.
func TestQuietLog(t *testing.T) {
	for name, rest := range map[string]func(*Driver) error{
		"closed": func(d *Driver) error { return d.Close() },
		"marked": func(d *Driver) error { d.idle.look(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewCrashableMem()
			d, err := Open(Options{Dir: "/data", FS: fs, MarkAfter: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			s, err := d.Open(context.Background(), store.SlotRange{From: 0, To: 1})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				b := &store.Batch{}
				b.Put(store.Key{Family: 1, Name: []byte{byte(i)}}, []byte("value"))
				done := make(chan error)
				s.Commit(b, func(err error) { done <- err })
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
			d.idle.mu.Lock()
			d.idle.mu.seen = d.idle.mu.marked // the time has passed
			d.idle.mu.Unlock()
			if err := rest(d); err != nil {
				t.Fatal(err)
			}
			fs = fs.CrashClone(vfs.CrashCloneCfg{})
			name := logName(t, fs)
			n, _, _ := wal.ParseLogFilename(name)
			log := contents(t, fs, name)
			chunks := starts(log, uint32(n))
			last := len(chunks) - 1
			if len(chunks) == 5 {
				last-- // the mark itself, which nobody misses
			}
			for _, at := range chunks[:last+1] {
				damaged := append([]byte{}, log...)
				copy(damaged[at+syncHeaderBytes:], "torn")
				if _, found := tailDamage(damaged, uint32(n)); !found {
					t.Errorf("damage at %d of %d looks like a tear", at, len(log))
				}
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestOneBit: every bit of a chunk, flipped, is recognised as one; two are not.
func TestOneBit(t *testing.T) {
	log, number := newLog(t, 3, 300)
	format := chunkFormat{number: number}
	for _, at := range starts(log, number) {
		c, _ := format.chunk(log, at)
		for i := at; i < c.end; i++ {
			for bit := range 8 {
				log[i] ^= 1 << bit
				if !format.oneBitOff(log, at) {
					t.Fatalf("bit %d of byte %d of the chunk at %d is not recognised", bit, i-at, at)
				}
				log[i] ^= 1 << bit
			}
		}
		log[at+syncHeaderBytes] ^= 3
		if format.oneBitOff(log, at) {
			t.Fatal("two bits count as one")
		}
		log[at+syncHeaderBytes] ^= 3
	}
}

// TestDamagedList: a list of tables that is cut off anywhere behind its first record
// is torn; one bit flipped anywhere is damage.
func TestDamagedList(t *testing.T) {
	fs := vfs.NewCrashableMem()
	d, err := Open(Options{Dir: "/data", FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := errors.Join(d.db.Set([]byte("key"), make([]byte, 100), pebble.Sync), d.db.Flush()); err != nil {
			t.Fatal(err)
		}
	}
	name, err := atomicfs.ReadMarker(fs, "/data/db", "manifest")
	if err != nil {
		t.Fatal(err)
	}
	list := contents(t, fs, name)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	first, ok := chunkFormat{list: true}.chunk(list, 0)
	if _, damaged := listDamage(list); damaged || !ok || first.end == len(list) {
		t.Fatalf("a list of %d bytes, the first record ends at %d: damaged is %v", len(list), first.end, damaged)
	}
	for cut := first.end; cut < len(list); cut++ {
		if at, damaged := listDamage(list[:cut]); damaged {
			t.Fatalf("a list torn at %d of %d counts as damaged at %d", cut, len(list), at)
		}
	}
	for i := range list {
		for bit := range 8 {
			list[i] ^= 1 << bit
			if _, damaged := listDamage(list); !damaged {
				t.Fatalf("bit %d of byte %d of %d, flipped, counts as torn", bit, i, len(list))
			}
			list[i] ^= 1 << bit
		}
	}
}

// TestTornOutOfOrder: of the unsynced end of a log a power cut may keep later
// pages and lose earlier ones. That is no damage.
func TestTornOutOfOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 20 {
		fs := vfs.NewCrashableMem()
		d, err := Open(Options{Dir: "/data", FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		s, err := d.Open(context.Background(), store.SlotRange{From: 0, To: 1})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 30 {
			b := &store.Batch{}
			b.Put(store.Key{Family: 1, Name: []byte{byte(i)}}, make([]byte, r.IntN(3000)))
			s.Commit(b, func(error) {})
		}
		cut := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: r})
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		d, err = Open(Options{Dir: "/data", FS: cut})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzTail: nothing that a log may hold makes the check panic, and it never
// looks past the log.
func FuzzTail(f *testing.F) {
	log, number := newLog(f, 5, 30)
	f.Add(log, number)
	f.Add(log[:len(log)/2], number)
	f.Add([]byte{}, uint32(1))
	f.Fuzz(func(t *testing.T, log []byte, number uint32) {
		if p, _ := tailDamage(log, number); p.end < 0 || p.end > p.bad || p.bad > len(log) {
			t.Fatalf("offsets %d and %d in a log of %d bytes", p.end, p.bad, len(log))
		}
	})
}

// FuzzEpoch: an epoch is read back as it was written, or not at all.
func FuzzEpoch(f *testing.F) {
	f.Add(encodeEpoch(0))
	f.Add(encodeEpoch(1 << 63))
	f.Fuzz(func(t *testing.T, b []byte) {
		if epoch, err := decodeEpoch(b); err == nil && string(encodeEpoch(epoch)) != string(b) {
			t.Fatalf("%x reads as %d", b, epoch)
		}
	})
}

// FuzzFormat: a format file is read back as it was written, or not at all.
func FuzzFormat(f *testing.F) {
	f.Add([]byte(formatLine(FormatVersion)))
	f.Add([]byte("perdure store 99999999999999999999\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if version, err := parseFormat(content); err == nil && formatLine(version) != string(content) {
			t.Fatalf("%q reads as %d", content, version)
		}
	})
}

// FuzzKey: a key on disk is read back as it was written, and the order of the
// bytes is the order of the keys.
func FuzzKey(f *testing.F) {
	f.Add([]byte("\x03\x10\x00name"), []byte("\x03\x0f\xff"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		x, errX := parseKey(a)
		y, errY := parseKey(b)
		if errX != nil || errY != nil {
			return
		}
		if string(appendKey(nil, x)) != string(a) {
			t.Fatalf("%x reads as %v", a, x)
		}
		if bytewise := strings.Compare(string(a), string(b)); (x.Compare(y) < 0) != (bytewise < 0) || (x.Compare(y) > 0) != (bytewise > 0) {
			t.Fatalf("%x and %x are ordered %d, their keys %d", a, b, bytewise, x.Compare(y))
		}
	})
}

// TestSpaceMarks: the marks follow the size of the disk, hold until there is
// some slack, and an unknown disk is not full.
func TestSpaceMarks(t *testing.T) {
	disk, failing := Disk{FreeBytes: 1 << 40, TotalBytes: 1 << 40}, error(nil)
	o := Options{Dir: "d", FS: vfs.NewMem(), DiskUsage: func() (Disk, error) { return disk, failing }}.withDefaults()
	s := &space{usage: o.DiskUsage, now: o.Now, every: -1}
	for _, step := range []struct {
		name       string
		free       uint64
		err        error
		low, empty bool
	}{
		{"plenty", 2 << 30, nil, false, false},
		{"at the mark", 1 << 30, nil, false, false},
		{"below the mark", 1<<30 - 1, nil, true, false},
		{"hardly above the mark", 1<<30 + 1, nil, true, false},
		{"at the reserve", 1 << 28, nil, true, false},
		{"below the reserve", 1<<28 - 1, nil, true, true},
		{"hardly above the reserve", 1<<28 + 1, nil, true, true},
		{"above the reserve with slack", 1<<28 + 1<<26, nil, true, false},
		{"unknown", 0, errors.New("no such call"), false, false},
		{"above the mark with slack", 1<<30 + 1<<28, nil, false, false},
	} {
		disk.FreeBytes, failing = step.free, step.err
		s.look()
		if s.low.Load() != step.low || s.empty.Load() != step.empty {
			t.Errorf("%s: low is %v, empty %v", step.name, s.low.Load(), s.empty.Load())
		}
	}
	// Between measurements what is written counts.
	s.every = time.Hour
	s.look()
	disk.FreeBytes = 0
	s.written.Store(s.slack.Load() - 1)
	if s.look(); s.low.Load() {
		t.Error("the disk was measured before its time")
	}
	s.written.Add(1)
	if s.look(); !s.low.Load() || s.written.Load() != 0 {
		t.Error("much was written, and the disk was not measured")
	}
	if low, reserve := s.marks(Disk{TotalBytes: 1 << 30}); low != 1<<30/20 || reserve != low/4 {
		t.Errorf("a small disk has marks %d and %d", low, reserve)
	}
}
