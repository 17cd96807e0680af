package main

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// adorn gives a start some of what can come with one.
func (w *world) adorn(r *workflowservice.StartWorkflowExecutionRequest) {
	if w.oneIn(3) {
		r.Input, r.Header, r.Memo = payloads(r.RequestId), header("client"), memo("client")
		r.SearchAttributes = attributes(w.chance)
		r.UserMetadata = &sdkpb.UserMetadata{Summary: payload("summary"), Details: payload("details")}
	}
	if w.oneIn(6) {
		r.Links = w.drawLinks()
	}
	if w.oneIn(8) {
		r.Priority.FairnessKey, r.Priority.FairnessWeight = fmt.Sprint("f", w.chance.IntN(3)), 1.5
	}
	if w.oneIn(10) {
		r.VersioningOverride = autoUpgrade()
	}
	if w.oneIn(8) {
		r.TimeSkippingConfig = w.drawSkipping()
	}
	if r.CronSchedule == "" && w.oneIn(20) {
		r.WorkflowExecutionTimeout = durationpb.New(w.between(10*time.Second, time.Hour))
	}
}

func autoUpgrade() *workflowpb.VersioningOverride {
	return &workflowpb.VersioningOverride{Override: &workflowpb.VersioningOverride_AutoUpgrade{AutoUpgrade: true}}
}

// drawSkipping is a wish that a workflow's time be skipped.
func (w *world) drawSkipping() *commonpb.TimeSkippingConfig {
	c := &commonpb.TimeSkippingConfig{Enabled: !w.oneIn(4), DisablePropagation: w.oneIn(3)}
	if w.oneIn(3) {
		c.MaxSessionSkipCount = int32(1 + w.chance.IntN(4))
	}
	if w.oneIn(2) {
		c.FastForwardConfig = &commonpb.FastForwardConfig{Id: w.unique("forward"), Duration: durationpb.New(w.between(time.Second, time.Hour))}
	}
	return c
}

func (w *world) drawLinks() []*commonpb.Link {
	return []*commonpb.Link{{Variant: &commonpb.Link_WorkflowEvent_{WorkflowEvent: &commonpb.Link_WorkflowEvent{
		Namespace: namespaceName, WorkflowId: workflowID(w.chance.IntN(workflowIDs)), RunId: "run",
		Reference: &commonpb.Link_WorkflowEvent_EventRef{EventRef: &commonpb.Link_WorkflowEvent_EventReference{
			EventId: 1, EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED}},
	}}}}
}

// drawCron makes a start one of many: every few seconds, minutes or hours, for as
// long as the chain may take.
func (w *world) drawCron(r *workflowservice.StartWorkflowExecutionRequest) {
	switch w.chance.IntN(4) {
	case 0:
		r.CronSchedule = "* * * * *"
		r.WorkflowExecutionTimeout = durationpb.New(w.between(time.Minute, 5*time.Minute))
	case 1:
		r.CronSchedule = "CRON_TZ=Europe/Berlin 30 */2 * * *"
		r.WorkflowExecutionTimeout = durationpb.New(w.between(time.Hour, 6*time.Hour))
	default:
		r.CronSchedule = "@every 2s"
		r.WorkflowExecutionTimeout = durationpb.New(w.between(5*time.Second, 30*time.Second))
	}
}
