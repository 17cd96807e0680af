package standalone

import (
	"testing"

	"google.golang.org/protobuf/proto"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/perdure/perdure/engine"
)

// FuzzStart gives the machine start requests that no frontend has looked at, and
// lives them through: started twice, taken by a worker, and due. It may refuse
// them; it may not panic, nor ask to be woken for nothing.
func FuzzStart(f *testing.F) {
	seed, err := proto.Marshal(&workflowservice.StartActivityExecutionRequest{
		ActivityId: "a", ActivityType: &commonpb.ActivityType{Name: "T"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "q"}, RequestId: "r",
		ScheduleToCloseTimeout: durationpb.New(9e9), StartToCloseTimeout: durationpb.New(5e9), HeartbeatTimeout: durationpb.New(1e9),
		StartDelay: durationpb.New(1e9), RetryPolicy: &commonpb.RetryPolicy{MaximumAttempts: 2}, Priority: &commonpb.Priority{PriorityKey: 1},
		OnConflictOptions: &commonpb.OnConflictOptions{AttachRequestId: true, AttachLinks: true}, Links: []*commonpb.Link{{}},
		CompletionCallbacks: []*commonpb.Callback{{}}, RequestEagerExecution: true,
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		req := &workflowservice.StartActivityExecutionRequest{}
		if proto.Unmarshal(data, req) != nil {
			return
		}
		s := &stage{tokens: map[string]int64{}}
		for range 2 {
			res, err := StepID(s.env(), activityID, s.run, &StartExecution{Request: req})
			if err != nil && engine.KindOf(err) == 0 {
				t.Fatalf("no refusal: %v", err)
			}
			if err == nil {
				s.took(res)
			}
		}
		s.liveOn(t)
	})
}

// FuzzUpdate gives a waiting activity updates of options that no frontend has
// looked at.
func FuzzUpdate(f *testing.F) {
	seed, err := proto.Marshal(&workflowservice.UpdateActivityExecutionOptionsRequest{
		ActivityOptions: &activitypb.ActivityOptions{TaskQueue: &taskqueuepb.TaskQueue{Name: "q2"}, StartDelay: durationpb.New(1e9)},
		UpdateMask:      &fieldmaskpb.FieldMask{Paths: []string{"task_queue.name", "startDelay", "retry_policy.initial_interval"}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		req := &workflowservice.UpdateActivityExecutionOptionsRequest{}
		if proto.Unmarshal(data, req) != nil {
			return
		}
		s := &stage{tokens: map[string]int64{}, run: waiting(t)}
		s.offers = s.run.Offers()
		res, err := Step(s.env(), s.run, &UpdateOptions{req})
		if err != nil && engine.KindOf(err) == 0 {
			t.Fatalf("no refusal: %v", err)
		}
		if err == nil {
			s.took(res)
		}
		s.liveOn(t)
	})
}

// liveOn lets a worker take what is on offer and never answer, until nothing is
// left to wait for, or for a while.
func (s *stage) liveOn(t *testing.T) {
	for range 20 {
		if s.run == nil {
			return
		}
		if len(s.offers) > 0 {
			s.poll("w")
		}
		at := s.run.NextDeadline()
		if at.IsZero() {
			return
		}
		s.now = max(s.now, at.Sub(epoch))
		res, err := Step(s.env(), s.run, &Due{})
		if err != nil || res.Run == nil {
			t.Fatalf("woken at %v for nothing: %v, %+v", s.now, err, s.run.Activity)
		}
		s.took(res)
	}
}
