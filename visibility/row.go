package visibility

import (
	"database/sql/driver"
	"encoding/binary"
	"hash/crc32"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/searchattr"
)

// closed reports whether a status is one of a run that has ended. A paused run
// is open (V-9).
func closed(status enumspb.WorkflowExecutionStatus) bool {
	return status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING && status != enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED
}

// details is the execution as a list of its kind shows it.
func details(r *engine.VisibilityRecord) proto.Message {
	if r.Run.Archetype == engine.ArchetypeActivity {
		return activityDetails(r)
	}
	return workflowDetails(r)
}

// workflowDetails is the run as List shows it (section 2.1).
func workflowDetails(r *engine.VisibilityRecord) *workflowpb.WorkflowExecutionInfo {
	info := &workflowpb.WorkflowExecutionInfo{
		Execution:        &commonpb.WorkflowExecution{WorkflowId: r.Run.Name, RunId: r.Run.RunID},
		Type:             &commonpb.WorkflowType{Name: r.Type},
		StartTime:        timestamp(r.StartTime),
		ExecutionTime:    timestamp(r.ExecutionTime),
		Status:           r.Status,
		TaskQueue:        r.TaskQueue,
		Memo:             r.Memo,
		SearchAttributes: r.SearchAttributes,
		ParentExecution:  r.Parent,
		RootExecution:    r.Root,
	}
	if r.Root == nil {
		info.RootExecution = info.Execution
	}
	if info.Memo == nil {
		info.Memo = &commonpb.Memo{}
	}
	if closed(r.Status) {
		info.CloseTime = timestamp(r.CloseTime)
		info.ExecutionDuration = durationpb.New(r.CloseTime.Sub(r.ExecutionTime))
		info.HistoryLength = r.HistoryLength
		info.HistorySizeBytes = r.HistorySizeBytes
		info.StateTransitionCount = r.StateTransitionCount
	}
	return info
}

// timestamp has the precision of the index (V-7).
func timestamp(t time.Time) *timestamppb.Timestamp {
	return timestamppb.New(t.Truncate(time.Microsecond))
}

// row is what insertRuns takes for each, in its order.
type row [22]driver.Value

// Places in a row that others refer to.
const (
	rowNamespace = iota
	rowArchetype
	rowWorkflowID
	rowRunID
	rowType
	rowTaskQueue
	rowStatus
	rowStart
	rowExecution
	rowClose
	rowDuration
	rowHistoryLength
	rowHistorySize
	rowTransitions
	rowVersion
	rowDetails
	rowChecksum
	// From here on what most runs have not.
	rowParentWorkflowID
	rowParentRunID
	rowRootWorkflowID
	rowRootRunID
	rowDivision

	plainColumns = rowParentWorkflowID
)

// plain reports whether all places from plainColumns on are empty.
func (r *row) plain() bool {
	return r[rowParentWorkflowID] == nil && r[rowRootWorkflowID] == nil && r[rowDivision] == nil
}

// text is a string as a place of the next row: the one of this row if they are
// equal, since a value takes an object, and most runs are of one type.
func (r *row) text(place int, s string) driver.Value {
	if present, ok := r[place].(string); ok && present == s {
		return r[place]
	}
	return s
}

// makeRow is the row of a record that comes behind another, or behind an empty one.
// Its details are appended to b, which is returned.
func makeRow(b []byte, behind *row, namespace int64, r *engine.VisibilityRecord) (row, []byte, error) {
	before := len(b)
	b, err := appendDetails(b, r)
	if err != nil {
		return row{}, b, err
	}
	encoded := b[before:]
	out := row{
		rowNamespace:  namespace,
		rowArchetype:  int64(r.Run.Archetype),
		rowWorkflowID: r.Run.Name,
		rowRunID:      r.Run.RunID,
		rowType:       behind.text(rowType, r.Type),
		rowTaskQueue:  behind.text(rowTaskQueue, r.TaskQueue),
		rowStatus:     int64(r.Status),
		rowStart:      r.StartTime.UnixMicro(),
		rowClose:      int64(openClose),
		rowVersion:    r.Version,
		rowDetails:    encoded,
	}
	if out[rowExecution] = out[rowStart]; !r.ExecutionTime.Equal(r.StartTime) {
		out[rowExecution] = r.ExecutionTime.UnixMicro()
	}
	if closed(r.Status) {
		out[rowClose] = min(r.CloseTime.UnixMicro(), openClose-1)
		out[rowDuration] = int64(r.CloseTime.Sub(ranFrom(r)))
		out[rowHistoryLength] = r.HistoryLength
		out[rowHistorySize] = r.HistorySizeBytes
		out[rowTransitions] = r.StateTransitionCount
	}
	if r.Parent != nil {
		out[rowParentWorkflowID], out[rowParentRunID] = r.Parent.GetWorkflowId(), r.Parent.GetRunId()
	}
	if r.Root != nil && r.Root.GetRunId() != r.Run.RunID {
		out[rowRootWorkflowID], out[rowRootRunID] = r.Root.GetWorkflowId(), r.Root.GetRunId()
	}
	if division := division(r); division != "" {
		out[rowDivision] = division
	}
	out[rowChecksum] = int64(checksum(b[len(b):], listed{
		runID: r.Run.RunID, close: out[rowClose].(int64), start: out[rowStart].(int64),
		status: int64(r.Status), version: r.Version, details: encoded,
	}))
	return out, b, nil
}

// ranFrom is when the duration of an execution begins.
func ranFrom(r *engine.VisibilityRecord) time.Time {
	if r.Run.Archetype == engine.ArchetypeActivity {
		return r.StartTime
	}
	return r.ExecutionTime
}

func division(r *engine.VisibilityRecord) string {
	payload := r.SearchAttributes.GetIndexedFields()[searchattr.Division]
	if payload == nil {
		return ""
	}
	value, err := searchattr.Decode(payload, enumspb.INDEXED_VALUE_TYPE_KEYWORD)
	if err != nil {
		return ""
	}
	text, _ := value.(string)
	return text
}

// listed is the part of a row that list reads and the checksum covers.
type listed struct {
	runID        string
	close, start int64
	status       int64
	version      int64
	details      []byte
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum covers what is listed. The bytes behind scratch, which is empty, may be
// overwritten.
func checksum(scratch []byte, l listed) uint32 {
	head := binary.BigEndian.AppendUint64(scratch, uint64(l.close))
	head = binary.BigEndian.AppendUint64(head, uint64(l.start))
	head = binary.BigEndian.AppendUint64(head, uint64(l.status))
	head = binary.BigEndian.AppendUint64(head, uint64(l.version))
	head = append(head, l.runID...)
	return crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, l.details)
}
