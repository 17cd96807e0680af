package standalone

import (
	"testing"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/proto"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
)

// waiting is a run that has just begun, with links and a search attribute.
func waiting(t *testing.T) *Run {
	t.Helper()
	s := &stage{}
	res, err := StepID(s.env(), activityID, nil, &StartExecution{Request: &workflowservice.StartActivityExecutionRequest{
		ActivityId: activityID.Name, ActivityType: &commonpb.ActivityType{Name: "Charge"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "q"},
		StartToCloseTimeout: durationpb.New(1e9), Input: payloads("input"),
		Links:            []*commonpb.Link{link("default", engine.RunKey{ID: engine.ID{Name: "other"}})},
		SearchAttributes: &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{"Customer": {Data: []byte(`"me"`)}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return res.New.Run
}

// Each input has its place: those about an id do not step a run, nor the others
// an id.
func TestInputsOfAnotherPlaceAreRefused(t *testing.T) {
	s := &stage{}
	if _, err := StepID(s.env(), activityID, nil, &Due{}); engine.KindOf(err) != engine.KindUnimplemented {
		t.Errorf("Due stepped an id: %v", err)
	}
	if _, err := Step(s.env(), waiting(t), &StartExecution{}); engine.KindOf(err) != engine.KindUnimplemented {
		t.Errorf("StartExecution stepped a run: %v", err)
	}
}

// Nobody can start what has ended, or an attempt that is not on offer.
func TestVoidOffersAreStale(t *testing.T) {
	s, run := &stage{}, waiting(t)
	offer := run.Offers()[0]
	if _, err := Step(s.env(), run, &StartAttempt{Stamp: offer.Stamp + 1}); engine.KindOf(err) != engine.KindStale {
		t.Errorf("an offer never made was taken: %v", err)
	}
	res, err := Step(s.env(), run, &Complete{Stamp: activity.ByID})
	if err != nil {
		t.Fatal(err)
	}
	run.Apply(res.Run)
	if _, err := Step(s.env(), run, &StartAttempt{Stamp: offer.Stamp}); engine.KindOf(err) != engine.KindStale {
		t.Errorf("an ended activity was started: %v", err)
	}
	if len(run.Offers()) > 0 {
		t.Errorf("still on offer: %v", run.Offers())
	}
}

// The row that an index is rebuilt from is the one the last step wrote, and says
// what users set.
func TestVisibilityRecordIsTheLastOneWritten(t *testing.T) {
	s, run := &stage{}, waiting(t)
	v := run.VisibilityRecord()
	if v.Type != "Charge" || v.TaskQueue != "q" || v.Status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING || v.Run != run.Key ||
		!v.StartTime.Equal(epoch) || v.StateTransitionCount != 0 || v.HistorySizeBytes < fixedBytes {
		t.Errorf("got %+v", v)
	}
	customer := v.SearchAttributes.GetIndexedFields()["Customer"]
	if string(customer.GetMetadata()["type"]) != "Keyword" {
		t.Errorf("the attribute has no type: %v", customer)
	}
	res, err := Step(s.env(), run, &Terminate{Request: &workflowservice.TerminateActivityExecutionRequest{Reason: "enough"}})
	if err != nil {
		t.Fatal(err)
	}
	run.Apply(res.Run)
	w, again := res.Run.Visibility, run.VisibilityRecord()
	if w.Status != enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED || w.Version != 2 || w.StateTransitionCount != 2 || w.Version != again.Version ||
		!w.CloseTime.Equal(again.CloseTime) || w.HistorySizeBytes != again.HistorySizeBytes || w.Status != again.Status {
		t.Errorf("written %+v, made again %+v", w, again)
	}
}

// Links are those of the start and of what was attached since, in order.
func TestLinksAreKeptInOrder(t *testing.T) {
	run := waiting(t)
	run.Attachments = []*Attachment{{Number: 1, Links: []*commonpb.Link{link("default", engine.RunKey{ID: engine.ID{Name: "third"}})}}}
	all := run.Links()
	if len(all) != 2 || all[0].GetActivity().GetActivityId() != "other" || all[1].GetActivity().GetActivityId() != "third" {
		t.Errorf("got %v", all)
	}
	if all[0] = nil; len(run.Start.Links) != 1 || !proto.Equal(run.Start.Links[0], run.Links()[0]) {
		t.Error("the list given is the run's own")
	}
}
