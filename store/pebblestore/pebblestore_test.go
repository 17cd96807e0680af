package pebblestore_test

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/pebblestore"
	"github.com/perdure/perdure/store/storetest"
)

// disk is a pebblestore on a memory file system whose power can be cut.
type disk struct {
	fs   *vfs.MemFS
	opt  pebblestore.Options
	free atomic.Uint64
}

func newDisk(opt pebblestore.Options) *disk {
	d := &disk{fs: vfs.NewCrashableMem(), opt: opt}
	d.free.Store(100 << 30)
	d.opt.Dir = "/data"
	d.opt.DiskUsage = func() (pebblestore.Disk, error) {
		return pebblestore.Disk{FreeBytes: d.free.Load(), TotalBytes: 200 << 30}, nil
	}
	d.opt.SpaceCheckEvery = time.Nanosecond
	return d
}

func (d *disk) Open(t storetest.TB) store.Driver {
	t.Helper()
	d.opt.FS = d.fs
	driver, err := pebblestore.Open(d.opt)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return driver
}

func (d *disk) Crash(_ storetest.TB, r *rand.Rand) { d.fs = cutPower(d.fs, r) }

func (d *disk) Fill(full bool) {
	if d.free.Store(100 << 30); full {
		d.free.Store(1 << 20)
	}
}

// cutPower returns the file system as a power cut leaves it: all that was
// synced, and of the rest none, some or all.
func cutPower(fs *vfs.MemFS, r *rand.Rand) *vfs.MemFS {
	return fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[r.IntN(3)], RNG: r})
}

func TestConformance(t *testing.T) {
	small := pebblestore.Options{MemTableBytes: 1 << 20, CacheBytes: 1 << 20, MaxInFlight: 2}
	for name, opt := range map[string]pebblestore.Options{"defaults": {}, "small": small} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func() storetest.Disk { return newDisk(opt) })
		})
	}
}
