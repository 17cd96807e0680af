//go:build crash

package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
)

const queue = "crash"

// bounded are activity options under which a lost attempt is repaired soon.
var bounded = workflow.ActivityOptions{
	StartToCloseTimeout: 3 * time.Second,
	RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 50 * time.Millisecond, BackoffCoefficient: 1},
}

// mixed uses a bit of everything: activities one after the other and at once,
// one that fails at first, a timer, a child, a local activity, a signal. Its
// result is known beforehand.
func mixed(ctx workflow.Context, id string) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, bounded)
	var first string
	if err := workflow.ExecuteActivity(ctx, "step", "first").Get(ctx, &first); err != nil {
		return "", err
	}
	both := []workflow.Future{workflow.ExecuteActivity(ctx, "step", "left"), workflow.ExecuteActivity(ctx, "flaky", "right")}
	if err := workflow.Sleep(ctx, 50*time.Millisecond); err != nil {
		return "", err
	}
	for _, f := range both {
		if err := f.Get(ctx, nil); err != nil {
			return "", err
		}
	}
	var fromChild string
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: id + "-child", WorkflowTaskTimeout: 2 * time.Second})
	if err := workflow.ExecuteChildWorkflow(child, small, id).Get(ctx, &fromChild); err != nil {
		return "", err
	}
	local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Second})
	if err := workflow.ExecuteLocalActivity(local, func(context.Context) error { return nil }).Get(ctx, nil); err != nil {
		return "", err
	}
	var word string
	workflow.GetSignalChannel(ctx, "word").Receive(ctx, &word)
	return fmt.Sprintf("%s %s %s", first, fromChild, word), nil
}

// small is the child: it continues as new once.
func small(ctx workflow.Context, id string) (string, error) {
	if workflow.GetInfo(ctx).ContinuedExecutionRunID == "" {
		return "", workflow.NewContinueAsNewError(ctx, small, id)
	}
	var done string
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, bounded), "step", "child").Get(ctx, &done)
	return done, err
}

// diary is where the activities write down when they run, to catch an attempt
// that was given out twice or beside another.
type diary struct {
	mu      sync.Mutex
	running map[string]int32 // activity -> attempt that is running
	seen    map[string]int32 // activity -> highest attempt begun
	faults  []string
	begun   int
}

func (d *diary) enter(ctx context.Context) (leave func()) {
	info := activity.GetInfo(ctx)
	key := fmt.Sprintf("%s/%s/%s/%s", info.WorkflowExecution.ID, info.WorkflowExecution.RunID, info.ActivityID, info.ActivityRunID)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begun++
	if other, ok := d.running[key]; ok {
		d.faults = append(d.faults, fmt.Sprintf("%s: attempt %d began while attempt %d was running", key, info.Attempt, other))
	}
	if info.Attempt <= d.seen[key] {
		d.faults = append(d.faults, fmt.Sprintf("%s: attempt %d began after attempt %d", key, info.Attempt, d.seen[key]))
	}
	d.running[key], d.seen[key] = info.Attempt, info.Attempt
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.running, key)
	}
}

// count is how many attempts have begun.
func (d *diary) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.begun
}

// await returns when so many more attempts have begun, or after most.
func (d *diary) await(more int, most time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	for target := d.count() + more; d.count() < target && ctx.Err() == nil; {
		pause(ctx, 5*time.Millisecond)
	}
}

func (d *diary) step(ctx context.Context, name string) (string, error) {
	defer d.enter(ctx)()
	activity.RecordHeartbeat(ctx, name)
	return name, ctx.Err()
}

func (d *diary) flaky(ctx context.Context, name string) (string, error) {
	defer d.enter(ctx)()
	if activity.GetInfo(ctx).Attempt%2 == 1 {
		return "", fmt.Errorf("odd attempt")
	}
	return name, nil
}

func (d *diary) register(r worker.Registry) {
	r.RegisterWorkflow(mixed)
	r.RegisterWorkflow(small)
	r.RegisterActivityWithOptions(d.step, activity.RegisterOptions{Name: "step"})
	r.RegisterActivityWithOptions(d.flaky, activity.RegisterOptions{Name: "flaky"})
	r.RegisterActivityWithOptions(d.errand, activity.RegisterOptions{Name: "errand"})
}

// ledger holds what the server has acknowledged.
type ledger struct {
	mu      sync.Mutex
	started map[string]string // workflow id -> run id
	signals map[string]string // workflow id -> word
	resets  map[string]string // workflow id -> run id of the run that a reset made
}

// customers start workflows and signal them until ctx ends, and write down what
// was acknowledged. A call that failed is made again: it may or may not have
// taken effect, and the server must not mind.
func (l *ledger) customers(ctx context.Context, c client.Client, n int) *sync.WaitGroup {
	var group sync.WaitGroup
	for who := range n {
		group.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				l.serve(ctx, c, fmt.Sprintf("order-%d-%d", who, i))
			}
		})
	}
	return &group
}

func (l *ledger) serve(ctx context.Context, c client.Client, id string) {
	var run client.WorkflowRun
	if !insist(ctx, func(ctx context.Context) (err error) {
		run, err = c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
			ID: id, TaskQueue: queue, WorkflowTaskTimeout: 2 * time.Second,
			WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		}, mixed, id)
		return err
	}) {
		return
	}
	l.mu.Lock()
	l.started[id] = run.GetRunID()
	l.mu.Unlock()
	pause(ctx, time.Duration(rand.IntN(40))*time.Millisecond)
	if !insist(ctx, func(ctx context.Context) error { return c.SignalWorkflow(ctx, id, run.GetRunID(), "word", "for-"+id) }) {
		return
	}
	l.mu.Lock()
	l.signals[id] = "for-" + id
	l.mu.Unlock()
	if rand.IntN(2) == 0 {
		// Every other customer waits for the end, so that no more is begun than
		// the worker can do.
		if insist(ctx, func(ctx context.Context) error { return run.Get(ctx, nil) }) {
			l.again(ctx, c, id, run.GetRunID())
		}
	}
}

// again has a workflow that has completed do its last workflow task once more.
func (l *ledger) again(ctx context.Context, c client.Client, id, runID string) {
	request := &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: runID},
		Reason: "once more", RequestId: "reset-" + id,
	}
	insist(ctx, func(ctx context.Context) error {
		for events := c.GetWorkflowHistory(ctx, id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
			ev, err := events.Next()
			if err != nil {
				return err
			}
			if ev.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
				request.WorkflowTaskFinishEventId = ev.GetEventId()
			}
		}
		made, err := c.ResetWorkflowExecution(ctx, request)
		if err == nil {
			l.mu.Lock()
			l.resets[id] = made.GetRunId()
			l.mu.Unlock()
		}
		return err
	})
}

// insist calls until it succeeds; false when ctx ended first.
func insist(ctx context.Context, call func(context.Context) error) bool {
	for ctx.Err() == nil {
		once, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := call(once)
		cancel()
		if err == nil {
			return true
		}
		pause(ctx, 20*time.Millisecond)
	}
	return false
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
