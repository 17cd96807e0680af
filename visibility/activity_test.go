package visibility

import (
	"fmt"
	"strings"
	"testing"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/perdure/perdure/engine"
)

// standalone makes a record one of an activity that stands alone and began five
// minutes after it was asked for.
func standalone(r *engine.VisibilityRecord) {
	r.Run.Archetype = engine.ArchetypeActivity
	r.Type, r.TaskQueue = "Charge", "payments"
	r.ExecutionTime = r.StartTime.Add(5 * time.Minute)
	r.HistorySizeBytes = 300
}

// activityIDs lists the activities that match, in order, and checks that they
// are counted as well.
func (f *fixture) activityIDs(query string) string {
	f.t.Helper()
	request := ListRequest{Namespace: f.spaces["ns-1"], Archetype: engine.ArchetypeActivity, Query: query}
	page, err := f.List(f.t.Context(), request)
	if err != nil {
		return err.Error()
	}
	if len(page.Executions) != 0 {
		f.t.Errorf("%s: a list of activities has workflows: %v", query, page.Executions)
	}
	var ids []string
	for _, a := range page.Activities {
		ids = append(ids, a.GetActivityId())
	}
	count, err := f.Count(f.t.Context(), CountRequest{Namespace: request.Namespace, Archetype: request.Archetype, Query: query})
	if err != nil || count.Total != int64(len(ids)) {
		f.t.Errorf("count of %s: %+v, %v; want %d", query, count, err, len(ids))
	}
	return strings.Join(ids, " ")
}

// TestActivitiesApart shows that activities and workflows do not appear in each
// other's lists and counts, even under one id and run id.
func TestActivitiesApart(t *testing.T) {
	f := fresh(t)
	f.put(run("a", running), run("a", completed, standalone), run("w", running), run("b", running, standalone))
	f.expect("", "a w")
	f.expect("RunId = 'run-a'", "a")
	if got := f.activityIDs(""); got != "b a" {
		t.Errorf("activities: %s", got)
	}
	f.put(run("a", completed, standalone, func(r *engine.VisibilityRecord) { r.Version, r.Deleted = 2, true }))
	if got := f.activityIDs(""); got != "b" {
		t.Errorf("activities after a deletion: %s", got)
	}
	f.expect("", "a w")
}

// TestActivityQueries is AX-25: the fields of activities and no others.
func TestActivityQueries(t *testing.T) {
	f := fresh(t)
	f.put(
		run("a", running, standalone, with("CK", kindKeyword, "vip")),
		run("b", completed, standalone),
		run("c", enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT, standalone, func(r *engine.VisibilityRecord) { r.Type = "Refund" }),
		run("d", paused, standalone, func(r *engine.VisibilityRecord) { r.StartTime = noon.Add(-time.Minute) }),
		run("e", enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, standalone, func(r *engine.VisibilityRecord) { r.CloseTime = noon.Add(time.Minute) }),
		run("f", enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, standalone, func(r *engine.VisibilityRecord) { r.CloseTime = noon.Add(time.Second) }),
		run("w", running),
	)
	unknown := func(name string) string {
		return fmt.Sprintf("invalid query: invalid expression: column name '%s' is not a valid search attribute", name)
	}
	for _, row := range []struct{ query, want string }{
		{"ActivityId = 'a'", "a"},
		{"ActivityId STARTS_WITH 'a' OR `ActivityId` IN (\"b\")", "a b"},
		{"ActivityId IS NULL", ""},
		{"ActivityType = 'Refund'", "c"},
		{"TaskQueue = 'payments' AND ExecutionStatus = 'Running'", "a"},
		{"ExecutionStatus = 'TimedOut'", "c"},
		{"ExecutionStatus = 'ACTIVITY_EXECUTION_STATUS_TIMED_OUT'", "c"},
		{"ExecutionStatus = 6", "c"},
		{"ExecutionStatus = 7", "d"},
		{"ExecutionStatus IN ('Paused', 'Canceled', 'Terminated', 'Completed')", "d b e f"},
		{"ExecutionStatus = 'Failed'", ""},
		{"RunId = 'run-b'", "b"},
		{"StartTime < '2024-05-01T12:00:00Z'", "d"},
		{"ExecutionTime >= '2024-05-01T12:05:00Z' AND CloseTime IS NULL", "a d"},
		{"ExecutionDuration = '1h'", "b c"},
		{"StateTransitionCount = 9", "b c e f"},
		{"CK = 'vip'", "a"},
		{"WorkflowId = 'a'", unknown("WorkflowId")},
		{"WorkflowType = 'a'", unknown("WorkflowType")},
		{"HistoryLength = 1", unknown("HistoryLength")},
		{"RootWorkflowId = 'a'", unknown("RootWorkflowId")},
		{"ScheduleTime > 1", unknown("ScheduleTime")},
		{"Status = 'Running'", unknown("Status")},
		{"ExecutionStatus = 'ContinuedAsNew'", "invalid query: invalid expression: invalid ExecutionStatus value 'ContinuedAsNew'"},
		{"ExecutionStatus = 8", "invalid query: invalid expression: invalid ExecutionStatus value 8"},
		{"ORDER BY StartTime", "invalid query: operation is not supported: 'ORDER BY' clause"},
	} {
		if got := f.activityIDs(row.query); got != row.want {
			t.Errorf("%s\ngot  %q\nwant %q", row.query, got, row.want)
		}
	}
	f.expect("ActivityId = 'a'", unknown("ActivityId"))
	f.expect("ActivityType = 'a'", unknown("ActivityType"))
}

// TestActivityGroups is Count with GROUP BY: a group for each status there is.
func TestActivityGroups(t *testing.T) {
	f := fresh(t)
	f.put(run("a", running, standalone), run("b", paused, standalone), run("c", running, standalone), run("w", completed))
	request := CountRequest{Namespace: f.spaces["ns-1"], Archetype: engine.ArchetypeActivity, Query: "GROUP BY ExecutionStatus"}
	count, err := f.Count(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range count.Groups {
		got = append(got, fmt.Sprintf("%s %s %d", g.Value.GetData(), g.Value.GetMetadata()["type"], g.Count))
	}
	if want := `"Running" Keyword 2, "Paused" Keyword 1`; strings.Join(got, ", ") != want || count.Total != 3 {
		t.Errorf("%d: %s, want %s", count.Total, strings.Join(got, ", "), want)
	}
	request.Query = "GROUP BY ActivityType"
	if _, err := f.Count(t.Context(), request); err == nil || !strings.Contains(err.Error(), "'GROUP BY' clause is not supported for search attribute ActivityType") {
		t.Errorf("GROUP BY ActivityType: %v", err)
	}
}

// TestActivityRow is what a list shows of an activity, open and closed.
func TestActivityRow(t *testing.T) {
	f := fresh(t)
	f.put(
		run("open", running, standalone, with("CK", kindKeyword, "vip"), with("Gone", kindKeyword, "x")),
		run("done", completed, standalone),
	)
	page, err := f.List(t.Context(), ListRequest{Namespace: f.spaces["ns-1"], Archetype: engine.ArchetypeActivity})
	if err != nil || len(page.Activities) != 2 {
		t.Fatalf("%v, %v", page, err)
	}
	stamp := func(after time.Duration) *timestamppb.Timestamp { return timestamppb.New(noon.Add(after)) }
	open := &activitypb.ActivityExecutionListInfo{
		ActivityId: "open", RunId: "run-open", ActivityType: &commonpb.ActivityType{Name: "Charge"}, TaskQueue: "payments",
		ScheduleTime: stamp(0), ExecutionTime: stamp(5 * time.Minute), Status: enumspb.ACTIVITY_EXECUTION_STATUS_RUNNING, StateSizeBytes: 300,
		SearchAttributes: page.Activities[0].GetSearchAttributes(),
	}
	if names := open.GetSearchAttributes().GetIndexedFields(); len(names) != 1 || names["CK"] == nil {
		t.Errorf("attributes shown: %v", names)
	}
	done := &activitypb.ActivityExecutionListInfo{
		ActivityId: "done", RunId: "run-done", ActivityType: &commonpb.ActivityType{Name: "Charge"}, TaskQueue: "payments",
		ScheduleTime: stamp(0), ExecutionTime: stamp(5 * time.Minute), CloseTime: stamp(time.Hour), StateSizeBytes: 300,
		Status: enumspb.ACTIVITY_EXECUTION_STATUS_COMPLETED, StateTransitionCount: 9, ExecutionDuration: durationpb.New(time.Hour),
		SearchAttributes: &commonpb.SearchAttributes{},
	}
	for i, want := range []*activitypb.ActivityExecutionListInfo{open, done} {
		if !proto.Equal(page.Activities[i], want) {
			t.Errorf("row %d\n got %v\nwant %v", i, page.Activities[i], want)
		}
	}
}
