package workflow

import (
	"google.golang.org/protobuf/proto"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine/searchattr"
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

// upsertSearchAttributes changes the attributes the run is found by. The event
// holds only the change.
func (c *completion) upsertSearchAttributes(cmd *commandpb.Command) error {
	const cause = enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES
	sa := cmd.GetUpsertWorkflowSearchAttributesCommandAttributes().GetSearchAttributes()
	if len(sa.GetIndexedFields()) == 0 {
		return failTask(cause, "IndexedFields is not set on UpsertWorkflowSearchAttributesCommand.")
	}
	if proto.Size(sa) > c.env.Limits.BlobBytes {
		return oversize(cause, "UpsertWorkflowSearchAttributesCommandAttributes exceeds size limit.")
	}
	if err := searchattr.Check(c.env.Namespace, c.env.Limits, sa); err != nil {
		return failTask(cause, "%s", err.Error())
	}
	delta := searchattr.TypedDelta(c.env.Namespace, sa)
	merged := searchattr.Merge(c.searchAttributes(), delta)
	if err := searchattr.CheckTotal(c.env.Limits, merged); err != nil {
		return oversize(cause, err.Error())
	}
	c.setSearchAttributes(merged)
	ev := c.commandEvent(enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, cmd)
	ev.Attributes = &historypb.HistoryEvent_UpsertWorkflowSearchAttributesEventAttributes{
		UpsertWorkflowSearchAttributesEventAttributes: &historypb.UpsertWorkflowSearchAttributesEventAttributes{
			WorkflowTaskCompletedEventId: c.completedID,
			SearchAttributes:             delta,
		}}
	c.append(ev)
	return nil
}

// modifyProperties changes the memo. The event holds only the change.
func (c *completion) modifyProperties(cmd *commandpb.Command) error {
	const cause = enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES
	memo := cmd.GetModifyWorkflowPropertiesCommandAttributes().GetUpsertedMemo()
	switch {
	case memo == nil:
		return failTask(cause, "UpsertedMemo is not set on ModifyWorkflowPropertiesCommand.")
	case len(memo.GetFields()) == 0:
		return failTask(cause, "UpsertedMemo.Fields is not set on ModifyWorkflowPropertiesCommand.")
	case proto.Size(memo) > c.env.Limits.BlobBytes:
		return oversize(cause, "ModifyWorkflowPropertiesCommandAttributes exceeds size limit.")
	}
	merged := searchattr.MergeMemo(c.memo(), memo)
	if proto.Size(merged) > c.env.Limits.MemoBytes {
		return oversize(cause, "ModifyWorkflowPropertiesCommandAttributes. Memo exceeds size limit.")
	}
	c.setMemo(merged)
	ev := c.commandEvent(enumspb.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED, cmd)
	ev.Attributes = &historypb.HistoryEvent_WorkflowPropertiesModifiedEventAttributes{
		WorkflowPropertiesModifiedEventAttributes: &historypb.WorkflowPropertiesModifiedEventAttributes{
			WorkflowTaskCompletedEventId: c.completedID,
			UpsertedMemo:                 memo,
		}}
	c.append(ev)
	return nil
}
