package activitytest_test

import (
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/activity/activitytest"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// inWorkflow is a workflow that has scheduled one activity and waits for it.
type inWorkflow struct {
	*clock
	run    *workflow.Run
	rows   rows
	offers offers
	// unwritten is what a heartbeat has changed since the last write.
	unwritten *workflow.Change
	// events are those about the activity after its schedule; the first is that.
	events []*historypb.HistoryEvent
}

func newInWorkflow(c *clock, o activitytest.Options) house {
	w := &inWorkflow{clock: c, rows: rows{}}
	res, err := workflow.StepID(c.env(), engine.ID{NamespaceID: "ns", Archetype: engine.ArchetypeWorkflow, Name: "w"}, nil,
		&workflow.StartWorkflow{Request: &workflowservice.StartWorkflowExecutionRequest{
			WorkflowId: "w", WorkflowType: &commonpb.WorkflowType{Name: "T"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "q"},
		}})
	if err != nil {
		c.Fatal(err)
	}
	w.run = res.New.Run
	w.write(res.New.Change)
	w.command(&commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
		Attributes: &commandpb.Command_ScheduleActivityTaskCommandAttributes{
			ScheduleActivityTaskCommandAttributes: &commandpb.ScheduleActivityTaskCommandAttributes{
				ActivityId: "a", ActivityType: &commonpb.ActivityType{Name: "T"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "q"},
				ScheduleToCloseTimeout: timeout(o.ScheduleToClose), ScheduleToStartTimeout: timeout(o.ScheduleToStart),
				StartToCloseTimeout: timeout(o.StartToClose), HeartbeatTimeout: timeout(o.Heartbeat),
				RetryPolicy: retryPolicy(o),
			}},
	})
	return w
}

func (w *inWorkflow) scheduledID() int64 { return w.events[0].GetEventId() }

// command has the workflow's worker take its task, which is on offer, and
// complete it with the command.
func (w *inWorkflow) command(cmd *commandpb.Command) {
	task := w.run.Info.Task
	started := w.must(&workflow.StartWorkflowTask{EventID: task.ScheduledEventID, Stamp: task.Stamp}).(*workflow.TaskStarted)
	w.must(&workflow.CompleteWorkflowTask{Token: started.Token, Request: &workflowservice.RespondWorkflowTaskCompletedRequest{
		Commands: []*commandpb.Command{cmd}}})
}

func (w *inWorkflow) must(in workflow.Input) any {
	reply, err := w.do(in)
	if _, failed := reply.(*engine.Refusal); failed || err != nil {
		w.Fatalf("%T: %v, %v", in, reply, err)
	}
	return reply
}

// do carries an input out as a shell does.
func (w *inWorkflow) do(in workflow.Input) (reply any, err error) {
	for id := range workflow.Needs(w.run, in).Events {
		if id == w.scheduledID() {
			w.run.Scheduled = map[int64]*historypb.HistoryEvent{id: w.events[0]}
		}
	}
	res, err := workflow.Step(w.env(), w.run, in)
	if err != nil {
		return nil, err
	}
	if c := res.Run; c != nil {
		w.run.Apply(c)
		if c.Deferrable {
			w.unwritten = c
		} else {
			w.write(c)
		}
	}
	return res.Reply, nil
}

func (w *inWorkflow) write(c *workflow.Change) {
	if u := w.unwritten; u != nil {
		for id, s := range u.Activities {
			if _, changed := c.Activities[id]; !changed {
				if c.Activities == nil {
					c.Activities = map[int64]*activity.State{}
				}
				c.Activities[id] = s
			}
		}
	}
	w.unwritten = nil
	var b store.Batch
	record.WriteChange(&b, w.run.Key, c)
	w.rows.write(&b)
	w.offers.take(&c.Effects)
	for _, batch := range c.Batches {
		for _, ev := range batch {
			if aboutActivity[ev.GetEventType()] {
				w.events = append(w.events, ev)
			}
		}
	}
}

var aboutActivity = map[enumspb.EventType]bool{
	enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: true,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: true,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:    true,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: true,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:  true,
}

func (w *inWorkflow) stored() bool { return w.unwritten == nil }

func (w *inWorkflow) sync() {
	if c := w.unwritten; c != nil {
		w.write(c)
	}
}

func (w *inWorkflow) crash() {
	w.unwritten = nil
	run, err := record.LoadRun(w.run.Key, w.rows.state(w.run.Key))
	if err != nil {
		w.Fatal(err)
	}
	run.Loaded(w.env().Now)
	w.run, w.offers = run, nil
	w.offers.take(&engine.Effects{Offers: run.Offers()})
}

// activity is nil once it has ended, or its workflow has.
func (w *inWorkflow) activity() *activity.State {
	if !w.run.Open() {
		return nil
	}
	return w.run.Activities[w.scheduledID()]
}

// ended says how by the event that closes it; there is one, or none when the
// workflow was closed before.
func (w *inWorkflow) ended() (how, why string) {
	switch len(w.events) {
	case 1:
		return "Terminated", ""
	case 2:
	default:
		w.Fatalf("it has ended %d times: %v", len(w.events)-1, w.events)
	}
	switch ev := w.events[1]; ev.GetEventType() {
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		a := ev.GetActivityTaskFailedEventAttributes()
		return howFailed(a.GetFailure(), "Failed"), a.GetRetryState().String()
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		a := ev.GetActivityTaskTimedOutEventAttributes()
		return howFailed(a.GetFailure(), ""), a.GetRetryState().String()
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
		return "Canceled", ""
	}
	return "Completed", ""
}

func (w *inWorkflow) offer() (t engine.Task, ok bool) {
	if len(w.offers) == 0 {
		return t, false
	}
	return w.offers[0], true
}

func (w *inWorkflow) deadline() time.Time { return w.run.NextDeadline() }

func (w *inWorkflow) due() error {
	_, err := w.do(&workflow.Due{})
	return err
}

func (w *inWorkflow) start(t engine.Task, poll string) (int64, error) {
	reply, err := w.do(&workflow.StartActivity{EventID: t.EventID, Stamp: t.Stamp, Poller: engine.Poller{Identity: "w", RequestID: poll}})
	if err != nil {
		return 0, err
	}
	return reply.(*workflow.ActivityStarted).Token.Stamp, nil
}

func (w *inWorkflow) token(stamp int64) *workflow.ActivityToken {
	return &workflow.ActivityToken{Run: w.run.Key, ScheduledEventID: w.scheduledID(), ActivityID: "a", Stamp: stamp}
}

func (w *inWorkflow) ref(stamp int64) workflow.ActivityRef {
	return workflow.ActivityRef{Token: w.token(stamp)}
}

func (w *inWorkflow) abort(stamp int64) error {
	_, err := w.do(&workflow.AbortActivity{Token: *w.token(stamp)})
	return err
}

func (w *inWorkflow) beat(stamp int64, details *commonpb.Payloads) (canceled, paused, reset bool, err error) {
	reply, err := w.do(&workflow.HeartbeatActivity{Ref: w.ref(stamp), Details: details})
	if err != nil {
		return false, false, false, err
	}
	r := reply.(*workflowservice.RecordActivityTaskHeartbeatResponse)
	return r.CancelRequested, r.ActivityPaused, r.ActivityReset, nil
}

func (w *inWorkflow) complete(stamp int64) error {
	_, err := w.do(&workflow.CompleteActivity{Ref: w.ref(stamp)})
	return err
}

func (w *inWorkflow) fail(stamp int64, f *failurepb.Failure) error {
	_, err := w.do(&workflow.FailActivity{Ref: w.ref(stamp), Failure: f})
	return err
}

func (w *inWorkflow) acceptCancel(stamp int64) error {
	_, err := w.do(&workflow.CancelActivity{Ref: w.ref(stamp)})
	return err
}

// askCancel is what a workflow does that hears a signal. One that has ended, or
// whose activity has, does not ask.
func (w *inWorkflow) askCancel() error {
	if w.activity() == nil {
		return engine.NotFound("nothing to cancel")
	}
	w.must(&workflow.Signal{Request: &workflowservice.SignalWorkflowExecutionRequest{SignalName: "stop"}})
	w.command(&commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK,
		Attributes: &commandpb.Command_RequestCancelActivityTaskCommandAttributes{
			RequestCancelActivityTaskCommandAttributes: &commandpb.RequestCancelActivityTaskCommandAttributes{ScheduledEventId: w.scheduledID()}},
	})
	return nil
}

func (w *inWorkflow) terminate() error {
	_, err := w.do(&workflow.Terminate{Request: &workflowservice.TerminateWorkflowExecutionRequest{}})
	return err
}

var theActivity = workflow.ActivitySelection{ID: "a"}

func (w *inWorkflow) pause() error {
	_, err := w.do(&workflow.PauseActivity{Which: theActivity})
	return err
}

func (w *inWorkflow) unpause(resetAttempts, resetDetails bool) error {
	_, err := w.do(&workflow.UnpauseActivity{Which: theActivity,
		Unpause: activity.Unpause{ResetAttempts: resetAttempts, ResetHeartbeat: resetDetails}})
	return err
}

func (w *inWorkflow) reset(resetDetails, keepPaused, restore bool) error {
	_, err := w.do(&workflow.ResetActivity{Which: theActivity, ResetHeartbeat: resetDetails, KeepPaused: keepPaused, RestoreOriginal: restore})
	return err
}

func (w *inWorkflow) update(o *activitypb.ActivityOptions, paths ...string) error {
	_, err := w.do(&workflow.UpdateActivityOptions{Which: theActivity, Patch: activity.Patch{Options: o, Paths: paths}})
	return err
}
