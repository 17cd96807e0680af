package main

import (
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
)

// The commands of workflows, each made of its attributes.

func startTimer(id string, d time.Duration) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_START_TIMER,
		Attributes: &commandpb.Command_StartTimerCommandAttributes{StartTimerCommandAttributes: &commandpb.StartTimerCommandAttributes{
			TimerId: id, StartToFireTimeout: durationpb.New(d)}},
		UserMetadata: &sdkpb.UserMetadata{Summary: payload(id)},
	}
}

func cancelTimer(id string) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_CANCEL_TIMER,
		Attributes: &commandpb.Command_CancelTimerCommandAttributes{CancelTimerCommandAttributes: &commandpb.CancelTimerCommandAttributes{
			TimerId: id}},
	}
}

func scheduleActivity(a *commandpb.ScheduleActivityTaskCommandAttributes) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
		Attributes:  &commandpb.Command_ScheduleActivityTaskCommandAttributes{ScheduleActivityTaskCommandAttributes: a},
	}
}

func cancelActivity(scheduledID int64) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK,
		Attributes: &commandpb.Command_RequestCancelActivityTaskCommandAttributes{
			RequestCancelActivityTaskCommandAttributes: &commandpb.RequestCancelActivityTaskCommandAttributes{ScheduledEventId: scheduledID}},
	}
}

func marker(name string) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_RECORD_MARKER,
		Attributes: &commandpb.Command_RecordMarkerCommandAttributes{RecordMarkerCommandAttributes: &commandpb.RecordMarkerCommandAttributes{
			MarkerName: name}},
	}
}

// localActivity is the marker that tells of an activity the worker ran itself.
func localActivity(name string) *commandpb.Command {
	cmd := marker(name)
	a := cmd.GetRecordMarkerCommandAttributes()
	a.Details = map[string]*commonpb.Payloads{"result": payloads(name), "data": payloads("1")}
	a.Header = header(name)
	if len(name)%2 == 0 {
		a.Failure = applicationFailure("local", "passing")
	}
	return cmd
}

func upsertMemo(name string) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES,
		Attributes: &commandpb.Command_ModifyWorkflowPropertiesCommandAttributes{ModifyWorkflowPropertiesCommandAttributes: &commandpb.ModifyWorkflowPropertiesCommandAttributes{
			UpsertedMemo: &commonpb.Memo{Fields: map[string]*commonpb.Payload{"step": payload(name), "at": nil}}}},
	}
}

func upsert(a *commonpb.SearchAttributes) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
		Attributes: &commandpb.Command_UpsertWorkflowSearchAttributesCommandAttributes{
			UpsertWorkflowSearchAttributesCommandAttributes: &commandpb.UpsertWorkflowSearchAttributesCommandAttributes{SearchAttributes: a}},
	}
}

func startChild(a *commandpb.StartChildWorkflowExecutionCommandAttributes) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION,
		Attributes:  &commandpb.Command_StartChildWorkflowExecutionCommandAttributes{StartChildWorkflowExecutionCommandAttributes: a},
	}
}

func signalExternal(a *commandpb.SignalExternalWorkflowExecutionCommandAttributes) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION,
		Attributes:  &commandpb.Command_SignalExternalWorkflowExecutionCommandAttributes{SignalExternalWorkflowExecutionCommandAttributes: a},
	}
}

func cancelExternal(a *commandpb.RequestCancelExternalWorkflowExecutionCommandAttributes) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION,
		Attributes:  &commandpb.Command_RequestCancelExternalWorkflowExecutionCommandAttributes{RequestCancelExternalWorkflowExecutionCommandAttributes: a},
	}
}

func continueAs(a *commandpb.ContinueAsNewWorkflowExecutionCommandAttributes) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION,
		Attributes:  &commandpb.Command_ContinueAsNewWorkflowExecutionCommandAttributes{ContinueAsNewWorkflowExecutionCommandAttributes: a},
	}
}

func protocolMessage(id string) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_PROTOCOL_MESSAGE,
		Attributes: &commandpb.Command_ProtocolMessageCommandAttributes{
			ProtocolMessageCommandAttributes: &commandpb.ProtocolMessageCommandAttributes{MessageId: id}},
	}
}

// packed is a message as it travels inside another.
func packed(m proto.Message) *anypb.Any {
	a, err := anypb.New(m)
	if err != nil {
		panic(err) // messages of the API can be packed
	}
	return a
}

func payload(text string) *commonpb.Payload { return &commonpb.Payload{Data: []byte(text)} }

func payloads(text string) *commonpb.Payloads {
	return &commonpb.Payloads{Payloads: []*commonpb.Payload{payload(text)}}
}

func jsonValue(text string) *commonpb.Payload {
	return &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(text)}
}

func header(text string) *commonpb.Header {
	return &commonpb.Header{Fields: map[string]*commonpb.Payload{"by": payload(text)}}
}

func memo(text string) *commonpb.Memo {
	return &commonpb.Memo{Fields: map[string]*commonpb.Payload{"by": payload(text)}}
}

// attributes draws search attributes of all types.
func attributes(r *rand.Rand) *commonpb.SearchAttributes {
	values := map[string][]string{
		"Step":  {`"a"`, `["b"]`, `null`},
		"Text":  {`"some text"`},
		"Count": {`7`, `[8]`},
		"Part":  {`0.5`},
		"Done":  {`true`},
		"When":  {`"2026-01-02T03:04:05.678Z"`},
		"Tags":  {`["x","y"]`, `[]`},
	}
	fields := map[string]*commonpb.Payload{}
	for _, name := range sortedKeys(values) {
		if r.IntN(3) == 0 {
			fields[name] = jsonValue(values[name][r.IntN(len(values[name]))])
		}
	}
	return &commonpb.SearchAttributes{IndexedFields: fields}
}

// searchAttributes are those of the world's namespace.
var searchAttributes = map[string]enumspb.IndexedValueType{
	"Step": enumspb.INDEXED_VALUE_TYPE_KEYWORD, "Text": enumspb.INDEXED_VALUE_TYPE_TEXT, "Count": enumspb.INDEXED_VALUE_TYPE_INT,
	"Part": enumspb.INDEXED_VALUE_TYPE_DOUBLE, "Done": enumspb.INDEXED_VALUE_TYPE_BOOL, "When": enumspb.INDEXED_VALUE_TYPE_DATETIME,
	"Tags": enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST,
}
