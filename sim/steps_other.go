package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
)

func childID(p *past, name string) string { return fmt.Sprint("child-", p.run[:8], "-", name) }

func childStep(p *past, name string, st step) ([]*commandpb.Command, bool) {
	id := fmt.Sprint("child-", p.run[:8], "-", name)
	if st.n == 3 {
		id = fmt.Sprint("child-", st.seed%5) // somebody else may have one of that name
	}
	if closed := p.children[id]; closed != nil {
		return nil, *closed
	}
	policies := []enumspb.ParentClosePolicy{
		enumspb.PARENT_CLOSE_POLICY_TERMINATE, enumspb.PARENT_CLOSE_POLICY_ABANDON, enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
	}
	return []*commandpb.Command{startChild(&commandpb.StartChildWorkflowExecutionCommandAttributes{
		WorkflowId:          id,
		WorkflowType:        &commonpb.WorkflowType{Name: typeOf(st.seed, 2, 1)},
		TaskQueue:           &taskqueuepb.TaskQueue{Name: workflowQueueName, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
		ParentClosePolicy:   policies[st.seed%3],
		WorkflowTaskTimeout: durationpb.New(10 * time.Second),
	})}, false
}

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

func otherStep(p *past, name string, st step, namespace string) ([]*commandpb.Command, bool) {
	if answered := p.others[name]; answered != nil {
		return nil, *answered
	}
	to := &commonpb.WorkflowExecution{WorkflowId: workflowID(int(st.seed % workflowIDs))}
	if st.kind == stepCancelOther {
		return []*commandpb.Command{cancelExternal(&commandpb.RequestCancelExternalWorkflowExecutionCommandAttributes{
			Namespace: namespace, WorkflowId: to.WorkflowId, Control: name})}, false
	}
	return []*commandpb.Command{signalExternal(&commandpb.SignalExternalWorkflowExecutionCommandAttributes{
		Namespace: namespace, Execution: to, SignalName: fmt.Sprint("from-", p.run, "-", name), Control: name, Input: payloads(name)})}, false
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
		Namespace: namespaceName, Execution: to, SignalName: fmt.Sprint("from-", p.run, "-", name), Control: name, Input: payloads(name), ChildWorkflowOnly: only})}, false
}
