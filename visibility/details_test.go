package visibility

import (
	"bytes"
	"math"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
)

// The bytes of details are those that the library writes of the message, whatever
// the record.
func FuzzDetails(f *testing.F) {
	execution := func(workflowID, runID string) []byte { // of any strings, which the library would refuse to write
		b := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), workflowID)
		return protowire.AppendString(protowire.AppendTag(b, 2, protowire.BytesType), runID)
	}
	memo, err := proto.Marshal(&commonpb.Memo{Fields: map[string]*commonpb.Payload{"m": {Data: []byte("1")}, "a": {}}})
	if err != nil {
		f.Fatal(err)
	}
	unknown := protowire.AppendString(protowire.AppendTag(nil, 99, protowire.BytesType), "of a later release")
	const now = 1_714_564_800_123_456_789
	f.Add("order-7", "018f", "Order", "orders", int32(running), int64(now), int64(0), int64(0), int64(0), []byte(nil), []byte(nil), []byte(nil))
	f.Add("order-7", "018f", "Order", "orders", int32(completed), int64(now), int64(time.Hour), int64(11), int64(2000), memo, execution("p", "run-p"), execution("r", "run-r"))
	f.Add("", "", "", "", int32(failed), int64(0), int64(-time.Hour-1), int64(-1), int64(math.MaxInt64), []byte{}, execution("", ""), execution("\xff", ""))
	f.Add("\xff", "", "", "", int32(paused), int64(-1), int64(999), int64(1), int64(1), unknown, unknown, unknown)
	f.Add("", "\xff", "", "", int32(paused), int64(math.MinInt64), int64(1), int64(1), int64(1), unknown, memo, unknown)
	f.Fuzz(func(t *testing.T, id, runID, kind, queue string, status int32, start, took, length, size int64, payloads, parent, root []byte) {
		r := &engine.VisibilityRecord{
			Run:  engine.RunKey{ID: engine.ID{NamespaceID: "ns-1", Name: id}, RunID: runID},
			Type: kind, TaskQueue: queue, Status: enumspb.WorkflowExecutionStatus(status),
			StartTime: time.Unix(0, start), ExecutionTime: time.Unix(0, start).Add(1500),
			CloseTime: time.Unix(0, start).Add(time.Duration(took)), HistoryLength: length, HistorySizeBytes: size, StateTransitionCount: length,
		}
		// Each message is there or not, and the attributes are what the memo is.
		r.Memo = messageOf(payloads, new(commonpb.Memo))
		r.SearchAttributes = messageOf(payloads, new(commonpb.SearchAttributes))
		r.Parent = messageOf(parent, new(commonpb.WorkflowExecution))
		r.Root = messageOf(root, new(commonpb.WorkflowExecution))
		for _, r.Run.Archetype = range []engine.Archetype{engine.ArchetypeWorkflow, engine.ArchetypeActivity} {
			want, wantErr := inOrder.Marshal(details(r))
			got, err := appendDetails([]byte("before"), r)
			if (err != nil) != (wantErr != nil) {
				t.Fatalf("error %v, want %v", err, wantErr)
			}
			if err == nil && !bytes.Equal(got, append([]byte("before"), want...)) {
				t.Errorf("archetype %d: appended\n%x, want\n%x", r.Run.Archetype, got, want)
			}
		}
	})
}

// messageOf decodes a message; nil of no bytes at all, or of such that are none.
func messageOf[M proto.Message](b []byte, m M) (none M) {
	if b == nil || proto.Unmarshal(b, m) != nil {
		return none
	}
	return m
}
