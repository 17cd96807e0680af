package workflow

import (
	"google.golang.org/protobuf/proto"

	commandpb "go.temporal.io/api/command/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine/searchattr"
)

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
