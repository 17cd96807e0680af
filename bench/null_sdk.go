package bench

import (
	"context"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
)

// An SDK looks at more than our own workers do: it asks what the server can do,
// and the events of a workflow must have the ids they would have. So scenario
// sdk-activity1 has events of its own. All its workflows have the same eleven.

// sdkActivityID is what the Go SDK calls the first activity of a workflow.
const sdkActivityID = "5"

// sdkEvents are those of the first workflow task, and of the second.
type sdkEvents [2]cannedEvents

func newSDKEvents(e cannedEvents) (s sdkEvents) {
	s[0] = e
	s[0].started = numbered(1, e.started)
	s[0].task = numbered(2, e.task)
	s[0].taskCompleted = numbered(4, e.taskCompleted)
	s[0].activityScheduled = numbered(5, e.activityScheduled)
	s[1] = s[0]
	s[1].activityDone = numbered(6, e.activityDone)
	s[1].task = numbered(8, e.task)
	s[1].taskCompleted = numbered(10, e.taskCompleted)
	s[1].completed = numbered(11, e.completed)
	return s
}

// numbered is the same events with ids that count from first.
func numbered(first int64, encoded []byte) []byte {
	var h historypb.History
	if err := proto.Unmarshal(encoded, &h); err != nil {
		panic(err) // encoded here, a moment ago
	}
	for i, ev := range h.Events {
		ev.EventId = first + int64(i)
		if a := ev.GetActivityTaskScheduledEventAttributes(); a != nil {
			a.ActivityId = sdkActivityID
		}
	}
	encoded, err := proto.Marshal(&h)
	if err != nil {
		panic(err)
	}
	return encoded
}

// eventsOf are the events that a call adds to a run: to what its first workflow
// task has brought, or to what came after.
func (s *nullServer) eventsOf(r *nullRun, after int) *cannedEvents {
	if r.workflow.GetName() != sdkScenario {
		return &s.events
	}
	return &s.sdk[after]
}

// tasksSeen is how many workflow tasks were handed out before the present one.
func (r *nullRun) tasksSeen() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int(min(r.mu.seen-1, 1))
}

// startedEventID is the last event that a workflow task shows.
func (r *nullRun) startedEventID(previous int64) int64 {
	if r.workflow.GetName() == sdkScenario && previous > 0 {
		return 9
	}
	return previous + 3
}

// eager takes the activities that the worker would like to have at once out of
// what is to be queued.
func (r *nullRun) eager(n *news, commands []*commandpb.Command) (tasks []*workflowservice.PollActivityTaskQueueResponse) {
	for _, c := range commands {
		if c.GetScheduleActivityTaskCommandAttributes().GetRequestEagerExecution() {
			n.activities--
			tasks = append(tasks, r.activityTask())
		}
	}
	return tasks
}

// activityTask is what a worker is given of an activity.
func (r *nullRun) activityTask() *workflowservice.PollActivityTaskQueueResponse {
	t := &workflowservice.PollActivityTaskQueueResponse{
		TaskToken: r.token(), WorkflowExecution: r.execution, WorkflowType: r.workflow, Attempt: 1,
		ActivityId: "0", ActivityType: &commonpb.ActivityType{Name: "work"}, Input: payload,
	}
	if r.workflow.GetName() == sdkScenario {
		now := timestamppb.Now()
		t.ActivityId, t.ScheduledTime, t.StartedTime, t.CurrentAttemptScheduledTime = sdkActivityID, now, now, now
		t.StartToCloseTimeout = durationpb.New(time.Minute)
	}
	return t
}

// GetSystemInfo implements workflowservice.
func (*nullServer) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{ServerVersion: "floor", Capabilities: &workflowservice.GetSystemInfoResponse_Capabilities{
		SignalAndQueryHeader: true, InternalErrorDifferentiation: true, ActivityFailureIncludeHeartbeat: true,
		EncodedFailureAttributes: true, SdkMetadata: true, EagerWorkflowStart: true,
	}}, nil
}

// DescribeNamespace implements workflowservice: there is every namespace.
func (*nullServer) DescribeNamespace(_ context.Context, req *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	return &workflowservice.DescribeNamespaceResponse{NamespaceInfo: &namespacepb.NamespaceInfo{
		Name: req.GetNamespace(), State: enumspb.NAMESPACE_STATE_REGISTERED}}, nil
}
