package workflow_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine/workflow"
)

// A completion of several megabytes goes into several batches of history, since
// a batch is read and sent whole; the activities know which they are in.
func TestLargeCompletion(t *testing.T) {
	w := newWorld(t)
	var commands []string
	for n := range 6 {
		commands = append(commands, fmt.Sprintf("\tschedule x%d stc=10s input=%d", n, 900<<10))
	}
	script(t, w, "start a", "poll orders")
	var batches [][]*historypb.HistoryEvent
	w.saw = func(c *workflow.Change) { batches = append(batches, c.Batches...) }
	script(t, w, append([]string{"complete a"}, commands...)...)
	if len(batches) < 3 {
		t.Errorf("%d batches", len(batches))
	}
	inBatch := map[int64]int64{}
	for _, batch := range batches {
		size := 0
		for _, ev := range batch {
			size += proto.Size(ev)
			inBatch[ev.EventId] = batch[0].EventId
		}
		if size > 3<<20 {
			t.Errorf("the batch from event %d has %d bytes", batch[0].EventId, size)
		}
	}
	run := w.find("a")
	if len(run.Activities) != 6 {
		t.Fatalf("%d activities, %s", len(run.Activities), strings.TrimSpace(w.out.String()))
	}
	for id, s := range run.Activities {
		if s.BatchID != inBatch[id] {
			t.Errorf("activity %d thinks it is in batch %d, it is in %d", id, s.BatchID, inBatch[id])
		}
	}
}
