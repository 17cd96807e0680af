package frontend

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/errordetails/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/matching"
)

// withStandalone starts the activity "a".
func (e *edge) withStandalone(t *testing.T, change func(*activityStart)) (runID string) {
	t.Helper()
	resp, err := e.api.StartActivityExecution(t.Context(), activityStartRequest(change))
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetRunId()
}

func nothing(*activityStart) {}

// polled hands the activity's attempt to a worker, through the poll.
func (e *edge) polled(t *testing.T) *workflowservice.PollActivityTaskQueueResponse {
	t.Helper()
	e.executions.mu.Lock()
	run := e.executions.mu.alone
	key, stamp := run.Key, run.Activity.Stamp
	e.executions.mu.Unlock()
	started, err := e.executions.Do(t.Context(), key.ID, key.RunID, &standalone.StartAttempt{
		Stamp: stamp, Poller: engine.Poller{Identity: "worker", RequestID: "poll", ClientName: "temporal-go", ClientVersion: "1.50.0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	e.queues.tasks <- &matching.Handover{Started: started}
	ctx, cancel := context.WithTimeout(t.Context(), pollWait)
	defer cancel()
	task, err := e.api.PollActivityTaskQueue(ctx, &workflowservice.PollActivityTaskQueueRequest{
		Namespace: "ns", TaskQueue: activityStartRequest(nothing).GetTaskQueue(), Identity: "worker",
	})
	if err != nil {
		t.Fatal(err)
	}
	return task
}

// TestStandaloneTask is table 3.1 for an activity that stands alone.
func TestStandaloneTask(t *testing.T) {
	e := newEdge(t)
	runID := e.withStandalone(t, func(r *activityStart) {
		r.Input, r.Header = blob(3), &commonpb.Header{Fields: map[string]*commonpb.Payload{"k": {}}}
		r.ScheduleToCloseTimeout, r.Priority = durationpb.New(time.Minute), &commonpb.Priority{PriorityKey: 2}
	})
	task := e.polled(t)
	want := &workflowservice.PollActivityTaskQueueResponse{
		TaskToken: task.GetTaskToken(), WorkflowNamespace: "ns", WorkflowExecution: &commonpb.WorkflowExecution{},
		ActivityType: &commonpb.ActivityType{Name: "t"}, ActivityId: "a", ActivityRunId: runID,
		Header: &commonpb.Header{Fields: map[string]*commonpb.Payload{"k": {}}}, Input: blob(3),
		ScheduledTime: timestamp(time.Unix(1000, 0)), CurrentAttemptScheduledTime: timestamp(time.Unix(1000, 0)), StartedTime: timestamp(time.Unix(1000, 0)),
		Attempt: 1, ScheduleToCloseTimeout: durationpb.New(time.Minute), StartToCloseTimeout: durationpb.New(time.Second), HeartbeatTimeout: durationpb.New(0),
		RetryPolicy: task.GetRetryPolicy(), Priority: &commonpb.Priority{PriorityKey: 2},
	}
	if !proto.Equal(task, want) || task.GetRetryPolicy().GetInitialInterval().GetSeconds() != 1 {
		t.Errorf("got  %v\nwant %v", task, want)
	}
	if _, err := e.api.RecordActivityTaskHeartbeat(t.Context(), &workflowservice.RecordActivityTaskHeartbeatRequest{
		TaskToken: task.GetTaskToken(), Details: blob(1), // the token says the namespace
	}); err != nil {
		t.Error(err)
	}
	if _, err := e.api.RespondActivityTaskCompleted(t.Context(), &workflowservice.RespondActivityTaskCompletedRequest{
		Namespace: "ns", TaskToken: task.GetTaskToken(), Result: blob(5),
	}); err != nil {
		t.Error(err)
	}
	polled, err := e.api.PollActivityExecution(t.Context(), &workflowservice.PollActivityExecutionRequest{Namespace: "ns", ActivityId: "a"})
	if err != nil || polled.GetRunId() != runID || !proto.Equal(polled.GetOutcome().GetResult(), blob(5)) {
		t.Errorf("%v, %v", polled, err)
	}
}

// TestStandaloneEagerTask: the answer to a start brings the first attempt (AX-6).
func TestStandaloneEagerTask(t *testing.T) {
	e := newEdge(t)
	resp, err := e.api.StartActivityExecution(t.Context(), activityStartRequest(func(r *activityStart) { r.RequestEagerExecution = true }))
	if err != nil || resp.GetEagerActivityTask().GetAttempt() != 1 || !resp.GetStarted() {
		t.Fatalf("%v, %v", resp, err)
	}
	if l := resp.GetLink().GetActivity(); l.GetNamespace() != "ns" || l.GetActivityId() != "a" || l.GetRunId() != resp.GetRunId() {
		t.Errorf("link %v", l)
	}
	_, err = e.api.RespondActivityTaskCompleted(t.Context(), &workflowservice.RespondActivityTaskCompletedRequest{TaskToken: resp.GetEagerActivityTask().GetTaskToken()})
	if err != nil {
		t.Error(err)
	}
	info := e.describeAlone(t, &workflowservice.DescribeActivityExecutionRequest{}).GetInfo()
	if !info.GetEagerExecutionAccepted() || info.GetStatus() != enumspb.ACTIVITY_EXECUTION_STATUS_COMPLETED {
		t.Errorf("%v", info)
	}
}

// TestEagerAttemptIsTakenBack: a caller that is gone has no use for its task.
func TestEagerAttemptIsTakenBack(t *testing.T) {
	e := newEdge(t)
	ctx, leave := context.WithCancel(context.WithValue(t.Context(), callKey{}, &call{namespace: testNamespaces[0]}))
	leave()
	resp, err := e.StartActivityExecution(ctx, activityStartRequest(func(r *activityStart) { r.RequestEagerExecution = true }))
	if err != nil || resp.GetEagerActivityTask() != nil || !resp.GetStarted() {
		t.Fatalf("%v, %v", resp, err)
	}
	inputs := e.executions.inputs()
	if _, ok := inputs[len(inputs)-1].(*standalone.AbortAttempt); !ok {
		t.Errorf("the last input is a %T", inputs[len(inputs)-1])
	}
	if state := e.describeAlone(t, &workflowservice.DescribeActivityExecutionRequest{}).GetInfo().GetRunState(); state != enumspb.PENDING_ACTIVITY_STATE_SCHEDULED {
		t.Errorf("the activity is %v", state)
	}
}

// describeAlone describes the activity "a".
func (e *edge) describeAlone(t *testing.T, r *workflowservice.DescribeActivityExecutionRequest) *workflowservice.DescribeActivityExecutionResponse {
	t.Helper()
	r.Namespace, r.ActivityId = "ns", "a"
	resp, err := e.api.DescribeActivityExecution(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// TestDescribeActivity is AX-20 and AX-21, through the life of an activity.
func TestDescribeActivity(t *testing.T) {
	e := newEdge(t)
	runID := e.withStandalone(t, func(r *activityStart) {
		r.Input, r.StartDelay, r.ScheduleToCloseTimeout = blob(3), durationpb.New(time.Minute), durationpb.New(time.Hour)
	})
	resp := e.describeAlone(t, &workflowservice.DescribeActivityExecutionRequest{IncludeInput: true, IncludeOutcome: true})
	info := resp.GetInfo()
	at := func(seconds int64) string { return timestamp(time.Unix(seconds, 0)).String() }
	for _, c := range []struct{ field, got, want string }{
		{"run id", resp.GetRunId(), runID},
		{"id", info.GetActivityId(), "a"},
		{"type", info.GetActivityType().GetName(), "t"},
		{"task queue", info.GetTaskQueue(), "q"},
		{"status", info.GetStatus().String(), "Running"},
		{"run state", info.GetRunState().String(), "Scheduled"},
		{"schedule time", info.GetScheduleTime().String(), at(1000)},
		{"execution time", info.GetExecutionTime().String(), at(1060)},
		{"expiration time", info.GetExpirationTime().String(), at(1060 + 3600)},
		{"start delay", info.GetStartDelay().AsDuration().String(), "1m0s"},
		{"start to close", info.GetStartToCloseTimeout().AsDuration().String(), "1s"},
		{"input", resp.GetInput().String(), blob(3).String()},
		{"outcome", resp.GetOutcome().String(), (*activitypb.ActivityExecutionOutcome)(nil).String()},
	} {
		if c.got != c.want {
			t.Errorf("%s is %q, want %q", c.field, c.got, c.want)
		}
	}
	// The edge's clock is the machine's: in 1970 the delay is long over.
	if info.GetNextAttemptScheduleTime() != nil || info.GetSearchAttributes() == nil || info.GetLastStartedTime() != nil || info.GetCloseTime() != nil {
		t.Errorf("%v", info)
	}
	if len(resp.GetLongPollToken()) == 0 {
		t.Error("no token to wait with")
	}

	task := e.polled(t)
	if _, err := e.api.RecordActivityTaskHeartbeat(t.Context(), &workflowservice.RecordActivityTaskHeartbeatRequest{TaskToken: task.GetTaskToken(), Details: blob(7)}); err != nil {
		t.Fatal(err)
	}
	info = e.describeAlone(t, &workflowservice.DescribeActivityExecutionRequest{}).GetInfo()
	if info.GetRunState() != enumspb.PENDING_ACTIVITY_STATE_STARTED || info.GetLastWorkerIdentity() == "" || info.GetSdkName() != "temporal-go" ||
		info.GetSdkVersion() != "1.50.0" || info.GetTotalHeartbeatCount() != 1 || info.GetLastHeartbeatTime() == nil || info.GetLastStartedTime() == nil {
		t.Errorf("running: %v", info)
	}
	if info.GetHeartbeatDetails() != nil {
		t.Errorf("details that nobody asked for: %v", info)
	}
	info = e.describeAlone(t, &workflowservice.DescribeActivityExecutionRequest{IncludeHeartbeatDetails: true}).GetInfo()
	if !proto.Equal(info.GetHeartbeatDetails(), blob(7)) {
		t.Errorf("details %v", info.GetHeartbeatDetails())
	}

	if _, err := e.api.RespondActivityTaskFailed(t.Context(), &workflowservice.RespondActivityTaskFailedRequest{TaskToken: task.GetTaskToken(), Failure: applicationFailure("ill")}); err != nil {
		t.Fatal(err)
	}
	info = e.describeAlone(t, &workflowservice.DescribeActivityExecutionRequest{IncludeLastFailure: true}).GetInfo()
	if info.GetAttempt() != 2 || info.GetLastFailure().GetMessage() != "ill" || info.GetLastAttemptCompleteTime() == nil {
		t.Errorf("retrying: %v", info)
	}

	_, err := e.api.RequestCancelActivityExecution(t.Context(), &workflowservice.RequestCancelActivityExecutionRequest{Namespace: "ns", ActivityId: "a", Reason: "no more"})
	if err != nil {
		t.Fatal(err)
	}
	resp = e.describeAlone(t, &workflowservice.DescribeActivityExecutionRequest{IncludeOutcome: true})
	info = resp.GetInfo()
	if info.GetStatus() != enumspb.ACTIVITY_EXECUTION_STATUS_CANCELED || info.GetRunState() != enumspb.PENDING_ACTIVITY_STATE_UNSPECIFIED ||
		info.GetCanceledReason() != "no more" || info.GetCloseTime() == nil || info.GetExecutionDuration() == nil || info.GetNextAttemptScheduleTime() != nil ||
		resp.GetOutcome().GetFailure().GetCanceledFailureInfo() == nil || len(resp.GetLongPollToken()) == 0 {
		t.Errorf("canceled: %v", resp)
	}
}

func applicationFailure(message string) *failurepb.Failure {
	return &failurepb.Failure{Message: message, FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{}}}
}

// TestDescribeWaitsForChange is AX-22: with a token the answer comes when the
// state is another, and at once when it is already.
func TestDescribeWaitsForChange(t *testing.T) {
	e := newEdge(t)
	runID := e.withStandalone(t, nothing)
	token := e.describeAlone(t, &workflowservice.DescribeActivityExecutionRequest{}).GetLongPollToken()
	got := make(chan *workflowservice.DescribeActivityExecutionResponse, 1)
	go func() {
		resp, err := e.api.DescribeActivityExecution(t.Context(), &workflowservice.DescribeActivityExecutionRequest{
			Namespace: "ns", ActivityId: "a", RunId: runID, LongPollToken: token})
		if err != nil {
			t.Error(err)
		}
		got <- resp
	}()
	if _, err := e.api.PauseActivityExecution(t.Context(), &workflowservice.PauseActivityExecutionRequest{Namespace: "ns", ActivityId: "a"}); err != nil {
		t.Fatal(err)
	}
	if info := (<-got).GetInfo(); info.GetStatus() != enumspb.ACTIVITY_EXECUTION_STATUS_PAUSED {
		t.Errorf("%v", info)
	}
	// The old token: the state is newer already.
	if info := e.describeAlone(t, &workflowservice.DescribeActivityExecutionRequest{RunId: runID, LongPollToken: token}).GetInfo(); info == nil {
		t.Error("an answer of nothing about a state that is newer")
	}
	other := sealActivityWait(activityWait{Run: testRun})
	for _, c := range []refusal{
		{"no run id", "DescribeActivityExecution", &workflowservice.DescribeActivityExecutionRequest{Namespace: "ns", ActivityId: "a", LongPollToken: token}, codes.InvalidArgument, "run id is required when long poll token is provided"},
		{"garbage", "DescribeActivityExecution", &workflowservice.DescribeActivityExecutionRequest{Namespace: "ns", ActivityId: "a", RunId: runID, LongPollToken: []byte("x")}, codes.InvalidArgument, "invalid long poll token"},
		{"another's token", "DescribeActivityExecution", &workflowservice.DescribeActivityExecutionRequest{Namespace: "ns", ActivityId: "a", RunId: runID, LongPollToken: other}, codes.InvalidArgument, "long poll token does not match execution"},
		{"no id", "DescribeActivityExecution", &workflowservice.DescribeActivityExecutionRequest{Namespace: "ns"}, codes.InvalidArgument, "activity ID is required"},
		{"a bad run id", "DescribeActivityExecution", &workflowservice.DescribeActivityExecutionRequest{Namespace: "ns", ActivityId: "a", RunId: "x"}, codes.InvalidArgument, "invalid run id: must be a valid UUID"},
		{"an unknown activity", "DescribeActivityExecution", &workflowservice.DescribeActivityExecutionRequest{Namespace: "ns", ActivityId: "b"}, codes.NotFound, "activity not found for ID: b"},
		{"no id", "PollActivityExecution", &workflowservice.PollActivityExecutionRequest{Namespace: "ns"}, codes.InvalidArgument, "activity ID is required"},
		{"an unknown activity", "PollActivityExecution", &workflowservice.PollActivityExecutionRequest{Namespace: "ns", ActivityId: "b"}, codes.NotFound, "activity not found for ID: b"},
	} {
		check(t, e, c)
	}
}

// TestActivityLongPollsEndEmpty is AX-24: an empty answer a second before the
// caller's deadline, or after a minute.
func TestActivityLongPollsEndEmpty(t *testing.T) {
	for name, c := range map[string]struct{ deadline, want time.Duration }{
		"before the caller's deadline": {2500 * time.Millisecond, 1500 * time.Millisecond},
		"after a minute":               {time.Hour, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newFakeExecutions()
				f := New(Options{Executions: e, Queues: newFakeQueues(), Visibility: &fakeVisibility{}, Registry: fakeRegistry{}})
				ctx := context.WithValue(t.Context(), callKey{}, &call{namespace: testNamespaces[0]})
				started, err := f.StartActivityExecution(ctx, activityStartRequest(nothing))
				if err != nil {
					t.Fatal(err)
				}
				now, err := f.DescribeActivityExecution(ctx, &workflowservice.DescribeActivityExecutionRequest{ActivityId: "a"})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(ctx, c.deadline)
				defer cancel()
				began := time.Now()
				later, err := f.DescribeActivityExecution(ctx, &workflowservice.DescribeActivityExecutionRequest{
					ActivityId: "a", RunId: started.GetRunId(), LongPollToken: now.GetLongPollToken()})
				if err != nil || proto.Size(later) != 0 || time.Since(began) != c.want {
					t.Errorf("describe: %v, %v after %s", later, err, time.Since(began))
				}
				ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), c.deadline)
				defer cancel()
				began = time.Now()
				outcome, err := f.PollActivityExecution(ctx, &workflowservice.PollActivityExecutionRequest{ActivityId: "a"})
				if err != nil || proto.Size(outcome) != 0 || time.Since(began) != c.want {
					t.Errorf("poll: %v, %v after %s", outcome, err, time.Since(began))
				}
			})
		})
	}
}

// TestActivityLongPollsAreBounded: they count as calls that wait.
func TestActivityLongPollsAreBounded(t *testing.T) {
	e := newEdge(t, func(o *Options) { o.MaxWaitingPerNamespace = 1 })
	e.withStandalone(t, nothing)
	place, err := e.waiting.enter("ns-id")
	if err != nil {
		t.Fatal(err)
	}
	defer place.leave()
	check(t, e, refusal{"one too many", "PollActivityExecution", &workflowservice.PollActivityExecutionRequest{Namespace: "ns", ActivityId: "a"},
		codes.ResourceExhausted, "namespace concurrent poller limit exceeded"})
}

// TestActivityListsAskForActivities: what the calls make of a query, and that
// lists of workflows do not ask for activities.
func TestActivityListsAskForActivities(t *testing.T) {
	e := newEdge(t)
	list, err := e.api.ListActivityExecutions(t.Context(), &workflowservice.ListActivityExecutionsRequest{Namespace: "ns", Query: "ActivityId = 'a'", PageSize: 7})
	if err != nil || e.visibility.archetype != engine.ArchetypeActivity || e.visibility.query != "ActivityId = 'a'" || e.visibility.size != 7 {
		t.Errorf("%v, %v: asked for %+v", list, err, e.visibility)
	}
	count, err := e.api.CountActivityExecutions(t.Context(), &workflowservice.CountActivityExecutionsRequest{Namespace: "ns", Query: "GROUP BY ExecutionStatus"})
	if err != nil || e.visibility.archetype != engine.ArchetypeActivity || count.GetCount() != 3 || len(count.GetGroups()) != 1 || count.GetGroups()[0].GetCount() != 3 {
		t.Errorf("%v, %v: asked for %+v", count, err, e.visibility)
	}
	if _, err := e.api.ListWorkflowExecutions(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: "ns"}); err != nil || e.visibility.archetype == engine.ArchetypeActivity {
		t.Errorf("workflows: %v, asked for %+v", err, e.visibility)
	}
}

// TestAlreadyStartedNamesTheRun: SDKs read the run id from the detail (AX-4).
func TestAlreadyStartedNamesTheRun(t *testing.T) {
	e := newEdge(t)
	runID := e.withStandalone(t, func(r *activityStart) { r.RequestId = "first" })
	_, err := e.api.StartActivityExecution(t.Context(), activityStartRequest(nothing))
	details := status.Convert(err).Details()
	if len(details) == 0 {
		t.Fatalf("no detail: %v", err)
	}
	d, ok := details[0].(*errordetails.ActivityExecutionAlreadyStartedFailure)
	if !ok || d.GetRunId() != runID || d.GetStartRequestId() != "first" {
		t.Errorf("%v: %v", err, details)
	}
	again, err := e.api.StartActivityExecution(t.Context(), activityStartRequest(func(r *activityStart) { r.RequestId = "first" }))
	if err != nil || again.GetStarted() || again.GetRunId() != runID {
		t.Errorf("the same request: %v, %v", again, err)
	}
	var missing *serviceerror.NotFound
	_, err = e.api.DescribeActivityExecution(t.Context(), &workflowservice.DescribeActivityExecutionRequest{Namespace: "ns", ActivityId: "b"})
	if !asService(err, &missing) {
		t.Errorf("unknown: %v", err)
	}
}

// TestUpdatedStandaloneOptions: the answer has all options, the error types that
// are not retried too.
func TestUpdatedStandaloneOptions(t *testing.T) {
	e := newEdge(t)
	e.withStandalone(t, func(r *activityStart) { r.RetryPolicy = &commonpb.RetryPolicy{NonRetryableErrorTypes: []string{"Bad"}} })
	resp, err := e.api.UpdateActivityExecutionOptions(t.Context(), &workflowservice.UpdateActivityExecutionOptionsRequest{
		Namespace: "ns", ActivityId: "a", ActivityOptions: &activitypb.ActivityOptions{StartToCloseTimeout: durationpb.New(time.Hour)},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"startToCloseTimeout"}}})
	o := resp.GetActivityOptions()
	if err != nil || o.GetStartToCloseTimeout().GetSeconds() != 3600 || o.GetTaskQueue().GetName() != "q" || len(o.GetRetryPolicy().GetNonRetryableErrorTypes()) != 1 {
		t.Errorf("%v, %v", o, err)
	}
}

func asService[E error](err error, target *E) bool {
	converted, ok := serviceerror.FromStatus(status.Convert(err)).(E)
	*target = converted
	return ok
}
