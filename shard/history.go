package shard

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// HistoryPage is a piece of a run's history as it is stored.
type HistoryPage struct {
	// Bytes is an encoded historypb.History.
	Bytes []byte
	// NextEventID is where the next page begins; 0 when there is none.
	NextEventID int64
}

// noHistory refuses a read of a run that is not there, or no longer.
func noHistory(key engine.RunKey) error {
	return engine.NotFound("workflow execution not found for workflow ID %q and run ID %q", key.Name, key.RunID)
}

// maxPageBytes is where a page of history ends although it holds fewer batches
// than were asked for: answers wait in memory until their reader takes them, and
// some clients accept no more than 4 MiB in one message. A batch is never split,
// and every page has at least one.
const maxPageBytes = 3 << 20

// unknownLast stands for the last event of a run that is not in memory.
const unknownLast = math.MaxInt64 - 1

// durableHistory is where a run's history can be read.
type durableHistory struct {
	store store.Shard
	// last is the last event's id if the run is in memory; for others the store
	// has no more than is to be read.
	last int64
	// tail is the end of the history, if it is in memory; not to be changed.
	tail []record.HistoryBatch
}

// settled waits until all that is in the run's history is durable.
func (h *Host) settled(ctx context.Context, key engine.RunKey) (d durableHistory, err error) {
	s := h.shardOf(key.ID)
	gone := false
	_, err = s.call(ctx, &request{
		id: key.ID, runID: key.RunID, outside: true,
		peek: func(held *held) {
			d.last = unknownLast
			if held != nil && held.run != nil {
				d.last = held.run.progress() - 1
			}
			if held != nil && held.workflow() != nil {
				d.tail = held.workflowExecution().tail.batches
			}
			gone = held != nil && held.run == nil
		},
	})
	if err == nil && gone {
		err = noHistory(key)
	}
	if err != nil {
		return durableHistory{}, err
	}
	d.store = s.store
	return d, nil
}

// readable waits until all that is in the run's history is durable, and returns
// the store to read it from and the id of the last event.
func (h *Host) readable(ctx context.Context, key engine.RunKey) (st store.Shard, last int64, err error) {
	err = h.look(ctx, key.ID, key.RunID, func(s *shard, held *held) {
		st, last = s.store, held.run.progress()-1
	})
	return st, last, err
}

// History reads stored batches of a run, whole ones, that hold the events from
// to to (inclusive; 0 or less: to the last one): at most maxBatches, and of these
// only the first or as many as have maxPageBytes together; all, if maxBatches is
// 0 or less. The first batch may begin before from. Nothing is decoded.
func (h *Host) History(ctx context.Context, key engine.RunKey, from, to int64, maxBatches int) (HistoryPage, error) {
	d, err := h.settled(ctx, key)
	if err != nil {
		return HistoryPage{}, err
	}
	page, err := readHistory(ctx, d, key, from, to, maxBatches)
	if err == nil && d.last == unknownLast {
		// The run may have been loaded and have gone on meanwhile, and the store
		// may show what is not durable yet.
		_, err = h.settled(ctx, key)
	}
	if err != nil {
		return HistoryPage{}, err
	}
	return page, nil
}

func readHistory(ctx context.Context, d durableHistory, key engine.RunKey, from, to int64, maxBatches int) (HistoryPage, error) {
	if to <= 0 || to > d.last {
		to = d.last
	}
	limit := limitOf(maxBatches)
	from = max(from, 1)
	if from > to {
		return HistoryPage{}, nil
	}
	if page, ok := pageOf(d.tail, from, to, limit); ok {
		return page, nil
	}
	st := d.store
	// Readers mostly ask for the beginning of a batch.
	page, err := readPage(ctx, st, key, from, from, to, limit)
	if !errors.Is(err, errInside) {
		return page, err
	}
	first, err := batchHolding(ctx, st, key, from)
	if err != nil {
		return HistoryPage{}, err
	}
	page, err = readPage(ctx, st, key, first, from, to, limit)
	if errors.Is(err, errInside) {
		err = noHistory(key) // deleted meanwhile
	}
	return page, err
}

// pageLimit is what a page still has room for. The first batch always fits.
type pageLimit struct {
	batches, bytes int
	begun          bool
}

func limitOf(maxBatches int) pageLimit {
	if maxBatches <= 0 {
		return pageLimit{batches: math.MaxInt, bytes: math.MaxInt}
	}
	return pageLimit{batches: maxBatches, bytes: maxPageBytes}
}

// admits takes a batch's room away, and reports whether it was there.
func (l *pageLimit) admits(size int) bool {
	if l.batches <= 0 || l.begun && l.bytes < size {
		return false
	}
	l.begun = true
	l.batches--
	l.bytes -= size
	return true
}

// errInside says that no batch begins with the event.
var errInside = errors.New("the event is inside a batch")

// readPage reads from the batch that begins with first.
func readPage(ctx context.Context, st store.Shard, key engine.RunKey, first, from, to int64, limit pageLimit) (HistoryPage, error) {
	var page HistoryPage
	var bad error
	next := first
	lower, upper := record.HistoryRows(key, first, to+1)
	err := st.Scan(ctx, lower, upper, func(e store.Entry) bool {
		var batch record.HistoryBatch
		if batch, bad = record.OpenHistory(e.Value); bad != nil {
			return false
		}
		if batch.First != next && next == first {
			bad = errInside
			return false
		}
		if batch.First != next {
			bad = fmt.Errorf("history of %v has no event %d: %w", key, next, store.ErrCorrupt)
			return false
		}
		if batch.Last < from { // the last one there is, and it ends before
			next = batch.Last + 1
			return true
		}
		if !limit.admits(len(batch.Bytes)) {
			page.NextEventID = next
			return false
		}
		page.Bytes = append(page.Bytes, batch.Bytes...)
		next = batch.Last + 1
		return true
	})
	switch {
	case err != nil:
		return HistoryPage{}, fmt.Errorf("read history of %v: %w", key, err)
	case errors.Is(bad, errInside):
		return HistoryPage{}, errInside
	case bad != nil:
		return HistoryPage{}, damaged(key, bad)
	case next == first && first > 1:
		return HistoryPage{}, errInside // or deleted meanwhile
	case next == first:
		return HistoryPage{}, noHistory(key)
	}
	return page, nil
}

// damaged answers a read of a history that is not what was written.
func damaged(key engine.RunKey, err error) error {
	return fmt.Errorf("history of %v: %w (%w)", key, engine.Refuse(engine.KindDataLoss, "the history cannot be read"), err)
}

// batchHolding finds the batch an event is in. Batches are named by their first
// event, and a store scans upwards only: look at a window before the event,
// and at larger ones if no batch begins there.
func batchHolding(ctx context.Context, st store.Shard, key engine.RunKey, eventID int64) (first int64, err error) {
	for span := int64(0); ; span = max(64, 4*span) {
		start := max(1, eventID-span)
		lower, upper := record.HistoryRows(key, start, eventID+1)
		err := st.Scan(ctx, lower, upper, func(e store.Entry) bool {
			if _, id, err := record.ParseHistoryKey(e.Key); err == nil {
				first = id
			}
			return true
		})
		if err != nil {
			return 0, fmt.Errorf("find event %d of %v: %w", eventID, key, err)
		}
		if first > 0 {
			return first, nil
		}
		if start == 1 {
			return 0, noHistory(key)
		}
	}
}

// HistoryReverse reads events downwards from the given one (0 or less: the
// last), whole batches, as many as a page of History has; next is where to go
// on, 0 after event 1.
func (h *Host) HistoryReverse(ctx context.Context, key engine.RunKey, from int64, maxBatches int) (events []*historypb.HistoryEvent, next int64, err error) {
	st, last, err := h.readable(ctx, key)
	if err != nil {
		return nil, 0, err
	}
	if from <= 0 || from > last {
		from = last
	}
	for limit := limitOf(maxBatches); from >= 1 && limit.batches > 0; {
		first, err := batchHolding(ctx, st, key, from)
		if err != nil {
			return nil, 0, err
		}
		batch, size, err := readBatch(ctx, st, key, first)
		if err != nil {
			return nil, 0, err
		}
		if !limit.admits(size) {
			break
		}
		batch = batch[:min(int64(len(batch)), from-first+1)]
		slices.Reverse(batch)
		events = append(events, batch...)
		from = first - 1
	}
	return events, from, nil
}

func readBatch(ctx context.Context, st store.Shard, key engine.RunKey, first int64) (events []*historypb.HistoryEvent, size int, err error) {
	row, err := st.Get(ctx, record.HistoryKey(key, first))
	if err != nil {
		return nil, 0, fmt.Errorf("read history of %v: %w", key, err)
	}
	batch, err := record.OpenHistory(row)
	if err != nil {
		return nil, 0, damaged(key, err)
	}
	if events, err = batch.Events(); err != nil {
		return nil, 0, damaged(key, err)
	}
	return events, len(batch.Bytes), nil
}

// Event reads one event of the batch that begins with batchID. It waits until
// the event is durable.
func (h *Host) Event(ctx context.Context, key engine.RunKey, batchID, eventID int64) (*historypb.HistoryEvent, error) {
	d, err := h.settled(ctx, key)
	if err != nil {
		return nil, err
	}
	if ev, err := eventOf(d.tail, key, eventID); ev != nil || err != nil {
		return ev, err
	}
	return readEvent(ctx, d.store, key, batchID, eventID)
}
