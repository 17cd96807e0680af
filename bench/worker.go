package bench

import (
	"context"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
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
			group.Go(func() { b.workflowWorker(ctx) })
		}
		if b.play.activities {
			group.Go(func() { b.activityWorker(ctx) })
		}
	}
	return func() { cancel(); group.Wait() }
}

func (b *bench) queue() *taskqueuepb.TaskQueue {
	return &taskqueuepb.TaskQueue{Name: b.prefix, Kind: enumspb.TASK_QUEUE_KIND_NORMAL}
}

// pollTimeout is the deadline SDKs poll with.
const pollTimeout = 70 * time.Second

func (b *bench) workflowWorker(ctx context.Context) {
	for ctx.Err() == nil {
		poll, cancel := context.WithTimeout(ctx, pollTimeout)
		task, err := b.api.PollWorkflowTaskQueue(poll, &workflowservice.PollWorkflowTaskQueueRequest{
			Namespace: b.Namespace, TaskQueue: b.queue(), Identity: "bench",
		})
		cancel()
		if err != nil {
			_ = wait(ctx, 100*time.Millisecond) // ended by ctx, or a server that is busy
			continue
		}
		if len(task.TaskToken) == 0 {
			continue
		}
		// An answer that is refused (a task that timed out) is repaired by the
		// server handing the task out again.
		_, _ = b.api.RespondWorkflowTaskCompleted(ctx, &workflowservice.RespondWorkflowTaskCompletedRequest{
			Namespace: b.Namespace, TaskToken: task.TaskToken, Identity: "bench", Commands: b.play.decide(b, task),
		})
	}
}

func (b *bench) activityWorker(ctx context.Context) {
	for ctx.Err() == nil {
		token := b.takeActivity(ctx)
		if token == nil {
			continue
		}
		_, _ = b.api.RespondActivityTaskCompleted(ctx, &workflowservice.RespondActivityTaskCompletedRequest{
			Namespace: b.Namespace, TaskToken: token, Identity: "bench", Result: payload,
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
