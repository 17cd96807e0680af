package pebblestore

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// guardFS keeps from Pebble those errors of the file system that it cannot
// bear: when a new log cannot be begun, or the old one not be ended, Pebble
// panics with its lock in a state that makes the panic end the process, which
// no recover can stop. These calls do not return; see logger.Fatalf. Failed
// writes and syncs of a log do return, so that whoever waits for them learns of
// it, but not before the fault is set.
//
// It makes the folder durable before a marker is created in it: Pebble names
// its new list of tables in a marker and syncs the folder once for both, so
// that a file system free to keep either entry could keep the marker alone.
//
// It also slows down the work on tables after a failure: Pebble tries a flush
// again at once and for ever, which with a full disk is a busy loop.
type guardFS struct {
	vfs.FS
	dir    string // of the database
	fault  *fault
	armed  atomic.Bool // false while the database is being opened: errors are returned then
	failed atomic.Bool // background work has failed; the next table waits

	syncs, syncNanos atomic.Uint64 // of logs
	synced           *syncedFile   // is told how far the logs are synced
}

// retryPause is how long a new table waits after background work has failed.
const retryPause = 100 * time.Millisecond

// end makes err the end of the database, and does not return.
func (g *guardFS) end(what string, err error) {
	if g.armed.Load() {
		g.fault.set(fmt.Errorf("%s: %w", what, err))
		select {}
	}
}

func isLog(name string) bool { return strings.HasSuffix(name, ".log") }

func (g *guardFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasSuffix(name, ".sst") && g.failed.CompareAndSwap(true, false) {
		<-time.After(retryPause)
	}
	if strings.HasPrefix(g.FS.PathBase(name), "marker.") {
		if err := syncDir(g.FS, g.FS.PathDir(name)); err != nil {
			return nil, err
		}
	}
	f, err := g.FS.Create(name, category)
	return g.newFile("create", name, f, err)
}

func (g *guardFS) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.ReuseForWrite(old, name, category)
	return g.newFile("reuse", name, f, err)
}

func (g *guardFS) newFile(what, name string, f vfs.File, err error) (vfs.File, error) {
	switch {
	case !isLog(name):
		return f, err
	case err != nil:
		g.end(what+" log "+name, err)
		return nil, err
	}
	guarded := &guardedFile{File: f, guard: g, name: name}
	if g.FS.PathDir(name) == g.dir { // and not the copy that a checkpoint makes
		guarded.number, _, _ = wal.ParseLogFilename(g.FS.PathBase(name))
	}
	return guarded, nil
}

// OpenDir guards the syncs of the folder, which make new logs durable.
func (g *guardFS) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &guardedFile{File: f, guard: g, name: name, dir: true}, nil
}

// guardedFile is a log, or the folder of the logs.
type guardedFile struct {
	vfs.File
	guard *guardFS
	name  string
	dir   bool

	number wal.NumWAL // of a log of the database; else 0
	length atomic.Int64
	// failed: a write or sync has, and from then on nobody knows what of the file
	// is whole, though a later sync may succeed.
	failed atomic.Bool
}

// note records a failed write or sync.
func (f *guardedFile) note(what string, err error) error {
	if err != nil {
		f.failed.Store(true)
	}
	if err != nil && f.dir {
		f.guard.end(what+" "+f.name, err)
	}
	if err != nil && f.guard.armed.Load() {
		f.guard.fault.set(fmt.Errorf("%s %s: %w", what, f.name, err))
	}
	return err
}

func (f *guardedFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.length.Add(int64(n))
	return n, f.note("write", err)
}

func (f *guardedFile) Sync() error     { return f.timed(f.File.Sync) }
func (f *guardedFile) SyncData() error { return f.timed(f.File.SyncData) }

// timed runs a sync, counts it and notes its failure.
func (f *guardedFile) timed(sync func() error) error {
	start := time.Now()
	length := f.length.Load()
	err := sync()
	if !f.dir {
		f.guard.syncs.Add(1)
		f.guard.syncNanos.Add(uint64(time.Since(start)))
	}
	if err == nil && f.number != 0 && !f.failed.Load() {
		f.guard.synced.synced(position{log: f.number, length: length})
	}
	return f.note("sync", err)
}

func (f *guardedFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	return full, f.note("sync", err)
}

func (f *guardedFile) Stat() (vfs.FileInfo, error) {
	info, err := f.File.Stat()
	if err != nil {
		f.guard.end("stat "+f.name, err)
	}
	return info, err
}

// Close is where Pebble ends a log. After a failure it must not learn of it.
func (f *guardedFile) Close() error {
	err := f.File.Close()
	if fault := f.guard.fault.get(); err == nil && !f.dir {
		err = fault
	}
	if err != nil {
		f.guard.end("close "+f.name, err)
	}
	return err
}
