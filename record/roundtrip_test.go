package record

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/internal/invariant"
	"github.com/perdure/perdure/store"
)

// codec is one kind of value, for tests of all of them.
type codec struct {
	zero   func() any
	encode func(any) []byte
	decode func([]byte) (any, error)
}

func codecOf[T any](encode func(*T) []byte, decode func([]byte) (*T, error)) codec {
	return codec{
		zero:   func() any { return new(T) },
		encode: func(v any) []byte { return encode(v.(*T)) },
		decode: func(b []byte) (any, error) { return decode(b) },
	}
}

func partCodec[T any](part Part, fields func(*coder, *T)) codec {
	return codecOf(
		func(v *T) []byte { return encode(kind(part), v, fields) },
		func(b []byte) (*T, error) { return decode(kind(part), b, fields) })
}

// codecs are all values but history rows and plain messages.
var codecs = map[string]codec{
	"start":    partCodec(PartStart, startFields),
	"info":     partCodec(PartInfo, infoFields),
	"activity": partCodec(PartActivity, activityFields),
	"timer":    partCodec(PartTimer, timerFields),
	"child":    partCodec(PartChild, childFields),
	"signal":   partCodec(PartSignal, externalFields),
	"cancel":   partCodec(PartCancel, externalFields),
	"request":  partCodec(PartRequest, requestFields),
	"update":   partCodec(PartUpdate, updateFields),
	"callback": partCodec(PartCallback, callbackFields),
	"current":  codecOf(EncodeCurrent, DecodeCurrent),

	"alone-start":      partCodec(PartAloneStart, aloneStartFields),
	"alone-info":       partCodec(PartAloneInfo, aloneInfoFields),
	"alone-activity":   partCodec(PartAloneActivity, activityFields),
	"alone-attachment": partCodec(PartAloneAttachment, attachmentFields),
	"task":             codecOf(EncodeTask, DecodeTask),
	"message":          codecOf(EncodeMessage, DecodeMessage),
	"visibility":       codecOf(EncodeVisibility, DecodeVisibility),
}

// notStored are the fields that are deliberately left out, with the reason.
var notStored = map[string]bool{
	"Task.Volatile":        true, // such a task has no row
	"Message.Event":        true, // read from the sender's history when needed
	"State.HeartbeatFloor": true, // the time of loading
}

// Every field of every stored struct comes back as it was. A field that was
// added and forgotten here fails with its name.
func TestEveryFieldRoundTrips(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(codecs)) {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(50) {
				f := &filler{rnd: rand.New(rand.NewPCG(seed, 1)), sparse: seed%2 == 1, skip: notStored}
				c := codecs[name]
				wrote := c.zero()
				f.fields(t, name, reflect.ValueOf(wrote).Elem())
				value := c.encode(wrote)
				read, err := c.decode(value)
				if err != nil {
					t.Fatal(err)
				}
				compare(t, name, reflect.ValueOf(wrote), reflect.ValueOf(read))
				if !bytes.Equal(c.encode(read), value) {
					t.Error("what was read encodes to other bytes")
				}
				if t.Failed() {
					t.FailNow()
				}
			}
		})
	}
}

// A pointer to an empty struct or message is not the same as none.
func TestPresenceOfTheEmpty(t *testing.T) {
	wrote := &workflow.Info{Sticky: &workflow.Sticky{}, Task: nil}
	read, err := decode(kind(PartInfo), encode(kind(PartInfo), wrote, infoFields), infoFields)
	if err != nil || read.Sticky == nil || read.Task != nil {
		t.Errorf("read %+v, %v", read, err)
	}
	state := &activity.State{HeartbeatDetails: &commonpb.Payloads{}}
	a, err := decode(kind(PartActivity), encode(kind(PartActivity), state, activityFields), activityFields)
	if err != nil || a.HeartbeatDetails == nil || a.LastFailure != nil {
		t.Errorf("read %+v, %v", a, err)
	}
}

// A later release may have fewer or more fields: what we do not know is skipped,
// wherever it lies.
func TestUnknownFieldsAreSkipped(t *testing.T) {
	type wide struct{ a, b, c string }
	all := func(c *coder, w *wide) { c.str(2, &w.a); c.str(5, &w.b); c.str(900, &w.c) }
	middle := func(c *coder, w *wide) { c.str(5, &w.b) }
	read, err := decode(kindCurrent, encode(kindCurrent, &wide{"a", "b", "c"}, all), middle)
	if err != nil || *read != (wide{b: "b"}) {
		t.Errorf("read %+v, %v", read, err)
	}
}

// A run written change by change is loaded as the changes left it, and nothing
// of it is left once it is deleted.
func TestRunRoundTrips(t *testing.T) {
	key := engine.RunKey{ID: engine.ID{NamespaceID: "n", Archetype: 1, Name: "w"}, RunID: "r"}
	neighbour := key
	neighbour.RunID = "r2"
	for seed := range uint64(20) {
		f := &filler{rnd: rand.New(rand.NewPCG(seed, 2))}
		rows := map[string]store.Op{}
		write := func(key engine.RunKey, c *workflow.Change) {
			var b store.Batch
			WriteChange(&b, key, c)
			apply(rows, &b)
		}
		want := newRun(key)
		for i := range 3 {
			c := randomChange(t, f, want, int64(i)*10+1)
			write(key, c)
			write(neighbour, c)
			live(want, c)
		}
		read, err := LoadRun(key, stateEntries(rows, key))
		if err != nil {
			t.Fatal(err)
		}
		compare(t, "Run", reflect.ValueOf(want), reflect.ValueOf(read))

		write(key, &workflow.Change{Effects: engine.Effects{Deleted: true}})
		if _, err := LoadRun(key, stateEntries(rows, key)); !errors.Is(err, ErrNoRun) {
			t.Errorf("after deletion: %v", err)
		}
		for _, op := range rows {
			if op.Key.Family == store.FamilyHistory {
				if run, _, err := ParseHistoryKey(op.Key); err != nil || run.RunID != neighbour.RunID {
					t.Errorf("history of %v is left, %v", run, err)
				}
			}
		}
		if _, err := LoadRun(neighbour, stateEntries(rows, neighbour)); err != nil {
			t.Errorf("the neighbour was deleted too: %v", err)
		}
	}
}

// live brings a change into a run, as the owner of the run does.
func live(r *workflow.Run, c *workflow.Change) {
	if c.Start != nil {
		r.Start = c.Start
	}
	r.Info = c.Info
	if c.MemoChanged {
		r.Memo = c.Memo
	}
	if c.SearchAttributesChanged {
		r.SearchAttributes = c.SearchAttributes
	}
	put(r.Activities, c.Activities)
	put(r.Timers, c.Timers)
	put(r.Children, c.Children)
	put(r.Signals, c.Signals)
	put(r.Cancels, c.Cancels)
	put(r.Requests, c.Requests)
	put(r.Updates, c.Updates)
	if r.Callbacks == nil {
		r.Callbacks = make(map[int64]*callback.State)
	}
	put(r.Callbacks, c.Callbacks)
	put(r.Buffered, c.Buffered)
}

func put[K comparable, V any](m, changed map[K]*V) {
	for k, v := range changed {
		if v == nil {
			delete(m, k)
		} else {
			m[k] = v
		}
	}
}

func newRun(key engine.RunKey) *workflow.Run { return NewLoader(key).run }

// randomChange fills a change, and removes some of what the run has.
func randomChange(t *testing.T, f *filler, run *workflow.Run, firstEvent int64) *workflow.Change {
	c := new(workflow.Change)
	f.skip = maps.Clone(notStored)
	maps.Copy(f.skip, map[string]bool{
		"Change.Batches": true, "Change.Effects": true, // rows of their own
		"Change.Proposals": true, "Change.News": true, // in memory only
		"Task.Type": true, // a speculative one is not written
	})
	f.fields(t, "Change", reflect.ValueOf(c).Elem())
	removeOne(c.Activities, run.Activities)
	removeOne(c.Timers, run.Timers)
	removeOne(c.Buffered, run.Buffered)
	removeOne(c.Requests, run.Requests)
	removeOne(c.Updates, run.Updates)
	if run.Start != nil {
		c.Start.RequestID = run.Start.RequestID // fixed when the run begins
	}
	c.Requests[c.Start.RequestID] = &workflow.Request{EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, EventID: 1}
	if f.rnd.IntN(2) == 0 {
		c.Memo = nil
	}
	if c.Info.Unversioned = f.rnd.IntN(2) == 0; c.Info.Unversioned { // the core's invariant
		c.SearchAttributes, c.SearchAttributesChanged = workflow.UnversionedAttributes(), true
	}
	c.Batches = [][]*historypb.HistoryEvent{
		events(f, firstEvent, 3), events(f, firstEvent+3, 1),
	}
	return c
}

func removeOne[K comparable, V any](changed, present map[K]*V) {
	for k := range present {
		changed[k] = nil
		return
	}
}

func events(f *filler, first int64, n int) []*historypb.HistoryEvent {
	evs := make([]*historypb.HistoryEvent, n)
	for i := range evs {
		evs[i] = new(historypb.HistoryEvent)
		f.message(evs[i].ProtoReflect(), 3)
		evs[i].EventId = first + int64(i)
	}
	return evs
}

// apply carries out a batch on rows by the string of their keys.
func apply(rows map[string]store.Op, b *store.Batch) {
	for _, op := range b.Ops {
		switch {
		case op.Until != nil:
			for s, row := range rows {
				if row.Key.Family == op.Key.Family && row.Key.Slot == op.Key.Slot &&
					bytes.Compare(row.Key.Name, op.Key.Name) >= 0 && bytes.Compare(row.Key.Name, op.Until) < 0 {
					delete(rows, s)
				}
			}
		case op.Value == nil:
			delete(rows, op.Key.String())
		default:
			rows[op.Key.String()] = op
		}
	}
}

func stateEntries(rows map[string]store.Op, key engine.RunKey) (entries []store.Entry) {
	begin := BeginKey(key)
	from, to := StateRows(key)
	for _, op := range rows {
		if op.Key.Compare(begin) == 0 || op.Key.Compare(from) >= 0 && op.Key.Compare(to) < 0 {
			entries = append(entries, store.Entry{Key: op.Key, Value: op.Value})
		}
	}
	return entries
}

// A run begins with one row for its start and its info; whichever of them changes
// first, the newer info counts.
func TestBirthIsOneRow(t *testing.T) {
	key := engine.RunKey{ID: engine.ID{NamespaceID: "n", Archetype: 1, Name: "w"}, RunID: "r"}
	f := &filler{rnd: rand.New(rand.NewPCG(1, 2))}
	start := &workflow.Start{Identity: "first"}
	changes := []*workflow.Change{
		{Start: start, Info: &workflow.Info{SignalCount: 1}, Batches: [][]*historypb.HistoryEvent{events(f, 1, 2)}},
		{Start: &workflow.Start{Identity: "second"}, Info: &workflow.Info{SignalCount: 2}},
		{Info: &workflow.Info{SignalCount: 3}},
	}
	for _, order := range [][]int{{0}, {0, 1}, {0, 2}, {0, 1, 2}, {0, 2, 1}} {
		rows, want := map[string]store.Op{}, workflow.Run{}
		for _, i := range order {
			var b store.Batch
			WriteChange(&b, key, changes[i])
			if i == 0 && len(b.Ops) != 2 {
				t.Errorf("%d rows of a run that begins, and its history", len(b.Ops))
			}
			apply(rows, &b)
			want.Info = changes[i].Info
			if changes[i].Start != nil {
				want.Start = changes[i].Start
			}
		}
		read, err := LoadRun(key, stateEntries(rows, key))
		if err != nil {
			t.Fatal(err)
		}
		if read.Start.Identity != want.Start.Identity || read.Info.SignalCount != want.Info.SignalCount {
			t.Errorf("%v: read %q and %d", order, read.Start.Identity, read.Info.SignalCount)
		}
	}
}

// A run without its first parts, or with a row of another, is corrupt.
func TestLoadRunNotices(t *testing.T) {
	key := engine.RunKey{ID: engine.ID{NamespaceID: "n", Archetype: 1, Name: "w"}, RunID: "r"}
	info := encode(kind(PartInfo), &workflow.Info{}, infoFields)
	start := encode(kind(PartStart), &workflow.Start{}, startFields)
	entry := func(k StateKey, v []byte) store.Entry {
		if k.Run == (engine.RunKey{}) {
			k.Run = key
		}
		return store.Entry{Key: k.Key(), Value: v}
	}
	other := key
	other.RunID = "other"
	for name, entries := range map[string][]store.Entry{
		"no start":         {entry(StateKey{Part: PartInfo}, info)},
		"no info":          {entry(StateKey{Part: PartStart}, start)},
		"of another run":   {entry(StateKey{Part: PartStart, Run: other}, start)},
		"of another part":  {entry(StateKey{Part: PartStart}, info)},
		"of another store": {{Key: CurrentKey(key.ID), Value: start}},
		"a broken message": {entry(StateKey{Part: PartMemo}, info)},
	} {
		if _, err := LoadRun(key, entries); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
	}
}

// Texts and messages of a meta value come back; a message left out stays empty.
func TestMetaRoundTrips(t *testing.T) {
	texts := map[int]string{1: "default", 15: "ü\x00"}
	retention := durationpb.New(1)
	value := EncodeMeta(texts, retention, (*commonpb.Memo)(nil), &commonpb.WorkflowType{Name: "t"})
	var d durationpb.Duration
	var memo commonpb.Memo
	var wt commonpb.WorkflowType
	read, err := DecodeMeta(value, &d, &memo, &wt)
	if err != nil || !maps.Equal(read, texts) || !proto.Equal(&d, retention) || memo.Fields != nil || wt.Name != "t" {
		t.Errorf("read %v, %v, %v, %v; %v", read, &d, &memo, &wt, err)
	}
	if read, err := DecodeMeta(value); err != nil || !maps.Equal(read, texts) {
		t.Errorf("without messages: %v, %v", read, err)
	}
}

// Every single bit matters: a value with one flipped, or cut short, is corrupt.
func TestDamageIsNoticed(t *testing.T) {
	f := &filler{rnd: rand.New(rand.NewPCG(1, 3)), skip: notStored}
	for name, c := range codecs {
		v := c.zero()
		f.fields(t, name, reflect.ValueOf(v).Elem())
		value := c.encode(v)
		for bit := range 8 * len(value) {
			value[bit/8] ^= 1 << (bit % 8)
			if _, err := c.decode(value); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%s: bit %d flipped: %v", name, bit, err)
			}
			value[bit/8] ^= 1 << (bit % 8)
		}
		for n := range value {
			if _, err := c.decode(value[:n]); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%s: cut to %d bytes: %v", name, n, err)
			}
		}
	}
}

// A record of a later format is no corruption: the error says what to do.
func TestLaterFormatIsRefused(t *testing.T) {
	value := closeSeal([]byte{formatVersion + 1, byte(kindCurrent)})
	_, err := DecodeCurrent(value)
	if !errors.Is(err, ErrLater) || errors.Is(err, store.ErrCorrupt) {
		t.Errorf("error %v, want ErrLater", err)
	}
}

// What cannot be encoded is a bug of ours, and says so before anything is
// written.
func TestUnencodableStateIsABug(t *testing.T) {
	defer func() {
		if _, ok := recover().(invariant.Broken); !ok {
			t.Error("no invariant was said to be broken")
		}
	}()
	EncodeHistory([]*historypb.HistoryEvent{{EventId: 1, WorkerMayIgnore: true, Links: []*commonpb.Link{{
		Variant: &commonpb.Link_WorkflowEvent_{WorkflowEvent: &commonpb.Link_WorkflowEvent{WorkflowId: "\xff"}},
	}}}})
}
