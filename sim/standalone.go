package main

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/standalone"
)

// activityIDs is how many ids of standalone activities the clients share.
const activityIDs = 5

func aloneID(n int) engine.ID {
	return engine.ID{NamespaceID: namespaceID, Archetype: engine.ArchetypeActivity, Name: fmt.Sprint("act-", n)}
}

// actAlone is one thing a client does with a standalone activity.
func (w *world) actAlone() {
	id := aloneID(w.chance.IntN(activityIDs))
	request := w.unique("request")
	switch n := w.chance.IntN(100); {
	case n < 45:
		w.startAlone(id)
	case n < 55:
		w.insistOn(id, "cancel", &standalone.RequestCancel{Request: &workflowservice.RequestCancelActivityExecutionRequest{
			RequestId: request, Identity: "client", Reason: "as the dice fell"}})
	case n < 58:
		w.insistOn(id, "terminate", &standalone.Terminate{Request: &workflowservice.TerminateActivityExecutionRequest{
			RequestId: request, Identity: "client", Reason: "as the dice fell"}})
	case n < 60:
		w.auditor.deleting(id)
		w.insistOn(id, "delete", &standalone.Delete{})
	case n < 66:
		w.insistOn(id, "pause", &standalone.Pause{Request: &workflowservice.PauseActivityExecutionRequest{RequestId: w.someRequest(), Identity: "client"}})
	case n < 76:
		w.unpauseAlone(id)
	case n < 80:
		w.insistOn(id, "reset", &standalone.Reset{Request: &workflowservice.ResetActivityExecutionRequest{
			RequestId: request, KeepPaused: w.oneIn(2), ResetHeartbeat: w.oneIn(2), RestoreOriginalOptions: w.oneIn(2),
			Jitter: durationpb.New(w.between(0, 5*time.Second))}})
	case n < 85:
		w.insistOn(id, "update", &standalone.UpdateOptions{Request: &workflowservice.UpdateActivityExecutionOptionsRequest{
			RequestId: w.someRequest(), Identity: "client",
			ActivityOptions: w.drawOptions(), UpdateMask: &fieldmaskpb.FieldMask{Paths: w.drawPaths()}}})
	case n < 87:
		w.insistOn(id, "update", &standalone.UpdateOptions{Request: &workflowservice.UpdateActivityExecutionOptionsRequest{
			RequestId: request, Identity: "client", RestoreOriginal: true}})
	case n < 89:
		w.insistOn(id, "delay", &standalone.UpdateOptions{Request: &workflowservice.UpdateActivityExecutionOptionsRequest{
			RequestId: request, Identity: "client", ActivityOptions: w.drawOptions(), UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"start_delay"}}}})
	case n < 93:
		w.reader.followAlone(id)
	default:
		w.reader.readAlone(id)
	}
}

func (w *world) unpauseAlone(id engine.ID) {
	w.insistOn(id, "unpause", &standalone.Unpause{Request: &workflowservice.UnpauseActivityExecutionRequest{
		RequestId: w.someRequest(), Identity: "client", Jitter: durationpb.New(w.between(0, time.Second))}})
}

// unpauseSingles lets what is paused go on, once everything has healed.
func (w *world) unpauseSingles() {
	for _, x := range w.singles.order {
		if x.state != nil && x.state.Open() && x.state.Activity.Paused {
			w.unpauseAlone(x.key.ID)
		}
	}
}

func (w *world) startAlone(id engine.ID) {
	w.insistOn(id, "start", &standalone.StartExecution{Request: w.singleRequest(id.Name), Poller: engine.Poller{Identity: "client"}})
}

// singleRequest draws how a standalone activity is to be started.
func (w *world) singleRequest(id string) *workflowservice.StartActivityExecutionRequest {
	request := &workflowservice.StartActivityExecutionRequest{
		Namespace:           namespaceName,
		ActivityId:          id,
		ActivityType:        &commonpb.ActivityType{Name: "alone"},
		TaskQueue:           &taskqueuepb.TaskQueue{Name: activityQueueName, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
		Identity:            "client",
		RequestId:           w.unique("start"),
		StartToCloseTimeout: durationpb.New(w.between(2*time.Second, 10*time.Second)),
		Input:               &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: []byte(id)}}},
		RetryPolicy: &commonpb.RetryPolicy{
			InitialInterval: durationpb.New(time.Second), BackoffCoefficient: 2,
			MaximumAttempts: int32(1 + w.chance.IntN(4)), NonRetryableErrorTypes: []string{"hopeless"},
		},
		Priority:              &commonpb.Priority{PriorityKey: int32(w.chance.IntN(6))},
		RequestEagerExecution: w.oneIn(6),
		CompletionCallbacks:   w.drawCallbacks(),
	}
	if w.oneIn(2) {
		request.HeartbeatTimeout = durationpb.New(2 * time.Second)
	}
	if w.oneIn(3) {
		request.ScheduleToCloseTimeout = durationpb.New(30 * time.Second)
	}
	if w.oneIn(4) {
		request.ScheduleToStartTimeout = durationpb.New(5 * time.Second)
	}
	if w.oneIn(8) {
		request.StartDelay = durationpb.New(w.between(time.Second, 10*time.Second))
	}
	if w.oneIn(3) {
		request.IdConflictPolicy = enumspb.ACTIVITY_ID_CONFLICT_POLICY_USE_EXISTING
		request.OnConflictOptions = &commonpb.OnConflictOptions{AttachRequestId: true, AttachCompletionCallbacks: true, AttachLinks: w.oneIn(2)}
	}
	if w.oneIn(4) {
		request.IdReusePolicy = enumspb.ActivityIdReusePolicy(2 + w.chance.IntN(2))
	}
	if w.oneIn(4) {
		request.Links, request.SearchAttributes, request.Header = w.drawLinks(), attributes(w.chance), header("client")
	}
	return request
}

// actAlone carries an attempt out.
func (wk *worker) actAlone(t *standalone.Started) {
	wk.say("%s runs %s", wk.name, describe(t))
	stamp := t.Token().Stamp
	if wk.strikes(faultWorkerWrong) {
		stamp--
	}
	if wk.oneIn(15) { // by id, as from another process
		stamp = 0
	}
	end := wk.endingAlone(t, stamp)
	if t.Activity.Heartbeat > 0 && !wk.oneIn(3) {
		wk.beatAlone(t, stamp, 1+wk.chance.IntN(8), end)
		return
	}
	pause := wk.between(time.Millisecond, 500*time.Millisecond)
	if wk.strikes(faultWorkerLate) {
		pause = wk.between(2*time.Second, 20*time.Second)
	}
	wk.after(pause, func() { wk.reportAlone(t, end, 0) })
	if wk.strikes(faultWorkerTwice) {
		wk.after(pause+wk.between(0, 50*time.Millisecond), func() { wk.reportAlone(t, end, 0) })
	}
}

// endingAlone draws how an attempt ends.
func (wk *worker) endingAlone(t *standalone.Started, stamp int64) engine.Input {
	n := wk.chance.IntN(10)
	if wk.healed {
		n = 9
	}
	switch n {
	case 0, 1:
		return &standalone.Fail{Stamp: stamp, Identity: wk.name, Failure: applicationFailure("try again", "passing")}
	case 2:
		return &standalone.Fail{Stamp: stamp, Identity: wk.name, Failure: applicationFailure("give up", "hopeless")}
	}
	return &standalone.Complete{Stamp: stamp, Identity: wk.name, Result: &commonpb.Payloads{
		Payloads: []*commonpb.Payload{{Data: []byte(fmt.Sprint(t.Run.Name, "/", t.Activity.Attempt))}}}}
}

// beatAlone sends heartbeats, heeds a cancellation, and ends.
func (wk *worker) beatAlone(t *standalone.Started, stamp int64, left int, end engine.Input) {
	if left == 0 {
		wk.reportAlone(t, end, 0)
		return
	}
	wk.after(wk.between(100*time.Millisecond, time.Second), func() {
		in := &standalone.Heartbeat{Stamp: stamp, Identity: wk.name, Details: &commonpb.Payloads{
			Payloads: []*commonpb.Payload{{Data: []byte(fmt.Sprint("beat ", left))}}}}
		wk.submit(t.Run.ID, t.Run.RunID, in, func(reply any, err error) {
			answer, ok := reply.(*workflowservice.RecordActivityTaskHeartbeatResponse)
			switch {
			case engine.KindOf(err) == engine.KindNotFound:
				wk.say("%s stops %s: it is not wanted any more", wk.name, describe(t))
			case ok && answer.GetCancelRequested() && wk.oneIn(2):
				wk.reportAlone(t, &standalone.Cancel{Stamp: stamp, Identity: wk.name}, 0)
			default:
				wk.beatAlone(t, stamp, left-1, end)
			}
		})
	})
}

// reportAlone sends the outcome of an attempt until it is heard.
func (wk *worker) reportAlone(t *standalone.Started, end engine.Input, tries int) {
	wk.submit(t.Run.ID, t.Run.RunID, end, func(_ any, err error) {
		if unclear(err) && tries < 5 {
			wk.after(wk.between(50*time.Millisecond, time.Second), func() { wk.reportAlone(t, end, tries+1) })
			return
		}
		wk.say("%s: %s ends with %T: %s", wk.name, describe(t), end, outcomeOf(err))
	})
}
