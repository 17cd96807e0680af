package record

import (
	"github.com/perdure/perdure/engine"
)

// The field lists of what is committed beside the state: queued tasks, messages
// and the rows of the visibility index.

func offerFields(c *coder, t *engine.Task) {
	value(c, 1, &t.Queue, queueFields)
	value(c, 2, &t.Run, runKeyFields)
	c.int(3, &t.EventID)
	c.int(4, &t.Stamp)
	c.time(5, &t.Order)
	c.int32(6, &t.Priority)
	c.str(7, &t.FairnessKey)
	c.float32(8, &t.FairnessWeight)
}

func queueFields(c *coder, q *engine.TaskQueue) {
	c.str(1, &q.NamespaceID)
	c.str(2, &q.Name)
	number(c, 3, &q.Type)
	c.bool(4, &q.Sticky)
	c.str(5, &q.NormalName)
}

// messageFields leaves out Message.Event, which is read from the sender's
// history when it is needed.
func messageFields(c *coder, m *engine.Message) {
	number(c, 1, &m.Kind)
	value(c, 2, &m.From, runKeyFields)
	value(c, 3, &m.To, idFields)
	c.str(4, &m.ToRunID)
	c.str(5, &m.ToFirstRunID)
	c.int(6, &m.EventID)
	c.int(7, &m.BatchID)
	c.int(8, &m.ToEventID)
	number(c, 9, &m.ParentClosePolicy)
	c.bool(10, &m.ChildWorkflowOnly)
	c.str(11, &m.RequestID)
	message(c, 12, &m.Root)
	c.str(13, &m.NamespaceName)
	c.str(14, &m.FirstRunID)
}

func visibilityFields(c *coder, v *engine.VisibilityRecord) {
	value(c, 1, &v.Run, runKeyFields)
	c.str(2, &v.NamespaceName)
	c.str(3, &v.Type)
	c.str(4, &v.TaskQueue)
	number(c, 5, &v.Status)
	c.time(6, &v.StartTime)
	c.time(7, &v.ExecutionTime)
	c.time(8, &v.CloseTime)
	c.int(9, &v.HistoryLength)
	c.int(10, &v.HistorySizeBytes)
	c.int(11, &v.StateTransitionCount)
	message(c, 12, &v.Memo)
	message(c, 13, &v.SearchAttributes)
	message(c, 14, &v.Parent)
	message(c, 15, &v.Root)
	message(c, 16, &v.VersioningInfo)
	c.int(17, &v.Version)
	c.bool(18, &v.Deleted)
}

// Current points to the newest run of an execution, open or closed.
type Current struct {
	RunID string
}

func currentFields(c *coder, p *Current) { c.str(1, &p.RunID) }
