package frontend

import (
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/workflow"
)

// workflow.md 5.2: each part of the run where the API shows it.
func TestDescribe(t *testing.T) {
	e := newEdge(t)
	run := e.withRun()
	later := time.Now().Add(time.Hour)
	policy := &commonpb.RetryPolicy{MaximumAttempts: 3}
	run.change(func() {
		r := run.mu.run
		r.Start.Parent = &workflow.Parent{Run: engine.RunKey{ID: engine.ID{NamespaceID: "ns-id", Name: "parent"}, RunID: "p"}}
		r.Start.Backoff = time.Second
		r.Activities = map[int64]*activity.State{
			7: {ID: "b", Status: activity.StatusQueued, Attempt: 2, DueTime: later, RetryInterval: time.Minute, ScheduledTime: time.Unix(100, 0),
				Options: activity.Options{ScheduleToClose: time.Minute, RetryPolicy: policy}},
			5: {ID: "a", Type: "at", Status: activity.StatusStarted, Attempt: 1, StartedTime: time.Unix(101, 0), CancelRequested: true, Options: activity.Options{RetryPolicy: policy}},
		}
		r.Children = map[int64]*workflow.Child{9: {InitiatedEventID: 9, WorkflowID: "child", WorkflowType: "ct"}}
		r.Requests = map[string]*workflow.Request{"q": {EventType: started, EventID: 1}}
		info := *r.Info
		info.Task = &workflow.Task{ScheduledEventID: 2, Attempt: 4, ScheduledTime: time.Unix(102, 0)}
		r.Info = &info
	})
	d, err := e.api.DescribeWorkflowExecution(t.Context(), &workflowservice.DescribeWorkflowExecutionRequest{Namespace: "ns", Execution: testExecution})
	if err != nil {
		t.Fatal(err)
	}
	info := d.GetWorkflowExecutionInfo()
	if info.GetExecutionTime().GetSeconds() != 101 || info.GetCloseTime() != nil || info.GetParentExecution().GetWorkflowId() != "parent" || info.GetRootExecution().GetRunId() != testRun.RunID {
		t.Errorf("info %v", info)
	}
	if len(d.GetPendingActivities()) != 2 {
		t.Fatalf("activities %v", d.GetPendingActivities())
	}
	a, b := d.GetPendingActivities()[0], d.GetPendingActivities()[1]
	if a.GetActivityId() != "a" || a.GetState() != enumspb.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED || a.GetNextAttemptScheduleTime() != nil || a.GetExpirationTime() != nil {
		t.Errorf("started activity %v", a)
	}
	if b.GetState() != enumspb.PENDING_ACTIVITY_STATE_SCHEDULED || b.GetCurrentRetryInterval().AsDuration() != time.Minute ||
		b.GetNextAttemptScheduleTime() == nil || b.GetExpirationTime().GetSeconds() != 160 || b.GetMaximumAttempts() != 3 {
		t.Errorf("activity in back-off %v", b)
	}
	if task := d.GetPendingWorkflowTask(); task.GetAttempt() != 4 || task.GetState() != enumspb.PENDING_WORKFLOW_TASK_STATE_SCHEDULED {
		t.Errorf("task %v", task)
	}
	if d.GetPendingChildren()[0].GetInitiatedId() != 9 || d.GetWorkflowExtendedInfo().GetRequestIdInfos()["q"].GetEventId() != 1 {
		t.Errorf("children or requests in %v", d)
	}
	run.close()
	d, err = e.api.DescribeWorkflowExecution(t.Context(), &workflowservice.DescribeWorkflowExecutionRequest{Namespace: "ns", Execution: testExecution})
	if err != nil || d.GetWorkflowExecutionInfo().GetExecutionDuration().AsDuration() != 99*time.Second || d.GetPendingWorkflowTask() != nil {
		t.Errorf("closed: %v, %v", d, err)
	}
}
