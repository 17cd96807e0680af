package visibility

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/perdure/perdure/engine"
)

// What the writer counts is what lies in the files: the log is as long as the
// pages that were written to it, and when all of it is copied for the first time,
// each page of the file was copied once. The log is long enough to need a second
// block of its index.
func TestWrittenBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	f, err := openFile(path, 1, maxVerifyBytes)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.close(); err != nil {
			t.Error(err)
		}
	}()
	size := func(suffix string) uint64 {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		return uint64(info.Size())
	}
	names, w := testSpaces(), &f.writer.written
	put := func(n int) {
		t.Helper()
		if err := f.writer.put([]*engine.VisibilityRecord{run(fmt.Sprint("w", n), running)}, names); err != nil {
			t.Fatal(err)
		}
	}
	rows, before := uint64(0), size("-wal")
	for ; w.logBytes.Load() < 5_000*4_096; rows++ {
		put(int(rows))
	}
	if got := w.logBytes.Load(); got+before != size("-wal") {
		t.Errorf("%d bytes counted for a log that grew from %d to %d", got, before, size("-wal"))
	}
	if got := w.copiedBytes.Load(); got != 0 {
		t.Errorf("%d bytes copied before it was time", got)
	}
	if err := f.writer.conn.exec("PRAGMA wal_autocheckpoint=1"); err != nil {
		t.Fatal(err)
	}
	put(int(rows))
	if got := w.copiedBytes.Load(); got != size("") {
		t.Errorf("%d bytes copied into a file of %d", got, size(""))
	}
	put(int(rows) + 1) // begins the log anew
	if w.rows.Load() != rows+2 || w.transactions.Load() != rows+2 || w.syncs.Load() != 0 {
		t.Errorf("%d rows in %d transactions, %d synced", w.rows.Load(), w.transactions.Load(), w.syncs.Load())
	}
	if err := f.writer.sync(slotPositions{1: 1}, false); err != nil || w.syncs.Load() != 1 {
		t.Errorf("%d syncs: %v", w.syncs.Load(), err)
	}
}
