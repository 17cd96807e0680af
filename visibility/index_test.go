package visibility

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/shard"
	"github.com/perdure/perdure/store"
)

// sourceOf is a source of fixed records that counts how often it is asked.
func sourceOf(asked *int, records ...*engine.VisibilityRecord) Source {
	return func(_ context.Context, visit func(*engine.VisibilityRecord) error) error {
		*asked++
		for _, r := range records {
			if err := visit(r); err != nil {
				return err
			}
		}
		return nil
	}
}

// TestAcknowledges shows that what is written is acknowledged once it is synced,
// and that at that moment it is in the file: a copy made then has it all.
func TestAcknowledges(t *testing.T) {
	options := testOptions(t, testSpaces())
	x, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	positions := make(chan []shard.FeedPosition, 1)
	x.Start(func(p []shard.FeedPosition) {
		for _, suffix := range []string{"", "-wal"} {
			if err := copyFile(copied+suffix, options.Path+suffix); err != nil {
				t.Error(err)
			}
		}
		positions <- p
	}, nil)
	x.Append([]shard.FeedEntry{{Slot: 3, Seq: 10, Record: run("a", running)}, {Slot: 3, Seq: 11, Record: run("b", running)}})
	if err := x.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := <-positions; len(p) != 1 || p[0] != (shard.FeedPosition{Slot: 3, Seq: 11}) {
		t.Errorf("acknowledged %v", p)
	}
	if err := x.Stop(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", copied)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var rows, sequence int
	if err := db.QueryRow("SELECT (SELECT count(*) FROM run), sequence FROM position WHERE slot = 3").Scan(&rows, &sequence); err != nil || rows != 2 || sequence != 11 {
		t.Errorf("the copy has %d rows and sequence %d, %v", rows, sequence, err)
	}
}

func copyFile(to, from string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}

// TestStopWritesWhatIsPending shows that a clean stop loses and repeats nothing.
func TestStopWritesWhatIsPending(t *testing.T) {
	options, asked := testOptions(t, testSpaces()), 0
	f := start(t, options, sourceOf(&asked))
	f.expect("", "")
	f.put(run("w", running))
	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
	if p := <-f.acked; p[0].Seq != 1 {
		t.Errorf("acknowledged %v", p)
	}
	f = start(t, options, sourceOf(&asked))
	f.expect("", "w")
	if asked != 1 {
		t.Errorf("the source was asked %d times", asked)
	}
}

// TestOneRowARun shows coalescing, and the mark above which work is held back.
func TestOneRowARun(t *testing.T) {
	options := testOptions(t, testSpaces())
	options.MaxPending = 2
	x, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		x.Append([]shard.FeedEntry{{Slot: 1, Seq: uint64(i), Record: run("w", running, func(r *engine.VisibilityRecord) { r.Version = int64(i) })}})
	}
	if x.Backlog() != 1 || x.Overloaded() {
		t.Errorf("backlog %d", x.Backlog())
	}
	x.Append([]shard.FeedEntry{{Slot: 1, Seq: 200, Record: run("v", running)}})
	if !x.Overloaded() {
		t.Error("not overloaded")
	}
	if err := errors.Join(x.Stop(), x.Stop()); err != nil {
		t.Error(err)
	}
}

// TestBuiltAnew shows the three ways to lose an index: the file is gone, is no
// SQLite file, is of another release. Each time the executions bring it back.
func TestBuiltAnew(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"gone": os.Remove,
		"garbage": func(path string) error {
			return os.WriteFile(path, []byte("no database, surely not a database"), 0o600)
		},
		"cut in half":     func(path string) error { return os.Truncate(path, 5000) },
		"another release": func(path string) error { return edit(path, "PRAGMA user_version=77") },
		"another program": func(path string) error { return edit(path, "PRAGMA application_id=77") },
	} {
		t.Run(name, func(t *testing.T) {
			options, asked := testOptions(t, testSpaces()), 0
			f := start(t, options, nil)
			f.put(run("lost", running))
			f.expect("", "lost")
			if err := f.Stop(); err != nil {
				t.Fatal(err)
			}
			if err := harm(options.Path); err != nil {
				t.Fatal(err)
			}
			f = start(t, options, sourceOf(&asked, run("w", running), run("v", completed)))
			f.expect("", "w v")
			if asked != 1 {
				t.Errorf("the source was asked %d times", asked)
			}
			if _, err := os.Stat(options.Path + ".damaged"); (err == nil) != (name != "gone") {
				t.Errorf("set aside: %v", err)
			}
		})
	}
}

func edit(path, statement string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	_, err = db.Exec(statement)
	return errors.Join(err, db.Close())
}

// TestDamagedWhileRunning shows that a row with a wrong checksum is never shown:
// the call that meets it is refused, and the index is built anew.
func TestDamagedWhileRunning(t *testing.T) {
	options, asked := testOptions(t, testSpaces()), 0
	f := start(t, options, sourceOf(&asked, run("w", running)))
	f.expect("", "w")
	if err := edit(options.Path, "UPDATE run SET status = 2"); err != nil {
		t.Fatal(err)
	}
	if got := f.ids(""); got != "visibility index cannot be read, please retry" {
		t.Errorf("listed %q", got)
	}
	f.expect("ExecutionStatus = 'Running'", "w")
	if asked != 2 {
		t.Errorf("the source was asked %d times", asked)
	}
}

// TestFeedKnowsBetter shows that what the feed says while the index is being
// built wins over what the source had read before.
func TestFeedKnowsBetter(t *testing.T) {
	reading, proceed := make(chan struct{}), make(chan struct{})
	f := start(t, testOptions(t, testSpaces()), func(_ context.Context, visit func(*engine.VisibilityRecord) error) error {
		close(reading)
		<-proceed
		return errors.Join(visit(run("deleted", running)), visit(run("closed", running)), visit(run("same", running)))
	})
	<-reading
	f.put(
		run("deleted", completed, func(r *engine.VisibilityRecord) { r.Version, r.Deleted = 2, true }),
		run("closed", completed, func(r *engine.VisibilityRecord) { r.Version = 2 }),
	)
	if err := f.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(proceed)
	f.expect("", "same closed")
	f.expect("ExecutionStatus = 'Completed'", "closed")
}

// TestLargeBuild shows that a build waits when more is read than may be pending.
func TestLargeBuild(t *testing.T) {
	options, asked := testOptions(t, testSpaces()), 0
	options.MaxPending = 50
	var all []*engine.VisibilityRecord
	for i := range 1000 {
		all = append(all, run(fmt.Sprint(i), running))
	}
	f := start(t, options, sourceOf(&asked, all...))
	count, err := f.Count(t.Context(), CountRequest{Namespace: f.spaces["ns-1"]})
	if err != nil || count.Total != 1000 {
		t.Errorf("%+v, %v", count, err)
	}
}

// TestTemporaryFile shows that an index without a path leaves nothing behind.
func TestTemporaryFile(t *testing.T) {
	options := testOptions(t, testSpaces())
	options.Path = ""
	f := start(t, options, nil)
	f.put(run("w", running))
	f.expect("", "w")
	folder := f.removeOnEnd
	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("%s: %v", folder, err)
	}
	if got := f.ids(""); got != "visibility index is closed" {
		t.Errorf("after the stop: %q", got)
	}
}

// TestRepeatedFeed shows that entries that come again after a restart change
// nothing and are acknowledged again.
func TestRepeatedFeed(t *testing.T) {
	options := testOptions(t, testSpaces())
	f := start(t, options, nil)
	newest := run("w", completed, func(r *engine.VisibilityRecord) { r.Version = 5 })
	f.put(newest)
	f.expect("ExecutionStatus = 'Completed'", "w")
	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
	f = start(t, options, nil)
	f.Append([]shard.FeedEntry{{Slot: store.Slot(9), Seq: 1, Record: run("w", running)}})
	f.expect("ExecutionStatus = 'Completed'", "w")
	if p := <-f.acked; p[0] != (shard.FeedPosition{Slot: 9, Seq: 1}) {
		t.Errorf("acknowledged %v", p)
	}
}

// BenchmarkPut is what a row costs with two custom attributes.
func BenchmarkPut(b *testing.B) {
	f, err := openFile(filepath.Join(b.TempDir(), "v.db"), 1, maxVerifyBytes)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := f.close(); err != nil {
			b.Error(err)
		}
	}()
	spaces := testSpaces()
	batch := make([]*engine.VisibilityRecord, 0, maxBatch)
	for i := range b.N {
		batch = append(batch, run(fmt.Sprint(i*7919%1_000_003, i), completed, with("CK", kindKeyword, fmt.Sprint(i)), with("CI", kindInt, int64(i))))
		if len(batch) == 250 || i == b.N-1 {
			if err := f.writer.put(batch, spaces); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
}

// BenchmarkPutOpen is of runs that take longer than changes are gathered: each is
// put in open, and again when it has closed.
func BenchmarkPutOpen(b *testing.B) {
	f, err := openFile(filepath.Join(b.TempDir(), "v.db"), 1, maxVerifyBytes)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := f.close(); err != nil {
			b.Error(err)
		}
	}()
	spaces := testSpaces()
	const behind = 250
	batch := make([]*engine.VisibilityRecord, 0, maxBatch)
	name := func(i int) string { return fmt.Sprintf("%08d", i) }
	for i := range b.N {
		batch = append(batch, run(name(i), running))
		if i >= behind {
			batch = append(batch, run(name(i-behind), completed, func(r *engine.VisibilityRecord) { r.Version = 8 }))
		}
		if len(batch) >= 2*behind || i == b.N-1 {
			if err := f.writer.put(batch, spaces); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
}
