package bench

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	enumspb "go.temporal.io/api/enums/v1"
	querypb "go.temporal.io/api/query/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// maxPollers bounds the polls of each kind; more than the server has work for
// only costs memory on both sides.
const maxPollers = 64

// startWorkers begins to poll and returns a function that ends it.
func (b *bench) startWorkers(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	for range min(max(b.Concurrency, 2), maxPollers) {
		if b.play.decide != nil {
			group.Go(func() { b.workflowWorker(ctx, b.queue()) })
		}
		if b.play.sticky {
			group.Go(func() { b.workflowWorker(ctx, b.home()) })
		}
		if b.play.activities {
			group.Go(func() { b.activityWorker(ctx) })
		}
	}
	return func() { cancel(); group.Wait(); b.answering.Wait() }
}

func (b *bench) queue() *taskqueuepb.TaskQueue {
	return &taskqueuepb.TaskQueue{Name: b.prefix, Kind: enumspb.TASK_QUEUE_KIND_NORMAL}
}

// home is the queue for the runs that the workers keep.
func (b *bench) home() *taskqueuepb.TaskQueue {
	return &taskqueuepb.TaskQueue{Name: b.prefix + "-home", Kind: enumspb.TASK_QUEUE_KIND_STICKY, NormalName: b.prefix}
}

const (
	// pollTimeout is the deadline SDKs poll with.
	pollTimeout = 70 * time.Second
	// stickyTimeout is how long SDKs let a task wait for the worker that keeps
	// its run.
	stickyTimeout = 5 * time.Second
)

func (b *bench) workflowWorker(ctx context.Context, queue *taskqueuepb.TaskQueue) {
	for ctx.Err() == nil {
		poll, cancel := context.WithTimeout(ctx, pollTimeout)
		task, err := b.api.PollWorkflowTaskQueue(poll, &workflowservice.PollWorkflowTaskQueueRequest{
			Namespace: b.Namespace, TaskQueue: queue, Identity: "bench",
		})
		cancel()
		if err != nil {
			_ = wait(ctx, 100*time.Millisecond) // ended by ctx, or a server that is busy
			continue
		}
		switch {
		case len(task.TaskToken) == 0:
		case task.Query != nil:
			// An answer that is refused came too late for who asked.
			_, _ = b.api.RespondQueryTaskCompleted(ctx, &workflowservice.RespondQueryTaskCompletedRequest{
				Namespace: b.Namespace, TaskToken: task.TaskToken,
				CompletedType: enumspb.QUERY_RESULT_TYPE_ANSWERED, QueryResult: payload,
			})
		default:
			b.handle(func() { b.answerTask(ctx, task) })
		}
	}
}

// handle has a poller wait until a task is answered, or poll on at once.
func (b *bench) handle(answer func()) {
	if b.play.pollsOn {
		b.answering.Go(answer)
		return
	}
	answer()
}

// answerTask answers a workflow task. An answer that is refused (a task that
// timed out) is repaired by the server handing the task out again.
func (b *bench) answerTask(ctx context.Context, t *task) {
	answer := &workflowservice.RespondWorkflowTaskCompletedRequest{
		Namespace: b.Namespace, TaskToken: t.TaskToken, Identity: "bench",
	}
	if b.play.sticky {
		answer.StickyAttributes = &taskqueuepb.StickyExecutionAttributes{
			WorkerTaskQueue: b.home(), ScheduleToStartTimeout: durationpb.New(stickyTimeout)}
	}
	if answerUpdates(t, answer) != nil {
		return // not a message of ours; who sent it waits in vain
	}
	for id := range t.Queries {
		if answer.QueryResults == nil {
			answer.QueryResults = map[string]*querypb.WorkflowQueryResult{}
		}
		answer.QueryResults[id] = &querypb.WorkflowQueryResult{ResultType: enumspb.QUERY_RESULT_TYPE_ANSWERED, Answer: payload}
	}
	answer.Commands = append(answer.Commands, b.play.decide(b, t)...)
	_, err := b.api.RespondWorkflowTaskCompleted(ctx, answer)
	if err == nil && t.PreviousStartedEventId == 0 {
		b.firstTasks.Add(1)
	}
}

func (b *bench) activityWorker(ctx context.Context) {
	for ctx.Err() == nil {
		token := b.takeActivity(ctx)
		if token == nil {
			continue
		}
		b.handle(func() {
			_, _ = b.api.RespondActivityTaskCompleted(ctx, &workflowservice.RespondActivityTaskCompletedRequest{
				Namespace: b.Namespace, TaskToken: token, Identity: "bench", Result: payload,
			})
		})
	}
}

// takeActivity polls once; nil when that brought nothing.
func (b *bench) takeActivity(ctx context.Context) (token []byte) {
	poll, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	task, err := b.api.PollActivityTaskQueue(poll, &workflowservice.PollActivityTaskQueueRequest{
		Namespace: b.Namespace, TaskQueue: b.queue(), Identity: "bench",
	})
	if err != nil {
		_ = wait(ctx, 100*time.Millisecond)
		return nil
	}
	if len(task.TaskToken) == 0 {
		return nil
	}
	return task.TaskToken
}
