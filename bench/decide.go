package bench

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// This file has what workflows decide, as functions of what a worker is shown.

type task = workflowservice.PollWorkflowTaskQueueResponse

func closeAtOnce(*bench, *task) []*commandpb.Command { return []*commandpb.Command{complete()} }

// inSequence runs n activities one after the other.
func inSequence(n int) func(*bench, *task) []*commandpb.Command {
	return func(b *bench, t *task) []*commandpb.Command {
		done := doneActivities(t)
		if done >= n {
			return []*commandpb.Command{complete()}
		}
		return []*commandpb.Command{activity(b, done)}
	}
}

// inParallel runs n activities at once.
func inParallel(n int) func(*bench, *task) []*commandpb.Command {
	return func(b *bench, t *task) []*commandpb.Command {
		switch done := doneActivities(t); {
		case t.PreviousStartedEventId == 0:
			commands := make([]*commandpb.Command, n)
			for i := range commands {
				commands[i] = activity(b, i)
			}
			return commands
		case done >= n:
			return []*commandpb.Command{complete()}
		default:
			return nil
		}
	}
}

func closeWhenSignalled(_ *bench, t *task) []*commandpb.Command {
	if count(t.History, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED) > 0 {
		return []*commandpb.Command{complete()}
	}
	return nil
}

func stayOpen(*bench, *task) []*commandpb.Command { return nil }

// doneActivities relies on full histories: the bench's workers are not sticky.
func doneActivities(t *task) int {
	return count(t.History, enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
}

func count(h *historypb.History, kind enumspb.EventType) (n int) {
	for _, ev := range h.GetEvents() {
		if ev.EventType == kind {
			n++
		}
	}
	return n
}

func complete() *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
		Attributes: &commandpb.Command_CompleteWorkflowExecutionCommandAttributes{
			CompleteWorkflowExecutionCommandAttributes: &commandpb.CompleteWorkflowExecutionCommandAttributes{Result: payload},
		},
	}
}

func activity(b *bench, n int) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
		Attributes: &commandpb.Command_ScheduleActivityTaskCommandAttributes{
			ScheduleActivityTaskCommandAttributes: &commandpb.ScheduleActivityTaskCommandAttributes{
				ActivityId:          fmt.Sprint(n),
				ActivityType:        &commonpb.ActivityType{Name: "work"},
				TaskQueue:           &taskqueuepb.TaskQueue{Name: b.prefix, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
				Input:               payload,
				StartToCloseTimeout: durationpb.New(time.Minute),
			},
		},
	}
}

func timer(d time.Duration) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_START_TIMER,
		Attributes: &commandpb.Command_StartTimerCommandAttributes{
			StartTimerCommandAttributes: &commandpb.StartTimerCommandAttributes{
				TimerId: "t", StartToFireTimeout: durationpb.New(d),
			},
		},
	}
}
