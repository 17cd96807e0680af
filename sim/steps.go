package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
)

// sleepStep waits for a long time, as most workflows do most of the time.
func sleepStep(p *past, name string, st step) ([]*commandpb.Command, bool) {
	sleeps := []time.Duration{time.Minute, 3 * time.Minute, 10 * time.Minute, time.Hour, 3 * time.Hour, 10 * time.Hour, longestSleep}
	return timerStep(p, name, sleeps[st.seed%uint64(len(sleeps))])
}

// localStep is some work the worker does itself, and tells of in markers.
func localStep(p *past, name string, st step) (commands []*commandpb.Command, over bool) {
	for i := range 2 * st.n {
		if id := fmt.Sprint(name, ".", i); !p.markers[id] {
			commands = append(commands, localActivity(id))
		}
	}
	return commands, true
}

// manyStep starts a crowd of timers, waits for the first of them and cancels the
// rest.
func manyStep(p *past, name string, st step) (commands []*commandpb.Command, over bool) {
	fired := false
	for i := range 4 * st.n {
		t := p.timers[fmt.Sprint(name, ".", i)]
		fired = fired || t != nil && t.over
	}
	for i := range 4 * st.n {
		id := fmt.Sprint(name, ".", i)
		switch t := p.timers[id]; {
		case t == nil && !fired:
			commands = append(commands, startTimer(id, time.Duration(1+i)*time.Second))
		case t != nil && fired && !t.over:
			commands = append(commands, cancelTimer(id))
		}
	}
	return commands, fired
}

func childID(p *past, name string) string { return fmt.Sprint("child-", p.run[:8], "-", name) }

// richChildStep starts a child with all that a child can be given.
func richChildStep(p *past, name string, st step) ([]*commandpb.Command, bool) {
	id := childID(p, name)
	if closed := p.children[id]; closed != nil {
		return nil, *closed
	}
	r := rand.New(rand.NewPCG(st.seed, 7))
	a := &commandpb.StartChildWorkflowExecutionCommandAttributes{
		Namespace:           namespaceName,
		WorkflowId:          id,
		WorkflowType:        &commonpb.WorkflowType{Name: typeOf(st.seed, 2, 1)},
		ParentClosePolicy:   enumspb.ParentClosePolicy(r.IntN(4)),
		WorkflowTaskTimeout: durationpb.New(10 * time.Second),
		Input:               payloads(id), Header: header(id), Memo: memo(id), Control: name,
		Priority:              &commonpb.Priority{PriorityKey: int32(r.IntN(6)), FairnessKey: fmt.Sprint("f", r.IntN(3)), FairnessWeight: 2},
		WorkflowIdReusePolicy: enumspb.WorkflowIdReusePolicy(r.IntN(5)),
		SearchAttributes:      attributes(r),
	}
	switch r.IntN(4) {
	case 0:
		a.RetryPolicy = &commonpb.RetryPolicy{InitialInterval: durationpb.New(time.Second), MaximumAttempts: 2}
	case 1:
		a.CronSchedule = "@every 3s"
		a.WorkflowExecutionTimeout = durationpb.New(10 * time.Second)
	case 2:
		a.WorkflowRunTimeout = durationpb.New(20 * time.Second)
	}
	return []*commandpb.Command{startChild(a)}, false
}

// tellChildStep starts a child, and then signals or cancels it as a child.
func tellChildStep(p *past, name string, st step) ([]*commandpb.Command, bool) {
	id := childID(p, name)
	closed := p.children[id]
	if closed == nil {
		return []*commandpb.Command{startChild(&commandpb.StartChildWorkflowExecutionCommandAttributes{
			WorkflowId: id, WorkflowType: &commonpb.WorkflowType{Name: typeOf(st.seed, 2, 0)},
			TaskQueue: &taskqueuepb.TaskQueue{Name: workflowQueueName},
		}), marker(name)}, false
	}
	told := p.others[name]
	if told != nil {
		return nil, *told && *closed
	}
	if st.n == 1 {
		return []*commandpb.Command{cancelExternal(&commandpb.RequestCancelExternalWorkflowExecutionCommandAttributes{
			Namespace: namespaceName, WorkflowId: id, ChildWorkflowOnly: true, Control: name, Reason: "as scripted"})}, false
	}
	return []*commandpb.Command{signalExternal(&commandpb.SignalExternalWorkflowExecutionCommandAttributes{
		Namespace: namespaceName, Execution: &commonpb.WorkflowExecution{WorkflowId: id}, ChildWorkflowOnly: true,
		SignalName: fmt.Sprint("from-", p.run, "-", name), Control: name, Input: payloads(name), Header: header(name)})}, false
}

// farStep sends something to who cannot take it, or to the workflow itself.
func farStep(p *past, name string, st step) ([]*commandpb.Command, bool) {
	if answered := p.others[name]; answered != nil {
		return nil, *answered
	}
	to := []*commonpb.WorkflowExecution{
		{WorkflowId: "nobody"},
		{WorkflowId: "wf-0", RunId: "00000000-0000-4000-8000-000000000000"},
		{WorkflowId: p.id, RunId: p.run},
		{WorkflowId: p.id},
	}[st.seed%4]
	only := st.seed%3 == 0 // it is nobody's child
	if st.n == 1 {
		return []*commandpb.Command{cancelExternal(&commandpb.RequestCancelExternalWorkflowExecutionCommandAttributes{
			Namespace: namespaceName, WorkflowId: to.WorkflowId, RunId: to.RunId, Control: name, ChildWorkflowOnly: only})}, false
	}
	return []*commandpb.Command{signalExternal(&commandpb.SignalExternalWorkflowExecutionCommandAttributes{
		Namespace: namespaceName, Execution: to, SignalName: fmt.Sprint("from-", p.run, "-", name), Control: name, ChildWorkflowOnly: only})}, false
}

// attributes draws search attributes of all types.
func attributes(r *rand.Rand) *commonpb.SearchAttributes {
	values := map[string][]string{
		"Step":  {`"a"`, `["b"]`, `null`},
		"Text":  {`"some text"`},
		"Count": {`7`, `[8]`},
		"Part":  {`0.5`},
		"Done":  {`true`},
		"When":  {`"2026-01-02T03:04:05.678Z"`},
		"Tags":  {`["x","y"]`, `[]`},
	}
	fields := map[string]*commonpb.Payload{}
	for _, name := range sortedKeys(values) {
		if r.IntN(3) == 0 {
			fields[name] = jsonValue(values[name][r.IntN(len(values[name]))])
		}
	}
	return &commonpb.SearchAttributes{IndexedFields: fields}
}

// searchAttributes are those of the world's namespace.
var searchAttributes = map[string]enumspb.IndexedValueType{
	"Step": enumspb.INDEXED_VALUE_TYPE_KEYWORD, "Text": enumspb.INDEXED_VALUE_TYPE_TEXT, "Count": enumspb.INDEXED_VALUE_TYPE_INT,
	"Part": enumspb.INDEXED_VALUE_TYPE_DOUBLE, "Done": enumspb.INDEXED_VALUE_TYPE_BOOL, "When": enumspb.INDEXED_VALUE_TYPE_DATETIME,
	"Tags": enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST,
}

// end is how the script ends the run named.
func (s script) end(run string) *commandpb.Command {
	r := rand.New(rand.NewPCG(s.seed, 9))
	switch s.last {
	case endFail:
		return &commandpb.Command{
			CommandType: enumspb.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION,
			Attributes: &commandpb.Command_FailWorkflowExecutionCommandAttributes{FailWorkflowExecutionCommandAttributes: &commandpb.FailWorkflowExecutionCommandAttributes{
				Failure: failures[r.IntN(len(failures))]}},
		}
	case endContinue:
		return continueAs(s.successor(r, run))
	}
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
		Attributes: &commandpb.Command_CompleteWorkflowExecutionCommandAttributes{CompleteWorkflowExecutionCommandAttributes: &commandpb.CompleteWorkflowExecutionCommandAttributes{
			Result: payloads(run)}},
	}
}

// successor is the run that continues this one.
func (s script) successor(r *rand.Rand, run string) *commandpb.ContinueAsNewWorkflowExecutionCommandAttributes {
	a := &commandpb.ContinueAsNewWorkflowExecutionCommandAttributes{
		WorkflowType: &commonpb.WorkflowType{Name: s.next},
		TaskQueue:    &taskqueuepb.TaskQueue{Name: workflowQueueName},
	}
	switch r.IntN(6) {
	case 0:
		a.Initiator, a.Failure = enumspb.CONTINUE_AS_NEW_INITIATOR_RETRY, failures[0]
		a.BackoffStartInterval = durationpb.New(time.Second)
	case 1:
		a.RetryPolicy = &commonpb.RetryPolicy{MaximumAttempts: 2}
		a.WorkflowRunTimeout = durationpb.New(time.Minute)
	case 2:
		a.Memo, a.SearchAttributes, a.Header = memo(run), attributes(r), header(run)
		a.Input, a.LastCompletionResult = payloads(run), payloads("last")
	}
	return a
}

// failures are how work fails.
var failures = []*failurepb.Failure{
	{Message: "as scripted"},
	applicationFailure("give up", "hopeless"),
	{Message: "never again", FailureInfo: &failurepb.Failure_ApplicationFailureInfo{
		ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: "once", NonRetryable: true}}},
	{Message: "soon again", FailureInfo: &failurepb.Failure_ApplicationFailureInfo{
		ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: "passing", NextRetryDelay: durationpb.New(3 * time.Second)}}},
	{Message: "canceled", FailureInfo: &failurepb.Failure_CanceledFailureInfo{CanceledFailureInfo: &failurepb.CanceledFailureInfo{}}},
	{Message: "terminated", FailureInfo: &failurepb.Failure_TerminatedFailureInfo{TerminatedFailureInfo: &failurepb.TerminatedFailureInfo{}}},
	{Message: "too late", FailureInfo: &failurepb.Failure_TimeoutFailureInfo{TimeoutFailureInfo: &failurepb.TimeoutFailureInfo{
		TimeoutType: enumspb.TIMEOUT_TYPE_START_TO_CLOSE}}},
	{Message: "the server's", FailureInfo: &failurepb.Failure_ServerFailureInfo{ServerFailureInfo: &failurepb.ServerFailureInfo{NonRetryable: true}}},
	{Message: "of another", Cause: applicationFailure("try again", "passing"),
		FailureInfo: &failurepb.Failure_ActivityFailureInfo{ActivityFailureInfo: &failurepb.ActivityFailureInfo{ActivityId: "x"}}},
}

// patientAttempts is how often a worker tries a workflow task before it gives the
// workflow up.
const patientAttempts = 5

// giveUp ends a workflow that cannot go on.
func (s script) giveUp() *commandpb.Command {
	return script{last: endFail}.end("")
}
