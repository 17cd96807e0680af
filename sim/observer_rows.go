package main

import (
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

// history reads the events of a run from the disk, up to and including to.
func (o *observer) history(img *memstore.Image, run engine.RunKey, to int64) []*historypb.HistoryEvent {
	var all []*historypb.HistoryEvent
	from, until := record.HistoryRows(run, 0, to+1)
	for _, value := range img.Range(from, until) {
		all = append(all, o.decoded(value).events...)
	}
	return all[:min(int64(len(all)), to)]
}

// bytes reads the events first to last of a run from the disk as they are encoded.
func (o *observer) bytes(img *memstore.Image, run engine.RunKey, first, last int64) (encoded []byte) {
	from, to := record.HistoryRows(run, 0, last+1)
	for _, value := range img.Range(from, to) {
		batch, err := record.OpenHistory(value)
		o.must(err)
		if batch.Last >= first {
			encoded = append(encoded, batch.Range(max(first, batch.First), min(last, batch.Last))...)
		}
	}
	return encoded
}

// decoded is what a history row says. A row is read as often as somebody is
// given its events, and stays the same slice of bytes on every image of the disk.
func (o *observer) decoded(value []byte) decodedRow {
	if row, ok := o.rows[&value[0]]; ok {
		return row
	}
	batch, err := record.OpenHistory(value)
	o.must(err)
	events, err := batch.Events()
	o.must(err)
	row := decodedRow{batch.First, events}
	o.rows[&value[0]] = row
	return row
}

type decodedRow struct {
	first  int64
	events []*historypb.HistoryEvent
}

// addState adds the state of a run that is on the disk; false when there is none.
func addState(img *memstore.Image, run engine.RunKey, loader interface{ Add(store.Entry) }) bool {
	begin := record.BeginKey(run)
	value, ok := img.Get(begin)
	if !ok {
		return false
	}
	loader.Add(store.Entry{Key: begin, Value: value})
	for key, value := range img.Range(record.StateRows(run)) {
		loader.Add(store.Entry{Key: key, Value: value})
	}
	return true
}

// state reads the state of a run from the disk; nil when there is none.
func (o *observer) state(img *memstore.Image, run engine.RunKey) *workflow.Run {
	loader := record.NewLoader(run)
	if !addState(img, run, loader) {
		return nil
	}
	state, err := loader.Run()
	o.must(err)
	return state
}

// sameRows reports whether no row was written in between: a row that was is
// another slice of bytes, also when it says the same.
func sameRows(a, b []store.Entry) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if len(a[i].Value) != len(b[i].Value) || len(a[i].Value) > 0 && &a[i].Value[0] != &b[i].Value[0] {
			return false
		}
	}
	return true
}
