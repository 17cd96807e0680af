package pebblestore

import "time"

// Metrics is what the store has done since it was opened, and how it is now.
// Counts only grow.
type Metrics struct {
	Batches    uint64 // batches given to the log
	BatchBytes uint64 // keys and values in them

	LogBytes       uint64        // bytes written to the log
	LogSyncs       uint64        // syncs of the log
	LogSyncTime    time.Duration // spent in them
	Flushes        uint64        // memtables that became tables
	FlushedBytes   uint64        // bytes of tables written by that
	Compactions    uint64
	CompactedBytes uint64 // bytes of tables written by compactions

	CommitStalls     uint64 // times commits had to wait for flushes or compactions
	BackgroundErrors uint64 // failures of background work that were tried again

	DiskUsageBytes uint64 // of the database's files
	DiskFreeBytes  uint64 // of the disk when last measured; 0 if unknown
	Full           bool   // below the low-water mark

	CompactionDebtBytes uint64 // to be compacted until the tables are in shape
	ReadAmplification   int    // tables a read may have to look into
	MemTableBytes       uint64
	CacheBytes          int64
	CacheHits           int64
	CacheMisses         int64
}

// WrittenBytes is everything written to the disk.
func (m Metrics) WrittenBytes() uint64 { return m.LogBytes + m.FlushedBytes + m.CompactedBytes }

// Metrics takes a snapshot, which costs some ten microseconds. It is the zero
// value once the database is closed or has failed.
func (d *Driver) Metrics() Metrics {
	if d.begin() != nil {
		return Metrics{}
	}
	defer d.reads.Done()
	var m Metrics
	// A fault may have left Pebble's lock behind.
	if d.fault.call(func() error { m = d.snapshot(); return nil }) != nil {
		return Metrics{}
	}
	return m
}

func (d *Driver) snapshot() Metrics {
	d.space.look()
	p := d.db.Metrics()
	m := Metrics{
		Batches:             d.count.batches.Load(),
		BatchBytes:          d.count.batchBytes.Load(),
		LogBytes:            p.WAL.BytesWritten,
		LogSyncs:            d.guard.syncs.Load(),
		LogSyncTime:         time.Duration(d.guard.syncNanos.Load()),
		Flushes:             uint64(p.Flush.Count),
		Compactions:         uint64(p.Compact.Count),
		CommitStalls:        d.count.stalls.Load(),
		BackgroundErrors:    d.count.backgroundErrors.Load(),
		DiskUsageBytes:      p.DiskSpaceUsage(),
		Full:                d.space.low.Load(),
		CompactionDebtBytes: p.Compact.EstimatedDebt,
		ReadAmplification:   p.ReadAmp(),
		MemTableBytes:       p.MemTable.Size,
		CacheBytes:          p.BlockCache.Size,
		CacheHits:           p.BlockCache.Hits,
		CacheMisses:         p.BlockCache.Misses,
	}
	if d.space.known.Load() {
		m.DiskFreeBytes = d.space.free.Load()
	}
	for i := range p.Levels {
		m.FlushedBytes += p.Levels[i].TableBytesFlushed
		m.CompactedBytes += p.Levels[i].TableBytesCompacted
	}
	return m
}
