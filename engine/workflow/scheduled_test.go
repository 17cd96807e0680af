package workflow

import (
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine/activity"
)

// I11: the inputs of activities that wait are kept in memory only while they are
// small and few; the edge reads from history what is not kept.
func TestScheduledEventsKeptAreBounded(t *testing.T) {
	run := &Run{Start: &Start{}, Info: &Info{Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING}}
	schedule := func(id int64, inputBytes int) {
		ev := &historypb.HistoryEvent{EventId: id, Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
			ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{
				Input: &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: make([]byte, inputBytes)}}}}}}
		run.Apply(&Change{
			Info:       run.Info,
			Activities: map[int64]*activity.State{id: {ScheduledEventID: id, BatchID: id, Status: activity.StatusQueued, Offered: true, Stamp: 1}},
			Batches:    [][]*historypb.HistoryEvent{{ev}},
		})
	}
	schedule(5, maxScheduledSize+1)
	if run.Scheduled[5] != nil {
		t.Error("a large input is kept")
	}
	for id := int64(6); id < 6+2*maxScheduledKept; id++ {
		schedule(id, maxScheduledSize)
	}
	if n := len(run.Scheduled); n != maxScheduledKept {
		t.Errorf("%d inputs are kept, want %d", n, maxScheduledKept)
	}
	schedule(1000, smallScheduled)
	if run.Scheduled[1000] == nil {
		t.Error("a small input is not kept")
	}
}
