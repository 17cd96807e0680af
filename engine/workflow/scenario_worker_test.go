package workflow_test

import (
	"strconv"
	"strings"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"

	"github.com/cockroachdb/datadriven"
)

// command reads one line of a complete paragraph:
//
//	complete-workflow [result=R] | fail-workflow [non-retryable] [message=M] | cancel-workflow
//	continue-as-new [input=I] [type=T] [backoff=D] [cron=C]
//	marker NAME | upsert CustomerId=V | memo K=V | no-timer-id | oversize-marker | unknown | update
//	start-timer ID D | cancel-timer ID
//	schedule-activity ID [queue=Q] [start-to-close=D] [attempts=N] [eager] | cancel-activity EVENT
//	start-child ID [policy=P] | signal ID NAME | cancel ID [child-only]
func command(w *world, line string) *commandpb.Command {
	cmd, cmdArgs, err := datadriven.ParseLine(line)
	if err != nil {
		w.t.Fatalf("%q: %v", line, err)
	}
	a := &args{&datadriven.TestData{Cmd: cmd, CmdArgs: cmdArgs}}
	make, ok := workerCommands[cmd]
	if !ok {
		w.t.Fatalf("unknown workflow command %s", cmd)
	}
	return takeAlong(make(a), a)
}

var workerCommands = map[string]func(a *args) *commandpb.Command{
	"complete-workflow": func(a *args) *commandpb.Command {
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
			Attributes: &commandpb.Command_CompleteWorkflowExecutionCommandAttributes{CompleteWorkflowExecutionCommandAttributes: &commandpb.CompleteWorkflowExecutionCommandAttributes{Result: payloads(a.str("result"))}}}
	},
	"fail-workflow": func(a *args) *commandpb.Command {
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION,
			Attributes: &commandpb.Command_FailWorkflowExecutionCommandAttributes{FailWorkflowExecutionCommandAttributes: &commandpb.FailWorkflowExecutionCommandAttributes{Failure: failure(a)}}}
	},
	"cancel-workflow": func(a *args) *commandpb.Command {
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION,
			Attributes: &commandpb.Command_CancelWorkflowExecutionCommandAttributes{CancelWorkflowExecutionCommandAttributes: &commandpb.CancelWorkflowExecutionCommandAttributes{}}}
	},
	"continue-as-new": func(a *args) *commandpb.Command {
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION,
			Attributes: &commandpb.Command_ContinueAsNewWorkflowExecutionCommandAttributes{ContinueAsNewWorkflowExecutionCommandAttributes: &commandpb.ContinueAsNewWorkflowExecutionCommandAttributes{
				WorkflowType: &commonpb.WorkflowType{Name: a.str("type")}, Input: payloads(a.str("input")),
				BackoffStartInterval: protoDuration(a.str("backoff")), CronSchedule: strings.ReplaceAll(a.str("cron"), "_", " ")}}}
	},
	"marker":          func(a *args) *commandpb.Command { return marker(a.at(0), "1") },
	"oversize-marker": func(*args) *commandpb.Command { return marker("big", strings.Repeat("x", 3<<20)) },
	"upsert": func(a *args) *commandpb.Command {
		sa := &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{}}
		for _, arg := range a.CmdArgs {
			sa.IndexedFields[arg.Key] = payload(strconv.Quote(arg.Vals[0]))
		}
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
			Attributes: &commandpb.Command_UpsertWorkflowSearchAttributesCommandAttributes{UpsertWorkflowSearchAttributesCommandAttributes: &commandpb.UpsertWorkflowSearchAttributesCommandAttributes{SearchAttributes: sa}}}
	},
	"memo": func(a *args) *commandpb.Command {
		m := &commonpb.Memo{Fields: map[string]*commonpb.Payload{}}
		for _, arg := range a.CmdArgs {
			m.Fields[arg.Key] = payload(strconv.Quote(arg.Vals[0]))
		}
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES,
			Attributes: &commandpb.Command_ModifyWorkflowPropertiesCommandAttributes{ModifyWorkflowPropertiesCommandAttributes: &commandpb.ModifyWorkflowPropertiesCommandAttributes{UpsertedMemo: m}}}
	},
	"start-timer": func(a *args) *commandpb.Command { return startTimer(a.at(0), a.at(1)) },
	"no-timer-id": func(*args) *commandpb.Command { return startTimer("", "1s") },
	"cancel-timer": func(a *args) *commandpb.Command {
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_CANCEL_TIMER,
			Attributes: &commandpb.Command_CancelTimerCommandAttributes{CancelTimerCommandAttributes: &commandpb.CancelTimerCommandAttributes{TimerId: a.at(0)}}}
	},
	"schedule-activity": func(a *args) *commandpb.Command {
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
			Attributes: &commandpb.Command_ScheduleActivityTaskCommandAttributes{ScheduleActivityTaskCommandAttributes: &commandpb.ScheduleActivityTaskCommandAttributes{
				ActivityId: a.at(0), ActivityType: &commonpb.ActivityType{Name: "charge"},
				TaskQueue:           &taskqueuepb.TaskQueue{Name: a.or("queue", "orders")},
				StartToCloseTimeout: protoDuration(a.or("start-to-close", "10s")), RetryPolicy: retryPolicy(a),
				RequestEagerExecution: a.has("eager")}}}
	},
	"cancel-activity": func(a *args) *commandpb.Command {
		n, _ := strconv.ParseInt(a.at(0), 10, 64)
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK,
			Attributes: &commandpb.Command_RequestCancelActivityTaskCommandAttributes{RequestCancelActivityTaskCommandAttributes: &commandpb.RequestCancelActivityTaskCommandAttributes{ScheduledEventId: n}}}
	},
	"start-child": func(a *args) *commandpb.Command {
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION,
			Attributes: &commandpb.Command_StartChildWorkflowExecutionCommandAttributes{StartChildWorkflowExecutionCommandAttributes: &commandpb.StartChildWorkflowExecutionCommandAttributes{
				WorkflowId: a.at(0), WorkflowType: &commonpb.WorkflowType{Name: "parcel"},
				TaskQueue:         &taskqueuepb.TaskQueue{Name: a.or("queue", "parcels")},
				ParentClosePolicy: enumspb.ParentClosePolicy(enumspb.ParentClosePolicy_value["PARENT_CLOSE_POLICY_"+a.str("policy")])}}}
	},
	"signal": func(a *args) *commandpb.Command {
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION,
			Attributes: &commandpb.Command_SignalExternalWorkflowExecutionCommandAttributes{SignalExternalWorkflowExecutionCommandAttributes: &commandpb.SignalExternalWorkflowExecutionCommandAttributes{
				Execution: &commonpb.WorkflowExecution{WorkflowId: a.at(0)}, SignalName: a.at(1), Control: a.str("control"), ChildWorkflowOnly: a.has("child-only")}}}
	},
	"cancel": func(a *args) *commandpb.Command {
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION,
			Attributes: &commandpb.Command_RequestCancelExternalWorkflowExecutionCommandAttributes{RequestCancelExternalWorkflowExecutionCommandAttributes: &commandpb.RequestCancelExternalWorkflowExecutionCommandAttributes{
				WorkflowId: a.at(0), Control: a.str("control"), ChildWorkflowOnly: a.has("child-only"), Reason: a.str("reason")}}}
	},
	"update": func(*args) *commandpb.Command {
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_PROTOCOL_MESSAGE}
	},
	"nexus": func(*args) *commandpb.Command {
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION}
	},
	"unknown": func(*args) *commandpb.Command { return &commandpb.Command{CommandType: 99} },
}

func startTimer(id, after string) *commandpb.Command {
	return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_START_TIMER,
		Attributes: &commandpb.Command_StartTimerCommandAttributes{StartTimerCommandAttributes: &commandpb.StartTimerCommandAttributes{TimerId: id, StartToFireTimeout: protoDuration(after)}}}
}

func marker(name, details string) *commandpb.Command {
	return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_RECORD_MARKER,
		Attributes: &commandpb.Command_RecordMarkerCommandAttributes{RecordMarkerCommandAttributes: &commandpb.RecordMarkerCommandAttributes{
			MarkerName: name, Details: map[string]*commonpb.Payloads{"data": payloads(details)}}}}
}
