//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/perdure/perdure/e2e/harness"
)

// What operators do to an activity of a workflow (spec activity.md 9), as
// workers and descriptions show it.

// api is the raw service, for calls the SDK has no method for.
func (s *suite) api() workflowservice.WorkflowServiceClient { return s.client.WorkflowService() }

func (s *suite) execution() *commonpb.WorkflowExecution {
	return &commonpb.WorkflowExecution{WorkflowId: s.Name()}
}

// pendingUntil waits until the one pending activity is as wanted.
func (s *suite) pendingUntil(ctx context.Context, run client.WorkflowRun, wanted func(*workflowpb.PendingActivityInfo) bool) *workflowpb.PendingActivityInfo {
	s.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last *workflowpb.PendingActivityInfo
	for {
		d, err := s.client.DescribeWorkflowExecution(ctx, run.GetID(), run.GetRunID())
		if err != nil {
			s.Fatalf("%v; the activity was last seen as %v", err, last)
		}
		if len(d.GetPendingActivities()) == 1 {
			if last = d.GetPendingActivities()[0]; wanted(last) {
				return last
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.Fatalf("the activity was last seen as %v", last)
		}
	}
}

func (s *suite) onlyActivity(ctx context.Context, run client.WorkflowRun) string {
	return s.pendingUntil(ctx, run, func(*workflowpb.PendingActivityInfo) bool { return true }).GetActivityId()
}

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// AT-161, AT-162: a retrying activity that is paused is not attempted, not even
// when its back-off is over; it can be found by what is paused; unpaused, it is
// attempted at once.
func TestPauseARetryingActivity(t *testing.T) {
	var attempts atomic.Int32
	var healed atomic.Bool
	ctx, s := begin(t, oneActivity(workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second, RetryPolicy: retries(0)},
		func(ctx context.Context) (string, error) {
			if activity.GetInfo(ctx).WorkflowExecution.ID == t.Name() {
				attempts.Add(1)
			}
			if !healed.Load() {
				return "", errors.New("still ill")
			}
			return "healed", nil
		}))
	run := s.start(ctx, "wf")
	_, err := s.api().PauseActivity(ctx, &workflowservice.PauseActivityRequest{Namespace: "default", Execution: s.execution(),
		Activity: &workflowservice.PauseActivityRequest_Id{Id: s.onlyActivity(ctx, run)}, Identity: "operator", Reason: "maintenance"})
	s.must(err)
	a := s.pendingUntil(ctx, run, func(a *workflowpb.PendingActivityInfo) bool {
		return a.GetState() == enumspb.PENDING_ACTIVITY_STATE_PAUSED
	})
	if by := a.GetPauseInfo().GetManual(); by.GetReason() != "maintenance" || by.GetIdentity() != "operator" || a.GetPauseInfo().GetPauseTime() == nil {
		t.Errorf("pause info %v", a.GetPauseInfo())
	}
	paused := attempts.Load()
	found, err := s.api().CountWorkflowExecutions(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: "default",
		Query: "TemporalPauseInfo = 'property:activityType=act' AND WorkflowId = '" + s.Name() + "'"})
	if err != nil || found.GetCount() != 1 {
		t.Errorf("found by what is paused: %v, %v", found, err)
	}
	// Meanwhile another one of the same kind gets through ten of its back-offs.
	other, err := s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: s.Name() + "-other", TaskQueue: s.queue}, "wf")
	s.must(err)
	s.pendingUntil(ctx, other, func(a *workflowpb.PendingActivityInfo) bool { return a.GetAttempt() > 10 })
	s.must(s.client.TerminateWorkflow(ctx, other.GetID(), other.GetRunID(), "has served"))
	if n := attempts.Load(); n != paused {
		t.Errorf("%d attempts while it was paused", n-paused)
	}
	healed.Store(true)
	_, err = s.api().UnpauseActivity(ctx, &workflowservice.UnpauseActivityRequest{Namespace: "default", Execution: s.execution(),
		Activity: &workflowservice.UnpauseActivityRequest_UnpauseAll{UnpauseAll: true}})
	s.must(err)
	var got string
	if err := run.Get(ctx, &got); err != nil || got != "healed" || attempts.Load() != paused+1 {
		t.Errorf("%q after %d attempts, %v", got, attempts.Load(), err)
	}
}

// AT-121, AT-102 row 4: a running activity hears of the pause when it heartbeats;
// the attempt it then gives up is not the workflow's business.
func TestPauseARunningActivity(t *testing.T) {
	causes := make(chan error, 10)
	ctx, s := begin(t, oneActivity(workflow.ActivityOptions{StartToCloseTimeout: time.Minute, HeartbeatTimeout: 20 * time.Second, RetryPolicy: retries(1)},
		func(ctx context.Context) (string, error) {
			if n := activity.GetInfo(ctx).Attempt; n > 1 {
				return fmt.Sprint(n), nil
			}
			err := beatUntilDone(ctx)
			causes <- context.Cause(ctx)
			return "", err
		}))
	run := s.start(ctx, "wf")
	s.pendingUntil(ctx, run, func(a *workflowpb.PendingActivityInfo) bool { return a.GetLastHeartbeatTime() != nil })
	_, err := s.api().PauseActivityExecution(ctx, &workflowservice.PauseActivityExecutionRequest{Namespace: "default",
		WorkflowId: s.Name(), ActivityId: s.onlyActivity(ctx, run)})
	s.must(err)
	a := s.pendingUntil(ctx, run, func(a *workflowpb.PendingActivityInfo) bool {
		return a.GetState() == enumspb.PENDING_ACTIVITY_STATE_PAUSED
	})
	if a.GetAttempt() != 2 {
		t.Errorf("paused before attempt %d", a.GetAttempt())
	}
	if cause := <-causes; !errors.Is(cause, activity.ErrActivityPaused) {
		t.Errorf("the activity was stopped by %v", cause)
	}
	_, err = s.api().UnpauseActivityExecution(ctx, &workflowservice.UnpauseActivityExecutionRequest{Namespace: "default",
		WorkflowId: s.Name(), ActivityId: a.GetActivityId()})
	s.must(err)
	var attempt string
	if err := run.Get(ctx, &attempt); err != nil || attempt != "2" {
		t.Errorf("done in attempt %s, %v", attempt, err)
	}
}

// beatUntilDone heartbeats until the SDK ends the context.
func beatUntilDone(ctx context.Context) error {
	beat := time.NewTicker(30 * time.Millisecond)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return temporal.NewApplicationErrorWithCause("stopped", "Stopped", context.Cause(ctx))
		case <-beat.C:
			activity.RecordHeartbeat(ctx, "some way")
		}
	}
}

// AT-163 to AT-165: a running activity hears of the reset; its failure is
// followed by attempt 2, without the heartbeat details.
func TestResetARunningActivity(t *testing.T) {
	causes := make(chan error, 10)
	ctx, s := begin(t, oneActivity(workflow.ActivityOptions{StartToCloseTimeout: time.Minute, HeartbeatTimeout: 20 * time.Second, RetryPolicy: retries(0)},
		func(ctx context.Context) (string, error) {
			switch n := activity.GetInfo(ctx).Attempt; {
			case len(causes) > 0: // the attempt after the one that was reset
				if activity.HasHeartbeatDetails(ctx) {
					return "", temporal.NewNonRetryableApplicationError("it has details", "Bug", nil)
				}
				return fmt.Sprint(n), nil
			case n < 3:
				return "", errors.New("stumbled")
			}
			err := beatUntilDone(ctx)
			causes <- context.Cause(ctx)
			return "", err
		}))
	run := s.start(ctx, "wf")
	a := s.pendingUntil(ctx, run, func(a *workflowpb.PendingActivityInfo) bool {
		return a.GetAttempt() == 3 && a.GetLastHeartbeatTime() != nil
	})
	_, err := s.api().ResetActivity(ctx, &workflowservice.ResetActivityRequest{Namespace: "default", Execution: s.execution(),
		Activity: &workflowservice.ResetActivityRequest_Id{Id: a.GetActivityId()}, ResetHeartbeat: true})
	s.must(err)
	var attempt string
	if err := run.Get(ctx, &attempt); err != nil || attempt != "2" {
		t.Errorf("done in attempt %s, %v", attempt, err)
	}
	if cause := <-causes; !errors.Is(cause, activity.ErrActivityReset) {
		t.Errorf("the activity was stopped by %v", cause)
	}
}

// AT-163: a reset in back-off is attempted at once, as attempt 1.
func TestResetAnActivityInBackoff(t *testing.T) {
	var attempts atomic.Int32
	ctx, s := begin(t, oneActivity(workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second, RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Hour, MaximumInterval: time.Hour}},
		func(ctx context.Context) (string, error) {
			if attempts.Add(1) == 1 {
				return "", errors.New("stumbled")
			}
			return fmt.Sprint(activity.GetInfo(ctx).Attempt), nil
		}))
	run := s.start(ctx, "wf")
	s.pendingUntil(ctx, run, func(a *workflowpb.PendingActivityInfo) bool { return a.GetAttempt() == 2 })
	_, err := s.api().ResetActivity(ctx, &workflowservice.ResetActivityRequest{Namespace: "default", Execution: s.execution(),
		Activity: &workflowservice.ResetActivityRequest_Type{Type: "act"}})
	s.must(err)
	var attempt string
	if err := run.Get(ctx, &attempt); err != nil || attempt != "1" {
		t.Errorf("done in attempt %s, %v", attempt, err)
	}
}

// AT-166, AT-167: new options show, and are in force: the back-off of an hour
// becomes one of a moment, and the worker is told the new timeout.
func TestUpdateActivityOptions(t *testing.T) {
	var attempts atomic.Int32
	ctx, s := begin(t, oneActivity(workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second, RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Hour, MaximumInterval: time.Hour}},
		func(ctx context.Context) (string, error) {
			if attempts.Add(1) == 1 {
				return "", errors.New("stumbled")
			}
			info := activity.GetInfo(ctx)
			return info.Deadline.Sub(info.StartedTime).Round(time.Second).String(), nil
		}))
	run := s.start(ctx, "wf")
	a := s.pendingUntil(ctx, run, func(a *workflowpb.PendingActivityInfo) bool { return a.GetAttempt() == 2 })
	update := func(o *activitypb.ActivityOptions, paths ...string) *activitypb.ActivityOptions {
		r, err := s.api().UpdateActivityOptions(ctx, &workflowservice.UpdateActivityOptionsRequest{Namespace: "default", Execution: s.execution(),
			Activity: &workflowservice.UpdateActivityOptionsRequest_Id{Id: a.GetActivityId()}, ActivityOptions: o, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
		s.must(err)
		return r.GetActivityOptions()
	}
	if o := update(&activitypb.ActivityOptions{StartToCloseTimeout: durationpb.New(44 * time.Second)}, "startToCloseTimeout"); o.GetStartToCloseTimeout().GetSeconds() != 44 {
		t.Errorf("the answer says %v", o)
	}
	a = s.pendingUntil(ctx, run, func(a *workflowpb.PendingActivityInfo) bool { return true })
	if a.GetActivityOptions().GetStartToCloseTimeout().GetSeconds() != 44 || a.GetAttempt() != 2 || a.GetNextAttemptScheduleTime() == nil {
		t.Errorf("the description says %v", a)
	}
	update(&activitypb.ActivityOptions{RetryPolicy: &commonpb.RetryPolicy{InitialInterval: durationpb.New(time.Millisecond)}}, "retry_policy.initial_interval")
	var limit string
	if err := run.Get(ctx, &limit); err != nil || limit != "44s" {
		t.Errorf("the second attempt had %v, %v", limit, err)
	}
}

// AT-163: a reset may go back to the options the workflow asked for; the server
// reads them from history.
func TestRestoreOriginalOptions(t *testing.T) {
	var attempts atomic.Int32
	ctx, s := begin(t, oneActivity(workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second, RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Hour, MaximumInterval: time.Hour}},
		func(ctx context.Context) (string, error) {
			if attempts.Add(1) == 1 {
				return "", errors.New("stumbled")
			}
			info := activity.GetInfo(ctx)
			return fmt.Sprint(info.Attempt, " in ", info.Deadline.Sub(info.StartedTime).Round(time.Second)), nil
		}))
	run := s.start(ctx, "wf")
	a := s.pendingUntil(ctx, run, func(a *workflowpb.PendingActivityInfo) bool { return a.GetAttempt() == 2 })
	_, err := s.api().UpdateActivityExecutionOptions(ctx, &workflowservice.UpdateActivityExecutionOptionsRequest{Namespace: "default",
		WorkflowId: s.Name(), ActivityId: a.GetActivityId(), ActivityOptions: &activitypb.ActivityOptions{StartToCloseTimeout: durationpb.New(44 * time.Second)},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"start_to_close_timeout"}}})
	s.must(err)
	_, err = s.api().ResetActivityExecution(ctx, &workflowservice.ResetActivityExecutionRequest{Namespace: "default",
		WorkflowId: s.Name(), ActivityId: a.GetActivityId(), RestoreOriginalOptions: true})
	s.must(err)
	var got string
	if err := run.Get(ctx, &got); err != nil || got != "1 in 10s" {
		t.Errorf("%q, %v", got, err)
	}
}

// A pause outlives the server: it is part of the stored state.
func TestPauseOutlivesTheServer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), perTest)
	defer cancel()
	s := &suite{T: t, server: harness.Start(t), queue: t.Name()}
	s.client = dial(t, s.server.GRPC())
	act := oneActivity(workflow.ActivityOptions{StartToCloseTimeout: time.Minute, RetryPolicy: retries(0)},
		func(context.Context) (string, error) { return "at last", nil })
	// Only the workflow has a worker at first: the activity waits.
	w := worker.New(s.client, s.queue, worker.Options{LocalActivityWorkerOnly: true})
	act(w)
	s.must(w.Start())
	run := s.start(ctx, "wf")
	_, err := s.api().PauseActivityExecution(ctx, &workflowservice.PauseActivityExecutionRequest{Namespace: "default", WorkflowId: s.Name(),
		ActivityId: s.onlyActivity(ctx, run), Identity: "operator", Reason: "maintenance"})
	s.must(err)
	w.Stop()
	s.server.Kill()
	s.must(s.server.Restart())
	s.client = dial(t, s.server.GRPC())
	s.work(act, worker.Options{})
	run = s.client.GetWorkflow(ctx, run.GetID(), run.GetRunID())
	a := s.pendingUntil(ctx, run, func(*workflowpb.PendingActivityInfo) bool { return true })
	if a.GetState() != enumspb.PENDING_ACTIVITY_STATE_PAUSED || a.GetPauseInfo().GetManual().GetReason() != "maintenance" {
		t.Errorf("after the restart: %v", a)
	}
	_, err = s.api().UnpauseActivity(ctx, &workflowservice.UnpauseActivityRequest{Namespace: "default", Execution: s.execution(),
		Activity: &workflowservice.UnpauseActivityRequest_Type{Type: "act"}})
	s.must(err)
	var got string
	if err := run.Get(ctx, &got); err != nil || got != "at last" {
		t.Errorf("%q, %v", got, err)
	}
}
