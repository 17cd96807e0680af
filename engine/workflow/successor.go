package workflow

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/cron"
	"github.com/perdure/perdure/engine/retry"
	"github.com/perdure/perdure/internal/invariant"
)

// A chain is a row of runs in which each but the last has a successor: by
// continue-as-new, by the workflow's retry policy, or by its cron schedule. The
// successor is born in the step that closes the run before it, so that an id
// is never without its current run (spec/workflow.md 1.9, 1.10, 1.12).

// successor is what distinguishes the next run from the last one.
type successor struct {
	initiator        enumspb.ContinueAsNewInitiator
	attempt          int32
	backoff          time.Duration
	workflowType     string
	taskQueue        string
	input            *commonpb.Payloads
	header           *commonpb.Header
	memo             *commonpb.Memo
	searchAttributes *commonpb.SearchAttributes
	retryPolicy      *commonpb.RetryPolicy
	cronSchedule     string
	runTimeout       time.Duration
	taskTimeout      time.Duration
	links            []*commonpb.Link
	priority         *commonpb.Priority
	lastResult       *commonpb.Payloads
	failure          *failurepb.Failure
	// callbacks: the run's completion callbacks wait for the next run's end.
	callbacks bool
}

// succeed creates the next run of the chain and gives its id. The run before it
// must be closed in the same step.
func (d *draft) succeed(next successor) (runID string) {
	old := d.fixed()
	key := engine.RunKey{ID: d.base.Key.ID, RunID: d.env.Fresh.RunID(d.env.Now)}
	s := &Start{
		NamespaceName:     old.NamespaceName,
		WorkflowType:      next.workflowType,
		TaskQueue:         next.taskQueue,
		RequestID:         d.env.Fresh.UUID(),
		FirstRunID:        old.FirstRunID,
		OriginalRunID:     key.RunID,
		ContinuedRunID:    d.base.Key.RunID,
		Attempt:           next.attempt,
		Initiator:         next.initiator,
		CronSchedule:      next.cronSchedule,
		RetryPolicy:       next.retryPolicy,
		StartTime:         d.env.Now,
		OriginalStartTime: d.env.Now,
		Backoff:           max(next.backoff, d.untilNextStart()),
		ExecutionTimeout:  old.ExecutionTimeout,
		ExecutionDeadline: old.ExecutionDeadline,
		RunTimeout:        runTimeout(next.runTimeout, old.ExecutionTimeout),
		Parent:            old.Parent,
		Root:              old.Root,
		Priority:          next.priority,
		Linked:            len(next.links) > 0,
	}
	s.TaskTimeout = workflowTaskTimeout(d.env.Limits, next.taskTimeout, s.RunTimeout)
	s.setDeadlines()
	ev := s.event()
	ev.Links = next.links
	a := ev.GetWorkflowExecutionStartedEventAttributes()
	a.WorkflowId = key.Name
	a.WorkflowExecutionTimeout = durationpb.New(s.ExecutionTimeout)
	a.WorkflowRunTimeout = durationpb.New(s.RunTimeout)
	a.Input = next.input
	a.Header = next.header
	a.Memo = next.memo
	a.SearchAttributes = next.searchAttributes
	a.TimeSkippingConfig, a.TimeSkippingStatePropagation = d.propagated(false)
	a.LastCompletionResult = next.lastResult
	a.ContinuedFailure = next.failure
	if next.callbacks {
		a.CompletionCallbacks = d.handOnCallbacks()
	}
	a.PrevAutoResetPoints = expiring(d.info.AutoResetPoints, d.env.Now.Add(d.env.Namespace.Retention))

	n := newborn(d.env, key, s, ev)
	n.info.AutoResetPoints = a.PrevAutoResetPoints
	n.info.AwaitsParent = d.info.AwaitsParent
	n.firstTask()
	d.born = n.delivered(ev)
	return key.RunID
}

// untilNextStart keeps two runs of a chain at least a second apart, so that a
// workflow that continues itself at once does not take the server with it.
func (d *draft) untilNextStart() time.Duration {
	age := d.env.Now.Sub(d.fixed().ExecutionTime())
	return max(d.env.Limits.MinRunInterval-max(age, 0), 0)
}

// expiring gives reset points that had no end the one their run now has.
func expiring(points *workflowpb.ResetPoints, at time.Time) *workflowpb.ResetPoints {
	if points == nil {
		return nil
	}
	out := &workflowpb.ResetPoints{}
	for _, p := range points.GetPoints() {
		q := &workflowpb.ResetPointInfo{
			BuildId: p.GetBuildId(), BinaryChecksum: p.GetBinaryChecksum(), RunId: p.GetRunId(),
			FirstWorkflowTaskCompletedId: p.GetFirstWorkflowTaskCompletedId(),
			CreateTime:                   p.GetCreateTime(), ExpireTime: p.GetExpireTime(), Resettable: p.GetResettable(),
		}
		if q.ExpireTime == nil {
			q.ExpireTime = timestamp(at)
		}
		out.Points = append(out.Points, q)
	}
	return out
}

// again is the successor that does the same once more: all of it from the
// closed run's Started event, so that what the run upserted is not carried on.
func (d *draft) again() successor {
	invariant.Check(d.base.Started != nil, "run %s: a successor is made without its Started event", d.base.Key.RunID)
	a := d.base.Started.GetWorkflowExecutionStartedEventAttributes()
	s := d.fixed()
	return successor{
		attempt:          1,
		workflowType:     s.WorkflowType,
		taskQueue:        s.TaskQueue,
		input:            a.GetInput(),
		header:           a.GetHeader(),
		memo:             a.GetMemo(),
		searchAttributes: a.GetSearchAttributes(),
		retryPolicy:      s.RetryPolicy,
		cronSchedule:     s.CronSchedule,
		runTimeout:       s.RunTimeout,
		taskTimeout:      s.TaskTimeout,
		links:            d.base.Started.GetLinks(),
		priority:         a.GetPriority(),
		lastResult:       a.GetLastCompletionResult(),
	}
}

// afterFailure decides what follows a failed or timed-out run: a retry, else the
// next run of its cron schedule, else nothing. It gives the retry state and the
// id of the new run, if any.
func (d *draft) afterFailure(f *failurepb.Failure, timedOut bool) (enumspb.RetryState, string) {
	s := d.fixed()
	decision := retry.Decide(s.RetryPolicy, s.Attempt, f, d.env.Now, s.ExecutionDeadline)
	if decision.Again() {
		next := d.again()
		next.initiator = enumspb.CONTINUE_AS_NEW_INITIATOR_RETRY
		next.attempt = s.Attempt + 1
		next.backoff = decision.Interval
		next.failure = f
		next.callbacks = true
		if !timedOut {
			next.lastResult = nil
		}
		return decision.State, d.succeed(next)
	}
	if d.expired() {
		return enumspb.RETRY_STATE_TIMEOUT, ""
	}
	return decision.State, d.nextCronRun(f, nil)
}

// expired reports whether the whole chain's time is over.
func (d *draft) expired() bool {
	at := d.fixed().ExecutionDeadline
	return !at.IsZero() && !at.After(d.env.Now)
}

// nextCronRun creates the next run of a cron schedule, with the result of the
// one that closes or, if it failed, with its failure and the result it had
// started with. It gives "" when there is none.
func (d *draft) nextCronRun(f *failurepb.Failure, result *commonpb.Payloads) string {
	s := d.fixed()
	if s.CronSchedule == "" {
		return ""
	}
	backoff, ok := cron.Backoff(s.CronSchedule, s.ExecutionTime(), d.env.Now)
	if !ok || !s.ExecutionDeadline.IsZero() && d.env.Now.Add(backoff).After(s.ExecutionDeadline) {
		return ""
	}
	next := d.again()
	next.initiator = enumspb.CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE
	next.backoff = backoff
	next.failure = f
	if f == nil {
		next.lastResult = result
	}
	return d.succeed(next)
}

// timeOut closes the run because its time, or that of its chain, is over.
func (d *draft) timeOut() {
	d.forceCloseTask(forcedClose)
	f := &failurepb.Failure{
		Message: "workflow timeout",
		Source:  "Server",
		FailureInfo: &failurepb.Failure_TimeoutFailureInfo{TimeoutFailureInfo: &failurepb.TimeoutFailureInfo{
			TimeoutType: enumspb.TIMEOUT_TYPE_START_TO_CLOSE}},
	}
	state, runID := enumspb.RETRY_STATE_TIMEOUT, ""
	if !d.expired() {
		state, runID = d.afterFailure(f, true)
	}
	ev := d.event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT)
	ev.Attributes = &historypb.HistoryEvent_WorkflowExecutionTimedOutEventAttributes{
		WorkflowExecutionTimedOutEventAttributes: &historypb.WorkflowExecutionTimedOutEventAttributes{
			RetryState:        state,
			NewExecutionRunId: runID,
		}}
	d.closeRun(enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT, ev, runID)
}
