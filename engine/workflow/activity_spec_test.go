package workflow_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// script plays scenario paragraphs given as lines; a line that begins with a tab
// is a command of the complete paragraph before it.
func script(t *testing.T, w *world, lines ...string) {
	t.Helper()
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		var input []string
		for i+1 < len(lines) && strings.HasPrefix(lines[i+1], "\t") {
			i++
			input = append(input, strings.TrimPrefix(lines[i], "\t"))
		}
		cmd, cmdArgs, err := datadriven.ParseLine(line)
		if err != nil {
			t.Fatal(err)
		}
		w.run(&datadriven.TestData{Cmd: cmd, CmdArgs: cmdArgs, Input: strings.Join(input, "\n"), Pos: line})
	}
}

func lastEvent(w *world, id string, kind enumspb.EventType) *historypb.HistoryEvent {
	h := w.history[w.current[id]]
	for i := len(h) - 1; i >= 0; i-- {
		if h[i].EventType == kind {
			return h[i]
		}
	}
	return nil
}

// "All four are written to the Scheduled event and to the poll response as
// non-nil durations" (AT-11); "run timeout 60 s, STC 100 s alone -> 60 s, 60 s,
// 60 s" (AT-12); "a missing policy is replaced by the server default" (AT-20).
func TestScheduledEventShowsWhatWasResolved(t *testing.T) {
	w := newWorld(t)
	script(t, w, "start order run-timeout=60s", "poll orders", "complete order", "\tschedule a1 stc=100s", "poll-activity cards")
	a := lastEvent(w, "order", enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED).GetActivityTaskScheduledEventAttributes()
	for name, d := range map[string]*durationpb.Duration{
		"schedule to close": a.ScheduleToCloseTimeout, "schedule to start": a.ScheduleToStartTimeout, "start to close": a.StartToCloseTimeout,
	} {
		if d.AsDuration() != time.Minute {
			t.Errorf("%s is %v", name, d)
		}
	}
	if a.HeartbeatTimeout == nil || a.HeartbeatTimeout.AsDuration() != 0 {
		t.Errorf("heartbeat timeout is %v, want an explicit zero", a.HeartbeatTimeout)
	}
	want := &commonpb.RetryPolicy{InitialInterval: durationpb.New(time.Second), BackoffCoefficient: 2, MaximumInterval: durationpb.New(100 * time.Second)}
	if !proto.Equal(a.RetryPolicy, want) {
		t.Errorf("retry policy %v", a.RetryPolicy)
	}
	if a.TaskQueue.GetKind() != enumspb.TASK_QUEUE_KIND_NORMAL {
		t.Errorf("task queue kind %v (AT-5)", a.TaskQueue.GetKind())
	}
	got := w.acts["a1"]
	if got.StartToClose != time.Minute || got.ScheduleToClose != time.Minute || !proto.Equal(got.RetryPolicy, want) {
		t.Errorf("the worker was given %+v", got)
	}
}

// "header, input, user_metadata, priority are carried unchanged" (AT-8), and the
// worker's priority is "the workflow's overridden field by field" (3.1).
func TestWhatACommandCarries(t *testing.T) {
	w := newWorld(t)
	w.stepID("order", &workflow.StartWorkflow{Request: &workflowservice.StartWorkflowExecutionRequest{
		WorkflowId: "order", WorkflowType: &commonpb.WorkflowType{Name: "T"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "orders"},
		Priority: &commonpb.Priority{PriorityKey: 4, FairnessKey: "tenant"},
	}})
	script(t, w, "poll orders")
	own := &commonpb.Priority{PriorityKey: 1}
	metadata := &sdkpb.UserMetadata{Summary: payload("note")}
	header := &commonpb.Header{Fields: map[string]*commonpb.Payload{"trace": payload("1")}}
	cmd := &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK, UserMetadata: metadata,
		Attributes: &commandpb.Command_ScheduleActivityTaskCommandAttributes{ScheduleActivityTaskCommandAttributes: &commandpb.ScheduleActivityTaskCommandAttributes{
			ActivityId: "a1", ActivityType: &commonpb.ActivityType{Name: "charge"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "cards"},
			StartToCloseTimeout: durationpb.New(time.Second), Priority: own, Header: header, Input: payloads("in"), RequestEagerExecution: true,
		}}}
	reply := w.step(w.find("order"), &workflow.CompleteWorkflowTask{Token: w.tasks["order"].Token,
		Request: &workflowservice.RespondWorkflowTaskCompletedRequest{Commands: []*commandpb.Command{cmd}, Identity: "worker-1"},
		Poller:  engine.Poller{ControlTaskQueue: "control"}}).(*workflow.TaskCompleted)
	ev := lastEvent(w, "order", enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
	a := ev.GetActivityTaskScheduledEventAttributes()
	if !proto.Equal(ev.UserMetadata, metadata) || !proto.Equal(a.Header, header) || !proto.Equal(a.Input, payloads("in")) || !proto.Equal(a.Priority, own) {
		t.Errorf("the event does not carry what the command did: %v", ev)
	}
	// AT-30: eager, "already started (attempt 1, identity and control queue of
	// the completer, current_attempt_scheduled_time = scheduled_time)".
	if len(reply.Activities) != 1 {
		t.Fatalf("%d eager activities", len(reply.Activities))
	}
	got := reply.Activities[0]
	if !proto.Equal(got.Priority, &commonpb.Priority{PriorityKey: 1, FairnessKey: "tenant"}) {
		t.Errorf("priority %v", got.Priority)
	}
	if got.Attempt != 1 || !got.CurrentAttemptScheduledTime.Equal(got.ScheduledTime) || got.Scheduled != ev {
		t.Errorf("eager activity %+v", got)
	}
	s := w.find("order").Activities[ev.EventId]
	if s.Identity != "worker-1" || s.ControlTaskQueue != "control" || s.RequestID == "" {
		t.Errorf("started by %q, %q, request %q", s.Identity, s.ControlTaskQueue, s.RequestID)
	}
}

// AT-80, AT-86, AT-123: what is too large is recorded as a failure; the call
// succeeds.
func TestOversizeAnswersFailTheActivity(t *testing.T) {
	for input, want := range map[string]string{
		"complete": "Complete result exceeds size limit.", "cancel": "Cancel details exceed size limit.", "heartbeat": "Heartbeat details exceed size limit.",
	} {
		w := newWorld(t)
		script(t, w, "start order", "poll orders", "complete order", "\tschedule a1 stc=10s", "poll-activity cards",
			"signal order x", "poll orders", "complete order", "\tcancel-activity 5")
		w.limits.BlobBytes = 100
		big := payloads(strings.Repeat("x", 200))
		ref := workflow.ActivityRef{Token: &w.acts["a1"].Token}
		var in workflow.Input = &workflow.CompleteActivity{Ref: ref, Result: big}
		switch input {
		case "cancel":
			in = &workflow.CancelActivity{Ref: ref, Details: big}
		case "heartbeat":
			in = &workflow.HeartbeatActivity{Ref: ref, Details: big}
		}
		reply := w.step(w.find("order"), in)
		if h, ok := reply.(*workflowservice.RecordActivityTaskHeartbeatResponse); ok && !h.CancelRequested {
			t.Errorf("the worker is not told to stop")
		}
		a := lastEvent(w, "order", enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED).GetActivityTaskFailedEventAttributes()
		if a.GetFailure().GetMessage() != want || !a.GetFailure().GetServerFailureInfo().GetNonRetryable() ||
			a.GetRetryState() != enumspb.RETRY_STATE_NON_RETRYABLE_FAILURE {
			t.Errorf("%s: recorded %v", input, a)
		}
	}
}

// DESIGN I1: of all inputs only a heartbeat may be written a little later, and
// only while it changes nothing else.
func TestOnlyHeartbeatsAreDeferrable(t *testing.T) {
	w := newWorld(t)
	script(t, w, "start order", "poll orders", "complete order", "\tschedule a1 stc=10s", "poll-activity cards")
	ref := workflow.ActivityRef{Token: &w.acts["a1"].Token}
	step := func(in workflow.Input) *workflow.Change {
		res, err := workflow.Step(w.env(), w.find("order"), in)
		if err != nil {
			t.Fatal(err)
		}
		return res.Run
	}
	if c := step(&workflow.HeartbeatActivity{Ref: ref, Details: payloads("d")}); !c.Deferrable {
		t.Errorf("a heartbeat is not deferrable")
	}
	for _, in := range []workflow.Input{
		&workflow.CompleteActivity{Ref: ref}, &workflow.FailActivity{Ref: ref}, &workflow.AbortActivity{Token: *ref.Token},
		&workflow.HeartbeatActivity{Ref: ref, Details: payloads(strings.Repeat("x", 3<<20))},
	} {
		if c := step(in); c.Deferrable {
			t.Errorf("%T is deferrable", in)
		}
	}
}

// The limits on what may be pending (workflow.md 3.8, activity.md 1.1).
func TestPendingLimits(t *testing.T) {
	for command, want := range map[string]string{
		"schedule x%d stc=1s": "PendingActivitiesLimitExceeded: the number of pending activities, 2, has reached the per-workflow limit of 2",
		"start-child x%d":     "PendingChildWorkflowsLimitExceeded: the number of pending child workflow executions, 2, has reached the per-workflow limit of 2",
		"signal x%d hello":    "PendingSignalsLimitExceeded: the number of pending signals to external workflows, 2, has reached the per-workflow limit of 2",
		"cancel x%d":          "PendingRequestCancelLimitExceeded: the number of pending requests to cancel external workflows, 2, has reached the per-workflow limit of 2",
	} {
		w := newWorld(t)
		w.limits.PendingActivities, w.limits.PendingChildren, w.limits.PendingSignals, w.limits.PendingCancels = 2, 2, 2, 2
		script(t, w, "start order", "poll orders")
		lines := []string{"complete order"}
		for i := range 3 {
			lines = append(lines, "\t"+fmt.Sprintf(command, i))
		}
		script(t, w, lines...)
		if !strings.Contains(w.out.String(), "answered: "+want) {
			t.Errorf("%s: %s", command, w.out.String())
		}
	}
}

// DESIGN I1: after a reopen the heartbeat clock starts anew, late and never early.
func TestHeartbeatClockStartsAnewWhenTheShardIsOpened(t *testing.T) {
	w := newWorld(t)
	script(t, w, "start order", "poll orders", "complete order", "\tschedule a1 stc=100s hb=10s attempts=1", "poll-activity cards")
	run := w.find("order")
	if at := run.NextDeadline(); !at.Equal(epoch.Add(10 * time.Second)) {
		t.Fatalf("heartbeat timeout at %v", at)
	}
	copied := *run
	loaded := &copied
	loaded.Loaded(epoch.Add(7 * time.Second))
	if at := loaded.Activities[5].Next(); !at.Equal(epoch.Add(17 * time.Second)) {
		t.Errorf("after the reopen it is at %v", at)
	}
}

// The input of an activity is kept in memory until its first start, which mostly
// follows at once; later attempts read theirs from the batch they are told.
func TestInputsAreAtHandForTheFirstStart(t *testing.T) {
	w := newWorld(t)
	script(t, w, "start order", "poll orders", "complete order", "\tschedule a1 stc=100s initial=1s")
	run := w.find("order")
	apply := func(in workflow.Input) any {
		res, err := workflow.Step(w.env(), run, in)
		if err != nil {
			t.Fatal(err)
		}
		run.Apply(res.Run)
		return res.Reply
	}
	start := func() *workflow.ActivityStarted {
		return apply(&workflow.StartActivity{EventID: 5, Stamp: run.Activities[5].Stamp}).(*workflow.ActivityStarted)
	}
	first := start()
	if first.Scheduled == nil || first.Scheduled.EventId != 5 || first.BatchID != 4 {
		t.Errorf("the first start has event %v of batch %d", first.Scheduled, first.BatchID)
	}
	if len(run.Scheduled) != 0 {
		t.Errorf("the input of a started activity is kept in memory")
	}
	apply(&workflow.FailActivity{Ref: workflow.ActivityRef{Token: &first.Token}})
	w.now = epoch.Add(time.Second)
	apply(&workflow.Due{})
	if second := start(); second.Attempt != 2 || second.Scheduled != nil || second.BatchID != 4 {
		t.Errorf("attempt %d has event %v of batch %d; want it read from batch 4", second.Attempt, second.Scheduled, second.BatchID)
	}
}
