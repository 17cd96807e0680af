package record

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/store"
)

// seeds gives a fuzz target a value of each kind, with and without envelope.
func seeds(f *testing.F) {
	fill := &filler{rnd: rand.New(rand.NewPCG(1, 5)), skip: notStored}
	t := new(testing.T)
	for name, c := range codecs {
		v := c.zero()
		fill.fields(t, name, reflect.ValueOf(v).Elem())
		value := c.encode(v)
		f.Add(value)
		f.Add(value[headSize : len(value)-tailSize])
	}
	row := EncodeHistory(events(fill, 1, 3))
	f.Add(row)
	f.Add(row[headSize : len(row)-tailSize])
	f.Add(EncodeMeta(map[int]string{1: "a"}, durationpb.New(1)))
}

// Whatever lies in the store, a decoder answers with a record or with an error
// that says corrupt. The bytes are tried as they come, and as the content of a
// sound envelope, where no checksum protects the decoder.
func FuzzDecode(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, c := range codecs {
			_, err := c.decode(b)
			check(t, name, err)
			v, err := c.decode(wrap(c, b))
			if err != nil {
				check(t, name, err)
				continue
			}
			// What was accepted is written and read again as the same.
			if _, err := c.decode(c.encode(v)); err != nil {
				t.Errorf("%s: %x was read, and not again: %v", name, b, err)
			}
		}
	})
}

// wrap puts content into an envelope of c's kind.
func wrap(c codec, content []byte) []byte {
	empty := c.encode(c.zero())
	return closeSeal(append(bytes.Clone(empty[:headSize]), content...))
}

// History rows, meta values and whole runs, likewise.
func FuzzDecodeOthers(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, k := range []kind{kindHistory, kindMeta, kind(PartMemo), kind(PartBuffered)} {
			value := closeSeal(append(seal(nil, k), b...))
			for _, v := range [][]byte{b, value} {
				history(t, v)
				_, err := DecodeMeta(v, new(durationpb.Duration), new(historypb.History))
				check(t, "meta", err)
				key := engine.RunKey{RunID: "r"}
				for _, part := range []Part{PartMemo, PartSearchAttributes, PartBuffered} {
					_, err = LoadRun(key, []store.Entry{{Key: StateKey{Run: key, Part: part}.Key(), Value: v}})
					check(t, "run", err)
				}
			}
		}
	})
}

func history(t *testing.T, row []byte) {
	h, err := OpenHistory(row)
	if check(t, "history", err); err != nil {
		return
	}
	evs, err := h.Events()
	check(t, "events", err)
	for _, ev := range evs {
		got, err := h.Event(ev.EventId)
		if err != nil {
			check(t, "event", err)
		} else if !proto.Equal(got, ev) {
			t.Errorf("event %d differs when cut out", ev.EventId)
		}
	}
	h.Range(h.First, h.Last)
}

func check(t *testing.T, what string, err error) {
	t.Helper()
	// A later format version is the one other error.
	if err != nil && !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, ErrLater) {
		t.Errorf("%s: %v does not wrap ErrCorrupt", what, err)
	}
}
