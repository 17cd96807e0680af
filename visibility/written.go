package visibility

import (
	"encoding/binary"
	"os"
	"sync/atomic"

	"modernc.org/sqlite"
)

// Metrics is what the index has written since its file was opened, and how large
// it is. Counts only grow, but begin anew with a file that replaces a damaged one.
type Metrics struct {
	Rows         uint64 // records of runs put into transactions
	Transactions uint64 // committed
	Syncs        uint64 // transactions that were synced, with all before them
	LogBytes     uint64 // written to SQLite's log: each page that a transaction changed
	CopiedBytes  uint64 // copied from the log into the file, each page once a time
	DiskBytes    uint64 // of the file and its log
}

// Metrics takes a snapshot. It is the zero value once the index is stopped.
func (x *Index) Metrics() Metrics {
	f := x.file.Load()
	if f == nil {
		return Metrics{}
	}
	w := &f.writer.written
	return Metrics{
		Rows: w.rows.Load(), Transactions: w.transactions.Load(), Syncs: w.syncs.Load(),
		LogBytes: w.logBytes.Load(), CopiedBytes: w.copiedBytes.Load(),
		DiskBytes: uint64(sizeOf(x.options.Path)),
	}
}

// written counts what a writer gives to the operating system. SQLite says how many
// pages it has put into its log. What it copies from there into the file it does
// not say, but the index of the log (the -shm file, whose layout is documented at
// https://www.sqlite.org/walformat.html) tells how far that got: a copy takes the
// latest of each page among the frames that were not copied before.
//
// The counters may be read by any goroutine; the rest belongs to the writer's.
type written struct {
	rows, transactions, syncs, logBytes, copiedBytes atomic.Uint64

	shm      *os.File
	pageSize uint64
	logged   int    // pages in the log, by SQLite's count since the connection was opened
	copied   uint32 // frames of the log that are in the file
}

// Where the index of the log keeps what we read. Its numbers are in the byte order
// of the machine, and frames are counted from 1.
const (
	shmLastFrame    = 16
	shmCopiedFrames = 96
	shmHeaderBytes  = 136
	shmBlockBytes   = 32 << 10
	shmFramesABlock = 4096
	shmFramesFirst  = shmFramesABlock - shmHeaderBytes/4
)

// open begins to count for the connection of the index at path. Without an index
// of the log, copies are not counted.
func (w *written) open(c *conn, path string) error {
	size, err := c.number("PRAGMA page_size")
	if err != nil {
		return err
	}
	w.pageSize, w.logged = uint64(size), pagesWritten(c)
	if w.shm, err = os.Open(path + "-shm"); err != nil {
		w.shm = nil
	}
	return nil
}

func (w *written) close() {
	if w.shm != nil {
		_ = w.shm.Close() // it was only read
	}
}

// committed takes note of a transaction.
func (w *written) committed(c *conn) {
	w.transactions.Add(1)
	pages := pagesWritten(c)
	w.logBytes.Add(uint64(max(pages-w.logged, 0)) * (w.pageSize + walFrameBytes))
	w.logged = pages
	var header [shmHeaderBytes]byte
	if w.shm == nil {
		return
	}
	if _, err := w.shm.ReadAt(header[:], 0); err != nil {
		return // not counted
	}
	copied := binary.NativeEndian.Uint32(header[shmCopiedFrames:])
	if copied < w.copied { // the log begins anew
		w.copied = 0
	}
	if copied > w.copied && copied <= binary.NativeEndian.Uint32(header[shmLastFrame:]) {
		w.copiedBytes.Add(uint64(w.distinctPages(w.copied+1, copied)) * w.pageSize)
	}
	w.copied = copied
}

// pagesWritten is how many pages a connection has written since it was opened.
func pagesWritten(c *conn) int {
	status, ok := c.raw.(sqlite.DBStatus)
	if !ok {
		return 0
	}
	pages, _, err := status.Status(sqlite.DBStatusCacheWrite, false)
	if err != nil {
		return 0
	}
	return pages
}

// distinctPages is how many pages the frames from first to last are about.
func (w *written) distinctPages(first, last uint32) int {
	pages := make(map[uint32]struct{}, last-first+1)
	var block [shmBlockBytes]byte
	loaded := int64(-1)
	for frame := first; frame <= last; frame++ {
		at := shmHeaderBytes + 4*int64(frame-1)
		if frame > shmFramesFirst {
			n := int64(frame - shmFramesFirst - 1)
			at = shmBlockBytes*(1+n/shmFramesABlock) + 4*(n%shmFramesABlock)
		}
		if of := at / shmBlockBytes; of != loaded {
			if _, err := w.shm.ReadAt(block[:], of*shmBlockBytes); err != nil {
				break // what was seen is counted
			}
			loaded = of
		}
		pages[binary.NativeEndian.Uint32(block[at%shmBlockBytes:])] = struct{}{}
	}
	return len(pages)
}
