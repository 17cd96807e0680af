package bench

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	updatepb "go.temporal.io/api/update/v1"
)

// nullRun is as much of a workflow as the null server must remember to know
// what to hand out next.
type nullRun struct {
	key       uint64
	execution *commonpb.WorkflowExecution
	workflow  *commonpb.WorkflowType
	queue     *nullQueue
	// sticky is where its workflow tasks go once a worker keeps it.
	sticky atomic.Pointer[nullQueue]
	// updates wait for a worker's answer.
	updates nullUpdates
	// standalone: it is an activity without a workflow.
	standalone bool
	// closed is closed once the end of the run is on disk.
	closed chan struct{}

	mu struct {
		sync.Mutex
		history []byte
		// seen is how many workflow tasks were handed out before.
		seen       int64
		activities int
		// from is how much of the history the worker that keeps the run has seen.
		from int
		// shown is how much of the history the latest workflow task shows: what
		// comes later is for the next, so that the number of commits is fixed.
		shown int
		// taskOut: a worker has a workflow task. signalled: a signal came meanwhile.
		taskOut, signalled bool
	}
}

// news is what a call brings about, once its bytes are synced.
type news struct {
	bytes      []byte
	activities int
	task       bool
	closed     bool
}

func (r *nullRun) token() []byte { return binary.BigEndian.AppendUint64(nil, r.key) }

// home is the queue of the run's workflow tasks.
func (r *nullRun) home() *nullQueue {
	if q := r.sticky.Load(); q != nil {
		return q
	}
	return r.queue
}

// task is what a worker is shown: all of the history, or what is new to the
// worker that keeps the run.
func (r *nullRun) task() (history []byte, previous int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	previous = 3 * r.mu.seen
	r.mu.seen++
	history = slices.Clip(r.mu.history[:r.mu.shown])
	if r.sticky.Load() != nil {
		history = history[r.mu.from:]
	}
	r.mu.from = r.mu.shown
	return history, previous
}

func (r *nullRun) start(e *cannedEvents) news {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.taskOut = true
	return r.add(news{task: true}, e.started, e.task)
}

func (r *nullRun) decided(e *cannedEvents, commands []*commandpb.Command) news {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.taskOut = false
	var n news
	events := [][]byte{e.taskCompleted}
	for _, c := range commands {
		switch c.CommandType {
		case enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION:
			n.closed = true
			events = append(events, e.completed)
		case enumspb.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK:
			n.activities++
			events = append(events, e.activityScheduled)
		}
	}
	r.mu.activities += n.activities
	if r.mu.signalled && !n.closed {
		r.mu.signalled, r.mu.taskOut, n.task = false, true, true
		events = append(events, e.task)
	}
	return r.add(n, events...)
}

func (r *nullRun) activityDone(e *cannedEvents) news {
	if r.standalone {
		return news{bytes: nullOutcomeBytes, closed: true}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.activities--
	if r.mu.activities > 0 || r.mu.taskOut {
		return r.add(news{}, e.activityDone)
	}
	r.mu.taskOut = true
	return r.add(news{task: true}, e.activityDone, e.task)
}

func (r *nullRun) signalled(e *cannedEvents) news {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.taskOut {
		r.mu.signalled = true
		return r.add(news{}, e.signalled)
	}
	r.mu.taskOut = true
	return r.add(news{task: true}, e.signalled, e.task)
}

// add appends to the history; n comes back with the bytes to write.
func (r *nullRun) add(n news, events ...[]byte) news {
	before := len(r.mu.history)
	for _, ev := range events {
		r.mu.history = append(r.mu.history, ev...)
	}
	if n.task {
		r.mu.shown = len(r.mu.history)
	}
	n.bytes = r.mu.history[before:len(r.mu.history):len(r.mu.history)]
	return n
}

// cannedEvents are encoded events of the size real ones have in our scenarios,
// each an encoding of a History. Ids and times in them mean nothing.
type cannedEvents struct {
	started, task, taskCompleted, completed, activityScheduled, activityDone, signalled,
	updateAccepted, updateCompleted []byte
}

func newCannedEvents() cannedEvents {
	const (
		run     = "01234567-89ab-4cde-8f01-23456789abcd"
		name    = "bench-activity1-1700000000000000000"
		request = name + "-run-10000"
	)
	queue := &taskqueuepb.TaskQueue{Name: name, Kind: enumspb.TASK_QUEUE_KIND_NORMAL}
	return cannedEvents{
		started: canned(&historypb.HistoryEvent{
			EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
			Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
				WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{
					WorkflowType: &commonpb.WorkflowType{Name: "activity1"}, TaskQueue: queue, Input: payload, Identity: "bench",
					WorkflowTaskTimeout: durationpb.New(10 * time.Second), FirstWorkflowTaskBackoff: &durationpb.Duration{},
					OriginalExecutionRunId: run, FirstExecutionRunId: run, Attempt: 1, WorkflowId: request,
				}},
		}),
		task: canned(&historypb.HistoryEvent{
			EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
			Attributes: &historypb.HistoryEvent_WorkflowTaskScheduledEventAttributes{
				WorkflowTaskScheduledEventAttributes: &historypb.WorkflowTaskScheduledEventAttributes{
					TaskQueue: queue, StartToCloseTimeout: durationpb.New(10 * time.Second), Attempt: 1,
				}},
		}, &historypb.HistoryEvent{
			EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED,
			Attributes: &historypb.HistoryEvent_WorkflowTaskStartedEventAttributes{
				WorkflowTaskStartedEventAttributes: &historypb.WorkflowTaskStartedEventAttributes{
					ScheduledEventId: 2, Identity: "bench", RequestId: run, HistorySizeBytes: 512,
				}},
		}),
		taskCompleted: canned(&historypb.HistoryEvent{
			EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
			Attributes: &historypb.HistoryEvent_WorkflowTaskCompletedEventAttributes{
				WorkflowTaskCompletedEventAttributes: &historypb.WorkflowTaskCompletedEventAttributes{
					ScheduledEventId: 2, StartedEventId: 3, Identity: "bench",
				}},
		}),
		completed: canned(&historypb.HistoryEvent{
			EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
			Attributes: &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
				WorkflowExecutionCompletedEventAttributes: &historypb.WorkflowExecutionCompletedEventAttributes{
					Result: payload, WorkflowTaskCompletedEventId: 4,
				}},
		}),
		activityScheduled: canned(&historypb.HistoryEvent{
			EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
			Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
				ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{
					ActivityId: "0", ActivityType: &commonpb.ActivityType{Name: "work"}, TaskQueue: queue, Input: payload,
					ScheduleToCloseTimeout: &durationpb.Duration{}, ScheduleToStartTimeout: &durationpb.Duration{},
					StartToCloseTimeout: durationpb.New(time.Minute), HeartbeatTimeout: &durationpb.Duration{},
					WorkflowTaskCompletedEventId: 4,
					RetryPolicy: &commonpb.RetryPolicy{
						InitialInterval: durationpb.New(time.Second), BackoffCoefficient: 2, MaximumInterval: durationpb.New(100 * time.Second),
					},
				}},
		}),
		activityDone: canned(&historypb.HistoryEvent{
			EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED,
			Attributes: &historypb.HistoryEvent_ActivityTaskStartedEventAttributes{
				ActivityTaskStartedEventAttributes: &historypb.ActivityTaskStartedEventAttributes{
					ScheduledEventId: 5, Identity: "bench", RequestId: run, Attempt: 1,
				}},
		}, &historypb.HistoryEvent{
			EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
			Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
				ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{
					Result: payload, ScheduledEventId: 5, StartedEventId: 6, Identity: "bench",
				}},
		}),
		updateAccepted: canned(&historypb.HistoryEvent{
			EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
			Attributes: &historypb.HistoryEvent_WorkflowExecutionUpdateAcceptedEventAttributes{
				WorkflowExecutionUpdateAcceptedEventAttributes: &historypb.WorkflowExecutionUpdateAcceptedEventAttributes{
					ProtocolInstanceId: request, AcceptedRequestMessageId: request + "/request", AcceptedRequestSequencingEventId: 5,
					AcceptedRequest: &updatepb.Request{
						Meta: &updatepb.Meta{UpdateId: request, Identity: "bench"}, Input: &updatepb.Input{Name: "change", Args: payload}},
				}},
		}),
		updateCompleted: canned(&historypb.HistoryEvent{
			EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED,
			Attributes: &historypb.HistoryEvent_WorkflowExecutionUpdateCompletedEventAttributes{
				WorkflowExecutionUpdateCompletedEventAttributes: &historypb.WorkflowExecutionUpdateCompletedEventAttributes{
					Meta: &updatepb.Meta{UpdateId: request, Identity: "bench"}, AcceptedEventId: 8,
					Outcome: &updatepb.Outcome{Value: &updatepb.Outcome_Success{Success: payload}},
				}},
		}),
		signalled: canned(&historypb.HistoryEvent{
			EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
			Attributes: &historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes{
				WorkflowExecutionSignaledEventAttributes: &historypb.WorkflowExecutionSignaledEventAttributes{
					SignalName: "go", Input: payload, Identity: "bench",
				}},
		}),
	}
}

// canned fills in what every event has and encodes it.
func canned(events ...*historypb.HistoryEvent) []byte {
	for _, ev := range events {
		ev.EventId, ev.TaskId = 7, 7
		ev.EventTime = &timestamppb.Timestamp{Seconds: 1_700_000_000, Nanos: 123_456_789}
	}
	bytes, err := proto.Marshal(&historypb.History{Events: events})
	if err != nil {
		panic(err) // messages made here, of plain text
	}
	return bytes
}
