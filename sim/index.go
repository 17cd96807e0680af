package main

import (
	"maps"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/shard"
)

// index is the visibility index: it takes changes in a little later than it is
// given them, in transactions, some of which a crash undoes, and acknowledges
// what is not undone any more.
type index struct {
	*world
	// rows are what a list shows, synced what a crash leaves of them.
	rows, synced map[engine.RunKey]*engine.VisibilityRecord
	// waiting are changes that were given and not taken in, unsynced those taken
	// in that a crash would undo. In the order they were given.
	waiting, unsynced []shard.FeedEntry
	// seen is how the runs were on the disk when that changed last.
	seen map[engine.RunKey]seen
}

func newIndex(w *world) *index {
	return &index{world: w, rows: map[engine.RunKey]*engine.VisibilityRecord{}, synced: map[engine.RunKey]*engine.VisibilityRecord{},
		seen: map[engine.RunKey]seen{}}
}

// Append implements shard.Feed.
func (p *process) Append(entries []shard.FeedEntry) {
	x := p.world.index
	x.waiting = append(x.waiting, entries...)
	x.after(x.between(0, 500*time.Millisecond), p.living(func() {
		x.flush()
		x.after(x.between(0, 500*time.Millisecond), p.living(func() { x.sync(p) }))
	}))
}

// flush takes in all that waits, as whoever lists asks for.
func (x *index) flush() {
	for _, e := range x.waiting {
		take(x.rows, e.Record)
	}
	x.unsynced = append(x.unsynced, x.waiting...)
	x.waiting = nil
}

// take puts a row in, unless there is a later one of the run.
func take(rows map[engine.RunKey]*engine.VisibilityRecord, v *engine.VisibilityRecord) {
	if old := rows[v.Run]; old == nil || old.Version < v.Version {
		rows[v.Run] = v
	}
}

// sync makes what was taken in last, and says so.
func (x *index) sync(p *process) {
	var positions []shard.FeedPosition
	for _, e := range x.unsynced {
		take(x.synced, e.Record)
		positions = append(positions, shard.FeedPosition{Slot: e.Slot, Seq: e.Seq})
	}
	x.unsynced = nil
	p.host.FeedDone(positions)
}

// crash undoes what was not synced.
func (x *index) crash() {
	x.rows, x.waiting, x.unsynced = maps.Clone(x.synced), nil, nil
	clear(x.seen)
}
