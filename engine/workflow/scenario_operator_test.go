package workflow_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"pgregory.net/rapid"

	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/searchattr"
	"github.com/perdure/perdure/engine/workflow"
)

// Commands of the scenario files about operators. The activities meant are
// those with id=A or type=T, or all.
//
//	pause ID [reason=] [request=]; unpause ID [reason=] [request=]
//	options ID [priority=N|none] [fairness=K] [weight=W] [override=auto|pinned|none] [skip[=N|off]]
//	pause-activity ID [id=|type=] [reason=] [request=]
//	unpause-activity ID [id=|type=] [jitter=] [reset-attempts] [reset-heartbeat]
//	reset-activity ID [id=|type=] [jitter=] [reset-heartbeat] [keep-paused] [restore]
//	update-activity ID [id=|type=] [stc=D] [initial=D] [queue=Q] [restore]
//	pause-info ID; problems ID   the search attributes TemporalPauseInfo and TemporalReportedProblems
func init() {
	commands["pause"] = func(w *world, a *args) {
		w.step(w.find(a.at(0)), &workflow.PauseWorkflow{Request: &workflowservice.PauseWorkflowExecutionRequest{
			Identity: "operator", Reason: a.str("reason"), RequestId: a.str("request")}})
	}
	commands["unpause"] = func(w *world, a *args) {
		w.step(w.find(a.at(0)), &workflow.UnpauseWorkflow{Request: &workflowservice.UnpauseWorkflowExecutionRequest{
			Identity: "operator", Reason: a.str("reason"), RequestId: a.str("request")}})
	}
	commands["options"] = (*world).setOptions
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
	commands["pause-info"] = func(w *world, a *args) { w.printAttribute(a, "pause info: ", searchattr.PauseInfo) }
	commands["problems"] = func(w *world, a *args) { w.printAttribute(a, "problems: ", searchattr.ReportedProblems) }
}

func (w *world) printAttribute(a *args, title, name string) {
	p := w.find(a.at(0)).SearchAttributes.GetIndexedFields()[name]
	w.printf("%s\n", strings.TrimSpace(title+string(p.GetData())))
}

// drawOperation picks what an operator does to the activities of a run.
func drawOperation(t *rapid.T, id string) string {
	if rapid.IntRange(0, 2).Draw(t, "whole") == 0 {
		return rapid.SampledFrom([]string{"pause", "pause request=p1", "unpause", "unpause", "unpause request=u1", "unpause request=u2",
			"options priority=2", "options priority=4 fairness=k", "options priority=none", "options override=auto", "options override=none",
			"options skip=3", "options skip=2 forward=3s", "options skip=off"}).Draw(t, "pause") + " " + id
	}
	which := rapid.SampledFrom([]string{"", " type=charge", " id=x0", " id=y1"}).Draw(t, "which")
	return rapid.SampledFrom([]string{
		"pause-activity", "pause-activity", "pause-activity request=r", "unpause-activity", "unpause-activity jitter=3s reset-attempts",
		"reset-activity", "reset-activity keep-paused reset-heartbeat", "reset-activity restore jitter=2s",
		"update-activity stc=2s", "update-activity initial=1s queue=parcels", "update-activity restore",
	}).Draw(t, "operation") + " " + id + which
}

// checkPauses: nothing is due or on offer of what is paused, and the search
// attribute names the types of just those.
func checkPauses(t *rapid.T, run *workflow.Run) {
	want := map[string]bool{}
	if run.Info.Pause != nil {
		want["Workflow:"+run.Key.Name] = true
		want["Reason:"+run.Info.Pause.Reason] = true
		checkPaused(t, run)
	}
	if paused := run.Info.Status == enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED; paused != (run.Info.Pause != nil) {
		t.Fatalf("status %s, pause %v", run.Info.Status, run.Info.Pause)
	}
	for _, s := range run.Activities {
		if s.Paused {
			want["property:activityType="+s.Type] = true
			if s.Offered || !s.Next().IsZero() {
				t.Fatalf("activity %s is paused, and offered: %v, due at %v", s.ID, s.Offered, s.Next())
			}
		}
		if (s.Resetting || s.ResetHeartbeat) && s.Unstarted() {
			t.Fatalf("activity %s waits for a reset, but does not run", s.ID)
		}
	}
	var got []string
	if p := run.SearchAttributes.GetIndexedFields()[searchattr.PauseInfo]; p != nil {
		if err := json.Unmarshal(p.GetData(), &got); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(got)
	if all := slices.Sorted(maps.Keys(want)); !slices.Equal(got, all) {
		t.Fatalf("the search attribute says %v, paused is %v", got, all)
	}
}

// checkPaused: nothing of a paused run is on offer, and no activity is due to be.
func checkPaused(t *rapid.T, run *workflow.Run) {
	if offers := run.Offers(); len(offers) > 0 {
		t.Fatalf("a paused run offers %v", offers)
	}
	if task := run.Info.Task; task != nil && (task.StartedEventID == 0 || task.Reoffered) {
		t.Fatalf("a paused run has a workflow task that nobody has: %+v", task)
	}
}

// checkAwake: a run that is not paused has a workflow task whenever it has
// something to tell its worker, and its activities that are due are on offer.
func checkAwake(t *rapid.T, w *world, run *workflow.Run) {
	if run.Info.Status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING || run.Info.Task != nil {
		return
	}
	if !run.Info.FirstTaskDone || run.Info.AwaitsParent {
		return
	}
	seen := true
	for _, ev := range w.history[run.Key] {
		switch ev.EventType {
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
			seen = true
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UNPAUSED,
			enumspb.EVENT_TYPE_TIMER_FIRED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
			enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED,
			enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT, enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED,
			enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED, enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:
			seen = false
		}
	}
	if !seen {
		t.Fatalf("the worker has not seen all that happened, and there is no workflow task")
	}
}

// setOptions changes the options named: "none" unsets one.
func (w *world) setOptions(a *args) {
	in := &workflow.UpdateOptions{Identity: "operator", Options: &workflowpb.WorkflowExecutionOptions{}}
	number := func(s string) float64 {
		n, err := strconv.ParseFloat(s, 32)
		if err != nil {
			w.t.Fatalf("%v", err)
		}
		return n
	}
	p := &commonpb.Priority{FairnessKey: a.str("fairness")}
	for _, field := range []struct{ key, path string }{
		{"priority", workflow.PathPriorityKey}, {"fairness", workflow.PathFairnessKey}, {"weight", workflow.PathFairnessWeight}, {"override", workflow.PathVersioningOverride},
	} {
		if a.str(field.key) != "" {
			in.Paths = append(in.Paths, field.path)
		}
	}
	switch {
	case a.str("priority") == "none":
		in.Paths = append(in.Paths, workflow.PathPriority)
	case a.str("priority") != "":
		p.PriorityKey = int32(number(a.str("priority")))
	}
	if a.str("weight") != "" {
		p.FairnessWeight = float32(number(a.str("weight")))
	}
	if a.str("priority") != "none" {
		in.Options.Priority = p
	}
	in.Options.VersioningOverride = override(a)
	in.Options.TimeSkippingConfig = skipping(a)
	if a.has("skip") {
		in.Paths = append(in.Paths, workflow.PathTimeSkipping)
	}
	reply := w.step(w.find(a.at(0)), in)
	if r, ok := reply.(*workflowservice.UpdateWorkflowExecutionOptionsResponse); ok {
		w.printf("reply: %s\n", describeMessageValue(r.GetWorkflowExecutionOptions()))
	}
}

// override is the versioning override of override=auto or override=pinned.
func override(a *args) *workflowpb.VersioningOverride {
	switch a.str("override") {
	case "auto":
		return &workflowpb.VersioningOverride{Override: &workflowpb.VersioningOverride_AutoUpgrade{AutoUpgrade: true}}
	case "pinned":
		return &workflowpb.VersioningOverride{Override: &workflowpb.VersioningOverride_Pinned{Pinned: &workflowpb.VersioningOverride_PinnedOverride{
			Behavior: workflowpb.VersioningOverride_PINNED_OVERRIDE_BEHAVIOR_PINNED,
			Version:  &deploymentpb.WorkerDeploymentVersion{DeploymentName: "dep1", BuildId: "b1"}}}}
	}
	return nil
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
