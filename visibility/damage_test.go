package visibility

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/shard"
)

// crashPointsEnv asks for the long forms.
const crashPointsEnv = "PERDURE_CRASH_POINTS"

// files are an index and its log, as they lie on the disk. No log: nil.
type files struct{ db, wal []byte }

func readFiles(t *testing.T, path string) (f files) {
	t.Helper()
	var err error
	if f.db, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	if f.wal, err = os.ReadFile(path + "-wal"); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return f
}

// put lays the files down for an index to be opened on.
func (f files) put(t *testing.T, path string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm", ".damaged"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, f.db, 0o600); err != nil {
		t.Fatal(err)
	}
	if len(f.wal) > 0 {
		if err := os.WriteFile(path+"-wal", f.wal, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// sample are records with everything that is indexed.
func sample() []*engine.VisibilityRecord {
	parent := func(r *engine.VisibilityRecord) {
		r.Parent = &commonpb.WorkflowExecution{WorkflowId: "w1", RunId: "run-w1"}
		r.Root = r.Parent
	}
	elsewhere := func(r *engine.VisibilityRecord) { r.Run.NamespaceID = "ns-2" }
	return []*engine.VisibilityRecord{
		run("w1", running, with("CK", kindKeyword, "red"), with("CI", kindInt, int64(7))),
		run("w2", completed, with("CT", kindText, "two words"), parent),
		run("w3", failed, with("CL", kindKeywordList, []string{"a", "b"}), with("CD", kindDouble, 1.5)),
		run("w4", running, with("CK", kindKeyword, "blue"), parent),
		run("w5", completed, elsewhere),
	}
}

// shows prints what an index answers to questions that use all it has.
func shows(ctx context.Context, x *Index, spaces spaces) (string, error) {
	var b strings.Builder
	for _, id := range []string{"ns-1", "ns-2"} {
		for _, query := range []string{
			"", "WorkflowId = 'w2'", "WorkflowType = 'Order'", "ExecutionStatus = 'Running'", "CK = 'red'", "CI > 3", "CT = 'words'", "CL = 'b'",
			"CD = 1.5", "ParentWorkflowId = 'w1'", "RootWorkflowId = 'w1'", "TaskQueue = 'orders'", "ExecutionDuration > 5", "HistoryLength = 11",
			"HistorySizeBytes = 2000", "StateTransitionCount = 9", "ExecutionTime < '2030-01-01T00:00:00Z'", "ParentRunId = 'run-w1'", "RootRunId = 'run-w1'",
			"CloseTime IS NULL", "RunId = 'run-w3'",
		} {
			page, err := x.List(ctx, ListRequest{Namespace: spaces[id], Query: query})
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&b, "%s %s:", id, query)
			for _, e := range page.Executions {
				fmt.Fprintf(&b, " %s %s %s %v;", e.Execution.WorkflowId, e.Status, e.TaskQueue, e.SearchAttributes.GetIndexedFields()["CK"].GetData())
			}
			b.WriteString("\n")
		}
	}
	return b.String(), nil
}

// reopened opens an index, brings it what the feed still holds, and asks. rebuilt
// says that it was made anew from the source.
func reopened(t *testing.T, options Options, source []*engine.VisibilityRecord, feed []shard.FeedEntry) (answer string, rebuilt bool) {
	t.Helper()
	x, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	x.Append(feed)
	x.Start(func([]shard.FeedPosition) {}, sourceOf(&asked, source...))
	for range 3 { // a damaged one refuses, and is then built anew
		if answer, err = shows(t.Context(), x, options.Namespaces.(spaces)); err == nil {
			break
		}
	}
	if err != nil {
		answer = err.Error()
	}
	if err := x.Stop(); err != nil {
		t.Fatal(err)
	}
	return answer, asked > 0
}

// TestEveryBit flips bits of an index at rest, and of the log that a killed
// server leaves, and asks it everything: it answers as ever, built anew if need
// be. What is in the file was acknowledged to the feed, which does not bring it
// again. The long form (PERDURE_CRASH_POINTS) takes a bit
// of every 32nd byte, the short one fewer.
func TestEveryBit(t *testing.T) {
	every := 7001
	if os.Getenv(crashPointsEnv) != "" {
		every = 257
	}
	if underRace {
		every *= 20
	}
	options := testOptions(t, testSpaces())
	f := start(t, options, nil)
	f.put(sample()...)
	want, err := shows(t.Context(), f.Index, f.spaces)
	if err != nil {
		t.Fatal(err)
	}
	<-f.acked
	killed := readFiles(t, options.Path)
	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
	stopped := readFiles(t, options.Path)
	for name, whole := range map[string]files{"stopped": stopped, "killed": killed} {
		t.Run(name, func(t *testing.T) {
			options.Path = filepath.Join(t.TempDir(), "v.db")
			look := func() bool {
				answer, rebuilt := reopened(t, options, sample(), nil)
				if answer != want {
					t.Errorf("got\n%s\nwant\n%s", answer, want)
				}
				return rebuilt
			}
			if whole.put(t, options.Path); look() {
				t.Fatal("an index that is whole was built anew")
			}
			for _, part := range []struct {
				name  string
				bytes []byte
			}{{"index", whole.db}, {"log", whole.wal}} {
				rebuilt, n := 0, 0
				for bit := 5; bit < 8*len(part.bytes); bit += every {
					part.bytes[bit/8] ^= 1 << (bit % 8)
					whole.put(t, options.Path)
					part.bytes[bit/8] ^= 1 << (bit % 8)
					if look() {
						rebuilt++
					}
					if n++; t.Failed() {
						t.Fatalf("bit %d of byte %d of the %s", bit%8, bit/8, part.name)
					}
				}
				t.Logf("%s of %d bytes: %d of %d flipped bits were detected (%d, and it was built anew) or without effect (%d)",
					part.name, len(part.bytes), n, n, rebuilt, n-rebuilt)
			}
		})
	}
}

// TestLargeIndex: an index too large to be verified when it is opened is verified
// beside its work, and built anew when that finds a column that hides a row.
func TestLargeIndex(t *testing.T) {
	options := testOptions(t, testSpaces())
	f := start(t, options, nil)
	f.put(sample()...)
	f.expect("TaskQueue = 'orders'", "w1 w4 w2 w3")
	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := edit(options.Path, "UPDATE run SET task_queue = 'elsewhere' WHERE workflow_id = 'w2'"); err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{})
	var once sync.Once
	options.verifyBytes, options.verifyAfter = 1, 1
	f = start(t, options, func(_ context.Context, visit func(*engine.VisibilityRecord) error) error {
		once.Do(func() { close(asked) })
		for _, r := range sample() {
			if err := visit(r); err != nil {
				return err
			}
		}
		return nil
	})
	<-asked
	f.expect("TaskQueue = 'orders'", "w1 w4 w2 w3")
}

// TestVerifyReadsEveryRow: rows are verified in pieces, and none is left out: a
// damaged one is found wherever it is.
func TestVerifyReadsEveryRow(t *testing.T) {
	const n = 2*verifiedAtOnce + 5
	options := testOptions(t, testSpaces())
	f := start(t, options, nil)
	for i := range n {
		f.put(run(fmt.Sprint("w", i), completed))
	}
	if err := f.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
	c, err := openConn(options.Path)
	if err != nil {
		t.Fatal(err)
	}
	pieces := 0
	check := func() error { return verify(context.Background(), c, func(time.Duration) { pieces++ }) }
	if err := check(); err != nil || pieces != 3 {
		t.Errorf("%d pieces of a whole index: %v", pieces, err)
	}
	for _, id := range []int{1, verifiedAtOnce, verifiedAtOnce + 1, n} {
		set := func(queue string) {
			if err := c.exec(fmt.Sprintf("UPDATE run SET task_queue = '%s' WHERE id = %d", queue, id)); err != nil {
				t.Fatal(err)
			}
		}
		set("elsewhere")
		if err := check(); !errors.Is(err, errDamaged) {
			t.Errorf("row %d is damaged: %v", id, err)
		}
		set("orders")
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}
