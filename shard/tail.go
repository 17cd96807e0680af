package shard

import (
	"slices"

	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// maxTailBytes bounds what is kept of a run's history in memory. It holds all of
// a short workflow's, and of a long one what a worker with a sticky queue has
// not seen, which are the readers there are under load. All runs in memory
// together keep at most CacheRuns times that: 40 MB.
const maxTailBytes = 2 << 10

// tail is the end of a run's history as it is stored: whoever reads what was
// written a moment ago, as each workflow task does, needs no scan of the store.
// (Those scans were 7 % of the CPU of a workflow with one activity.)
//
// Invariant: batches follow one another without a gap, and the newest sealed
// batch of the run is the last, unless it alone is too large: then there are none.
type tail struct {
	batches []record.HistoryBatch
	size    int
}

// usualBatches is how many there is room for at first: those of a short workflow.
const usualBatches = 4

// seal adds the history among rows just sealed for the run. They share the
// rows' bytes, which nobody changes any more.
func (t *tail) seal(ops []store.Op) {
	for i := range ops {
		if ops[i].Key.Family != store.FamilyHistory || ops[i].Value == nil {
			continue
		}
		batch, err := record.OpenHistory(ops[i].Value)
		if err != nil { // not by what record itself has made
			*t = tail{}
			return
		}
		t.add(batch)
	}
}

func (t *tail) add(b record.HistoryBatch) {
	if t.batches == nil {
		t.batches = make([]record.HistoryBatch, 0, usualBatches)
	}
	t.batches = append(t.batches, b)
	t.size += len(b.Bytes)
	drop := 0
	for t.size > maxTailBytes {
		t.size -= len(t.batches[drop].Bytes)
		drop++
	}
	if drop > 0 {
		t.batches = slices.Clone(t.batches[drop:]) // readers may hold the old ones
	}
}

// pageOf is the page of history from a run's tail, if that holds all of it: from
// and to are not beyond each other or the history's ends.
func pageOf(batches []record.HistoryBatch, from, to int64, limit pageLimit) (page HistoryPage, ok bool) {
	n := len(batches)
	if n == 0 || from < batches[0].First || to > batches[n-1].Last {
		return HistoryPage{}, false
	}
	for _, b := range batches {
		switch {
		case b.Last < from:
			continue
		case b.First > to:
			return page, true
		case !limit.admits(len(b.Bytes)):
			page.NextEventID = b.First
			return page, true
		case page.Bytes == nil:
			page.Bytes = slices.Clip(b.Bytes)
		default:
			page.Bytes = append(page.Bytes, b.Bytes...)
		}
	}
	return page, true
}

// giveHistory puts the events into a workflow task about to be handed over that its
// worker is to be shown, if they are in memory: the edge need not come and ask.
func (h *held) giveHistory(started any) {
	t, ok := started.(*workflow.TaskStarted)
	if !ok || t.HistoryFrom > t.HistoryTo {
		return
	}
	w := h.workflowExecution()
	if w == nil {
		return
	}
	if page, ok := pageOf(w.tail.batches, t.HistoryFrom, t.HistoryTo, limitOf(0)); ok && page.NextEventID == 0 {
		t.History = page.Bytes
	}
}

// eventOf is an event from a run's tail; nil when it is not there.
func eventOf(batches []record.HistoryBatch, key engine.RunKey, eventID int64) (*historypb.HistoryEvent, error) {
	for _, b := range batches {
		if b.First <= eventID && eventID <= b.Last {
			ev, err := b.Event(eventID)
			if err != nil {
				return nil, damaged(key, err)
			}
			return ev, nil
		}
	}
	return nil, nil
}
