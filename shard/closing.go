package shard

import (
	"context"
	"fmt"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// Closed is how a workflow run has ended.
type Closed struct {
	// Event is the last event as it is stored: an encoding of a History with that
	// event alone. Nobody may change the bytes.
	Event []byte
	// NewRunID is the run that follows by continue-as-new, retry, cron or reset.
	NewRunID string
}

// closing is what a watcher takes of a run that has closed.
type closing struct {
	watcher          watcher
	closed           Closed // no Event if the run's tail no longer has it
	batchID, eventID int64
}

// Closing waits until the workflow run is closed, and tells how. It returns once
// that is durable; otherwise as Follow does.
//
// It is what nearly every caller of a workflow asks for, and takes one look at the
// run: to ask for its state, for its end and for the event one after the other
// took three, and to decode the event and encode it again 3 % of the CPU of a
// workflow with one activity.
func (h *Host) Closing(ctx context.Context, over <-chan struct{}, key engine.RunKey) (Closed, error) {
	c := new(closing)
	c.watcher.enough, c.watcher.read, c.watcher.leaves = never, c.take, true
	if err := h.await(ctx, over, key, &c.watcher); err != nil {
		return Closed{}, err
	}
	if c.closed.Event == nil {
		var err error
		c.closed.Event, err = readEventBytes(ctx, h.shardOf(key.ID).store, key, c.batchID, c.eventID)
		return c.closed, err
	}
	return c.closed, nil
}

// never has a watcher wait for the end.
func never(*held) bool { return false }

// take reads a closed run.
func (c *closing) take(h *held) {
	info := h.workflow().Info
	c.batchID, c.eventID, c.closed.NewRunID = info.CloseBatchID, info.CloseEventID, info.NewRunID
	for _, b := range h.workflowExecution().tail.batches {
		if b.First <= c.eventID && c.eventID <= b.Last {
			c.closed.Event = b.Range(c.eventID, c.eventID)
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
