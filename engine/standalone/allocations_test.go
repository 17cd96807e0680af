package standalone

import (
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine"
)

// recordedAllocations are the objects a step of each kind allocates: counts, the
// same on every machine, so that a step that has become dearer shows at once. Who
// makes one cheaper lowers its figure; who must make one dearer raises it and says
// why in the commit.
var recordedAllocations = map[string]float64{
	"start an activity":        16,
	"start its attempt":        6,
	"heartbeat":                5,
	"complete it":              12,
	"look at what is not due":  1,
	"fail an attempt to retry": 6,
}

// TestAllocationsOfSteps lives through an activity that stands alone, and at each
// step counts what the step allocates. A step changes nothing until it is applied,
// and so can be repeated.
func TestAllocationsOfSteps(t *testing.T) {
	const slack = 1.15 // a new Go release may allocate a little differently
	s := &stage{}
	env := s.env()
	count := func(what string, step func() (*Result, error)) *Result {
		t.Helper()
		got := testing.AllocsPerRun(100, func() {
			if _, err := step(); err != nil {
				t.Fatal(err)
			}
		})
		if recorded := recordedAllocations[what]; got > recorded*slack || got < recorded/slack {
			t.Errorf("to %s allocates %.0f objects; recorded are %.0f", what, got, recorded)
		}
		res, err := step()
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	request := &workflowservice.StartActivityExecutionRequest{
		ActivityId: activityID.Name, ActivityType: &commonpb.ActivityType{Name: "Charge"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "q"},
		StartToCloseTimeout: durationpb.New(time.Minute), HeartbeatTimeout: durationpb.New(time.Minute), Input: payloads("input"), RequestId: "r",
	}
	run := count("start an activity", func() (*Result, error) {
		return StepID(env, activityID, nil, &StartExecution{Request: request})
	}).New.Run
	step := func(what string, in Input) any {
		t.Helper()
		res := count(what, func() (*Result, error) { return Step(env, run, in) })
		if res.Run != nil {
			run.Apply(res.Run)
		}
		return res.Reply
	}
	poller := engine.Poller{Identity: "worker", RequestID: "poll"}
	stamp := step("start its attempt", &StartAttempt{Stamp: run.Offers()[0].Stamp, Poller: poller}).(*Started).Activity.Stamp
	step("heartbeat", &Heartbeat{Stamp: stamp, Details: payloads("half"), Identity: "worker"})
	step("look at what is not due", &Due{})
	count("fail an attempt to retry", func() (*Result, error) { return Step(env, run, &Fail{Stamp: stamp, Identity: "worker"}) })
	step("complete it", &Complete{Stamp: stamp, Result: payloads("done"), Identity: "worker"})
}
