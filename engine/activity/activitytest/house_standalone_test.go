package activitytest_test

import (
	"bytes"
	"maps"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/activity/activitytest"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// alone is a standalone activity.
type alone struct {
	*clock
	run    *standalone.Run
	rows   rows
	offers offers
	// unwritten is what a heartbeat has changed since the last write.
	unwritten *standalone.Change
}

func newAlone(c *clock, o activitytest.Options) house {
	a := &alone{clock: c, rows: rows{}}
	res, err := standalone.StepID(c.env(), engine.ID{NamespaceID: "ns", Archetype: engine.ArchetypeActivity, Name: "a"}, nil,
		&standalone.StartExecution{Request: &workflowservice.StartActivityExecutionRequest{
			ActivityId: "a", ActivityType: &commonpb.ActivityType{Name: "T"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "q"},
			ScheduleToCloseTimeout: timeout(o.ScheduleToClose), ScheduleToStartTimeout: timeout(o.ScheduleToStart),
			StartToCloseTimeout: timeout(o.StartToClose), HeartbeatTimeout: timeout(o.Heartbeat), StartDelay: timeout(o.Delay),
			RetryPolicy: retryPolicy(o),
		}})
	if err != nil {
		c.Fatal(err)
	}
	a.run = res.New.Run
	a.write(res.New.Change)
	return a
}

func (a *alone) activity() *activity.State {
	if !a.run.Open() {
		return nil
	}
	return a.run.Activity
}

func (a *alone) ended() (how, why string) {
	o := a.run.Outcome
	if o.GetFailure() == nil {
		return "Completed", ""
	}
	if why = o.GetRetryState().String(); why == "Unspecified" {
		why = ""
	}
	return howFailed(o.GetFailure(), "Failed"), why
}

func (a *alone) offer() (t engine.Task, ok bool) {
	if len(a.offers) == 0 {
		return t, false
	}
	return a.offers[0], true
}

// do carries an input out as a shell does.
func (a *alone) do(in standalone.Input) (reply any, err error) {
	before := whole(a.run)
	res, err := standalone.Step(a.env(), a.run, in)
	if !maps.EqualFunc(before, whole(a.run), sameEntry) {
		a.Fatalf("%T changed the state it was given", in)
	}
	if err != nil {
		return nil, err
	}
	if c := res.Run; c != nil {
		a.run.Apply(c)
		if c.Deferrable {
			a.unwritten = c
		} else {
			a.write(c)
		}
	}
	return res.Reply, nil
}

func (a *alone) write(c *standalone.Change) {
	if c.Activity == nil && a.unwritten != nil {
		c.Activity = a.unwritten.Activity
	}
	a.unwritten = nil
	var b store.Batch
	record.WriteStandalone(&b, a.run.Key, c)
	a.rows.write(&b)
	a.offers.take(&c.Effects)
	if !maps.EqualFunc(whole(a.load()), whole(a.run), sameEntry) {
		a.Fatalf("what is stored is not what is in memory")
	}
}

// load is the run as it is stored.
func (a *alone) load() *standalone.Run {
	l := record.NewStandaloneLoader(a.run.Key)
	for _, e := range a.rows.state(a.run.Key) {
		l.Add(e)
	}
	run, err := l.Run()
	if err != nil {
		a.Fatal(err)
	}
	return run
}

// whole are the rows of a run, if they are all written at once.
func whole(r *standalone.Run) rows {
	var b store.Batch
	record.WriteStandalone(&b, r.Key, &standalone.Change{
		Start: r.Start, Info: r.Info, Activity: r.Activity, Outcome: r.Outcome, Attachments: r.Attachments, Callbacks: r.Callbacks})
	all := rows{}
	all.write(&b)
	return all
}

func sameEntry(a, b store.Entry) bool { return bytes.Equal(a.Value, b.Value) }

func (a *alone) stored() bool { return a.unwritten == nil }

func (a *alone) sync() {
	if c := a.unwritten; c != nil {
		a.write(c)
	}
}

func (a *alone) crash() {
	a.unwritten = nil
	run := a.load()
	run.Loaded(a.env().Now)
	a.run, a.offers = run, run.Offers()
}

func (a *alone) deadline() time.Time { return a.run.NextDeadline() }

func (a *alone) due() error {
	_, err := a.do(&standalone.Due{})
	return err
}

func (a *alone) start(t engine.Task, poll string) (int64, error) {
	reply, err := a.do(&standalone.StartAttempt{Stamp: t.Stamp, Poller: engine.Poller{Identity: "w", RequestID: poll}})
	if err != nil {
		return 0, err
	}
	return reply.(*standalone.Started).Token().Stamp, nil
}

func (a *alone) abort(stamp int64) error {
	_, err := a.do(&standalone.AbortAttempt{Stamp: stamp})
	return err
}

func (a *alone) beat(stamp int64, details *commonpb.Payloads) (canceled, paused, reset bool, err error) {
	reply, err := a.do(&standalone.Heartbeat{Stamp: stamp, Details: details})
	if err != nil {
		return false, false, false, err
	}
	r := reply.(*workflowservice.RecordActivityTaskHeartbeatResponse)
	return r.CancelRequested, r.ActivityPaused, r.ActivityReset, nil
}

func (a *alone) complete(stamp int64) error {
	_, err := a.do(&standalone.Complete{Stamp: stamp})
	return err
}

func (a *alone) fail(stamp int64, f *failurepb.Failure) error {
	_, err := a.do(&standalone.Fail{Stamp: stamp, Failure: f})
	return err
}

func (a *alone) acceptCancel(stamp int64) error {
	_, err := a.do(&standalone.Cancel{Stamp: stamp})
	return err
}

func (a *alone) askCancel() error {
	_, err := a.do(&standalone.RequestCancel{Request: &workflowservice.RequestCancelActivityExecutionRequest{}})
	return err
}

func (a *alone) terminate() error {
	_, err := a.do(&standalone.Terminate{Request: &workflowservice.TerminateActivityExecutionRequest{}})
	return err
}

func (a *alone) pause() error {
	_, err := a.do(&standalone.Pause{Request: &workflowservice.PauseActivityExecutionRequest{}})
	return err
}

func (a *alone) unpause(bool, bool) error {
	_, err := a.do(&standalone.Unpause{Request: &workflowservice.UnpauseActivityExecutionRequest{}})
	return err
}

func (a *alone) reset(resetDetails, keepPaused, restore bool) error {
	_, err := a.do(&standalone.Reset{Request: &workflowservice.ResetActivityExecutionRequest{
		ResetHeartbeat: resetDetails, KeepPaused: keepPaused, RestoreOriginalOptions: restore}})
	return err
}

func (a *alone) update(o *activitypb.ActivityOptions, paths ...string) error {
	_, err := a.do(&standalone.UpdateOptions{Request: &workflowservice.UpdateActivityExecutionOptionsRequest{
		ActivityOptions: o, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}}})
	return err
}
