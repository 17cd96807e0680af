package frontend

import (
	"context"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	querypb "go.temporal.io/api/query/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/taskqueue"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/matching"
	"github.com/perdure/perdure/shard"
)

// PollWorkflowTaskQueue waits for a workflow task or a query (workflow.md 3.2,
// taskqueue.md 2).
func (f *Frontend) PollWorkflowTaskQueue(ctx context.Context, r *workflowservice.PollWorkflowTaskQueueRequest) (*workflowservice.PollWorkflowTaskQueueResponse, error) {
	err := firstError(
		func() error { return checkPollDeadline(ctx) },
		func() error { return f.checkPollQueue(r.GetTaskQueue()) },
		func() error { return checkStickyVersioning(r) },
		func() error { return f.checkIdentity(r.GetIdentity()) },
		func() error { return checkBinary(ctx, r.GetBinaryChecksum()) },
	)
	if err != nil {
		return nil, err
	}
	h, err := f.poll(ctx, matching.PollRequest{
		Queue:  queueOf(ctx, r.GetTaskQueue(), enumspb.TASK_QUEUE_TYPE_WORKFLOW),
		Poller: f.workflowPoller(ctx, r),
	})
	if err != nil || h == nil {
		return &workflowservice.PollWorkflowTaskQueueResponse{}, err
	}
	resp, err := f.workflowHandover(ctx, h, r.GetTaskQueue().GetKind() == enumspb.TASK_QUEUE_KIND_STICKY)
	if err := settle(ctx, h, err); err != nil {
		return nil, err
	}
	return resp, nil
}

func (f *Frontend) workflowPoller(ctx context.Context, r *workflowservice.PollWorkflowTaskQueueRequest) engine.Poller {
	p := f.poller(ctx, r.GetIdentity(), freshID())
	p.Sticky = r.GetTaskQueue().GetKind() == enumspb.TASK_QUEUE_KIND_STICKY
	p.BinaryChecksum = r.GetBinaryChecksum()
	p.ControlTaskQueue = r.GetWorkerControlTaskQueue()
	p.WorkerInstanceKey = r.GetWorkerInstanceKey()
	versioned(&p, r.GetWorkerVersionCapabilities(), r.GetDeploymentOptions())
	return p
}

// checkStickyVersioning is TQ-75.
func checkStickyVersioning(r *workflowservice.PollWorkflowTaskQueueRequest) error {
	q := r.GetTaskQueue()
	asks := r.GetWorkerVersionCapabilities().GetUseVersioning() || r.GetDeploymentOptions() != nil
	if q.GetKind() == enumspb.TASK_QUEUE_KIND_STICKY && q.GetNormalName() == "" && asks {
		return invalid("NormalName must be set on sticky queue when UseVersioning is true or DeploymentOptions are set.")
	}
	return nil
}

// checkBinary is TQ-8.
func checkBinary(ctx context.Context, checksum string) error {
	if checksum != "" && namespaceOf(ctx).BadBinaries[checksum] {
		return invalidf("Binary %s already marked as bad deployment.", checksum)
	}
	return nil
}

func (f *Frontend) workflowHandover(ctx context.Context, h *matching.Handover, sticky bool) (*workflowservice.PollWorkflowTaskQueueResponse, error) {
	var (
		resp *workflowservice.PollWorkflowTaskQueueResponse
		err  error
	)
	if h.Query != nil {
		resp, err = f.queryTask(ctx, h.Query, sticky)
	} else if started, ok := h.Started.(*workflow.TaskStarted); ok {
		resp, err = f.workflowTask(ctx, started)
	} else {
		err = fmt.Errorf("workflow poll was handed a %T", h.Started)
	}
	if err != nil {
		return nil, err
	}
	resp.BacklogCountHint = h.BacklogCount
	resp.PollerScalingDecision = scaling(h.PollerDelta)
	return resp, nil
}

// workflowTask is a started workflow task in the API's form.
func (f *Frontend) workflowTask(ctx context.Context, t *workflow.TaskStarted) (*workflowservice.PollWorkflowTaskQueueResponse, error) {
	a := new(workflowTaskAnswer)
	next, err := f.taskHistory(ctx, &a.history, t, t.HistoryFrom)
	if err != nil {
		return nil, err
	}
	a.workflowType.Name = t.WorkflowType
	a.queue.Name, a.queue.Kind = t.TaskQueue, enumspb.TASK_QUEUE_KIND_NORMAL
	a.PollWorkflowTaskQueueResponse = workflowservice.PollWorkflowTaskQueueResponse{
		TaskToken:                  sealWorkflowToken(t.Token),
		WorkflowExecution:          setExecution(&a.execution, t.Token.Run),
		WorkflowType:               &a.workflowType,
		PreviousStartedEventId:     t.PreviousStartedEventID,
		StartedEventId:             t.StartedEventID,
		Attempt:                    t.Attempt,
		History:                    &a.history,
		NextPageToken:              next,
		WorkflowExecutionTaskQueue: &a.queue,
		ScheduledTime:              setTime(&a.scheduled, t.ScheduledTime),
		StartedTime:                setTime(&a.started, t.StartedTime),
		Queries:                    f.taskQueries(t),
		Messages:                   updateMessages(t),
	}
	return &a.PollWorkflowTaskQueueResponse, nil
}

func (f *Frontend) taskQueries(t *workflow.TaskStarted) map[string]*querypb.WorkflowQuery {
	return f.executions.TaskQueries(t.Token)
}

// taskHistory puts the first page of a task's history into to. Further pages come by
// GetWorkflowExecutionHistory with a token that ends where the task ends.
func (f *Frontend) taskHistory(ctx context.Context, to *historypb.History, t *workflow.TaskStarted, from int64) (nextPage []byte, err error) {
	switch {
	case from > t.HistoryTo:
		return nil, setRaw(to, nil, t.Virtual)
	case from == t.HistoryFrom && len(t.History) > 0: // it came with the task
		return nil, setRaw(to, t.History, t.Virtual)
	}
	page, err := f.executions.History(ctx, t.Token.Run, from, t.HistoryTo, maxHistoryBatches)
	if err != nil {
		return nil, err
	}
	if page.NextEventID == 0 {
		return nil, setRaw(to, page.Bytes, t.Virtual)
	}
	token := historyPage{Run: t.Token.Run, Next: page.NextEventID, To: t.HistoryTo, Task: t.Token.Stamp}
	return token.seal(tokenHistoryPage), setRaw(to, page.Bytes, nil)
}

// queryTask is a query delivered on its own (TQ-80). A sticky worker holds the
// run in its cache and is sent no history.
func (f *Frontend) queryTask(ctx context.Context, q *shard.QueryTask, sticky bool) (*workflowservice.PollWorkflowTaskQueueResponse, error) {
	query, ok := q.Query.(*querypb.WorkflowQuery)
	if !ok {
		return nil, fmt.Errorf("query task %s holds a %T", q.ID, q.Query)
	}
	t := *q.Started
	t.Token.Run, t.Virtual, t.History = q.Run, nil, nil
	t.HistoryTo -= q.Untold
	from := t.HistoryFrom
	if sticky {
		from = t.HistoryTo + 1
	}
	history := new(historypb.History)
	next, err := f.taskHistory(ctx, history, &t, from)
	if err != nil {
		return nil, err
	}
	return &workflowservice.PollWorkflowTaskQueueResponse{
		TaskToken:                  sealQueryToken(queryToken{NamespaceID: q.Run.NamespaceID, QueryID: q.ID}),
		WorkflowExecution:          execution(q.Run),
		WorkflowType:               &commonpb.WorkflowType{Name: t.WorkflowType},
		PreviousStartedEventId:     t.PreviousStartedEventID,
		Attempt:                    1,
		History:                    history,
		NextPageToken:              next,
		Query:                      query,
		WorkflowExecutionTaskQueue: taskqueue.Normal(t.TaskQueue),
	}, nil
}

// workflowToken reads the task token of a request in the call's namespace.
func workflowToken(ctx context.Context, b []byte) (workflow.TaskToken, error) {
	t, err := openWorkflowToken(b)
	if err == nil && t.Run.NamespaceID != namespaceOf(ctx).ID {
		err = errForeignToken
	}
	return t, err
}

// RespondWorkflowTaskCompleted is workflow.md 3.7.
func (f *Frontend) RespondWorkflowTaskCompleted(ctx context.Context, r *workflowservice.RespondWorkflowTaskCompletedRequest) (*workflowservice.RespondWorkflowTaskCompletedResponse, error) {
	token, err := workflowToken(ctx, r.GetTaskToken())
	if err == nil {
		err = f.checkIdentity(r.GetIdentity())
	}
	if err == nil {
		err = checkPagination(ctx, r)
	}
	if err == nil {
		err = f.checkTargets(r.GetCommands())
	}
	if err != nil {
		return nil, err
	}
	// The outcome is awaited even if the worker is gone meanwhile, with a context that
	// does not end: the tasks in it must then be taken back.
	done, err := do[*workflow.TaskCompleted](context.Background(), f, token.Run.ID, token.Run.RunID, &workflow.CompleteWorkflowTask{
		Token: token, Request: r, Poller: f.completer(ctx, r),
	})
	if err != nil {
		return nil, err
	}
	resp, err := f.taskCompleted(ctx, done)
	if err == nil && ctx.Err() == nil {
		return resp, nil
	}
	// What was completed stays so; an error would make the worker doubt it.
	f.takeBack(ctx, done)
	return &workflowservice.RespondWorkflowTaskCompletedResponse{ResetHistoryEventId: done.ResetHistoryEventID}, nil
}

func checkPagination(ctx context.Context, r *workflowservice.RespondWorkflowTaskCompletedRequest) error {
	if r.GetIntermediatePage() || r.GetPageNumber() != 0 {
		return engine.Refuse(engine.KindFailedPrecondition,
			"workflow task completion pagination is disabled for this namespace %s", namespaceOf(ctx).Name)
	}
	return nil
}

// completer is the worker that completes a task, who may be given the next one
// and eager activities in the answer.
func (f *Frontend) completer(ctx context.Context, r *workflowservice.RespondWorkflowTaskCompletedRequest) engine.Poller {
	p := f.poller(ctx, r.GetIdentity(), freshID())
	p.Sticky = true // it holds the history up to the task it completes
	p.BinaryChecksum = r.GetBinaryChecksum()
	p.ControlTaskQueue = r.GetWorkerControlTaskQueue()
	p.WorkerInstanceKey = r.GetWorkerInstanceKey()
	p.BuildID = r.GetWorkerVersionStamp().GetBuildId()
	p.DiscardSpeculative = r.GetCapabilities().GetDiscardSpeculativeWorkflowTaskWithEvents()
	if o := r.GetDeploymentOptions(); o != nil {
		p.DeploymentName, p.DeploymentVersion = o.GetDeploymentName(), o.GetBuildId()
	}
	return p
}

func (f *Frontend) taskCompleted(ctx context.Context, done *workflow.TaskCompleted) (*workflowservice.RespondWorkflowTaskCompletedResponse, error) {
	resp := &workflowservice.RespondWorkflowTaskCompletedResponse{ResetHistoryEventId: done.ResetHistoryEventID}
	for _, started := range done.Activities {
		task, err := f.activityTask(ctx, started)
		if err != nil {
			return nil, err
		}
		resp.ActivityTasks = append(resp.ActivityTasks, task)
	}
	if done.Task == nil {
		return resp, nil
	}
	task, err := f.workflowTask(ctx, done.Task)
	resp.WorkflowTask = task
	return resp, err
}

// takeBack puts the tasks back that a completer was given and will not get.
// Nobody waits for it, and if it fails the tasks' timeouts do the same later.
func (f *Frontend) takeBack(ctx context.Context, done *workflow.TaskCompleted) {
	for _, a := range done.Activities {
		f.abort(ctx, a.Token.Run, &workflow.AbortActivity{Token: a.Token})
	}
	if t := done.Task; t != nil {
		f.abort(ctx, t.Token.Run, &workflow.AbortWorkflowTask{Token: t.Token})
	}
}

func (f *Frontend) abort(ctx context.Context, run engine.RunKey, in engine.Input) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
	defer cancel()
	if _, err := f.executions.Do(ctx, run.ID, run.RunID, in); err != nil {
		f.log.Debug("take a task back", "run", run.RunID, "error", err)
	}
}

// RespondWorkflowTaskFailed is workflow.md 3.6.
func (f *Frontend) RespondWorkflowTaskFailed(ctx context.Context, r *workflowservice.RespondWorkflowTaskFailedRequest) (*workflowservice.RespondWorkflowTaskFailedResponse, error) {
	token, err := workflowToken(ctx, r.GetTaskToken())
	if err == nil {
		err = f.checkIdentity(r.GetIdentity())
	}
	if err != nil {
		return nil, err
	}
	return do[*workflowservice.RespondWorkflowTaskFailedResponse](ctx, f, token.Run.ID, token.Run.RunID,
		&workflow.FailWorkflowTask{Token: token, Request: r})
}
