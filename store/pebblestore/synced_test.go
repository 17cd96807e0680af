package pebblestore

import (
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"

	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/storetest"
)

// logged are the folders of a store with batches in its log: one that was closed,
// and one whose server was killed when the file SYNCED knew of all of them.
func logged(t *testing.T, batches int) map[string]*vfs.MemFS {
	t.Helper()
	fs := vfs.NewCrashableMem()
	w := &work{}
	d := w.open(t, fs)
	w.commit(t, w.own(t, d), batches)
	all := func(seed uint64) *vfs.MemFS {
		return fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(seed, 1))})
	}
	d.guard.synced.look()
	killed := all(1)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return map[string]*vfs.MemFS{"killed": killed, "closed": all(2)}
}

// losses are what may happen to a log behind everybody's back.
var losses = map[string]func(t *testing.T, fs vfs.FS, log string){
	"cut by a batch": func(t *testing.T, fs vfs.FS, log string) {
		alter(t, fs, log, func(b []byte) []byte { return b[:len(b)-oldHeaderBytes-1] })
	},
	"cut in half": func(t *testing.T, fs vfs.FS, log string) {
		alter(t, fs, log, func(b []byte) []byte { return b[:len(b)/2] })
	},
	"emptied": func(t *testing.T, fs vfs.FS, log string) { alter(t, fs, log, func(b []byte) []byte { return nil }) },
	"zeroed from half": func(t *testing.T, fs vfs.FS, log string) {
		alter(t, fs, log, func(b []byte) []byte { clear(b[len(b)/2:]); return b })
	},
	"deleted": func(t *testing.T, fs vfs.FS, log string) {
		if err := fs.Remove(log); err != nil {
			t.Fatal(err)
		}
	},
}

// alter gives a file other content.
func alter(t *testing.T, fs vfs.FS, name string, change func([]byte) []byte) {
	t.Helper()
	content, err := readWhole(fs, name)
	if err != nil {
		t.Fatal(err)
	}
	rewrite(t, fs, name, change(content))
}

// I1: a log of which something is gone is not taken for one torn by a crash: the
// server does not start, says why and changes nothing. Without the file that knows
// better it starts, with what is left.
func TestLostLog(t *testing.T) {
	const batches = 20
	for how, lose := range losses {
		for state, fs := range logged(t, batches) {
			t.Run(how+", "+state, func(t *testing.T) {
				lose(t, fs, "/data/db/"+logName(t, fs))
				before := list(t, fs)
				_, err := Open(Options{Dir: "/data", FS: fs, MarkAfter: -1})
				if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "remove the file SYNCED") {
					t.Fatalf("opened: %v", err)
				}
				if _, err := Inspect(Options{Dir: "/data", FS: fs}); !errors.Is(err, store.ErrCorrupt) {
					t.Errorf("inspected: %v", err)
				}
				if after := list(t, fs); after != before {
					t.Errorf("the folder had %s, and now %s", before, after)
				}
				if err := fs.Remove("/data/db/" + syncedName); err != nil {
					t.Fatal(err)
				}
				if n := countIn(t, fs); n >= batches {
					t.Errorf("%d batches are left of %d: nothing was lost", n, batches)
				}
			})
		}
	}
}

// What the file claims holds for folders that are as they were left, and for those
// where it is older than the log, damaged or gone.
func TestSyncedFileIsRight(t *testing.T) {
	const batches = 20
	for what, change := range map[string]func([]byte) []byte{
		"as it was": func(b []byte) []byte { return b },
		"older":     func(b []byte) []byte { p, _ := parsePosition(b); p.length /= 2; return []byte(p.line()) },
		"of a log that is gone": func(b []byte) []byte {
			p, _ := parsePosition(b)
			return []byte(position{log: p.log - 1, length: p.length}.line())
		},
		"cut off": func(b []byte) []byte { return b[:len(b)/2] },
		"damaged": func(b []byte) []byte { b[10]++; return b },
		"empty":   func([]byte) []byte { return nil },
	} {
		for state, fs := range logged(t, batches) {
			alter(t, fs, "/data/db/"+syncedName, change)
			if n := countIn(t, fs); n != batches {
				t.Errorf("%s, %s: %d batches are there of %d", what, state, n, batches)
			}
		}
	}
}

// After a clean stop the file knows the newest log to its last byte.
func TestSyncedFileOfAClosedStore(t *testing.T) {
	fs := logged(t, 20)["closed"]
	name := logName(t, fs)
	number, _, _ := wal.ParseLogFilename(name)
	want := position{log: number, length: int64(len(contents(t, fs, name)))}
	if got, err := readSynced(fs, "/data/db"); err != nil || got != want {
		t.Errorf("it says %v (%v), want %v", got, err, want)
	}
	// Its trailer is no batch.
	alter(t, fs, "/data/db/"+name, func(b []byte) []byte { return b[:len(b)-1] })
	if n := countIn(t, fs); n != 20 {
		t.Errorf("without the end of the trailer %d batches are there", n)
	}
}

// countIn opens a folder and counts the batches in it.
func countIn(t *testing.T, fs vfs.FS) int {
	t.Helper()
	d, err := Open(Options{Dir: "/data", FS: fs, MarkAfter: -1})
	if err != nil {
		t.Fatal(err)
	}
	n := storetest.Count(t, new(work).own(t, d))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return n
}

// list are the files of the database with their sizes.
func list(t *testing.T, fs vfs.FS) string {
	t.Helper()
	names, err := fs.List("/data/db")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	var all strings.Builder
	for _, name := range names {
		content, err := readWhole(fs, "/data/db/"+name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		all.WriteString(name + " " + strconv.Itoa(len(content)) + "; ")
	}
	return all.String()
}

// stuckDisk never ends a write to the file SYNCED.
type stuckDisk struct{ vfs.FS }

type stuckFile struct{ vfs.File }

func (d stuckDisk) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := d.FS.OpenReadWrite(name, category, opts...)
	return stuckFile{f}, err
}

func (stuckFile) WriteAt([]byte, int64) (int, error) { select {} }

// I11: a store that has failed is closed although its disk hangs.
func TestCloseDoesNotWaitForTheSyncedFile(t *testing.T) {
	w := &work{}
	d, err := Open(Options{Dir: "/data", FS: stuckDisk{vfs.NewCrashableMem()}, MarkAfter: -1})
	if err != nil {
		t.Fatal(err)
	}
	w.commit(t, w.own(t, d), 3)
	d.fault.set(errors.New("the disk is gone"))
	if err := d.Close(); err == nil {
		t.Error("closed without a word")
	}
}

// shortDisk has room for so many bytes of logs, and then takes part of a write.
type shortDisk struct {
	vfs.FS
	room int
}

type shortLog struct {
	vfs.File
	disk *shortDisk
}

func (d *shortDisk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, category)
	return &shortLog{f, d}, err
}

func (f *shortLog) Write(p []byte) (int, error) {
	n, err := f.File.Write(p[:min(len(p), f.disk.room)])
	if f.disk.room -= n; err == nil && n < len(p) {
		err = syscall.ENOSPC
	}
	return n, err
}

// What a full disk took of a write is not claimed, although the log is synced once
// more when it is closed.
func TestShortWriteIsNotClaimed(t *testing.T) {
	const block = 32 << 10
	mem := vfs.NewMem()
	synced := &syncedFile{every: -1}
	g := &guardFS{FS: &shortDisk{mem, block + 100}, dir: "/db", fault: &fault{gone: make(chan struct{})}, synced: synced}
	if err := mem.MkdirAll("/db", 0o755); err != nil {
		t.Fatal(err)
	}
	log, err := g.Create("/db/000007.log", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.Write(make([]byte, block)); err != nil {
		t.Fatal(err)
	}
	if err := log.SyncData(); err != nil {
		t.Fatal(err)
	}
	if _, err := log.Write(make([]byte, block)); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("a write without room: %v", err)
	}
	if err := log.SyncData(); err != nil {
		t.Fatal(err)
	}
	if want := (position{log: 7, length: block}); synced.mu.newest != want {
		t.Errorf("claimed is %v, want %v", synced.mu.newest, want)
	}
}
