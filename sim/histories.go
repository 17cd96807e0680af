package main

import (
	"bytes"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// readHistory is a client that reads the history of a workflow's current run: all
// of it in pages, or backwards, or one event; or it waits for what comes next. It
// must be shown what is durable and no more, and all that was durable before it
// asked (I1, I2).
func (w *world) readHistory(id engine.ID) {
	how := w.chance.IntN(8)
	w.converse(w.between(time.Second, 2*time.Minute), func(c *caller, p *process) {
		var key engine.RunKey
		var last int64
		err := p.host.View(c, id, "", func(run *workflow.Run) { key, last = run.Key, run.Info.NextEventID-1 })
		if err != nil {
			return
		}
		switch how {
		case 0:
			w.readBackwards(c, p, key)
		case 1:
			w.readOneEvent(c, p, key, 1+w.chance.Int64N(last))
		case 2:
			w.followHistory(c, p, key, last)
		case 3:
			w.awaitClosing(c, p, key)
		case 4:
			w.readPages(c, p, key, last+1, 0)
		case 5:
			w.readPages(c, p, key, 1+w.chance.Int64N(last), last)
		default:
			w.readPages(c, p, key, 1, last)
		}
	})
}

// readPages reads the history from an event on; least is how far it goes at least.
func (w *world) readPages(c *caller, p *process, key engine.RunKey, from, least int64) {
	for size := 1 + w.chance.IntN(5); ; {
		page, err := p.host.History(c, key, from, 0, size)
		if err != nil {
			w.mayFail(c, key, "read the history of", err)
			return
		}
		var part historypb.History
		if err := proto.Unmarshal(page.Bytes, &part); err != nil {
			w.broken("a page of the history of %s from %d cannot be read: %v", short(key), from, err)
		}
		n := len(part.Events)
		if n > 0 {
			w.wasRead(key, part.Events, page.Bytes)
			if first := part.Events[0].EventId; first > from {
				w.broken("I2: a page of the history of %s from %d begins with %d", short(key), from, first)
			}
		}
		if page.NextEventID == 0 {
			if last := from + int64(n) - 1; n == 0 && from <= least || n > 0 && part.Events[n-1].EventId < least {
				w.broken("I2: the history of %s ends at %d, it had %d events before", short(key), last, least)
			}
			return
		}
		if n == 0 || page.NextEventID != part.Events[n-1].EventId+1 {
			w.broken("I2: a page of the history of %s from %d holds %d events and is followed by %d", short(key), from, n, page.NextEventID)
		}
		from = page.NextEventID
		if w.oneIn(3) { // a person who turns the pages
			c.sleep(w.between(0, 10*time.Second))
		}
	}
}

// readBackwards reads the history from its end.
func (w *world) readBackwards(c *caller, p *process, key engine.RunKey) {
	from, size := int64(0), 1+w.chance.IntN(5)
	for {
		events, next, err := p.host.HistoryReverse(c, key, from, size)
		if err != nil {
			w.mayFail(c, key, "read backwards the history of", err)
			return
		}
		slices.Reverse(events)
		w.wasRead(key, events, nil)
		switch {
		case len(events) == 0:
			w.broken("I2: backwards from %d the history of %s has nothing", from, short(key))
		case from > 0 && events[len(events)-1].EventId != from:
			w.broken("I2: backwards from %d the history of %s begins with %d", from, short(key), events[len(events)-1].EventId)
		case next != events[0].EventId-1:
			w.broken("I2: backwards the history of %s has event %d, and goes on with %d", short(key), events[0].EventId, next)
		case next == 0:
			return
		}
		from = next
	}
}

// readOneEvent reads one event where the state says it is, as is done for what is not kept there.
func (w *world) readOneEvent(c *caller, p *process, key engine.RunKey, id int64) {
	var batch int64
	for _, first := range sortedNumbers(w.disk.life(key).rows) {
		if first <= id {
			batch = first
		}
	}
	if batch == 0 {
		return // not looked at yet
	}
	ev, err := p.host.Event(c, key, batch, id)
	if err != nil {
		w.mayFail(c, key, "read an event of", err)
		return
	}
	if ev.EventId != id {
		w.broken("I2: asked for event %d of %s, got %d", id, short(key), ev.EventId)
	}
	w.wasRead(key, []*historypb.HistoryEvent{ev}, nil)
}

// followHistory waits for what comes after an event, and reads it.
func (w *world) followHistory(c *caller, p *process, key engine.RunKey, seen int64) {
	var next int64
	open := true
	err := p.host.Follow(c, nil, key, func(run *workflow.Run) bool { return run.Info.NextEventID > seen+1 }, func(run *workflow.Run) {
		next, open = run.Info.NextEventID, run.Open()
	})
	switch {
	case err != nil:
		w.mayFail(c, key, "follow", err)
	case next > seen+1:
		w.readPages(c, p, key, seen+1, next-1)
	case open:
		w.broken("a long poll of %s for what follows event %d is answered, and nothing does", short(key), seen)
	}
}

// awaitClosing waits for the closing event.
func (w *world) awaitClosing(c *caller, p *process, key engine.RunKey) {
	closed, err := p.host.Closing(c, nil, key)
	if err != nil {
		w.mayFail(c, key, "wait for the end of", err)
		return
	}
	var h historypb.History
	if err := proto.Unmarshal(closed.Event, &h); err != nil || len(h.Events) != 1 {
		w.broken("the closing event of %s: %d events, %v", short(key), len(h.Events), err)
	}
	w.wasRead(key, h.Events, closed.Event)
}

// wasRead: what a reader was shown is what the disk has at this moment, to the
// byte where encoded is what it was shown. The observer sees to it that this stays.
func (w *world) wasRead(key engine.RunKey, events []*historypb.HistoryEvent, encoded []byte) {
	first, last := events[0].EventId, events[len(events)-1].EventId
	durable := w.disk.history(w.present(), key, last)
	if len(durable) == 0 && w.disk.mayBeGone(key) {
		return
	}
	if int64(len(durable)) < last {
		w.broken("I1: a reader of %s was shown event %d, the disk has %d", short(key), last, len(durable))
	}
	for i, ev := range events {
		if want := first + int64(i); ev.EventId != want {
			w.broken("I2: a reader of %s was shown event %d in the place of %d", short(key), ev.EventId, want)
		}
		if !proto.Equal(ev, durable[ev.EventId-1]) {
			w.broken("I2: a reader of %s was shown as event %d\n%v\nthe disk has\n%v", short(key), ev.EventId, ev, durable[ev.EventId-1])
		}
	}
	if encoded != nil && !bytes.Equal(encoded, w.disk.bytes(w.present(), key, first, last)) {
		w.broken("I2: a reader of %s was shown other bytes of the events %d to %d than the disk has", short(key), first, last)
	}
}

// mayFail: a read is refused for want of a server, or of the run.
func (w *world) mayFail(c *caller, key engine.RunKey, what string, err error) {
	switch {
	case c.Err() != nil, unclear(err), engine.KindOf(err) == engine.KindStorageFull: // that is how a shard ends whose disk is full
	case engine.KindOf(err) == engine.KindNotFound:
		if w.disk.state(w.present(), key) != nil && !w.disk.mayBeGone(key) {
			w.broken("%s %s: %v, and it is there", what, short(key), err)
		}
	default:
		w.broken("%s %s: %v", what, short(key), err)
	}
}

// sleep lets time pass for the caller.
func (c *caller) sleep(d time.Duration) {
	over := false
	c.world.after(d, func() { over = true })
	c.Until(func() bool { return over })
}
