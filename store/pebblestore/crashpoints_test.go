package pebblestore

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/storetest"
)

// crashPointsEnv asks for the long form: every recovery is cut as well, and torn
// files are torn at many places.
const crashPointsEnv = "PERDURE_CRASH_POINTS"

// point is a moment at which the power is cut: before an operation of the file
// system that changes anything, with what is known of the work by then.
type point struct {
	before              string
	disk                *vfs.MemFS     // all that was written
	synced              *vfs.MemFS     // only what was synced
	half                *vfs.MemFS     // of what was not synced about half of the pages and names
	sizes               map[string]int // how much of each file was synced, whatever became of its name
	acknowledged, given int64
	epoch               uint64 // largest that was handed out
}

// recorder is a file system that keeps a point for each operation.
type recorder struct {
	vfs.FS
	mem    *vfs.MemFS
	links  sync.Mutex // see linking
	work   *work
	points struct {
		sync.Mutex
		list  []point
		sizes map[string]int
	}
}

// work is a series of numbered batches, and what is known of it.
type work struct {
	given, acknowledged atomic.Int64
	epoch               atomic.Uint64
}

func record(mem *vfs.MemFS, w *work) *recorder {
	r := &recorder{mem: mem, work: w}
	r.points.sizes = map[string]int{}
	r.FS = errorfs.Wrap(linking{mem, &r.links}, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpLock && op.Kind != errorfs.OpFileClose {
			r.cut(op)
		}
		return nil
	}))
	return r
}

// linking keeps links apart from clones of the disk: a link takes the disk's lock
// twice, and waits for ever when a clone has asked for it in between.
type linking struct {
	vfs.FS
	links *sync.Mutex
}

// Link implements vfs.FS.
func (l linking) Link(from, to string) error {
	l.links.Lock()
	defer l.links.Unlock()
	return l.FS.Link(from, to)
}

// Rename keeps what is known of the file under its new name.
func (r *recorder) Rename(from, to string) error {
	r.points.Lock()
	r.points.sizes[to] = r.points.sizes[from]
	r.points.Unlock()
	return r.FS.Rename(from, to)
}

// cut keeps the present moment as a point. What was acknowledged is read first
// and what was given last, so that the bounds hold whatever runs meanwhile.
func (r *recorder) cut(op errorfs.Op) {
	r.points.Lock()
	defer r.points.Unlock()
	n := uint64(len(r.points.list))
	p := point{before: fmt.Sprintf("operation %d on %s", op.Kind, op.Path), sizes: maps.Clone(r.points.sizes), acknowledged: r.work.acknowledged.Load(), epoch: r.work.epoch.Load()}
	r.links.Lock()
	p.synced = r.mem.CrashClone(vfs.CrashCloneCfg{})
	p.disk = r.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(n, 1))})
	p.half = r.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(n, 2))})
	r.links.Unlock()
	p.given = r.work.given.Load()
	r.points.list = append(r.points.list, p)
	switch op.Kind {
	case errorfs.OpCreate, errorfs.OpReuseForWrite:
		delete(r.points.sizes, op.Path)
	case errorfs.OpFileSync, errorfs.OpFileSyncData:
		if info, err := r.mem.Stat(op.Path); err == nil {
			r.points.sizes[op.Path] = int(info.Size())
		}
	}
}

// TestCrashPoints (I1) cuts the power before every write, sync, creation,
// removal, link and rename of the database's life: it is made, filled, flushed,
// compacted, copied, closed, opened, killed and recovered. Of what was not synced
// by then all is kept, none, about half, or all but the end of one file, which
// is cut off or zeroed. Each remainder must open, show all that was acknowledged
// and a whole number of batches, and go on from there.
func TestCrashPoints(t *testing.T) {
	long := os.Getenv(crashPointsEnv) != ""
	w := &work{}
	points := lifeOfAStore(t, w)
	if len(points) < 200 {
		t.Fatalf("only %d points were seen", len(points))
	}
	var total tally
	for i, p := range points {
		if underRace && i%10 > 0 {
			continue
		}
		total.points++
		total.add(p.check(t, fmt.Sprintf("point %d, before %s", i, p.before), long || i%10 == 0, tears(long)))
		if !long {
			continue
		}
		for variant, disk := range map[string]*vfs.MemFS{"all": p.disk, "synced": p.synced} {
			for j, q := range recoveryOf(t, p, disk) {
				total.recoveries++
				total.add(q.check(t, fmt.Sprintf("point %d (%s), point %d of its recovery, before %s", i, variant, j, q.before), false, 0))
			}
		}
	}
	n := total.points + total.recoveries
	t.Logf("%d of %d crash points recovered, with %d different remainders; %d points were within a recovery", n, n, total.remainders, total.recoveries)
}

func tears(long bool) int {
	if long {
		return 16
	}
	return 2
}

type tally struct{ points, remainders, recoveries int }

func (t *tally) add(remainders int) { t.remainders += remainders }

// lifeOfAStore does everything a store does and returns its points.
func lifeOfAStore(t *testing.T, w *work) []point {
	r := record(vfs.NewCrashableMem(), w)
	d := w.open(t, r)
	s := w.own(t, d)
	w.commit(t, s, 6)
	w.flush(t, d)
	w.burst(t, s, 5)
	d.writeMark()
	w.flush(t, d)
	w.commit(t, s, 3)
	w.flush(t, d)
	if err := d.db.Compact(context.Background(), []byte{0}, []byte{0xff}, false); err != nil {
		t.Fatal(err)
	}
	w.commit(t, s, 2)
	if err := d.Checkpoint("/backup"); err != nil {
		t.Fatal(err)
	}
	s = w.own(t, d) // another owner takes over
	w.burst(t, s, 4)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = w.open(t, r)
	w.commit(t, w.own(t, d), 3)

	// The process is killed: what was written stays, the process's memory goes.
	killed := r.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	after := record(killed, w)
	d = w.open(t, after)
	s = w.own(t, d)
	w.burst(t, s, 5)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return append(r.points.list, after.points.list...)
}

// recoveryOf returns the points of opening what a cut left, and of a batch more.
func recoveryOf(t *testing.T, p point, disk *vfs.MemFS) []point {
	w := &work{}
	w.given.Store(p.given)
	w.acknowledged.Store(p.acknowledged)
	w.epoch.Store(p.epoch)
	r := record(disk.CrashClone(vfs.CrashCloneCfg{}), w)
	d := w.open(t, r)
	s := w.own(t, d)
	n := int64(storetest.Count(t, s))
	w.given.Store(max(n+1, p.given))
	if err := commitNow(s, storetest.Numbered(s, int(n+1))); err != nil {
		t.Fatal(err)
	}
	w.acknowledged.Store(n + 1)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return r.points.list
}

// check opens every remainder of the point; it returns how many there were.
func (p point) check(t *testing.T, where string, goOn bool, tears int) (remainders int) {
	t.Helper()
	look := func(what string, disk *vfs.MemFS) {
		remainders++
		p.reopen(t, where+": "+what, disk.CrashClone(vfs.CrashCloneCfg{}), goOn)
	}
	look("all is kept", p.disk)
	look("only what was synced is kept", p.synced)
	look("half is kept", p.half)
	for _, path := range files(t, p.disk, "/") {
		all, synced := content(t, p.disk, path), content(t, p.synced, path)
		from := max(common(all, synced), p.sizes[path])
		if tears == 0 || len(all)-from < 2 {
			continue
		}
		for n := range tears {
			at := from + 1 + n*(len(all)-from-1)/tears
			ends := map[string][]byte{"cut off": nil, "zeroed": make([]byte, len(all)-at)}
			if len(synced) > at {
				ends["old"] = synced[at:]
			}
			for what, end := range ends {
				torn := p.disk.CrashClone(vfs.CrashCloneCfg{})
				rewrite(t, torn, path, append(all[:at:at], end...))
				look(fmt.Sprintf("%s is %s from %d of %d", path, what, at, len(all)), torn)
			}
		}
	}
	return remainders
}

// common is the length of the longest common start.
func common(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// reopen opens a disk and looks for what was acknowledged.
func (p point) reopen(t *testing.T, where string, disk *vfs.MemFS, goOn bool) {
	t.Helper()
	w := &work{}
	d, err := Open(Options{Dir: "/data", FS: disk, MarkAfter: -1, CacheBytes: 1 << 20, MemTableBytes: 1 << 20})
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	s := w.own(t, d)
	if s.Epoch() <= p.epoch {
		t.Fatalf("%s: epoch %d was given out again", where, s.Epoch())
	}
	n := storetest.Count(t, s)
	if int64(n) < p.acknowledged || int64(n) > p.given {
		t.Fatalf("%s: %d batches are there; %d were acknowledged, %d given", where, n, p.acknowledged, p.given)
	}
	if !goOn {
		if err := d.Close(); err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		return
	}
	if err := commitNow(s, storetest.Numbered(s, n+1)); err != nil {
		t.Fatalf("%s: go on: %v", where, err)
	}
	if err := d.Close(); err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	d, err = Open(Options{Dir: "/data", FS: disk, MarkAfter: -1, CacheBytes: 1 << 20, MemTableBytes: 1 << 20})
	if err != nil {
		t.Fatalf("%s: open again: %v", where, err)
	}
	if again := storetest.Count(t, w.own(t, d)); again != n+1 {
		t.Fatalf("%s: %d batches were there, one more was added, now there are %d", where, n, again)
	}
	if err := d.Close(); err != nil {
		t.Fatalf("%s: %v", where, err)
	}
}

func (w *work) open(t *testing.T, fs vfs.FS) *Driver {
	t.Helper()
	d, err := Open(Options{Dir: "/data", FS: fs, MarkAfter: -1, ProcessID: 1, CacheBytes: 1 << 20, MemTableBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	d.guard.synced.atOnce()
	return d
}

// atOnce has the file written after each sync, for more moments to be cut off at.
func (s *syncedFile) atOnce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.every = 0
}

func (w *work) own(t *testing.T, d *Driver) store.Shard {
	t.Helper()
	s, err := d.Open(context.Background(), store.SlotRange{From: 0, To: 4})
	if err != nil {
		t.Fatal(err)
	}
	w.epoch.Store(s.Epoch())
	return s
}

// commit commits batches one after the other.
func (w *work) commit(t *testing.T, s store.Shard, n int) {
	t.Helper()
	for range n {
		w.burst(t, s, 1)
	}
}

// burst commits batches without waiting in between.
func (w *work) burst(t *testing.T, s store.Shard, n int) {
	t.Helper()
	var told sync.WaitGroup
	for range n {
		no := w.given.Add(1)
		told.Add(1)
		s.Commit(storetest.Numbered(s, int(no)), func(err error) {
			if err != nil {
				t.Errorf("commit %d: %v", no, err)
			}
			w.acknowledged.Store(no)
			told.Done()
		})
	}
	told.Wait()
}

func (w *work) flush(t *testing.T, d *Driver) {
	t.Helper()
	if err := d.db.Flush(); err != nil {
		t.Fatal(err)
	}
}

func commitNow(s store.Shard, b *store.Batch) error {
	done := make(chan error, 1)
	s.Commit(b, func(err error) { done <- err })
	return <-done
}

// files lists every file below a folder.
func files(t *testing.T, fs vfs.FS, dir string) (paths []string) {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := fs.PathJoin(dir, name)
		info, err := fs.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			paths = append(paths, files(t, fs, path)...)
		} else {
			paths = append(paths, path)
		}
	}
	return paths
}

// content of a file; nothing if there is none.
func content(t *testing.T, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	if err != nil {
		if strings.Contains(err.Error(), "not exist") {
			return nil
		}
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return b
}

func rewrite(t *testing.T, fs vfs.FS, path string, content []byte) {
	t.Helper()
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if len(content) > 0 {
		if _, err := f.Write(append([]byte(nil), content...)); err != nil { // Write may change what it is given
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
