package record

import (
	"testing"

	"google.golang.org/protobuf/types/known/timestamppb"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/store"
)

func BenchmarkEncode(b *testing.B) {
	for _, name := range []string{"start", "info", "activity", "timer", "task", "visibility"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				codecs[name].encode(samples[name])
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"start", "info", "activity", "timer", "task", "visibility"} {
		b.Run(name, func(b *testing.B) {
			value := codecs[name].encode(samples[name])
			b.SetBytes(int64(len(value)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := codecs[name].decode(value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchBatch() []*historypb.HistoryEvent {
	var batch []*historypb.HistoryEvent
	for i := range int64(3) {
		batch = append(batch, &historypb.HistoryEvent{
			EventId: i + 1, TaskId: i + 1, EventTime: timestamppb.New(sampleTime), EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
			Attributes: &historypb.HistoryEvent_WorkflowTaskScheduledEventAttributes{
				WorkflowTaskScheduledEventAttributes: &historypb.WorkflowTaskScheduledEventAttributes{Attempt: 1},
			},
		})
	}
	return batch
}

func BenchmarkEncodeHistory(b *testing.B) {
	batch := benchBatch()
	b.ReportAllocs()
	for b.Loop() {
		EncodeHistory(batch)
	}
}

func BenchmarkHistoryBytes(b *testing.B) {
	row := EncodeHistory(benchBatch())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := HistoryBytes(row); err != nil {
			b.Fatal(err)
		}
	}
}

// One step as the shell writes it: info, an activity, a batch of events.
func BenchmarkWriteChange(b *testing.B) {
	change := &workflow.Change{
		Info:       samples["info"].(*workflow.Info),
		Activities: map[int64]*activity.State{5: samples["activity"].(*activity.State)},
		Batches:    [][]*historypb.HistoryEvent{benchBatch()},
	}
	b.ReportAllocs()
	for b.Loop() {
		var batch store.Batch
		WriteChange(&batch, sampleRun, change)
	}
}

func BenchmarkTaskKey(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		TaskKey(&sampleTask)
	}
}

func BenchmarkSlotOf(b *testing.B) {
	for b.Loop() {
		SlotOf(sampleID)
	}
}

func BenchmarkDeadlineKey(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		DeadlineKey(sampleTime, sampleRun)
	}
}
