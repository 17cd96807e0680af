package main

import (
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	protocolpb "go.temporal.io/api/protocol/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	updatepb "go.temporal.io/api/update/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
)

// Workers are wrong, too: a task completed with one of these is refused, and the
// next attempt does better.

// bad is one completion that cannot be carried out.
type bad struct {
	name     string
	commands []*commandpb.Command
	messages []*protocolpb.Message
}

var (
	tooLong  = strings.Repeat("x", 1001)
	negative = durationpb.New(-time.Second)
	// garbled is a duration that says two things at once.
	garbled = &durationpb.Duration{Seconds: 1, Nanos: -1}
	garbage = &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{"Step": jsonValue("{")}}
	unknown = &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{"Nobody": jsonValue(`"x"`)}}
	pinned  = &workflowpb.VersioningOverride{Override: &workflowpb.VersioningOverride_Pinned{Pinned: &workflowpb.VersioningOverride_PinnedOverride{}}}
)

// badRetries are retry policies that make no sense.
var badRetries = []*commonpb.RetryPolicy{
	{InitialInterval: negative},
	{InitialInterval: durationpb.New(time.Second), BackoffCoefficient: 0.5},
	{InitialInterval: durationpb.New(time.Minute), MaximumInterval: durationpb.New(time.Second), BackoffCoefficient: 2},
	{MaximumInterval: garbled},
	{MaximumAttempts: -1},
	{NonRetryableErrorTypes: []string{"TemporalTimeout:Never"}},
}

// badOnes is the list; what is wrong with each is its name.
var badOnes = func() (all []bad) {
	add := func(name string, commands ...*commandpb.Command) {
		all = append(all, bad{name: name, commands: commands})
	}
	add("timer without an id", startTimer("", time.Second))
	add("timer with a long id", startTimer(tooLong, time.Second))
	add("timer that fires before it starts", startTimer("bad", -time.Second))
	add("two timers of one id", startTimer("bad", time.Second), startTimer("bad", time.Second))
	add("no timer to cancel", cancelTimer("bad"))
	add("a timer without an id to cancel", cancelTimer(""))
	add("a long timer id to cancel", cancelTimer(tooLong))
	add("no activity to cancel", cancelActivity(9999))
	add("an activity without an event to cancel", cancelActivity(0))
	add("marker without a name", marker(""))
	add("marker with a long name", marker(tooLong))
	add("no marker", &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_RECORD_MARKER})
	add("nothing to change", &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES})
	add("no attribute", &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES})
	add("an attribute that cannot be read", upsert(garbage))
	add("an attribute nobody knows", upsert(unknown))
	for _, x := range badValues() {
		add("an attribute with a value of another kind", upsert(&commonpb.SearchAttributes{IndexedFields: x}))
	}
	add("no failure", &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION})
	add("no completion", &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION})
	add("no cancellation", &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION})
	add("nothing after the end", (script{}).end("bad"), marker("bad"))
	add("a command of no type", &commandpb.Command{})
	add("a Nexus operation", &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION})
	add("no Nexus operation to cancel", &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_REQUEST_CANCEL_NEXUS_OPERATION})
	add("a message that is not there", protocolMessage("bad"))
	add("a message without an id", protocolMessage(""))
	all = append(all, badActivities()...)
	all = append(all, badChildren()...)
	all = append(all, badSuccessors()...)
	all = append(all, badOthers()...)
	return append(all, badMessages()...)
}()

// badValues are search attributes whose values do not fit.
func badValues() []map[string]*commonpb.Payload {
	var all []map[string]*commonpb.Payload
	for _, x := range [][2]string{
		{"Tags", `[null]`}, {"Tags", `"x"`}, {"Count", `[1,2]`}, {"Count", `[`}, {"Count", `"many"`}, {"Count", `[null]`},
		{"When", `"soon"`}, {"When", `7`}, {"Done", `1`}, {"Part", `"half"`}, {"Text", "\"\xff\""}, {"", `"x"`}, {"StartTime", `"2026-01-01T00:00:00Z"`},
	} {
		all = append(all, map[string]*commonpb.Payload{x[0]: jsonValue(x[1])})
	}
	return append(all, map[string]*commonpb.Payload{"Step": payload("of no encoding")})
}

func badActivities() (all []bad) {
	good := func() *commandpb.ScheduleActivityTaskCommandAttributes {
		return &commandpb.ScheduleActivityTaskCommandAttributes{ActivityId: "bad", ActivityType: &commonpb.ActivityType{Name: "work"},
			TaskQueue: &taskqueuepb.TaskQueue{Name: activityQueueName}, StartToCloseTimeout: durationpb.New(time.Second)}
	}
	add := func(name string, spoil func(*commandpb.ScheduleActivityTaskCommandAttributes)) {
		a := good()
		spoil(a)
		all = append(all, bad{name: "activity " + name, commands: []*commandpb.Command{scheduleActivity(a)}})
	}
	type attributes = commandpb.ScheduleActivityTaskCommandAttributes
	add("without an id", func(a *attributes) { a.ActivityId = "" })
	add("with a long id", func(a *attributes) { a.ActivityId = tooLong })
	add("without a type", func(a *attributes) { a.ActivityType = nil })
	add("with a long type", func(a *attributes) { a.ActivityType.Name = tooLong })
	add("without a time limit", func(a *attributes) { a.StartToCloseTimeout = nil })
	add("with a negative limit", func(a *attributes) { a.ScheduleToStartTimeout = negative })
	add("with a garbled limit", func(a *attributes) { a.HeartbeatTimeout = garbled })
	add("on a queue with a long name", func(a *attributes) { a.TaskQueue.Name = tooLong })
	add("on a queue without a name", func(a *attributes) { a.TaskQueue.Name = "" })
	add("on a reserved queue", func(a *attributes) { a.TaskQueue.Name = "/_sys/x" })
	add("of a negative priority", func(a *attributes) { a.Priority = &commonpb.Priority{PriorityKey: -1} })
	add("of no fair weight", func(a *attributes) { a.Priority = &commonpb.Priority{FairnessWeight: float32(math.NaN())} })
	add("of a long fairness key", func(a *attributes) { a.Priority = &commonpb.Priority{FairnessKey: tooLong} })
	for _, p := range badRetries {
		add("with a retry policy that makes no sense", func(a *attributes) { a.RetryPolicy = p })
	}
	twice := good()
	return append(all, bad{name: "two activities of one id", commands: []*commandpb.Command{scheduleActivity(twice), scheduleActivity(twice)}})
}

func badChildren() (all []bad) {
	type attributes = commandpb.StartChildWorkflowExecutionCommandAttributes
	add := func(name string, spoil func(*attributes)) {
		a := &attributes{WorkflowId: "bad", WorkflowType: &commonpb.WorkflowType{Name: typeOf(1, 2, 0)}}
		spoil(a)
		all = append(all, bad{name: "child " + name, commands: []*commandpb.Command{startChild(a)}})
	}
	add("without an id", func(a *attributes) { a.WorkflowId = "" })
	add("with a long id", func(a *attributes) { a.WorkflowId = tooLong })
	add("without a type", func(a *attributes) { a.WorkflowType = nil })
	add("with a long type", func(a *attributes) { a.WorkflowType.Name = tooLong })
	add("in another namespace", func(a *attributes) { a.Namespace = "elsewhere" })
	add("with a policy nobody knows", func(a *attributes) { a.ParentClosePolicy = 99 })
	add("with a reuse nobody knows", func(a *attributes) { a.WorkflowIdReusePolicy = 99 })
	add("with an override that says nothing", func(a *attributes) { a.VersioningOverride = pinned })
	add("with a negative limit", func(a *attributes) { a.WorkflowRunTimeout = negative })
	add("with a schedule that makes no sense", func(a *attributes) { a.CronSchedule = "now and then" })
	add("with a schedule that never comes", func(a *attributes) { a.CronSchedule = "0 0 30 2 *" })
	add("of a negative priority", func(a *attributes) { a.Priority = &commonpb.Priority{PriorityKey: -1} })
	add("on a queue with a long name", func(a *attributes) { a.TaskQueue = &taskqueuepb.TaskQueue{Name: tooLong} })
	add("with an attribute that cannot be read", func(a *attributes) { a.SearchAttributes = garbage })
	for _, p := range badRetries {
		add("with a retry policy that makes no sense", func(a *attributes) { a.RetryPolicy = p })
	}
	return all
}

func badSuccessors() (all []bad) {
	type attributes = commandpb.ContinueAsNewWorkflowExecutionCommandAttributes
	add := func(name string, spoil func(*attributes)) {
		a := &attributes{}
		spoil(a)
		all = append(all, bad{name: "next run " + name, commands: []*commandpb.Command{continueAs(a)}})
	}
	all = append(all, bad{name: "no next run", commands: []*commandpb.Command{{CommandType: enumspb.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION}}})
	add("with a long type", func(a *attributes) { a.WorkflowType = &commonpb.WorkflowType{Name: tooLong} })
	add("on a queue with a long name", func(a *attributes) { a.TaskQueue = &taskqueuepb.TaskQueue{Name: tooLong} })
	add("with a negative limit", func(a *attributes) { a.WorkflowTaskTimeout = negative })
	add("with a negative wait", func(a *attributes) { a.BackoffStartInterval = negative })
	add("with a schedule that makes no sense", func(a *attributes) { a.CronSchedule = "TZ=Nowhere/Nowhere * * * * *" })
	add("with an attribute nobody knows", func(a *attributes) { a.SearchAttributes = unknown })
	add("with a retry policy that makes no sense", func(a *attributes) { a.RetryPolicy = badRetries[0] })
	return all
}

func badOthers() (all []bad) {
	type signal = commandpb.SignalExternalWorkflowExecutionCommandAttributes
	type cancel = commandpb.RequestCancelExternalWorkflowExecutionCommandAttributes
	other := func(id, run string) *commonpb.WorkflowExecution {
		return &commonpb.WorkflowExecution{WorkflowId: id, RunId: run}
	}
	for _, x := range []struct {
		name string
		a    *signal
	}{
		{"to nobody", &signal{SignalName: "bad"}},
		{"to no id", &signal{SignalName: "bad", Execution: other("", "")}},
		{"to a long id", &signal{SignalName: "bad", Execution: other(tooLong, "")}},
		{"to a run that is not", &signal{SignalName: "bad", Execution: other("wf-1", "run")}},
		{"without a name", &signal{Execution: other("wf-1", "")}},
		{"with a long name", &signal{SignalName: tooLong, Execution: other("wf-1", "")}},
		{"to another namespace", &signal{SignalName: "bad", Execution: other("wf-1", ""), Namespace: "elsewhere"}},
	} {
		all = append(all, bad{name: "signal " + x.name, commands: []*commandpb.Command{signalExternal(x.a)}})
	}
	for _, x := range []struct {
		name string
		a    *cancel
	}{
		{"of nobody", &cancel{}},
		{"of a long id", &cancel{WorkflowId: tooLong}},
		{"of a run that is not", &cancel{WorkflowId: "wf-1", RunId: "run"}},
		{"in another namespace", &cancel{WorkflowId: "wf-1", Namespace: "elsewhere"}},
	} {
		all = append(all, bad{name: "cancellation " + x.name, commands: []*commandpb.Command{cancelExternal(x.a)}})
	}
	child := startChild(&commandpb.StartChildWorkflowExecutionCommandAttributes{
		WorkflowId: "bad", WorkflowType: &commonpb.WorkflowType{Name: typeOf(1, 2, 0)}})
	return append(all, bad{name: "a child started and canceled at once", commands: []*commandpb.Command{child,
		cancelExternal(&cancel{WorkflowId: "bad", ChildWorkflowOnly: true})}})
}

func badMessages() (all []bad) {
	pack := func(name, update string, body *anypb.Any) {
		all = append(all, bad{name: "message " + name, messages: []*protocolpb.Message{{Id: "bad", ProtocolInstanceId: update, Body: body}},
			commands: []*commandpb.Command{protocolMessage("bad")}})
	}
	pack("about no update", "", packed(&updatepb.Response{}))
	pack("of nothing", "bad", nil)
	pack("that cannot be read", "bad", &anypb.Any{TypeUrl: "type.googleapis.com/nobody.Knows", Value: []byte{1}})
	pack("of another kind", "bad", packed(&failurepb.Failure{}))
	pack("that completes what was never accepted", "bad", packed(&updatepb.Response{Outcome: &updatepb.Outcome{}}))
	pack("that accepts what nobody asked", "bad", packed(&updatepb.Acceptance{AcceptedRequestMessageId: "x"}))
	pack("that rejects what nobody asked", "bad", packed(&updatepb.Rejection{}))
	return all
}
