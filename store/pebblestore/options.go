package pebblestore

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options say where the database is and how it uses the machine. Only Dir must
// be set; the defaults suit two cores and a heap that stays small.
type Options struct {
	// Dir is the data folder. It is created if it does not exist.
	Dir string

	// FS is the file system. Defaults to the operating system's. A test hands
	// in one that fails, or that can be cut off from its power.
	FS vfs.FS

	// NoSync acknowledges batches that are not yet on stable storage: a crash
	// of the machine loses them, a crash of the process may. For tests and for
	// data nobody misses. Defaults to false.
	NoSync bool

	// CacheBytes is the size of the cache of table blocks. A bigger one helps
	// when many executions come back after they were evicted. It counts towards
	// the process's memory, though the garbage collector does not scan it. A
	// sixteenth as much, for moments twice that, goes into knowing which ids are not
	// there (roll.go). Defaults to 64 MiB.
	CacheBytes int64

	// MemTableBytes is how much is written before a table is cut from memory.
	// More means that what lives shortly (queued tasks, deadlines, outboxes)
	// is deleted before it ever becomes part of a table; up to three of them
	// are in memory. Defaults to 16 MiB.
	MemTableBytes int64

	// Compression of tables. Defaults to CompressionFast.
	Compression Compression

	// BloomBits per key of a table spare reads for ids that do not exist, such
	// as the check that a new workflow id is unused. Defaults to 10; negative
	// means no filters.
	BloomBits int

	// MaxOpenFiles is a soft limit on open table files. Defaults to 1,000.
	MaxOpenFiles int

	// MaxInFlight bounds the batches of one shard that are committed and not
	// yet durable; past it Commit waits. Each is a loop turn's work, so the
	// bound matters only when the disk stalls. Defaults to 32.
	MaxInFlight int

	// LowWaterBytes is the free disk space below which Full reports true.
	// Defaults to 1 GiB, or a twentieth of the disk if that is less.
	LowWaterBytes uint64

	// ReserveBytes is the free disk space below which commits fail with
	// store.ErrFull. It is what compactions and a clean stop still have.
	// Defaults to a quarter of LowWaterBytes.
	ReserveBytes uint64

	// MarkAfter is how long after the last batch the log is told that it was
	// acknowledged, which costs a sync (tail.go), and how old the file that says how
	// far the log is synced may get (synced.go). Defaults to 1 second; negative
	// means never, and the file is written by Close alone.
	MarkAfter time.Duration

	// DiskUsage measures the disk the folder is on. Defaults to asking FS. When
	// it fails, nothing is known and the disk does not count as full.
	DiskUsage func() (Disk, error)

	// SpaceCheckEvery is how old a measurement of the disk may grow before the
	// next commit, or call of Full, takes a new one. Defaults to 1 second.
	SpaceCheckEvery time.Duration

	// Now is the clock for SpaceCheckEvery. Defaults to time.Now.
	Now func() time.Time

	// Log takes what Pebble has to say: routine at debug level, background
	// errors at error level. Defaults to discarding it.
	Log *slog.Logger

	// ProcessID is written beside the lock, for whoever finds the folder in
	// use. Defaults to os.Getpid.
	ProcessID int

	// firstWords and mostWords are the sizes of sieves (roll.go), for tests.
	firstWords, mostWords int
}

// Disk is the space of a disk, in bytes.
type Disk struct{ FreeBytes, TotalBytes uint64 }

// Compression is how tables are compressed. The log is not.
type Compression uint8

const (
	// CompressionFast costs little on every level.
	CompressionFast Compression = iota
	// CompressionBalanced uses zstd for what has sunk to the lowest levels: some
	// CPU time for a smaller disk. Worth it for long retention.
	CompressionBalanced
	// CompressionNone is for payloads that are encrypted or compressed already.
	CompressionNone
)

const mebibyte = 1 << 20

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	o.CacheBytes = cmp.Or(o.CacheBytes, 64*mebibyte)
	o.MemTableBytes = cmp.Or(o.MemTableBytes, 16*mebibyte)
	o.BloomBits = cmp.Or(o.BloomBits, 10)
	o.MaxOpenFiles = cmp.Or(o.MaxOpenFiles, 1000)
	o.MaxInFlight = cmp.Or(o.MaxInFlight, 32)
	o.SpaceCheckEvery = cmp.Or(o.SpaceCheckEvery, time.Second)
	o.MarkAfter = cmp.Or(o.MarkAfter, time.Second)
	o.ProcessID = cmp.Or(o.ProcessID, os.Getpid())
	if o.DiskUsage == nil {
		fs, dir := o.FS, o.Dir
		o.DiskUsage = func() (Disk, error) {
			usage, err := fs.GetDiskUsage(dir)
			return Disk{FreeBytes: usage.AvailBytes, TotalBytes: usage.TotalBytes}, err
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Validate reports every mistake in the options at once.
func (o Options) Validate() error {
	var errs []error
	if o.Dir == "" {
		errs = append(errs, errors.New("no data folder is given"))
	}
	if o.CacheBytes < 0 || o.MemTableBytes < 0 || o.MaxOpenFiles < 0 || o.MaxInFlight < 0 || o.SpaceCheckEvery < 0 {
		errs = append(errs, errors.New("sizes, counts and durations of the store are not negative"))
	}
	if m := o.MemTableBytes; m != 0 && (m < mebibyte || m > 1024*mebibyte) {
		errs = append(errs, fmt.Errorf("a memtable has 1 MiB to 1 GiB, not %d bytes", m))
	}
	if o.ReserveBytes > 0 && o.LowWaterBytes > 0 && o.ReserveBytes > o.LowWaterBytes {
		errs = append(errs, fmt.Errorf("the reserve of %d bytes lies above the low-water mark of %d", o.ReserveBytes, o.LowWaterBytes))
	}
	if o.Compression > CompressionNone {
		errs = append(errs, fmt.Errorf("unknown compression %d", o.Compression))
	}
	return errors.Join(errs...)
}

// pebbleFormat is the version of Pebble's own files. It is a constant and not
// Pebble's newest, so that going to a new one is a decision of ours: older
// servers cannot read it. It is newer than the one that made the log carry sync
// offsets, which tail.go needs.
const pebbleFormat = pebble.FormatTableFormatV6

// pebbleOptions are the options of the database inside.
func (d *Driver) pebbleOptions(fs vfs.FS) *pebble.Options {
	o := d.opt
	p := &pebble.Options{
		FS:                          fs,
		FormatMajorVersion:          pebbleFormat,
		CacheSize:                   o.CacheBytes,
		MemTableSize:                uint64(o.MemTableBytes),
		MemTableStopWritesThreshold: 3,
		MaxOpenFiles:                o.MaxOpenFiles,
		WALMinSyncInterval:          d.pace.pause,
		// One compaction at a time leaves a core of two to the server; a second
		// one starts when compactions fall behind.
		CompactionConcurrencyRange: func() (lower, upper int) { return 1, 2 },
		// Keys begin with a hash: each flush lies across the whole database, and so
		// does each compaction of level 0. Eight flushes together (Pebble counts
		// each twice) are merged into the level below in one go. With two, a million
		// open executions on the disk cost the others beside them 21 KB of
		// compactions a workflow, and 0.15 ms of CPU; with eight, less than half.
		// The price is a few more filters to ask in each read.
		L0CompactionThreshold: 16,
		L0StopWritesThreshold: 48,
		// A deleted history should leave the disk though nothing else is written.
		FlushDelayDeleteRange: 10 * time.Second,
		Logger:                &logger{log: o.Log, fault: d.fault},
		EventListener:         d.events(),
	}
	for i := range p.Levels {
		p.Levels[i].BlockSize = 16 << 10
		if o.BloomBits > 0 {
			p.Levels[i].FilterPolicy = bloom.FilterPolicy(o.BloomBits)
		}
	}
	p.ApplyCompressionSettings(func() pebble.DBCompressionSettings {
		switch o.Compression {
		case CompressionBalanced:
			return pebble.DBCompressionBalanced
		case CompressionNone:
			return pebble.DBCompressionNone
		}
		return pebble.DBCompressionFastest
	})
	return p
}
