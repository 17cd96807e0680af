package workflow

import (
	"google.golang.org/protobuf/proto"

	commandpb "go.temporal.io/api/command/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine/searchattr"
)

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
