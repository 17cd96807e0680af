package record

import (
	"encoding/binary"
	"slices"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine/event"
)

// eventsField is the number of History.events: each event of a batch lies as
// that field, so that batches one after another are a History.
const eventsField = 1

// EncodeHistory is the value under HistoryKey for one batch. Events have
// consecutive ids; a batch is never empty. Content:
//
//	first event id   varint
//	count            varint
//	size of each     count varints: bytes of the event with its tag and length
//	events           an encoded historypb.History
func EncodeHistory(events []*historypb.HistoryEvent) []byte {
	w := writers.Get().(*event.Writer)
	w.Bytes(make([]byte, tailSize)...)
	var few [8]int // nearly always enough, and no allocation
	sizes := few[:0]
	for _, ev := range slices.Backward(events) {
		sizes = append(sizes, w.Event(eventsField, ev))
	}
	for _, size := range sizes {
		w.Varint(uint64(size))
	}
	w.Varint(uint64(len(events)))
	w.Varint(uint64(events[0].EventId))
	w.Bytes(formatVersion, byte(kindHistory))
	row := w.Take()
	writers.Put(w)
	return closeSeal(row[:len(row)-tailSize])
}

// writers are used again, with their buffers. A row is written from its end to its
// beginning: sizing events before they are written took half as long as writing.
var writers = sync.Pool{New: func() any { return new(event.Writer) }}

// HistoryBatch is a history row taken apart as far as needed: nothing of an event
// is decoded until it is asked for. It shares the bytes of the row.
type HistoryBatch struct {
	First, Last int64 // event ids
	// Bytes is an encoded historypb.History. Those of consecutive batches, one
	// after another, are one too.
	Bytes []byte
	// sizes is the table of the events' sizes, count varints. Checked when
	// opened: they add up to len(Bytes).
	sizes []byte
}

// OpenHistory checks a history row. The errors wrap store.ErrCorrupt.
func OpenHistory(row []byte) (HistoryBatch, error) {
	content, err := unseal(row, kindHistory)
	if err != nil {
		return HistoryBatch{}, err
	}
	c := coder{b: content, reading: true}
	first, count := int64(c.varint()), c.varint()
	// A size takes a byte at least, so that a count beyond that is nonsense and
	// must not keep us counting.
	if c.err != nil || first < 1 || count < 1 || count > uint64(len(c.b)) {
		return HistoryBatch{}, corrupt("history batch of %d events from %d", count, first)
	}
	table := c.b
	total := uint64(0)
	for range count {
		size := c.varint()
		if size > uint64(len(content)) {
			return HistoryBatch{}, corrupt("history batch from event %d: an event of %d bytes", first, size)
		}
		total += size
	}
	if c.err != nil || total != uint64(len(c.b)) {
		return HistoryBatch{}, corrupt("history batch from event %d: events of %d bytes in %d", first, total, len(c.b))
	}
	return HistoryBatch{
		First: first,
		Last:  first + int64(count) - 1,
		Bytes: c.b,
		sizes: table[:len(table)-len(c.b)],
	}, nil
}

// Range cuts out the events from..to, both inclusive, as an encoded
// historypb.History. Ids outside the batch are ignored.
func (h HistoryBatch) Range(from, to int64) []byte {
	return h.Bytes[h.offset(from):h.offset(to+1)]
}

// offset is where the event begins in Bytes.
func (h HistoryBatch) offset(eventID int64) int {
	if eventID > h.Last {
		return len(h.Bytes)
	}
	at, table := 0, h.sizes
	for id := h.First; id < eventID; id++ {
		size, n := protowire.ConsumeVarint(table)
		table = table[n:]
		at += int(size)
	}
	return at
}

// Before is the row of the events before the one given, of which there is one at
// least. It is a copy.
func (h HistoryBatch) Before(eventID int64) []byte {
	events := h.Range(h.First, eventID-1)
	rest := h.sizes
	for range eventID - h.First {
		_, n := protowire.ConsumeVarint(rest)
		rest = rest[n:]
	}
	sizes := h.sizes[:len(h.sizes)-len(rest)]
	b := seal(make([]byte, 0, headSize+tailSize+2*binary.MaxVarintLen64+len(sizes)+len(events)), kindHistory)
	b = protowire.AppendVarint(b, uint64(h.First))
	b = protowire.AppendVarint(b, uint64(eventID-h.First))
	return closeSeal(append(append(b, sizes...), events...))
}

// Event decodes one event.
func (h HistoryBatch) Event(eventID int64) (*historypb.HistoryEvent, error) {
	if eventID < h.First || eventID > h.Last {
		return nil, corrupt("event %d is not in the batch %d to %d", eventID, h.First, h.Last)
	}
	events, err := decodeEvents(h.Range(eventID, eventID), eventID)
	if err != nil {
		return nil, err
	}
	return events[0], nil
}

// Events decodes the whole batch.
func (h HistoryBatch) Events() ([]*historypb.HistoryEvent, error) {
	return decodeEvents(h.Bytes, h.First)
}

// decodeEvents decodes a History whose ids run on from first.
func decodeEvents(b []byte, first int64) ([]*historypb.HistoryEvent, error) {
	var h historypb.History
	if err := proto.Unmarshal(b, &h); err != nil {
		return nil, corrupt("event %d and following: %v", first, err)
	}
	for i, ev := range h.Events {
		if ev.EventId != first+int64(i) {
			return nil, corrupt("event %d where %d belongs", ev.EventId, first+int64(i))
		}
	}
	if len(h.Events) == 0 {
		return nil, corrupt("no event %d", first)
	}
	return h.Events, nil
}

// HistoryBytes is the encoded historypb.History in a history row. It shares the
// row's bytes.
func HistoryBytes(row []byte) ([]byte, error) {
	h, err := OpenHistory(row)
	return h.Bytes, err
}

// HistoryEvent decodes one event of a history row.
func HistoryEvent(row []byte, eventID int64) (*historypb.HistoryEvent, error) {
	h, err := OpenHistory(row)
	if err != nil {
		return nil, err
	}
	return h.Event(eventID)
}
