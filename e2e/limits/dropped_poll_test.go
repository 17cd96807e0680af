//go:build e2e

package limits

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	droppedTasks = 200
	// droppers poll at the same time, each dropping its polls.
	droppers = 8
	// repair is the timeout of a task whose answer was under way when its poller
	// dropped it: the one case that only time can repair.
	repair = 4 * time.Second
)

// flighty polls and drops its polls at random moments, from before they arrive
// to after they are answered; each task it does get is finished at once.
type flighty struct {
	t    *testing.T
	seed uint64
	mu   struct {
		sync.Mutex
		// given are the starts that some poller has got.
		given    map[string]time.Time
		finished int
	}
	all chan struct{} // closed when every task is finished
}

func newFlighty(t *testing.T) *flighty {
	f := &flighty{t: t, seed: rand.Uint64(), all: make(chan struct{})}
	f.mu.given = map[string]time.Time{}
	t.Logf("seed %d", f.seed)
	return f
}

// got notes a start. Nobody else may have got the same.
func (f *flighty) got(start string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, twice := f.mu.given[start]; twice {
		f.t.Errorf("the start %s was given to two pollers", start)
	}
	f.mu.given[start] = time.Now()
}

// finish notes how finishing a start has gone. It may fail only if its time was
// up: otherwise somebody else was given the task as well.
func (f *flighty) finish(start string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		if time.Since(f.mu.given[start]) < repair/2 {
			f.t.Errorf("the start %s was not its poller's to finish: %v", start, err)
		}
		return
	}
	if f.mu.finished++; f.mu.finished == droppedTasks {
		close(f.all)
	}
}

// run polls until every task is finished. poll waits for a task and finishes it
// with a context that is not dropped.
func (f *flighty) run(ctx context.Context, poll func(dropped, whole context.Context) error) {
	var pollers sync.WaitGroup
	for i := range droppers {
		pollers.Go(func() {
			chance := rand.New(rand.NewPCG(f.seed, uint64(i)))
			for {
				select {
				case <-f.all:
					return
				case <-ctx.Done():
					return
				default:
				}
				dropped, drop := context.WithTimeout(ctx, 10*time.Second)
				timer := time.AfterFunc(time.Duration(chance.Int64N(int64(6*time.Millisecond))), drop)
				err := poll(dropped, ctx)
				timer.Stop()
				drop()
				if code := status.Code(err); err != nil && code != codes.Canceled && code != codes.DeadlineExceeded {
					f.t.Errorf("a poll: %v", err)
				}
			}
		})
	}
	pollers.Wait()
	select {
	case <-f.all:
	default:
		f.t.Errorf("only %d of %d tasks were finished: the others are lost", f.mu.finished, droppedTasks)
	}
}

// A workflow task whose poller leaves at whatever moment is neither lost nor
// given to two (I4, TQ-5).
func TestDroppedWorkflowPolls(t *testing.T) {
	t.Parallel()
	f, ctx, queue := newFlighty(t), testContext(t), unique()
	go func() {
		for range droppedTasks {
			r := startOf(unique())
			r.TaskQueue, r.WorkflowTaskTimeout = queueNamed(queue), durationpb.New(repair)
			if _, err := api.StartWorkflowExecution(ctx, r); err != nil {
				t.Error(err)
			}
		}
	}()
	f.run(ctx, func(dropped, whole context.Context) error {
		task, err := api.PollWorkflowTaskQueue(dropped, &workflowservice.PollWorkflowTaskQueueRequest{Namespace: namespace, TaskQueue: queueNamed(queue)})
		if err != nil || len(task.GetTaskToken()) == 0 {
			return err
		}
		start := fmt.Sprintf("%s attempt %d started by event %d, token %x", task.GetWorkflowExecution().GetWorkflowId(), task.GetAttempt(), task.GetStartedEventId(), task.GetTaskToken())
		f.got(start)
		f.finish(start, complete(whole, task.GetTaskToken(), completeWorkflow()))
		return nil
	})
}

func completeWorkflow() *commandpb.Command {
	return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
		Attributes: &commandpb.Command_CompleteWorkflowExecutionCommandAttributes{
			CompleteWorkflowExecutionCommandAttributes: &commandpb.CompleteWorkflowExecutionCommandAttributes{}}}
}

// The same of activity tasks (I5, AT-53): each ends, and its history tells of
// one end.
func TestDroppedActivityPolls(t *testing.T) {
	t.Parallel()
	f := newFlighty(t)
	ctx, id := started(t)
	var commands []*commandpb.Command
	for i := range droppedTasks {
		commands = append(commands, scheduleActivity(id, func(a *commandpb.ScheduleActivityTaskCommandAttributes) {
			a.ActivityId = fmt.Sprint(i)
			a.StartToCloseTimeout = durationpb.New(repair)
			a.RetryPolicy = &commonpb.RetryPolicy{InitialInterval: durationpb.New(10 * time.Millisecond), MaximumInterval: durationpb.New(10 * time.Millisecond)}
		}))
	}
	if err := complete(ctx, taskOf(t, ctx, id).GetTaskToken(), commands...); err != nil {
		t.Fatal(err)
	}
	f.run(ctx, func(dropped, whole context.Context) error {
		task, err := api.PollActivityTaskQueue(dropped, &workflowservice.PollActivityTaskQueueRequest{Namespace: namespace, TaskQueue: queueNamed(id)})
		if err != nil || len(task.GetTaskToken()) == 0 {
			return err
		}
		start := fmt.Sprintf("%s attempt %d, token %x", task.GetActivityId(), task.GetAttempt(), task.GetTaskToken())
		f.got(start)
		_, err = api.RespondActivityTaskCompleted(whole, &workflowservice.RespondActivityTaskCompletedRequest{Namespace: namespace, TaskToken: task.GetTaskToken()})
		f.finish(start, err)
		return nil
	})
	ends := 0
	for _, e := range allEventTypes(t, ctx, id) {
		if e == enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED {
			ends++
		}
	}
	if ends != droppedTasks {
		t.Errorf("%d activities have ended in the history, want %d", ends, droppedTasks)
	}
}

// allEventTypes finishes the workflow's waiting task first, which writes what
// is buffered, and reads all pages.
func allEventTypes(t *testing.T, ctx context.Context, id string) (types []enumspb.EventType) {
	t.Helper()
	err := complete(ctx, taskOf(t, ctx, id).GetTaskToken())
	var token []byte
	for first := true; err == nil && (first || len(token) > 0); first = false {
		var h *workflowservice.GetWorkflowExecutionHistoryResponse
		h, err = api.GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{
			Namespace: namespace, Execution: execution(id), NextPageToken: token})
		for _, e := range h.GetHistory().GetEvents() {
			types = append(types, e.GetEventType())
		}
		token = h.GetNextPageToken()
	}
	if err != nil {
		t.Fatal(errors.Join(errors.New("read the history"), err))
	}
	return types
}
