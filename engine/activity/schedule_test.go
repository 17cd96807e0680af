package activity

import (
	"strings"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine"
)

// Each condition of the table of spec/activity.md 1.1, and those of AT-22, has
// its text, and they are looked at in that order: the last mistake made is the
// first to be told.
func TestWhatIsWrongWithARequestIsSaid(t *testing.T) {
	long := strings.Repeat("x", 1001)
	r := &Request{
		ID: "a", Type: &commonpb.ActivityType{Name: "T"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "q"},
		StartToClose: durationpb.New(time.Second),
	}
	mustResolve(t, r)
	for _, wrong := range []struct {
		make func()
		want string
	}{
		{func() { r.Priority = &commonpb.Priority{PriorityKey: -1} }, "invalid priorities: priority key can't be negative"},
		{func() { r.RetryPolicy = &commonpb.RetryPolicy{BackoffCoefficient: 0.5} }, "BackoffCoefficient cannot be less than 1 on retry policy."},
		{func() { r.StartToClose = nil }, "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity."},
		{func() { r.StartDelay = durationpb.New(-1) }, "invalid StartDelay: negative duration"},
		{func() { r.Heartbeat = durationpb.New(-1) }, "invalid HeartbeatTimeout: negative duration"},
		{func() { r.StartToClose = durationpb.New(-1) }, "invalid StartToCloseTimeout: negative duration"},
		{func() { r.ScheduleToStart = durationpb.New(-1) }, "invalid ScheduleToStartTimeout: negative duration"},
		{func() { r.ScheduleToClose = &durationpb.Duration{Seconds: 1, Nanos: -1} },
			"invalid ScheduleToCloseTimeout: duration has seconds and nanos with different signs"},
		{func() { r.TaskQueue = &taskqueuepb.TaskQueue{Name: long} }, "taskQueue length exceeds limit"},
		{func() { r.TaskQueue = &taskqueuepb.TaskQueue{} }, "missing task queue name"},
		{func() { r.TaskQueue = nil }, "taskQueue is not set"},
		{func() { r.Type.Name = long }, "activityType exceeds length limit. Length=1001 Limit=1000"},
		{func() { r.ID = long }, "activityId exceeds length limit. Length=1001 Limit=1000"},
		{func() { r.Type = nil }, "activityType is not set"},
		{func() { r.ID = "" }, "activityId is not set"},
	} {
		wrong.make()
		o, err := r.Resolve(engine.DefaultLimits(), 0)
		if engine.KindOf(err) != engine.KindInvalidArgument || err.Error() != wrong.want || o != (Options{}) {
			t.Errorf("%v, %+v; want %q", err, o, wrong.want)
		}
	}
}

func mustResolve(t *testing.T, r *Request) {
	t.Helper()
	if _, err := r.Resolve(engine.DefaultLimits(), 0); err != nil {
		t.Fatal(err)
	}
}
