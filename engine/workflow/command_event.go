package workflow

import (
	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/payload"
)

// commandEvent begins the event of a command: it carries over what a workflow
// author may put on any command.
func (c *completion) commandEvent(t enumspb.EventType, cmd *commandpb.Command) *historypb.HistoryEvent {
	ev := new(historypb.HistoryEvent)
	c.beginEvent(ev, t, cmd)
	return ev
}

// beginEvent is commandEvent for an event that has its place.
func (c *completion) beginEvent(ev *historypb.HistoryEvent, t enumspb.EventType, cmd *commandpb.Command) {
	ev.EventType = t
	ev.EventTime = c.at(c.env.Now)
	ev.UserMetadata = cmd.GetUserMetadata()
	ev.EventGroupMarkers = cmd.GetEventGroupMarkers()
}

// tooBig reports whether payloads in a command are beyond the size limit.
func (c *completion) tooBig(list *commonpb.Payloads) bool {
	return payload.SizeAll(list) > c.env.Limits.BlobBytes
}

// checkNamespace refuses a command that names another namespace. Whether a
// namespace of that name exists is for the edge to have checked.
func (c *completion) checkNamespace(name string, cause enumspb.WorkflowTaskFailedCause) error {
	if name != "" && name != c.fixed().NamespaceName {
		return failTask(cause, "cross namespace commands are not allowed")
	}
	return nil
}

// to is the id of a workflow in the run's own namespace.
func (d *draft) to(workflowID string) engine.ID {
	return engine.ID{NamespaceID: d.base.Key.NamespaceID, Archetype: engine.ArchetypeWorkflow, Name: workflowID}
}
