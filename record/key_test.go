package record_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// The slot of an id is part of the format: these values never change.
func TestSlotOfIsStable(t *testing.T) {
	for _, c := range []struct {
		id   engine.ID
		slot store.Slot
	}{
		{engine.ID{}, 1645},
		{engine.ID{NamespaceID: "32049b68-7872-4094-8e63-d0dd59896a83", Archetype: 1, Name: "order-7"}, 1693},
		{engine.ID{NamespaceID: "32049b68-7872-4094-8e63-d0dd59896a83", Archetype: 2, Name: "order-7"}, 2268},
		{engine.ID{NamespaceID: "n", Archetype: 1, Name: "order-8"}, 2269},
		{engine.ID{NamespaceID: "n", Archetype: 1, Name: "\x00ü"}, 2505},
	} {
		if got := record.SlotOf(c.id); got != c.slot {
			t.Errorf("SlotOf(%q) = %d, want %d", c.id, got, c.slot)
		}
	}
}

// Ids that count upwards spread over the slots about as chance would have it.
func TestSlotsSpread(t *testing.T) {
	const perSlot = 16
	var counts [store.Slots]int
	for i := range store.Slots * perSlot {
		counts[record.SlotOf(engine.ID{NamespaceID: "n", Archetype: 1, Name: fmt.Sprint("order-", i)})]++
	}
	chi := 0.0
	for _, n := range counts {
		d := float64(n - perSlot)
		chi += d * d / perSlot
	}
	// For 4095 degrees of freedom the statistic has mean 4095 and a standard
	// deviation of about 90.
	if chi < 4095-600 || chi > 4095+600 {
		t.Errorf("chi-squared %.0f, want about 4095", chi)
	}
}

// text draws strings that tempt an escaping: zero bytes, the escape's own
// second bytes, prefixes of one another.
func text(name string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		var b strings.Builder
		for _, r := range rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 'a', 'b', 0xfe, 0xff}), 0, 6).Draw(t, name) {
			b.WriteByte(r)
		}
		return b.String()
	})
}

// uniqueID draws ids as namespaces and runs have them, and what is nearly one.
func uniqueID(name string) *rapid.Generator[string] {
	return rapid.OneOf(text(name), rapid.SampledFrom([]string{
		"00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-0000000000ff", "ffffffff-ffff-ffff-ffff-ffffffffffff",
		"FFFFFFFF-ffff-ffff-ffff-ffffffffffff", "ffffffffffffffffffffffffffffffff", "fffffff--ffff-ffff-ffff-ffffffffffff",
		"gfffffff-ffff-ffff-ffff-ffffffffffff", "ffffffff-ffff-ffff-ffff-fffffffffff", "ffffffff+ffff-ffff-ffff-ffffffffffff",
	}))
}

func runKey(t *rapid.T) engine.RunKey {
	return engine.RunKey{ID: engine.ID{
		NamespaceID: uniqueID("namespace").Draw(t, "namespace"),
		Archetype:   engine.Archetype(rapid.ByteRange(0, 3).Draw(t, "archetype")),
		Name:        text("id").Draw(t, "id"),
	}, RunID: uniqueID("run").Draw(t, "run")}
}

func instant(t *rapid.T) time.Time {
	return time.Unix(rapid.Int64Range(-1e12, 1e12).Draw(t, "seconds"), rapid.Int64Range(0, 999999999).Draw(t, "nanos")).UTC()
}

func task(t *rapid.T) *engine.Task {
	return &engine.Task{
		Queue: engine.TaskQueue{
			NamespaceID: uniqueID("queue namespace").Draw(t, "queue namespace"),
			Name:        text("queue").Draw(t, "queue"),
			Type:        enumspb.TaskQueueType(rapid.IntRange(0, 3).Draw(t, "type")),
			Sticky:      rapid.Bool().Draw(t, "sticky"),
			NormalName:  text("normal").Draw(t, "normal"),
		},
		Run:      runKey(t),
		EventID:  rapid.Int64().Draw(t, "event"),
		Stamp:    rapid.Int64().Draw(t, "stamp"),
		Order:    instant(t),
		Priority: int32(rapid.IntRange(1, 5).Draw(t, "priority")),
	}
}

func compareRuns(a, b engine.RunKey) int {
	return cmp.Or(compareIDs(a.NamespaceID, b.NamespaceID), cmp.Compare(a.Archetype, b.Archetype),
		cmp.Compare(a.Name, b.Name), compareIDs(a.RunID, b.RunID))
}

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// compareIDs: UUIDs come after everything else.
func compareIDs(a, b string) int {
	if uuidA, uuidB := uuidForm.MatchString(a), uuidForm.MatchString(b); uuidA != uuidB {
		if uuidA {
			return 1
		}
		return -1
	}
	return cmp.Compare(a, b)
}

// Every key can be taken apart again, and names compare bytewise as what they
// stand for compares field by field.
func TestKeysRoundTripInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := runKey(t), runKey(t)
		if rapid.Bool().Draw(t, "same run") {
			b = a
		}
		firstA, firstB := rapid.Int64().Draw(t, "first a"), rapid.Int64().Draw(t, "first b")
		dueA, dueB := instant(t), instant(t)

		id, err := record.ParseCurrentKey(record.CurrentKey(a.ID))
		same(t, "current", id, a.ID, err)
		run, first, err := record.ParseHistoryKey(record.HistoryKey(a, firstA))
		same(t, "history run", run, engine.RunKey{RunID: a.RunID}, err)
		same(t, "history event", first, firstA, err)
		due, run, err := record.ParseDeadlineKey(record.DeadlineKey(dueA, a))
		same(t, "deadline run", run, a, err)
		same(t, "deadline due", due, dueA, err)
		offer := task(t)
		parsed, err := record.ParseTaskKey(record.TaskKey(offer))
		same(t, "task", parsed, offer, err)
		kind, name, err := record.ParseMetaKey(record.MetaKey(0, a.Name, a.RunID))
		same(t, "meta kind", kind, a.Name, err)
		same(t, "meta name", name, a.RunID, err)

		ordered(t, "history", record.HistoryKey(a, firstA), record.HistoryKey(b, firstB),
			cmp.Or(compareIDs(a.RunID, b.RunID), cmp.Compare(firstA, firstB)))
		ordered(t, "deadline", record.DeadlineKey(dueA, a), record.DeadlineKey(dueB, b),
			cmp.Or(dueA.Compare(dueB), compareRuns(a, b)))
		ordered(t, "outbox", record.OutboxKey(1, uint64(firstA)), record.OutboxKey(1, uint64(firstB)),
			cmp.Compare(uint64(firstA), uint64(firstB)))
	})
}

// Tasks of one queue lie in the order they are to be handed out.
func TestTaskOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := task(t), task(t)
		b.Queue = a.Queue
		ordered(t, "task", record.TaskKey(a), record.TaskKey(b), cmp.Or(
			cmp.Compare(a.Priority, b.Priority), a.Order.Compare(b.Order), compareRuns(a.Run, b.Run),
			cmp.Compare(a.EventID, b.EventID), cmp.Compare(a.Stamp, b.Stamp)))
	})
}

// The bounds of a run, id, queue or kind hold its own rows and no other's.
func TestBoundsHoldOwnRowsOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := runKey(t), runKey(t)
		n := rapid.Int64Range(0, math.MaxInt64).Draw(t, "event")
		lower, upper := record.HistoryRows(a, 0, math.MaxInt64)
		holds(t, "history", lower, upper, record.HistoryKey(b, n), a.RunID == b.RunID && n < math.MaxInt64)
		a.Archetype, b.Archetype = 1, 1
		from, to := record.BeginRowsOf(a.ID)
		holds(t, "begin", from, to, record.BeginKey(b), a.ID == b.ID)
		from, to = record.BeginRows(0)
		holds(t, "begins", from, to, record.BeginKey(a), true)
		holds(t, "no begin", from, to, record.StateKey{Run: a, Part: record.PartInfo}.Key(), false)
		from, to = record.StateRows(a)
		holds(t, "state", from, to, record.StateKey{Run: b, Part: record.PartInfo}.Key(), a.RunID == b.RunID)
		holds(t, "state", from, to, record.BeginKey(a), false)

		own, other := task(t), task(t)
		from, to = record.TaskRows(record.SlotOf(other.Run.ID), own.Queue)
		holds(t, "task", from, to, record.TaskKey(other), own.Queue == other.Queue)
		other.Queue = own.Queue
		holds(t, "own task", from, to, record.TaskKey(other), true)

		from, to = record.MetaRows(7, a.Name)
		holds(t, "meta", from, to, record.MetaKey(7, b.Name, b.RunID), a.Name == b.Name)
		holds(t, "own meta", from, to, record.MetaKey(7, a.Name, b.RunID), true)
	})
}

// A deadline window of a slot is half open.
func TestDeadlineRows(t *testing.T) {
	run := engine.RunKey{ID: engine.ID{NamespaceID: "n", Archetype: 1, Name: "a"}, RunID: "r"}
	at := time.Unix(100, 5)
	from, to := record.DeadlineRows(record.SlotOf(run.ID), at, at.Add(2))
	for offset, want := range map[time.Duration]bool{-1: false, 0: true, 1: true, 2: false} {
		key := record.DeadlineKey(at.Add(offset), run)
		if got := within(from, to, key); got != want {
			t.Errorf("a deadline %v from the start of the window: inside is %v", offset, got)
		}
	}
}

// A row of the feed names a run, or a number if an older release wrote it.
func TestParseFeedKey(t *testing.T) {
	for _, want := range []engine.RunKey{
		{ID: engine.ID{Archetype: 1}},
		{ID: engine.ID{NamespaceID: "n\x00", Archetype: 2, Name: "a"}, RunID: "r"},
		{ID: engine.ID{NamespaceID: "0d5ec7a1-5b6e-4f0f-9a55-111111111111", Archetype: 1}, RunID: "0d5ec7a1-5b6e-4f0f-9a55-222222222222"},
	} {
		got, sequence, err := record.ParseFeedKey(record.FeedKey(want))
		if err != nil || got != want || sequence != 0 {
			t.Errorf("%v was read as %v, %d, %v", want, got, sequence, err)
		}
	}
	for _, want := range []uint64{1, record.FirstSequence(1), record.FirstSequence(1 << 24), math.MaxUint64} {
		run, sequence, err := record.ParseFeedKey(record.NumberedFeedKey(3, want))
		if err != nil || run != (engine.RunKey{}) || sequence != want {
			t.Errorf("%d was read as %v, %d, %v", want, run, sequence, err)
		}
	}
}

// Names that nobody wrote are refused, whatever they are.
func FuzzParseKeys(f *testing.F) {
	key := engine.RunKey{ID: engine.ID{NamespaceID: "n\x00", Archetype: 1, Name: "a"}, RunID: "r"}
	f.Add(record.HistoryKey(key, 1).Name)
	f.Add(record.DeadlineKey(time.Unix(1, 2), key).Name)
	f.Add(record.TaskKey(&engine.Task{Run: key}).Name)
	f.Add([]byte{0, 2, 0, 1})
	f.Fuzz(func(t *testing.T, name []byte) {
		id, err := record.ParseCurrentKey(store.Key{Family: store.FamilyCurrent, Name: name})
		again(t, name, record.CurrentKey(id), err)
		run, first, err := record.ParseHistoryKey(store.Key{Family: store.FamilyHistory, Name: name})
		if run.ID == (engine.ID{}) { // else a name of format 1
			again(t, name, record.HistoryKey(run, first), err)
		}
		due, run, err := record.ParseDeadlineKey(store.Key{Family: store.FamilyDeadline, Name: name})
		again(t, name, record.DeadlineKey(due, run), err)
		_, _, err = record.ParseOutboxKey(store.Key{Family: store.FamilyOutbox, Name: name})
		corruptOrNil(t, err)
		run, sequence, err := record.ParseFeedKey(store.Key{Family: store.FamilyFeed, Name: name})
		if sequence != 0 {
			again(t, name, record.NumberedFeedKey(0, sequence), err)
		} else {
			again(t, name, record.FeedKey(run), err)
		}
		_, err = record.ParseTaskKey(store.Key{Family: store.FamilyTask, Name: name})
		corruptOrNil(t, err)
		kind, n, err := record.ParseMetaKey(store.Key{Family: store.FamilyMeta, Name: name})
		again(t, name, record.MetaKey(0, kind, n), err)
		part, err := record.ParseStateKey(store.Key{Family: store.FamilyState, Name: name})
		if corruptOrNil(t, err); err == nil && (part.Run.ID == (engine.ID{}) || part.Part == record.PartStart) {
			again(t, name, part.Key(), err)
		}
		now, _, err := record.Renamed(store.Key{Family: store.FamilyState, Name: name})
		if corruptOrNil(t, err); err == nil {
			twice, was, err := record.Renamed(now)
			if err != nil || was || !bytes.Equal(twice.Name, now.Name) {
				t.Errorf("%x is renamed %x, and that %x, %t, %v", name, now.Name, twice.Name, was, err)
			}
		}
	})
}

func again(t *testing.T, name []byte, key store.Key, err error) {
	t.Helper()
	corruptOrNil(t, err)
	if err == nil && !bytes.Equal(key.Name, name) {
		t.Errorf("family %d: %x was taken for %x", key.Family, name, key.Name)
	}
}

func corruptOrNil(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("error %v does not wrap ErrCorrupt", err)
	}
}

func same(t *rapid.T, what string, got, want any, err error) {
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: %+v, %v; want %+v", what, got, err, want)
	}
}

func ordered(t *rapid.T, what string, a, b store.Key, want int) {
	if got := bytes.Compare(a.Name, b.Name); got != want {
		t.Fatalf("%s: names compare %d, what they stand for %d\n%x\n%x", what, got, want, a.Name, b.Name)
	}
}

func within(from, to, key store.Key) bool {
	return bytes.Compare(from.Name, key.Name) <= 0 && bytes.Compare(key.Name, to.Name) < 0
}

func holds(t *rapid.T, what string, from, to, key store.Key, want bool) {
	if got := within(from, to, key); got != want {
		t.Fatalf("%s: %x in [%x, %x) is %v, want %v", what, key.Name, from.Name, to.Name, got, want)
	}
}
