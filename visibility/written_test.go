package visibility

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

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

// What a workflow with one activity costs the index, when 250 of them end between
// two transactions, as under load: counts, the same on every machine. Who makes
// them smaller lowers the figures; who must make them larger raises them and says
// why in the commit.
func TestBytesOfARow(t *testing.T) {
	const (
		rows, batch             = 5_000, 250
		recordedLog, recordedDB = 1_031, 575 // bytes a row
		slack                   = 1.1
	)
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
	names := testSpaces()
	for first := 0; first < rows; first += batch {
		records := make([]*engine.VisibilityRecord, batch)
		for i := range records {
			n := first + i
			records[i] = run(fmt.Sprintf("order-%d", 1000+n*7919%rows), completed, func(r *engine.VisibilityRecord) {
				// Run ids are ordered by time.
				r.Run.RunID = fmt.Sprintf("018f%04x-%04x-7000-8000-0123456789ab", n>>16, n&0xffff)
				r.StartTime = noon.Add(time.Duration(n) * time.Millisecond)
				r.ExecutionTime, r.CloseTime = r.StartTime, r.StartTime.Add(50*time.Millisecond)
			})
		}
		if err := f.writer.put(records, names); err != nil {
			t.Fatal(err)
		}
	}
	logged := float64(f.writer.written.logBytes.Load()) / rows
	if err := f.writer.conn.exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	kept := float64(sizeOf(path)) / rows
	for what, c := range map[string][2]float64{"log": {logged, recordedLog}, "file": {kept, recordedDB}} {
		if c[0] > c[1]*slack || c[0] < c[1]/slack {
			t.Errorf("a row costs %.0f bytes of the %s; recorded are %.0f", c[0], what, c[1])
		}
	}
}
