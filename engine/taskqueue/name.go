// Package taskqueue checks the names of task queues as requests and commands
// give them. Spec: workflow.md 1.1 rows 9 to 11, activity.md 1.1.
package taskqueue

import (
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"

	"github.com/perdure/perdure/engine"
)

const (
	reservedPrefix = "/_sys/"
	internalName   = "temporal-sys-per-ns-tq"
)

// Check refuses a task queue that work may not be scheduled on, with the API's
// texts. The error is an *engine.Refusal of KindInvalidArgument.
func Check(q *taskqueuepb.TaskQueue, limits *engine.Limits) error {
	switch name := q.GetName(); {
	case q == nil:
		return engine.Invalid("taskQueue is not set")
	case name == "":
		return engine.Invalid("missing task queue name")
	case strings.HasPrefix(name, reservedPrefix):
		return engine.Invalid("task queue name cannot start with reserved prefix %s", reservedPrefix)
	case name == internalName:
		return engine.Invalid("cannot use internal per-namespace task queue:%s", internalName)
	case len(name) > limits.IDLengthBytes:
		return engine.Invalid("taskQueue length exceeds limit")
	}
	return nil
}

// Normal is the queue as events and responses name it.
func Normal(name string) *taskqueuepb.TaskQueue {
	return &taskqueuepb.TaskQueue{Name: name, Kind: enumspb.TASK_QUEUE_KIND_NORMAL}
}
