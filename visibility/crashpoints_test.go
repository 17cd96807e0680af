package visibility

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/shard"
)

// boundary is a moment between two things the indexer does: what lies on the
// disk, how much of it is synced, what was appended to the feed by then, and how
// much of that was acknowledged and is gone from the feed.
type boundary struct {
	after               string
	disk                files
	syncedWAL           int // bytes of the log that were synced
	appended, forgotten int
}

// TestCrashPoints (I10) kills the indexer, and cuts its power, between and inside
// everything it writes: batches, syncs, copying the log back, the end. What is
// left is opened, the feed brings again what was not acknowledged, and the index
// must answer as if nothing had happened, without having been built anew.
func TestCrashPoints(t *testing.T) {
	options := testOptions(t, testSpaces())
	series := history()
	points := lifeOfAnIndex(t, options, series)
	options.Path = filepath.Join(t.TempDir(), "v.db")
	step := 4
	if os.Getenv(crashPointsEnv) != "" {
		step = 1
	}
	if underRace {
		step = 60
	}
	n := 0
	for i, p := range points {
		want := ""
		for what, disk := range p.remainders(points, i) {
			if n++; n%step != 0 {
				continue
			}
			if want == "" {
				want = expected(t, series[:p.appended])
			}
			disk.put(t, options.Path)
			answer, rebuilt := reopened(t, options, nil, entriesOf(series[p.forgotten:p.appended], p.forgotten))
			if answer != want || rebuilt && i > 0 { // at creation it is not whole yet
				t.Fatalf("boundary %d, after %s, %s: rebuilt is %v; got\n%s\nwant\n%s", i, p.after, what, rebuilt, answer, want)
			}
		}
	}
	t.Logf("%d of %d remainders at and between %d boundaries were opened and answered", n/step, n/step, len(points))
}

// history is a series of changes: runs begin, change, close and go.
func history() (series []*engine.VisibilityRecord) {
	for i := range 12 {
		for _, r := range sample() {
			r.Run.Name, r.Run.RunID = fmt.Sprintf("%s-%d", r.Run.Name, i/3), fmt.Sprintf("%s-%d", r.Run.RunID, i/3)
			r.Version, r.Deleted = int64(i+1), i%3 == 2 && i < 6
			series = append(series, r)
		}
	}
	return series
}

func entriesOf(records []*engine.VisibilityRecord, from int) (entries []shard.FeedEntry) {
	for i, r := range records {
		entries = append(entries, shard.FeedEntry{Slot: 7, Seq: uint64(from + i + 1), Record: r})
	}
	return entries
}

// expected is the answer of an index that has seen the records.
func expected(t *testing.T, records []*engine.VisibilityRecord) string {
	options := testOptions(t, testSpaces())
	answer, _ := reopened(t, options, nil, entriesOf(records, 0))
	return answer
}

// lifeOfAnIndex writes the series in batches, as the loop does, with a sync and
// its acknowledgement after every second one, copies the log back now and then,
// and closes.
func lifeOfAnIndex(t *testing.T, options Options, series []*engine.VisibilityRecord) (points []boundary) {
	f, err := openFile(options.Path, 1, maxVerifyBytes)
	if err != nil {
		t.Fatal(err)
	}
	now := boundary{}
	note := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		now.after, now.disk = what, readFiles(t, options.Path)
		points = append(points, now)
	}
	synced := func(through int) {
		note("a sync", f.writer.sync(slotPositions{7: uint64(through)}, true))
		points[len(points)-1].syncedWAL = len(points[len(points)-1].disk.wal)
		now.syncedWAL = len(now.disk.wal)
	}
	note("creation", nil)
	synced(0)
	for from := 0; from < len(series); from += 5 {
		now.appended = from + 5
		note("append", nil)
		note("a batch", f.writer.put(series[from:from+5], options.Namespaces))
		if from/5%2 == 1 {
			synced(from + 5)
			now.forgotten = from + 5
			note("its acknowledgement", nil)
		}
		if from/5%4 == 3 {
			note("copying the log back", f.writer.conn.exec("PRAGMA wal_checkpoint(PASSIVE)"))
		}
	}
	note("closing", f.close())
	return points
}

// remainders are what a crash at the boundary, or between it and the next, may
// leave on the disk.
func (p boundary) remainders(points []boundary, i int) map[string]files {
	left := map[string]files{"all is kept": p.disk}
	if i == 0 {
		return left // creation; what is left of a torn one is built anew
	}
	// Of what was written to the log since the last sync any part may be missing.
	for _, frame := range frameEnds(p.disk.wal, p.syncedWAL) {
		for what, end := range map[string]int{"whole frames": frame, "half a frame": frame - 2000, "a frame but its last byte": frame - 1} {
			if end < p.syncedWAL {
				continue
			}
			cut := p.disk.wal[:end:end]
			left[fmt.Sprintf("the log ends at %d, %s", end, what)] = files{p.disk.db, cut}
			if end == frame-1 {
				continue // one byte more or less may be one bit: the index would be built anew
			}
			left[fmt.Sprintf("the log is zeroed from %d, %s", end, what)] = files{p.disk.db, append(cut, make([]byte, len(p.disk.wal)-end)...)}
		}
	}
	if i+1 == len(points) {
		return left
	}
	// While the log is copied back the index has some of its pages, in order, and
	// the log is still whole.
	next := points[i+1].disk.db
	const page = 4096
	for at := 0; at < len(next); at += page {
		if at < len(p.disk.db) && bytes.Equal(p.disk.db[at:min(at+page, len(p.disk.db))], next[at:at+page]) {
			continue
		}
		for what, end := range map[string]int{"a page": at + page, "half a page": at + page/2} {
			torn := append([]byte(nil), next[:end]...)
			if end < len(p.disk.db) {
				torn = append(torn, p.disk.db[end:]...)
			}
			left[fmt.Sprintf("the log is copied back up to %d, %s", end, what)] = files{torn, p.disk.wal}
		}
	}
	return left
}

// frameEnds are where the frames end that lie behind an offset.
func frameEnds(wal []byte, from int) (ends []int) {
	for end := walHeaderBytes; end <= len(wal); end += walFrameBytes + 4096 {
		if end > from {
			ends = append(ends, end)
		}
	}
	return ends
}
