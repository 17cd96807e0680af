package workflow_test

import (
	"fmt"
	"strconv"
	"strings"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
)

// What the commands of the scenario files take along, for clients and for the
// worker alike:
//
//	priority=N fairness=K weight=W    of start, signal-with-start, start-child, schedule
//	summary=S                         user metadata of start, signal-with-start and every workflow command
//	link=W                            a link to workflow W, of start, signal-with-start, signal, cancel, terminate
//	attach-links                      of start: links go to the run that is there
//	override=auto|pinned              of start, signal-with-start, start-child
//	skip[=N] forward=D [no-children]  time skipping, at most N times, of start and options; skip=off ends it

func links(a *args) []*commonpb.Link {
	if a.str("link") == "" {
		return nil
	}
	return []*commonpb.Link{{Variant: &commonpb.Link_WorkflowEvent_{WorkflowEvent: &commonpb.Link_WorkflowEvent{
		Namespace: "default", WorkflowId: a.str("link"), RunId: "r"}}}}
}

func metadata(a *args) *sdkpb.UserMetadata {
	if a.str("summary") == "" {
		return nil
	}
	return &sdkpb.UserMetadata{Summary: payload(a.str("summary"))}
}

func priorityOf(a *args) *commonpb.Priority {
	if a.str("priority") == "" && a.str("fairness") == "" {
		return nil
	}
	key, _ := strconv.Atoi(a.or("priority", "0"))
	weight, _ := strconv.ParseFloat(a.or("weight", "0"), 32)
	return &commonpb.Priority{PriorityKey: int32(key), FairnessKey: a.str("fairness"), FairnessWeight: float32(weight)}
}

// skipping is the config of skip, skip=N, skip=off, with forward=D.
func skipping(a *args) *commonpb.TimeSkippingConfig {
	if !a.has("skip") || a.str("skip") == "off" {
		return nil
	}
	most, _ := strconv.Atoi(a.or("skip", "0"))
	c := &commonpb.TimeSkippingConfig{Enabled: true, MaxSessionSkipCount: int32(most), DisablePropagation: a.has("no-children")}
	if a.str("forward") != "" {
		c.FastForwardConfig = &commonpb.FastForwardConfig{Id: "f", Duration: protoDuration(a.str("forward"))}
	}
	return c
}

// takeAlong adds what a line of a complete paragraph takes along.
func takeAlong(cmd *commandpb.Command, a *args) *commandpb.Command {
	cmd.UserMetadata = metadata(a)
	switch cmd.CommandType {
	case enumspb.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK:
		cmd.GetScheduleActivityTaskCommandAttributes().Priority = priorityOf(a)
	case enumspb.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION:
		child := cmd.GetStartChildWorkflowExecutionCommandAttributes()
		child.Priority, child.VersioningOverride = priorityOf(a), override(a)
	}
	return cmd
}

// describeAlong is what an event carries beside its attributes.
func describeAlong(ev *historypb.HistoryEvent) string {
	var b strings.Builder
	if s := ev.GetUserMetadata().GetSummary(); s != nil {
		fmt.Fprintf(&b, " summary=%s", s.GetData())
	}
	for _, l := range ev.GetLinks() {
		fmt.Fprintf(&b, " link=%s", l.GetWorkflowEvent().GetWorkflowId())
	}
	return b.String()
}
