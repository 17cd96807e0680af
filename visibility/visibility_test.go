package visibility

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/searchattr"
	"github.com/perdure/perdure/shard"
	"github.com/perdure/perdure/store"
)

const (
	running   = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	completed = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	failed    = enumspb.WORKFLOW_EXECUTION_STATUS_FAILED
	paused    = enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED
	continued = enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW

	kindText        = enumspb.INDEXED_VALUE_TYPE_TEXT
	kindKeyword     = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	kindInt         = enumspb.INDEXED_VALUE_TYPE_INT
	kindDouble      = enumspb.INDEXED_VALUE_TYPE_DOUBLE
	kindBool        = enumspb.INDEXED_VALUE_TYPE_BOOL
	kindDatetime    = enumspb.INDEXED_VALUE_TYPE_DATETIME
	kindKeywordList = enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST
)

// noon is when the tests' runs start.
var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

// spaces is a set of namespaces for tests.
type spaces map[string]*engine.Namespace

func (s spaces) ByID(id string) *engine.Namespace { return s[id] }

func testSpaces() spaces {
	custom := map[string]enumspb.IndexedValueType{
		"CT": kindText, "CK": kindKeyword, "CI": kindInt, "CD": kindDouble, "CB": kindBool, "CW": kindDatetime, "CL": kindKeywordList, "my attr": kindInt,
	}
	return spaces{
		"ns-1": {ID: "ns-1", Name: "one", SearchAttributes: custom},
		"ns-2": {ID: "ns-2", Name: "two", SearchAttributes: custom},
	}
}

// fixture is a started index on a file of its own.
type fixture struct {
	*Index
	t      *testing.T
	spaces spaces
	seq    uint64
	acked  chan []shard.FeedPosition
}

func testOptions(t *testing.T, spaces spaces) Options {
	return Options{
		Path: filepath.Join(t.TempDir(), "v.db"), Namespaces: spaces,
		SyncEvery: time.Millisecond, Gather: time.Hour, MaxWait: time.Minute,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

func start(t *testing.T, options Options, source Source) *fixture {
	t.Helper()
	x, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{Index: x, t: t, spaces: options.Namespaces.(spaces), acked: make(chan []shard.FeedPosition, 1000)}
	x.Start(func(p []shard.FeedPosition) { f.acked <- p }, source)
	t.Cleanup(func() {
		if err := x.Stop(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func fresh(t *testing.T) *fixture {
	return start(t, testOptions(t, testSpaces()), nil)
}

// run is a record, closed an hour after noon unless running.
func run(id string, status enumspb.WorkflowExecutionStatus, change ...func(*engine.VisibilityRecord)) *engine.VisibilityRecord {
	r := &engine.VisibilityRecord{
		Run:  engine.RunKey{ID: engine.ID{NamespaceID: "ns-1", Archetype: engine.ArchetypeWorkflow, Name: id}, RunID: "run-" + id},
		Type: "Order", TaskQueue: "orders", Status: status,
		StartTime: noon, ExecutionTime: noon, Version: 1,
	}
	if closed(status) {
		r.CloseTime = noon.Add(time.Hour)
		r.HistoryLength, r.HistorySizeBytes, r.StateTransitionCount = 11, 2000, 9
	}
	for _, c := range change {
		c(r)
	}
	return r
}

func with(name string, kind enumspb.IndexedValueType, value any) func(*engine.VisibilityRecord) {
	return func(r *engine.VisibilityRecord) {
		if r.SearchAttributes == nil {
			r.SearchAttributes = &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{}}
		}
		r.SearchAttributes.IndexedFields[name] = searchattr.Encode(value, kind)
	}
}

func (f *fixture) put(records ...*engine.VisibilityRecord) {
	entries := make([]shard.FeedEntry, len(records))
	for i, r := range records {
		f.seq++
		entries[i] = shard.FeedEntry{Slot: store.Slot(7), Seq: f.seq, Record: r}
	}
	f.Append(entries)
}

// ids lists the workflow ids that match, in order.
func (f *fixture) ids(query string) string {
	f.t.Helper()
	page, err := f.List(f.t.Context(), ListRequest{Namespace: f.spaces["ns-1"], Query: query})
	if err != nil {
		return err.Error()
	}
	ids := make([]string, len(page.Executions))
	for i, e := range page.Executions {
		ids[i] = e.Execution.WorkflowId
	}
	return strings.Join(ids, " ")
}

func (f *fixture) expect(query, want string) {
	f.t.Helper()
	if got := f.ids(query); got != want {
		f.t.Errorf("%s\ngot  %q\nwant %q", query, got, want)
	}
	if strings.HasPrefix(want, "invalid query") {
		return
	}
	// V-12: count and list agree.
	count, err := f.Count(f.t.Context(), CountRequest{Namespace: f.spaces["ns-1"], Query: query})
	if n := len(strings.Fields(want)); err != nil || count.Total != int64(n) {
		f.t.Errorf("count of %s: %+v, %v; want %d", query, count, err, n)
	}
}

// TestOrder is V-3: open first, then by close time, start time, run id.
func TestOrder(t *testing.T) {
	f := fresh(t)
	at := func(start, end time.Duration) func(*engine.VisibilityRecord) {
		return func(r *engine.VisibilityRecord) {
			r.StartTime = noon.Add(start)
			if end > 0 {
				r.CloseTime = noon.Add(end)
			}
		}
	}
	f.put(
		run("done-early", completed, at(0, time.Second)),
		run("open-b", running, at(5*time.Second, 0)),
		run("open-a", running, at(5*time.Second, 0)),
		run("done-late", failed, at(0, time.Minute)),
		run("done-late-young", failed, at(time.Second, time.Minute)),
		run("open-old", paused, at(0, 0)),
	)
	f.expect("", "open-a open-b open-old done-late-young done-late done-early")
}

// TestPages is V-4: a token exactly when the page is full, and what comes or goes
// meanwhile does not shift the pages.
func TestPages(t *testing.T) {
	f := fresh(t)
	for i := range 7 {
		f.put(run(fmt.Sprintf("w%d", i), completed, func(r *engine.VisibilityRecord) { r.CloseTime = noon.Add(-time.Duration(i/2) * time.Minute) }))
	}
	var got []string
	req := ListRequest{Namespace: f.spaces["ns-1"], PageSize: 2}
	pages := 0
	for {
		page, err := f.List(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Executions {
			got = append(got, e.Execution.WorkflowId)
		}
		if (len(page.Executions) == 2) != (len(page.Token) > 0) {
			t.Errorf("page of %d with token %q", len(page.Executions), page.Token)
		}
		f.put(run(fmt.Sprintf("newer-%d", pages), running))
		if req.Token = page.Token; len(req.Token) == 0 {
			break
		}
		pages++
	}
	if s := strings.Join(got, " "); s != "w0 w1 w2 w3 w4 w5 w6" {
		t.Errorf("pages: %s", s)
	}
	for _, token := range []string{"junk", "{}", `{"c":"x"}`, `[1]`} {
		_, err := f.List(t.Context(), ListRequest{Namespace: f.spaces["ns-1"], Token: []byte(token)})
		if engine.KindOf(err) != engine.KindInvalidArgument {
			t.Errorf("token %q: %v", token, err)
		}
	}
}

// TestFields is section 2.1.
func TestFields(t *testing.T) {
	f := fresh(t)
	parent := &commonpb.WorkflowExecution{WorkflowId: "p", RunId: "run-p"}
	f.put(
		run("open", running, func(r *engine.VisibilityRecord) { r.StartTime = noon.Add(1234567) }, with("CK", kindKeyword, "x"), with("CI", kindInt, int64(5))),
		run("done", completed, func(r *engine.VisibilityRecord) {
			r.ExecutionTime = noon.Add(time.Minute)
			r.Parent, r.Root = parent, parent
			r.Memo = &commonpb.Memo{Fields: map[string]*commonpb.Payload{"m": {Data: []byte("1")}}}
		}),
	)
	delete(f.spaces["ns-1"].SearchAttributes, "CI") // removed by an operator (SA-22)
	page, err := f.List(t.Context(), ListRequest{Namespace: f.spaces["ns-1"]})
	if err != nil || len(page.Executions) != 2 {
		t.Fatal(page, err)
	}
	open, done := page.Executions[0], page.Executions[1]
	if open.Status != running || open.CloseTime != nil || open.HistoryLength != 0 || open.ExecutionDuration != nil || open.Memo == nil {
		t.Errorf("open: %v", open)
	}
	if got := open.StartTime.AsTime(); !got.Equal(noon.Add(1234 * time.Microsecond)) {
		t.Errorf("start %s", got)
	}
	if open.RootExecution.GetRunId() != "run-open" || open.ParentExecution != nil {
		t.Errorf("root %v parent %v", open.RootExecution, open.ParentExecution)
	}
	if fields := open.SearchAttributes.GetIndexedFields(); len(fields) != 1 || string(fields["CK"].Metadata["type"]) != "Keyword" {
		t.Errorf("attributes %v", fields)
	}
	if done.CloseTime.AsTime() != noon.Add(time.Hour) || done.HistoryLength != 11 || done.HistorySizeBytes != 2000 || done.StateTransitionCount != 9 || done.ExecutionDuration.AsDuration() != 59*time.Minute {
		t.Errorf("done: %v", done)
	}
	if done.ParentExecution.GetRunId() != "run-p" || done.RootExecution.GetWorkflowId() != "p" || string(done.Memo.Fields["m"].Data) != "1" || done.SearchAttributes != nil {
		t.Errorf("done: %v", done)
	}
}

// TestNamespacesAreApart shows isolation, also of attributes of one name.
func TestNamespacesAreApart(t *testing.T) {
	f := fresh(t)
	f.put(run("mine", running, with("CK", kindKeyword, "x")), run("theirs", running, with("CK", kindKeyword, "x"), func(r *engine.VisibilityRecord) { r.Run.NamespaceID = "ns-2" }))
	f.put(run("activity", running, func(r *engine.VisibilityRecord) { r.Run.Archetype = engine.ArchetypeActivity }))
	f.expect("", "mine")
	f.expect("CK = 'x'", "mine")
	f.expect("CK != 'x' OR CK IS NULL OR WorkflowId != 'mine'", "")
	page, err := f.List(t.Context(), ListRequest{Namespace: &engine.Namespace{ID: "unknown"}})
	if err != nil || len(page.Executions) != 0 {
		t.Errorf("%v, %v", page, err)
	}
}

// TestDivisions is V-40 and V-43.
func TestDivisions(t *testing.T) {
	f := fresh(t)
	f.put(run("plain", running), run("hidden", running, with(searchattr.Division, kindKeyword, "TemporalBatcher")))
	f.expect("", "plain")
	f.expect("WorkflowId = 'hidden'", "")
	f.expect("TemporalNamespaceDivision = 'TemporalBatcher'", "hidden")
	f.expect("NamespaceDivision = 'TemporalBatcher' OR WorkflowId = 'plain'", "hidden plain")
	f.expect("TemporalNamespaceDivision IS NULL", "plain")
	count, err := f.Count(t.Context(), CountRequest{Namespace: f.spaces["ns-1"], Query: "GROUP BY TemporalNamespaceDivision"})
	if err != nil || count.Total != 2 || len(count.Groups) != 2 || string(count.Groups[1].Value.Data) != `"TemporalBatcher"` {
		t.Errorf("%+v, %v", count, err)
	}
}

// TestCountGroups is V-30 and V-31.
func TestCountGroups(t *testing.T) {
	f := fresh(t)
	f.put(run("a", running), run("b", running), run("c", failed), run("d", continued, func(r *engine.VisibilityRecord) { r.Type = "Other" }))
	count, err := f.Count(t.Context(), CountRequest{Namespace: f.spaces["ns-1"], Query: "WorkflowType='Order' GROUP BY ExecutionStatus"})
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, g := range count.Groups {
		got += fmt.Sprintf("%s %s %d;", g.Value.Metadata["type"], g.Value.Data, g.Count)
	}
	if count.Total != 3 || got != `Keyword "Running" 2;Keyword "Failed" 1;` {
		t.Errorf("total %d, %s", count.Total, got)
	}
	count, err = f.Count(t.Context(), CountRequest{Namespace: f.spaces["ns-1"], Query: "GROUP BY `ExecutionStatus`"})
	if err != nil || count.Total != 4 || len(count.Groups) != 3 {
		t.Errorf("%+v, %v", count, err)
	}
	for query, want := range map[string]string{
		"GROUP BY WorkflowType":                        "invalid query: operation is not supported: 'GROUP BY' clause is not supported for search attribute WorkflowType",
		"GROUP BY ExecutionStatus, RunId":              "invalid query: operation is not supported: 'GROUP BY' clause supports only a single field",
		"GROUP BY Foo":                                 "invalid query: invalid expression: column name 'Foo' is not a valid search attribute",
		"a = 1 GROUP BY ExecutionStatus":               "invalid query: invalid expression: column name 'a' is not a valid search attribute",
		"ExecutionStatus='Running' ORDER BY StartTime": "invalid query: operation is not supported: 'ORDER BY' clause",
	} {
		_, err := f.Count(t.Context(), CountRequest{Namespace: f.spaces["ns-1"], Query: query})
		if engine.KindOf(err) != engine.KindInvalidArgument || err.Error() != want {
			t.Errorf("%s: %v", query, err)
		}
	}
	if got := f.ids("GROUP BY ExecutionStatus"); got != "invalid query: operation is not supported: 'GROUP BY' clause" {
		t.Error(got)
	}
}

// TestReadYourWrites is I10: what was appended before the call is seen, though
// nothing else would have written it for an hour.
func TestReadYourWrites(t *testing.T) {
	f := fresh(t)
	for i := range 50 {
		f.put(run("w", running, func(r *engine.VisibilityRecord) { r.Version = int64(2*i + 1); r.TaskQueue = fmt.Sprint(i) }))
		f.expect(fmt.Sprintf("TaskQueue = '%d'", i), "w")
	}
}

// TestTooFarBehind is the other half of I10: never silently stale.
func TestTooFarBehind(t *testing.T) {
	options := testOptions(t, testSpaces())
	options.MaxWait = time.Millisecond
	x, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := x.Stop(); err != nil {
			t.Error(err)
		}
	}()
	// Not started: nobody writes.
	x.Append([]shard.FeedEntry{{Slot: 1, Seq: 1, Record: run("w", running)}})
	_, err = x.List(t.Context(), ListRequest{Namespace: testSpaces()["ns-1"]})
	if engine.KindOf(err) != engine.KindUnavailable {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.Flush(ctx); err == nil {
		t.Error("flushed under a cancelled context")
	}
}
