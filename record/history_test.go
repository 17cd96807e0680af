package record

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/store"
)

// The rows of consecutive batches are, one after another, an encoded History;
// and each event can be cut out alone.
func TestHistoryRows(t *testing.T) {
	f := &filler{rnd: rand.New(rand.NewPCG(1, 4))}
	var all []*historypb.HistoryEvent
	var concatenated []byte
	for _, n := range []int{1, 3, 200} {
		batch := events(f, int64(len(all))+1, n)
		all = append(all, batch...)
		row := EncodeHistory(batch)
		h, err := OpenHistory(row)
		if err != nil {
			t.Fatal(err)
		}
		if h.First != batch[0].EventId || h.Last != batch[n-1].EventId {
			t.Errorf("bounds %d..%d, want %d..%d", h.First, h.Last, batch[0].EventId, batch[n-1].EventId)
		}
		b, err := HistoryBytes(row)
		if err != nil || !bytes.Equal(b, h.Bytes) {
			t.Errorf("HistoryBytes differs: %v", err)
		}
		concatenated = append(concatenated, b...)
		for _, want := range batch {
			got, err := HistoryEvent(row, want.EventId)
			if err != nil || !proto.Equal(got, want) {
				t.Errorf("event %d: %v, %v", want.EventId, got, err)
			}
		}
		equal(t, h.Range(h.First, h.Last), batch)
		equal(t, h.Range(0, 1<<60), batch)
		equal(t, h.Range(h.First+1, h.Last), batch[1:])
		equal(t, h.Range(h.First, h.Last-1), batch[:n-1])
		for _, id := range []int64{0, h.First - 1, h.Last + 1} {
			if _, err := h.Event(id); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("event %d outside the batch: %v", id, err)
			}
		}
	}
	equal(t, concatenated, all)
}

func equal(t *testing.T, b []byte, want []*historypb.HistoryEvent) {
	t.Helper()
	var h historypb.History
	if err := proto.Unmarshal(b, &h); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(&h, &historypb.History{Events: want}) {
		t.Errorf("%d events differ from the %d expected", len(h.Events), len(want))
	}
}

// The beginning of a row is a row.
func TestHistoryBefore(t *testing.T) {
	fill := &filler{rnd: rand.New(rand.NewPCG(3, 4)), skip: notStored}
	all := events(fill, 5, 4)
	h, err := OpenHistory(EncodeHistory(all))
	if err != nil {
		t.Fatal(err)
	}
	for id := h.First + 1; id <= h.Last+1; id++ {
		if got, want := h.Before(id), EncodeHistory(all[:id-h.First]); !bytes.Equal(got, want) {
			t.Errorf("before event %d: %x, want %x", id, got, want)
		}
	}
}

// Contents that a checksum cannot catch, because they were written so, are
// refused: sizes that do not add up, ids that do not follow one another
// (invariant I2).
func TestHistoryContentIsChecked(t *testing.T) {
	event, err := proto.Marshal(&historypb.History{Events: []*historypb.HistoryEvent{{EventId: 7}}})
	if err != nil {
		t.Fatal(err)
	}
	row := func(first, count uint64, events []byte, sizes ...uint64) []byte {
		b := seal(nil, kindHistory)
		for _, n := range append([]uint64{first, count}, sizes...) {
			b = protowire.AppendVarint(b, n)
		}
		return closeSeal(append(b, events...))
	}
	size := uint64(len(event))
	if _, err := HistoryEvent(row(7, 1, event, size), 7); err != nil {
		t.Fatalf("the good row: %v", err)
	}
	for name, bad := range map[string][]byte{
		"an event of another id": row(8, 1, event, size),
		"no event":               row(7, 0, nil),
		"event zero":             row(0, 1, event, size),
		"a size too small":       row(7, 1, event, size-1),
		"a size too large":       row(7, 1, event, size+1),
		"a huge size":            row(7, 2, event, 1<<63, 1<<63+size),
		"a huge count":           row(7, 1<<62, event, size),
		"an event in two":        row(7, 2, event, 1, size-1),
	} {
		h, err := OpenHistory(bad)
		if err == nil {
			_, err = h.Event(h.First)
		}
		if !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
