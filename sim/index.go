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
	waiting, unsynced []fedEntry
	// seen is how the runs were on the disk when that changed last.
	seen map[engine.RunKey]seen
}

// fedEntry is a change, and the process it came from: nobody else is told that it
// was taken in.
type fedEntry struct {
	shard.FeedEntry
	from *process
}

func newIndex(w *world) *index {
	return &index{world: w, rows: map[engine.RunKey]*engine.VisibilityRecord{}, synced: map[engine.RunKey]*engine.VisibilityRecord{},
		seen: map[engine.RunKey]seen{}}
}

// Append implements shard.Feed.
func (p *process) Append(entries []shard.FeedEntry) {
	x := p.world.index
	for _, e := range entries {
		x.waiting = append(x.waiting, fedEntry{e, p})
	}
	x.after(x.between(0, 500*time.Millisecond), p.living(func() {
		x.flush()
		x.after(x.between(0, 500*time.Millisecond), p.living(x.sync))
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

// sync makes what was taken in last, and says so to those it came from.
func (x *index) sync() {
	for len(x.unsynced) > 0 {
		from := x.unsynced[0].from
		var positions []shard.FeedPosition
		var others []fedEntry
		for _, e := range x.unsynced {
			if e.from != from {
				others = append(others, e)
				continue
			}
			take(x.synced, e.Record)
			positions = append(positions, shard.FeedPosition{Slot: e.Slot, Seq: e.Seq})
		}
		x.unsynced = others
		if !from.dead {
			from.host.FeedDone(positions)
		}
	}
}

// crash undoes what was not synced.
func (x *index) crash() {
	x.rows, x.waiting, x.unsynced = maps.Clone(x.synced), nil, nil
	clear(x.seen)
}
