package frontend

import (
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/standalone"
)

// TestActivityInfoWhileItWaits is the part of AX-21 that depends on the time: when
// the next attempt comes, and why it has not come yet.
func TestActivityInfoWhileItWaits(t *testing.T) {
	now := time.Unix(1000, 0).UTC()
	queued := activity.State{Status: activity.StatusQueued, Attempt: 1, DueTime: now.Add(time.Minute)}
	for _, c := range []struct {
		name           string
		change         func(*activity.State)
		next, interval bool
	}{
		{"delayed", func(*activity.State) {}, true, false},
		{"backing off", func(a *activity.State) { a.Attempt, a.RetryInterval = 2, time.Minute }, true, true},
		{"due", func(a *activity.State) { a.DueTime, a.RetryInterval = now, time.Minute }, false, false},
		{"paused", func(a *activity.State) { a.Paused = true }, false, false},
		{"started", func(a *activity.State) { a.Status = activity.StatusStarted }, false, false},
	} {
		a := queued
		c.change(&a)
		info := activityInfo(&standalone.Run{
			Key: aloneRun, Activity: &a, Start: &standalone.Start{ScheduleTime: now},
			Info: &standalone.Info{Status: enumspb.ACTIVITY_EXECUTION_STATUS_RUNNING},
		}, now)
		if next := info.GetNextAttemptScheduleTime(); (next != nil) != c.next || c.next && !next.AsTime().Equal(a.DueTime) {
			t.Errorf("%s: next attempt at %v", c.name, next)
		}
		if interval := info.GetCurrentRetryInterval(); (interval != nil) != c.interval {
			t.Errorf("%s: retry interval %v", c.name, interval)
		}
		if info.GetExpirationTime() != nil {
			t.Errorf("%s: it expires at %v without a schedule-to-close", c.name, info.GetExpirationTime())
		}
	}
}

// TestActivityInfoWhole: what was given at the start, and attached later, shows.
func TestActivityInfoWhole(t *testing.T) {
	link := func(id string) *commonpb.Link {
		return &commonpb.Link{Variant: &commonpb.Link_BatchJob_{BatchJob: &commonpb.Link_BatchJob{JobId: id}}}
	}
	run := &standalone.Run{
		Key:         aloneRun,
		Start:       &standalone.Start{ScheduleTime: time.Unix(1000, 0), Links: []*commonpb.Link{link("a")}},
		Info:        &standalone.Info{Status: enumspb.ACTIVITY_EXECUTION_STATUS_COMPLETED, CloseTime: time.Unix(1010, 0), StateBytes: 77},
		Activity:    &activity.State{DeploymentName: "d", DeploymentVersion: "v"},
		Attachments: []*standalone.Attachment{{Number: 1, Links: []*commonpb.Link{link("b"), link("c")}}},
	}
	info := activityInfo(run, time.Unix(2000, 0))
	var ids string
	for _, l := range info.GetLinks() {
		ids += l.GetBatchJob().GetJobId()
	}
	if ids != "abc" || len(run.Start.Links) != 1 {
		t.Errorf("links %s, %d at the start", ids, len(run.Start.Links))
	}
	if v := info.GetLastDeploymentVersion(); v.GetDeploymentName() != "d" || v.GetBuildId() != "v" {
		t.Errorf("version %v", v)
	}
	if info.GetExecutionDuration().GetSeconds() != 10 || info.GetStateSizeBytes() != 77 || info.GetRunState() != enumspb.PENDING_ACTIVITY_STATE_UNSPECIFIED {
		t.Errorf("%v", info)
	}
}
