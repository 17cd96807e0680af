package workflow_test

import (
	"strings"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"

	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/searchattr"
	"github.com/perdure/perdure/engine/workflow"
)

// Commands of the scenario files about operators. The activities meant are
// those with id=A or type=T, or all.
//
//	pause-activity ID [id=|type=] [reason=] [request=]
//	unpause-activity ID [id=|type=] [jitter=] [reset-attempts] [reset-heartbeat]
//	reset-activity ID [id=|type=] [jitter=] [reset-heartbeat] [keep-paused] [restore]
//	update-activity ID [id=|type=] [stc=D] [initial=D] [queue=Q] [restore]
//	pause-info ID                the search attribute TemporalPauseInfo
func init() {
	commands["pause-activity"] = func(w *world, a *args) {
		w.step(w.find(a.at(0)), &workflow.PauseActivity{
			Which: selection(a), Identity: "operator", Reason: a.str("reason"), RequestID: a.str("request")})
	}
	commands["unpause-activity"] = func(w *world, a *args) {
		u := activity.Unpause{ResetAttempts: a.has("reset-attempts"), ResetHeartbeat: a.has("reset-heartbeat"), Jitter: protoDuration(a.str("jitter")).AsDuration()}
		w.step(w.find(a.at(0)), &workflow.UnpauseActivity{Which: selection(a), Unpause: u})
	}
	commands["reset-activity"] = func(w *world, a *args) {
		w.step(w.find(a.at(0)), &workflow.ResetActivity{
			Which: selection(a), ResetHeartbeat: a.has("reset-heartbeat"), KeepPaused: a.has("keep-paused"),
			Jitter: protoDuration(a.str("jitter")).AsDuration(), RestoreOriginal: a.has("restore")})
	}
	commands["update-activity"] = func(w *world, a *args) {
		reply := w.step(w.find(a.at(0)), &workflow.UpdateActivityOptions{Which: selection(a), RestoreOriginal: a.has("restore"), Patch: patch(a)})
		if o, ok := reply.(*activity.Options); ok {
			w.printf("reply: queue=%s s2c=%v s2s=%v stc=%v hb=%v initial=%v\n", o.TaskQueue, o.ScheduleToClose, o.ScheduleToStart,
				o.StartToClose, o.Heartbeat, o.RetryPolicy.GetInitialInterval().AsDuration())
		}
	}
	commands["pause-info"] = func(w *world, a *args) {
		p := w.find(a.at(0)).SearchAttributes.GetIndexedFields()[searchattr.PauseInfo]
		w.printf("%s\n", strings.TrimSpace("pause info: "+string(p.GetData())))
	}
}

func selection(a *args) workflow.ActivitySelection {
	return workflow.ActivitySelection{ID: a.str("id"), Type: a.str("type")}
}

func patch(a *args) activity.Patch {
	p := activity.Patch{Options: &activitypb.ActivityOptions{
		StartToCloseTimeout: protoDuration(a.str("stc")),
		TaskQueue:           &taskqueuepb.TaskQueue{Name: a.str("queue")},
		RetryPolicy:         &commonpb.RetryPolicy{InitialInterval: protoDuration(a.str("initial"))},
	}}
	for _, field := range []struct{ key, path string }{
		{"stc", "start_to_close_timeout"}, {"queue", "task_queue.name"}, {"initial", "retry_policy.initial_interval"},
	} {
		if a.str(field.key) != "" {
			p.Paths = append(p.Paths, field.path)
		}
	}
	return p
}
