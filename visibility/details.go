package visibility

import (
	"time"
	"unicode/utf8"

	commonpb "go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/payload"
)

// This file writes details in their stored form without making the message first:
// that and the library's reflection were a sixth of what a row costs. The bytes
// are those that the library writes.

// inOrder writes maps in order, so that equal details have equal bytes.
var inOrder = proto.MarshalOptions{Deterministic: true}

// appendDetails appends details(r) in its stored form.
func appendDetails(b []byte, r *engine.VisibilityRecord) ([]byte, error) {
	switch {
	case !plain(r):
		return inOrder.MarshalAppend(b, details(r))
	case r.Run.Archetype == engine.ArchetypeActivity:
		return appendActivity(b, r), nil
	}
	return appendWorkflow(b, r), nil
}

// plain reports whether a record has nothing that only the library can write, or
// must refuse: fields of a later release of the API, strings that are not UTF-8.
func plain(r *engine.VisibilityRecord) bool {
	for _, s := range [...]string{r.Run.Name, r.Run.RunID, r.Type, r.TaskQueue} {
		if !utf8.ValidString(s) {
			return false
		}
	}
	return (r.Memo == nil || payload.Plain(r.Memo)) && (r.SearchAttributes == nil || payload.Plain(r.SearchAttributes)) &&
		plainExecution(r.Parent) && plainExecution(r.Root)
}

func plainExecution(e *commonpb.WorkflowExecution) bool {
	return e == nil || payload.Plain(e) && utf8.ValidString(e.WorkflowId) && utf8.ValidString(e.RunId)
}

// appendWorkflow appends the fields of workflowDetails(r), in the order of their
// numbers.
func appendWorkflow(b []byte, r *engine.VisibilityRecord) []byte {
	ended := closed(r.Status)
	b = appendExecution(b, 1, r.Run.Name, r.Run.RunID)
	b = appendName(b, 2, r.Type)
	b = appendTime(b, 3, r.StartTime)
	if ended {
		b = appendTime(b, 4, r.CloseTime)
	}
	b = appendInt(b, 5, int64(r.Status))
	if ended {
		b = appendInt(b, 6, r.HistoryLength)
	}
	if r.Parent != nil {
		b = appendExecution(b, 8, r.Parent.WorkflowId, r.Parent.RunId)
	}
	b = appendTime(b, 9, r.ExecutionTime)
	b = appendPayloads(b, 10, r.Memo.GetFields())
	if r.SearchAttributes != nil {
		b = appendPayloads(b, 11, r.SearchAttributes.IndexedFields)
	}
	b = appendText(b, 13, r.TaskQueue)
	if ended {
		b = appendInt(b, 14, r.StateTransitionCount)
		b = appendInt(b, 15, r.HistorySizeBytes)
		b = appendDuration(b, 17, r.CloseTime.Sub(r.ExecutionTime))
	}
	if r.Root != nil {
		return appendExecution(b, 18, r.Root.WorkflowId, r.Root.RunId)
	}
	return appendExecution(b, 18, r.Run.Name, r.Run.RunID)
}

// appendActivity appends the fields of activityDetails(r), likewise.
func appendActivity(b []byte, r *engine.VisibilityRecord) []byte {
	ended := closed(r.Status)
	b = appendText(b, 1, r.Run.Name)
	b = appendText(b, 2, r.Run.RunID)
	b = appendName(b, 3, r.Type)
	b = appendTime(b, 4, r.StartTime)
	if ended {
		b = appendTime(b, 5, r.CloseTime)
	}
	b = appendInt(b, 6, int64(activityStatuses[r.Status]))
	if r.SearchAttributes != nil {
		b = appendPayloads(b, 7, r.SearchAttributes.IndexedFields)
	}
	b = appendText(b, 8, r.TaskQueue)
	if ended {
		b = appendInt(b, 9, r.StateTransitionCount)
	}
	b = appendInt(b, 10, r.HistorySizeBytes)
	if ended {
		b = appendDuration(b, 11, r.CloseTime.Sub(r.StartTime))
	}
	return appendTime(b, 12, r.ExecutionTime)
}

// A field that has the value of one that is missing is left out; a message is
// there even when it is empty.

func appendInt(b []byte, num protowire.Number, v int64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), uint64(v))
}

func appendText(b []byte, num protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), s)
}

// appendHead appends tag and length of a message.
func appendHead(b []byte, num protowire.Number, size int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.BytesType), uint64(size))
}

// textSize is what appendText appends, for a number that takes one byte.
func textSize(s string) int {
	if s == "" {
		return 0
	}
	return 1 + protowire.SizeBytes(len(s))
}

// appendName appends a WorkflowType or an ActivityType.
func appendName(b []byte, num protowire.Number, name string) []byte {
	return appendText(appendHead(b, num, textSize(name)), 1, name)
}

func appendExecution(b []byte, num protowire.Number, workflowID, runID string) []byte {
	b = appendHead(b, num, textSize(workflowID)+textSize(runID))
	return appendText(appendText(b, 1, workflowID), 2, runID)
}

// appendPayloads appends a Memo or SearchAttributes.
func appendPayloads(b []byte, num protowire.Number, fields map[string]*commonpb.Payload) []byte {
	return payload.AppendFields(appendHead(b, num, payload.SizeFields(fields)), fields)
}

// appendTime appends a Timestamp with the precision of the index (V-7).
func appendTime(b []byte, num protowire.Number, t time.Time) []byte {
	t = t.Truncate(time.Microsecond)
	return appendSeconds(b, num, t.Unix(), int64(t.Nanosecond()))
}

func appendDuration(b []byte, num protowire.Number, d time.Duration) []byte {
	return appendSeconds(b, num, int64(d/time.Second), int64(d%time.Second))
}

// appendSeconds appends a Timestamp or a Duration: they have the same two fields.
// Their size, never more than 22, is filled in afterwards.
func appendSeconds(b []byte, num protowire.Number, seconds, nanos int64) []byte {
	b = append(protowire.AppendTag(b, num, protowire.BytesType), 0)
	start := len(b)
	b = appendInt(appendInt(b, 1, seconds), 2, nanos)
	b[start-1] = byte(len(b) - start)
	return b
}
