package main

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// What an execution must come to, and what must be in its history, is known
// beforehand: a workflow's end is a function of its type and run, and what is sent
// along with anything is a function of its name, so that what was lost on the way,
// cut or given to another shows wherever it is met (I1).

// isAs reports whether the payloads are those that go with the name.
func isAs(got *commonpb.Payloads, name string) bool { return proto.Equal(got, payloads(name)) }

// checkContent says what is wrong with what an event brings; "" for nothing.
func (l *life) checkContent(ev *historypb.HistoryEvent) string {
	switch ev.EventType {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		a := ev.GetWorkflowExecutionSignaledEventAttributes()
		if !isAs(a.Input, signalContent(a.SignalName)) {
			return fmt.Sprintf("I1: %s comes with %v", a.SignalName, a.Input)
		}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
		a := ev.GetWorkflowExecutionUpdateAcceptedEventAttributes()
		if r := a.AcceptedRequest; r != nil && !isAs(r.GetInput().GetArgs(), r.GetMeta().GetUpdateId()) {
			return fmt.Sprintf("I1: update %s comes with %v", a.ProtocolInstanceId, r)
		}
	case enumspb.EVENT_TYPE_TIMER_STARTED:
		if id := ev.GetTimerStartedEventAttributes().TimerId; !proto.Equal(ev.GetUserMetadata().GetSummary(), payload(id)) {
			return fmt.Sprintf("I1: timer %s is described by %v", id, ev.UserMetadata)
		}
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:
		a := ev.GetChildWorkflowExecutionCompletedEventAttributes()
		if run := a.WorkflowExecution.RunId; !isAs(a.Result, run) {
			return fmt.Sprintf("I6: child %s is said to end with %v", run, a.Result)
		}
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED:
		if ev.GetChildWorkflowExecutionFailedEventAttributes().Failure == nil {
			return "I6: a child has failed with no failure"
		}
	}
	if wrong := checkActivityContent(ev); wrong != "" {
		return wrong
	}
	return l.checkEnd(ev)
}

// signalContent is what comes with a signal: that of one that a workflow has sent
// is named by its step.
func signalContent(name string) string {
	if strings.HasPrefix(name, "from-") {
		return name[strings.LastIndex(name, "-")+1:]
	}
	return name
}

// checkActivityContent is checkContent for events of activities.
func checkActivityContent(ev *historypb.HistoryEvent) string {
	switch ev.EventType {
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		a := ev.GetActivityTaskScheduledEventAttributes()
		if !isAs(a.Input, a.ActivityId) || !proto.Equal(a.Header, header(a.ActivityId)) {
			return fmt.Sprintf("I1: activity %s is scheduled with %v, %v", a.ActivityId, a.Input, a.Header)
		}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:
		if a := ev.GetActivityTaskStartedEventAttributes(); a.Attempt > 1 && a.LastFailure == nil {
			return fmt.Sprintf("I6: attempt %d of activity %d does not know why there was none better", a.Attempt, a.ScheduledEventId)
		}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		a := ev.GetActivityTaskCompletedEventAttributes()
		if result := a.GetResult().GetPayloads(); len(result) != 1 || !strings.HasPrefix(string(result[0].GetData()), fmt.Sprint(a.ScheduledEventId, "/")) {
			return fmt.Sprintf("I6: activity %d has the result %v", a.ScheduledEventId, result)
		}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		if ev.GetActivityTaskFailedEventAttributes().Failure == nil {
			return "I6: an activity has failed with no failure"
		}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		if ev.GetActivityTaskTimedOutEventAttributes().Failure == nil {
			return "I6: an activity has timed out with no failure"
		}
	}
	return ""
}

// checkEnd holds a workflow that ends by itself to its script.
func (l *life) checkEnd(ev *historypb.HistoryEvent) string {
	began := l.events[0].GetWorkflowExecutionStartedEventAttributes()
	s := scriptOf(began.GetWorkflowType().GetName())
	switch ev.EventType {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		if a := ev.GetWorkflowExecutionCompletedEventAttributes(); s.last != endComplete || !isAs(a.Result, l.key.RunID) {
			return fmt.Sprintf("I6: the workflow completes with %v, and its script does not", a.Result)
		}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		f := ev.GetWorkflowExecutionFailedEventAttributes().Failure
		asScripted := s.last == endFail && proto.Equal(f, s.end(l.key.RunID).GetFailWorkflowExecutionCommandAttributes().Failure)
		if !asScripted && !proto.Equal(f, s.giveUp().GetFailWorkflowExecutionCommandAttributes().Failure) && f.GetServerFailureInfo() == nil {
			return fmt.Sprintf("I6: the workflow fails with %v, and its script does not", f)
		}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		asked := func(ev *historypb.HistoryEvent) bool {
			return ev.EventType == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED
		}
		if !s.heeds || !l.has(asked) {
			return "I6: the workflow is canceled, and nobody has asked it, or it does not heed that"
		}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		if began.CronSchedule == "" && began.RetryPolicy == nil && s.last != endContinue {
			return "I6: the workflow continues as new, and its script does not"
		}
	}
	return ""
}

// has reports whether an event of the history is so.
func (l *life) has(is func(*historypb.HistoryEvent) bool) bool {
	for _, ev := range l.events {
		if is(ev) {
			return true
		}
	}
	return false
}

// asks notes with what a client asks for a workflow to be started, when it does.
func (a *auditor) asks(in engine.Input) {
	switch in := in.(type) {
	case *workflow.StartWorkflow:
		a.asked[in.Request.RequestId] = in.Request
	case *workflow.SignalWithStart:
		r := in.Request
		a.asked[r.RequestId] = &workflowservice.StartWorkflowExecutionRequest{Header: r.Header, Memo: r.Memo, WorkflowType: r.WorkflowType}
	case *workflow.UpdateWithStart:
		a.asked[in.Start.RequestId] = in.Start
	}
}

// checkBeginning compares how a run began with what it was asked for, by a client,
// a parent, or the run before it (I1).
func (o *observer) checkBeginning(l *life) {
	if l.begun {
		return
	}
	l.begun = true
	got := l.events[0].GetWorkflowExecutionStartedEventAttributes()
	want, whose := o.beginning(l, got)
	if want == nil {
		return
	}
	want.WorkflowType, want.Header = orElse(want.WorkflowType, got.WorkflowType), orElse(want.Header, got.Header)
	if !proto.Equal(want.WorkflowType, got.WorkflowType) || !proto.Equal(want.Input, got.Input) || !proto.Equal(want.Header, got.Header) ||
		!samePayloads(want.Memo.GetFields(), got.Memo.GetFields()) || !proto.Equal(want.LastCompletionResult, got.LastCompletionResult) {
		o.broken("I1: %s begins with\n%v\n%s says\n%v", short(l.key), got, whose, want)
	}
}

// beginning is what a run was to begin with, and who says so; nil if nobody can
// say any more, or the run begins as another did whose history it shares.
func (o *observer) beginning(l *life, got *historypb.WorkflowExecutionStartedEventAttributes) (want *workflowservice.StartWorkflowExecutionRequest, whose string) {
	switch {
	case l.state.Start.Reset != nil:
		return nil, ""
	case got.ContinuedExecutionRunId != "":
		before := o.lives[engine.RunKey{ID: l.key.ID, RunID: got.ContinuedExecutionRunId}]
		if before == nil || !before.closed {
			return nil, ""
		}
		a := before.events[len(before.events)-1].GetWorkflowExecutionContinuedAsNewEventAttributes()
		if a == nil {
			return nil, ""
		}
		return &workflowservice.StartWorkflowExecutionRequest{WorkflowType: a.WorkflowType, Input: a.Input, Header: a.Header, Memo: a.Memo,
			LastCompletionResult: a.LastCompletionResult}, "the run before it"
	case got.ParentWorkflowExecution != nil:
		parent := o.lives[engine.RunKey{ID: idOf(got.ParentWorkflowExecution.WorkflowId), RunID: got.ParentWorkflowExecution.RunId}]
		if parent == nil || int64(len(parent.events)) < got.ParentInitiatedEventId {
			return nil, ""
		}
		a := parent.events[got.ParentInitiatedEventId-1].GetStartChildWorkflowExecutionInitiatedEventAttributes()
		return &workflowservice.StartWorkflowExecutionRequest{WorkflowType: a.GetWorkflowType(), Input: a.GetInput(), Header: a.GetHeader(),
			Memo: a.GetMemo()}, "its parent"
	}
	r := o.auditor.asked[l.state.Start.RequestID]
	if r == nil {
		return nil, ""
	}
	return &workflowservice.StartWorkflowExecutionRequest{WorkflowType: r.WorkflowType, Input: r.Input, Header: r.Header, Memo: r.Memo,
		LastCompletionResult: r.LastCompletionResult}, "the client"
}

// orElse is what was asked for, or what there is if nothing was: a default.
func orElse[M any](want, got *M) *M {
	if want == nil {
		return got
	}
	return want
}
