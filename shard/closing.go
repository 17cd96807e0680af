package shard

import (
	"context"
	"fmt"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// closing is what a watcher takes of a run that has closed.
type closing struct {
	batchID, eventID int64
	// event is the last event as it is stored; nil if the run's tail no longer
	// has it.
	event []byte
}

// Closing waits until the workflow run is closed, and returns its last event as it
// is stored: an encoding of a History with that event alone, whose bytes nobody
// may change. It returns once that is durable; otherwise as Follow does.
//
// It is what nearly every caller of a workflow asks for, and takes one look at the
// run: to ask for its state, for its end and for the event one after the other
// took three, and to decode the event and encode it again 3 % of the CPU of a
// workflow with one activity.
func (h *Host) Closing(ctx context.Context, key engine.RunKey) (event []byte, err error) {
	var c closing
	err = h.await(ctx, key, &watcher{
		enough: func(*held) bool { return false },
		read:   func(h *held) { c.take(h) },
		leaves: true,
	})
	if err != nil {
		return nil, err
	}
	if c.event != nil {
		return c.event, nil
	}
	return readEventBytes(ctx, h.shardOf(key.ID).store, key, c.batchID, c.eventID)
}

// take reads a closed run.
func (c *closing) take(h *held) {
	info := h.workflow().Info
	c.batchID, c.eventID = info.CloseBatchID, info.CloseEventID
	for _, b := range h.workflowExecution().tail.batches {
		if b.First <= c.eventID && c.eventID <= b.Last {
			c.event = b.Range(c.eventID, c.eventID)
		}
	}
}

// readEventBytes reads one event of the batch that begins with batchID.
func readEventBytes(ctx context.Context, st store.Shard, key engine.RunKey, batchID, eventID int64) ([]byte, error) {
	row, err := st.Get(ctx, record.HistoryKey(key, batchID))
	if err != nil {
		return nil, fmt.Errorf("read event %d of %v: %w", eventID, key, err)
	}
	batch, err := record.OpenHistory(row)
	if err != nil {
		return nil, damaged(key, err)
	}
	return batch.Range(eventID, eventID), nil
}
