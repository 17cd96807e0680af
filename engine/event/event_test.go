package event

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"

	"github.com/perdure/perdure/internal/invariant"
)

// check compares an event's bytes with the library's.
func check(t *testing.T, ev *historypb.HistoryEvent) {
	t.Helper()
	want, err := library.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	if size := Size(ev); size != len(want) {
		t.Fatalf("size %d, want %d, for %.1000v", size, len(want), ev)
	}
	want = protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), want)
	var w Writer
	for range 2 { // with a buffer that grows, and with one that was kept
		size := w.Event(1, ev)
		if got := w.Take(); size != len(want) || !bytes.Equal(got, want) {
			t.Fatalf("wrote %d bytes, said %d, want %d, for %.1000v", len(got), size, len(want), ev)
		}
	}
}

func FuzzEvents(f *testing.F) {
	for _, ev := range benchEvents() {
		b, _ := library.Marshal(ev)
		f.Add(b)
	}
	for _, kind := range attributes() {
		for _, depth := range []int{1, 4} {
			b, _ := library.Marshal(full(kind, depth))
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ev := new(historypb.HistoryEvent)
		if proto.Unmarshal(b, ev) == nil {
			check(t, ev)
		}
	})
}

// Every field of every event of our release of the API, alone and with all others,
// is written as the library writes it: a field that the API gains fails here until
// it is coded. So are fields of a release to come, in each message at any depth.
func TestAllFields(t *testing.T) {
	for _, kind := range attributes() {
		t.Run(string(kind.Name()), func(t *testing.T) {
			for depth := range 5 {
				check(t, full(kind, depth))
			}
			head := (&historypb.HistoryEvent{}).ProtoReflect().Descriptor().Fields()
			for i := range head.Len() {
				if one := head.Get(i); one.ContainingOneof() == nil {
					ev := &historypb.HistoryEvent{}
					ev.ProtoReflect().Mutable(kind)
					fill(ev.ProtoReflect(), one, 2)
					check(t, ev)
				}
			}
			for i := range kind.Message().Fields().Len() {
				one := kind.Message().Fields().Get(i)
				for depth := range 3 {
					ev := &historypb.HistoryEvent{}
					fill(ev.ProtoReflect().Mutable(kind).Message(), one, depth)
					check(t, ev)
				}
			}
		})
	}
}

// attributes are the kinds of events: the fields of the one-of.
func attributes() []protoreflect.FieldDescriptor {
	fields := (&historypb.HistoryEvent{}).ProtoReflect().Descriptor().Oneofs().ByName("attributes").Fields()
	var kinds []protoreflect.FieldDescriptor
	for i := range fields.Len() {
		kinds = append(kinds, fields.Get(i))
	}
	return kinds
}

// full is an event of a kind with all fields filled, nested ones to a depth.
func full(kind protoreflect.FieldDescriptor, depth int) *historypb.HistoryEvent {
	ev := &historypb.HistoryEvent{}
	fillAll(ev.ProtoReflect(), depth)
	ev.ProtoReflect().Clear(kind)
	fillAll(ev.ProtoReflect().Mutable(kind).Message(), depth)
	return ev
}

func fillAll(m protoreflect.Message, depth int) {
	m.SetUnknown(protowire.AppendString(protowire.AppendTag(nil, 9999, protowire.BytesType), "of a later release"))
	if depth == 0 {
		return
	}
	for i := range m.Descriptor().Fields().Len() {
		fill(m, m.Descriptor().Fields().Get(i), depth-1)
	}
}

// fill sets one field to what is not its default.
func fill(m protoreflect.Message, fd protoreflect.FieldDescriptor, depth int) {
	switch {
	case fd.IsMap():
		for i := range 3 {
			value := m.Mutable(fd).Map().NewValue()
			if fd.MapValue().Message() != nil {
				fillAll(value.Message(), depth)
			} else {
				value = scalar(fd.MapValue(), i)
			}
			m.Mutable(fd).Map().Set(scalar(fd.MapKey(), i).MapKey(), value)
		}
	case fd.IsList():
		for i := range 3 {
			value := m.Mutable(fd).List().NewElement()
			if fd.Message() != nil {
				fillAll(value.Message(), depth)
			} else {
				value = scalar(fd, i)
			}
			m.Mutable(fd).List().Append(value)
		}
	case fd.Message() != nil:
		fillAll(m.Mutable(fd).Message(), depth)
	default:
		m.Set(fd, scalar(fd, int(fd.Number())))
	}
}

// scalar is a value for a field. The numbers below zero take ten bytes.
func scalar(fd protoreflect.FieldDescriptor, i int) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(1 - 2*(i%2)))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(1000*int32(i) - 1)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(1000*int64(i) - 1)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(i) + 1)
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(1.5)
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(1.5)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(strings.Repeat("ä", i*i))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(bytes.Repeat([]byte{1}, 1+i))
	}
	panic(fmt.Sprintf("%s: teach the test the kind %v", fd.FullName(), fd.Kind()))
}

// Lengths round the sizes at which they take another byte, from all sides.
func TestLengths(t *testing.T) {
	for _, n := range []int{0, 1, 90, 100, 110, 120, 127, 128, 1 << 14, 1 << 21} {
		for size := max(n-20, 0); size < n+4; size++ {
			check(t, &historypb.HistoryEvent{EventId: 1, Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
				ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{
					Result: &commonpb.Payloads{Payloads: []*commonpb.Payload{nil, {Data: make([]byte, size)}}},
				}}})
		}
	}
}

// What is not there is written as the library does: nothing, or an empty message.
func TestNothing(t *testing.T) {
	check(t, &historypb.HistoryEvent{})
	check(t, &historypb.HistoryEvent{
		Links:      []*commonpb.Link{nil},
		Attributes: &historypb.HistoryEvent_WorkflowTaskStartedEventAttributes{},
	})
}

// What was taken stays as it is when the writer goes on, be it small or large.
func TestTake(t *testing.T) {
	var w Writer
	for _, n := range []int{10, maxKept / 2, 2 * maxKept, 10} {
		want := bytes.Repeat([]byte{1}, n)
		w.Bytes(want...)
		got := w.Take()
		w.Bytes(make([]byte, 3*maxKept)...)
		w.Take()
		w.Varint(7)
		w.Take()
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes have changed", n)
		}
	}
}

// Text that is not UTF-8 could not be read again.
func TestNotUTF8(t *testing.T) {
	defer func() {
		if _, ok := recover().(invariant.Broken); !ok {
			t.Error("it was written")
		}
	}()
	ev := &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowTaskStartedEventAttributes{
		WorkflowTaskStartedEventAttributes: &historypb.WorkflowTaskStartedEventAttributes{Identity: "\xff"}}}
	new(Writer).Event(1, ev)
}

// The events are coded without allocations.
func TestAllocations(t *testing.T) {
	var w Writer
	for _, ev := range benchEvents() {
		if n := testing.AllocsPerRun(100, func() { Size(ev); w.Event(1, ev); w.n = 0 }); n != 0 {
			t.Errorf("%v: %v allocations", ev.EventType, n)
		}
	}
}

// benchEvents are the events of a workflow with one activity, as far as they are
// coded here, as the core writes them.
func benchEvents() []*historypb.HistoryEvent {
	input := &commonpb.Payloads{Payloads: []*commonpb.Payload{{
		Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(`{"order":17,"customer":"somebody"}`),
	}}}
	queue := &taskqueuepb.TaskQueue{Name: "orders", Kind: enumspb.TASK_QUEUE_KIND_NORMAL}
	const runID, identity = "0199d3a6-6b5c-7c1e-9a52-3f1f3d1c2b4a", "17@a-host@orders"
	events := []*historypb.HistoryEvent{
		{EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
			WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{
				WorkflowType: &commonpb.WorkflowType{Name: "order"}, TaskQueue: queue, Input: input, Identity: identity, Attempt: 1,
				WorkflowExecutionTimeout: durationpb.New(0), WorkflowRunTimeout: durationpb.New(0), WorkflowTaskTimeout: durationpb.New(10 * time.Second),
				OriginalExecutionRunId: runID, FirstExecutionRunId: runID, FirstWorkflowTaskBackoff: durationpb.New(0), WorkflowId: "order-17",
				Header: &commonpb.Header{}, Memo: &commonpb.Memo{},
			}}},
		{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, Attributes: &historypb.HistoryEvent_WorkflowTaskScheduledEventAttributes{
			WorkflowTaskScheduledEventAttributes: &historypb.WorkflowTaskScheduledEventAttributes{
				TaskQueue: queue, StartToCloseTimeout: durationpb.New(10 * time.Second), Attempt: 1,
			}}},
		{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, Attributes: &historypb.HistoryEvent_WorkflowTaskStartedEventAttributes{
			WorkflowTaskStartedEventAttributes: &historypb.WorkflowTaskStartedEventAttributes{
				ScheduledEventId: 2, Identity: identity, RequestId: runID, HistorySizeBytes: 400,
			}}},
		{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, Attributes: &historypb.HistoryEvent_WorkflowTaskCompletedEventAttributes{
			WorkflowTaskCompletedEventAttributes: &historypb.WorkflowTaskCompletedEventAttributes{
				ScheduledEventId: 2, StartedEventId: 3, Identity: identity, WorkerVersion: &commonpb.WorkerVersionStamp{BuildId: "a-build"},
			}}},
		{EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
			ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{
				ActivityId: "5", ActivityType: &commonpb.ActivityType{Name: "charge"}, TaskQueue: queue, Input: input, Header: &commonpb.Header{},
				ScheduleToCloseTimeout: durationpb.New(0), ScheduleToStartTimeout: durationpb.New(0), StartToCloseTimeout: durationpb.New(time.Minute),
				HeartbeatTimeout: durationpb.New(0), WorkflowTaskCompletedEventId: 4,
				RetryPolicy: &commonpb.RetryPolicy{InitialInterval: durationpb.New(time.Second), BackoffCoefficient: 2, MaximumInterval: durationpb.New(100 * time.Second)},
			}}},
		{EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED, Attributes: &historypb.HistoryEvent_ActivityTaskStartedEventAttributes{
			ActivityTaskStartedEventAttributes: &historypb.ActivityTaskStartedEventAttributes{
				ScheduledEventId: 5, Identity: identity, RequestId: runID, Attempt: 1, WorkerVersion: &commonpb.WorkerVersionStamp{BuildId: "a-build"},
			}}},
		{EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
			ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{
				ScheduledEventId: 5, StartedEventId: 6, Identity: identity, Result: input,
			}}},
		{EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, Attributes: &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
			WorkflowExecutionCompletedEventAttributes: &historypb.WorkflowExecutionCompletedEventAttributes{
				WorkflowTaskCompletedEventId: 4, Result: input,
			}}},
	}
	for i, ev := range events {
		ev.EventId, ev.TaskId = int64(i+1), int64(i+1)
		ev.EventTime = timestamppb.New(time.Unix(1_700_000_000, 123_456_789))
	}
	return events
}

func BenchmarkSize(b *testing.B) {
	bench(b, func(ev *historypb.HistoryEvent) { Size(ev) }, func(ev *historypb.HistoryEvent) { library.Size(ev) })
}

func BenchmarkWrite(b *testing.B) {
	var w Writer
	buf := make([]byte, 0, 1<<12)
	bench(b, func(ev *historypb.HistoryEvent) { w.Event(1, ev); w.n = 0 },
		func(ev *historypb.HistoryEvent) { _, _ = again.MarshalAppend(buf, ev) })
}

// bench compares with the library, to which the events are known by size.
func bench(b *testing.B, here, there func(ev *historypb.HistoryEvent)) {
	for _, ev := range benchEvents() {
		library.Size(ev)
		for name, do := range map[string]func(*historypb.HistoryEvent){"here": here, "library": there} {
			b.Run(fmt.Sprintf("%v/%s", ev.EventType, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					do(ev)
				}
			})
		}
	}
}
