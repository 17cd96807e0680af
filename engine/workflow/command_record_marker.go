package workflow

import (
	"google.golang.org/protobuf/proto"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
)

// recordMarker keeps what the SDK wants to remember: side effects, versions,
// local activities. The server does not look inside.
func (c *completion) recordMarker(cmd *commandpb.Command) error {
	const cause = enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_RECORD_MARKER_ATTRIBUTES
	a := cmd.GetRecordMarkerCommandAttributes()
	switch {
	case a == nil:
		return failTask(cause, "RecordMarkerCommandAttributes is not set on RecordMarkerCommand.")
	case a.GetMarkerName() == "":
		return failTask(cause, "MarkerName is not set on RecordMarkerCommand.")
	case len(a.GetMarkerName()) > c.env.Limits.IDLengthBytes:
		return failTask(cause, "MarkerName on RecordMarkerCommand exceeds length limit. MarkerName=%s Length=%d Limit=%d",
			a.GetMarkerName(), len(a.GetMarkerName()), c.env.Limits.IDLengthBytes)
	case sizeOfMap(a.GetDetails()) > c.env.Limits.BlobBytes:
		return oversize(cause, "RecordMarkerCommandAttributes.Details exceeds size limit.")
	}
	ev := c.commandEvent(enumspb.EVENT_TYPE_MARKER_RECORDED, cmd)
	ev.Attributes = &historypb.HistoryEvent_MarkerRecordedEventAttributes{
		MarkerRecordedEventAttributes: &historypb.MarkerRecordedEventAttributes{
			MarkerName:                   a.GetMarkerName(),
			Details:                      a.GetDetails(),
			WorkflowTaskCompletedEventId: c.completedID,
			Header:                       a.GetHeader(),
			Failure:                      a.GetFailure(),
		}}
	c.append(ev)
	return nil
}

func sizeOfMap(m map[string]*commonpb.Payloads) int {
	n := 0
	for k, v := range m {
		n += len(k) + proto.Size(v)
	}
	return n
}
