package main

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"

	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/workflow"
)

// operateActivity is what an operator does to activities of a workflow: to one,
// to those of the only type there is, or to all.
func (w *world) operateActivity(id string) {
	var which workflow.ActivitySelection
	switch w.chance.IntN(4) {
	case 0:
		which.Type = "work"
	case 1:
	default:
		which.ID = w.somePendingActivity(id)
	}
	switch w.chance.IntN(7) {
	case 0, 1:
		w.insist(id, "pause activity", &workflow.PauseActivity{Which: which, Identity: "operator", Reason: "as the dice fell", RequestID: w.someRequest()})
	case 2, 3:
		w.insist(id, "unpause activity", &workflow.UnpauseActivity{Which: which, Unpause: w.drawUnpause()})
	case 4:
		w.insist(id, "reset activity", &workflow.ResetActivity{Which: which, ResetHeartbeat: w.oneIn(2), KeepPaused: w.oneIn(2),
			Jitter: w.between(0, time.Second), RestoreOriginal: w.oneIn(2)})
	default:
		in := &workflow.UpdateActivityOptions{Which: which, RestoreOriginal: w.oneIn(4)}
		if !in.RestoreOriginal {
			in.Patch = activity.Patch{Options: w.drawOptions(), Paths: w.drawPaths()}
		}
		w.auditor.retimed[idOf(id)] = true
		w.insist(id, "activity options", in)
	}
}

func (w *world) drawUnpause() activity.Unpause {
	return activity.Unpause{ResetAttempts: w.oneIn(2), ResetHeartbeat: w.oneIn(2), Jitter: w.between(0, time.Second)}
}

// someRequest is the id of a request, now and then of one that was made before.
func (w *world) someRequest() string {
	if w.oneIn(4) {
		return "request"
	}
	return w.unique("request")
}

// somePendingActivity is the id of an activity that was pending when last looked;
// "none" if there was none.
func (w *world) somePendingActivity(id string) string {
	for _, l := range w.disk.order {
		if l.key.Name != id || l.state == nil || len(l.state.Activities) == 0 {
			continue
		}
		ids := sortedNumbers(l.state.Activities)
		return l.state.Activities[ids[w.chance.IntN(len(ids))]].ID
	}
	return "none"
}

// drawOptions are options of an activity, all of them in order.
func (w *world) drawOptions() *activitypb.ActivityOptions {
	return &activitypb.ActivityOptions{
		TaskQueue:              &taskqueuepb.TaskQueue{Name: activityQueueName},
		ScheduleToCloseTimeout: durationpb.New(w.between(10*time.Second, time.Minute)),
		ScheduleToStartTimeout: durationpb.New(w.between(5*time.Second, 30*time.Second)),
		StartToCloseTimeout:    durationpb.New(w.between(2*time.Second, 10*time.Second)),
		HeartbeatTimeout:       durationpb.New(w.between(2*time.Second, 10*time.Second)),
		StartDelay:             durationpb.New(w.between(0, 5*time.Second)),
		RetryPolicy: &commonpb.RetryPolicy{InitialInterval: durationpb.New(time.Second), BackoffCoefficient: 1.5,
			MaximumInterval: durationpb.New(10 * time.Second), MaximumAttempts: int32(1 + w.chance.IntN(4))},
		Priority: &commonpb.Priority{PriorityKey: int32(w.chance.IntN(6)), FairnessKey: "f1", FairnessWeight: 2},
	}
}

// optionPaths are what may be changed of an activity's options.
var optionPaths = []string{
	"task_queue.name", "schedule_to_close_timeout", "schedule_to_start_timeout", "start_to_close_timeout", "heartbeat_timeout",
	"priority", "priority.priority_key", "priority.fairness_key", "priority.fairness_weight",
	"retry_policy", "retry_policy.initial_interval", "retry_policy.backoff_coefficient", "retry_policy.maximum_interval",
	"retryPolicy.maximumAttempts", "startToCloseTimeout",
}

func (w *world) drawPaths() (paths []string) {
	for range 1 + w.chance.IntN(3) {
		paths = append(paths, optionPaths[w.chance.IntN(len(optionPaths))])
	}
	return paths
}

// checkPausedActivities: no attempt of a paused activity has been handed out since.
func (o *observer) checkPausedActivities(l *life) {
	for id, a := range l.state.Activities { // is there any: their order does not matter
		if a.Paused && a.StartedTime.After(a.Pause.Time) {
			o.broken("activity %d of %s was started at %v and paused at %v:\n%s", id, short(l.key),
				a.StartedTime.Sub(epoch), a.Pause.Time.Sub(epoch), l.tell())
		}
		if a.Paused && a.Offered {
			o.broken("activity %d of %s is paused and on offer:\n%s", id, short(l.key), l.tell())
		}
	}
}

// unpauseActivities lets every paused activity go on: once all has healed nothing
// else would.
func (w *world) unpauseActivities(l *life) {
	for _, id := range sortedNumbers(l.state.Activities) {
		if a := l.state.Activities[id]; a.Paused {
			w.submit(l.key.ID, l.key.RunID, &workflow.UnpauseActivity{Which: workflow.ActivitySelection{ID: a.ID}}, func(any, error) {})
		}
	}
}
