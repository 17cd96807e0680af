package record

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/engine/payload"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/store"
)

// WriteChange writes what a step changed of a run: the parts of its state and its
// new history, but not what is in memory only (Proposals, a speculative workflow
// task). The rest of a change (offers, messages, visibility, deadline,
// current pointer) has keys or numbers that only the shell knows and is written
// with EncodeTask and its kin. The operations come in a fixed order.
//
// Of a change with Deleted set nothing is written; the run is removed instead.
func WriteChange(b *store.Batch, key engine.RunKey, c *workflow.Change) {
	if c.Deleted {
		DeleteRun(b, key)
		return
	}
	w := newPartWriter(b, key)
	switch begins := len(c.Batches) > 0 && c.Batches[0][0].EventId == 1; {
	case c.Start != nil && begins: // one row for both, until the info changes
		writeStart(&w, c.Start, storedInfo(c.Info))
	case c.Start != nil:
		writeStart(&w, c.Start, nil)
		fallthrough
	default:
		writeInfo(&w, c.Info)
	}
	if c.MemoChanged {
		writeFields(&w, PartMemo, c.Memo, c.Memo.GetFields())
	}
	if c.SearchAttributesChanged && !c.Info.Unversioned {
		writeFields(&w, PartSearchAttributes, c.SearchAttributes, c.SearchAttributes.GetIndexedFields())
	}
	writeNumbered(&w, PartActivity, c.Activities, activityFields)
	writeNamed(&w, PartTimer, c.Timers, timerFields)
	writeNumbered(&w, PartChild, c.Children, childFields)
	writeNumbered(&w, PartSignal, c.Signals, externalFields)
	writeNumbered(&w, PartCancel, c.Cancels, externalFields)
	writeRequests(&w, c)
	writeNamed(&w, PartUpdate, c.Updates, updateFields)
	writeNumbered(&w, PartCallback, c.Callbacks, callbackFields)
	for _, n := range order(c.Buffered) {
		writeMessage(&w, StateKey{Part: PartBuffered, Number: n}, c.Buffered[n])
	}
	for _, events := range c.Batches {
		b.Put(w.historyKey(events[0].EventId), EncodeHistory(events))
	}
}

// WriteInfo writes the part of a run that the shell itself keeps a field in
// (Info.Armed), without a step.
func WriteInfo(b *store.Batch, key engine.RunKey, info *workflow.Info) {
	w := newPartWriter(b, key)
	writeInfo(&w, info)
}

func writeStart(w *partWriter, start *workflow.Start, info *workflow.Info) {
	writePart(w, StateKey{Part: PartStart}, &workflowBirth{start, info}, workflowBirthFields(w.run.RunID))
}

func writeInfo(w *partWriter, info *workflow.Info) {
	writePart(w, StateKey{Part: PartInfo}, storedInfo(info), infoFields)
}

// storedInfo leaves a speculative workflow task out: it is in memory only, as
// are the updates it was made for.
func storedInfo(info *workflow.Info) *workflow.Info {
	if t := info.Task; t != nil && t.Type == workflow.TaskSpeculative {
		stored := *info
		stored.Task = nil
		return &stored
	}
	return info
}

// DeleteRun removes the state and history of a run. What points to it (the
// current pointer, its deadline, its offers) is for the shell to remove.
func DeleteRun(b *store.Batch, key engine.RunKey) {
	deleteState(b, key)
	from, to := HistoryRows(key, 0, math.MaxInt64)
	b.DeleteRange(from, to.Name)
}

func deleteState(b *store.Batch, key engine.RunKey) {
	b.Delete(BeginKey(key))
	from, to := StateRows(key)
	b.DeleteRange(from, to.Name)
}

type partWriter struct {
	b    *store.Batch
	run  engine.RunKey
	slot store.Slot
	// room is where the names and values of the rows lie, one behind the other:
	// one object, where each on its own made a dozen with most steps. What is full
	// is left to the rows in it, and a larger one goes on.
	room []byte
}

// usualRoom is enough for the state that most steps write.
const usualRoom = 512

func newPartWriter(b *store.Batch, run engine.RunKey) partWriter {
	return partWriter{b: b, run: run, slot: SlotOf(run.ID), room: make([]byte, 0, usualRoom)}
}

// since is what has been appended to the room since it had that length. Nothing
// can be appended to it in place: the next row follows.
func (w *partWriter) since(n int) []byte { return w.room[n:len(w.room):len(w.room)] }

func (w *partWriter) key(k StateKey) store.Key {
	k.Run = w.run
	at := len(w.room)
	w.room = k.appendName(w.room)
	return store.Key{Family: store.FamilyState, Slot: w.slot, Name: w.since(at)}
}

func (w *partWriter) historyKey(firstEventID int64) store.Key {
	at := len(w.room)
	w.room = appendHistoryName(w.room, w.run.RunID, firstEventID)
	return store.Key{Family: store.FamilyHistory, Slot: w.slot, Name: w.since(at)}
}

func (w *partWriter) put(k StateKey, v []byte) { w.b.Put(w.key(k), v) }

func (w *partWriter) remove(k StateKey) { w.b.Delete(w.key(k)) }

// writeMessage writes a part that is a message of the API; nil removes it.
func writeMessage[M any, P interface {
	*M
	proto.Message
}](w *partWriter, k StateKey, m P) {
	if m == nil {
		w.remove(k)
		return
	}
	w.put(k, encodeMessage(kind(k.Part), m))
}

// writeFields is writeMessage for a message that consists of named payloads.
func writeFields[M any, P interface {
	*M
	proto.Message
}](w *partWriter, part Part, m P, fields map[string]*commonpb.Payload) {
	if m == nil || !payload.Plain(m) {
		writeMessage(w, StateKey{Part: part}, m)
		return
	}
	at := len(w.room)
	w.room = payload.AppendFields(seal(w.room, kind(part)), fields)
	w.room = appendSum(w.room, w.since(at))
	w.put(StateKey{Part: part}, w.since(at))
}

func writeNumbered[T any](w *partWriter, part Part, changed map[int64]*T, fields func(*coder, *T)) {
	for _, n := range order(changed) {
		writePart(w, StateKey{Part: part, Number: n}, changed[n], fields)
	}
}

func writeNamed[T any](w *partWriter, part Part, changed map[string]*T, fields func(*coder, *T)) {
	for _, name := range order(changed) {
		writePart(w, StateKey{Part: part, Text: name}, changed[name], fields)
	}
}

// startRequest is what is kept of the request that has started a run. It has no
// row: the request's id is in the part that begins the run.
var startRequest = workflow.Request{EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, EventID: 1}

func writeRequests(w *partWriter, c *workflow.Change) {
	for _, id := range order(c.Requests) {
		if r := c.Requests[id]; c.Start == nil || id != c.Start.RequestID || r == nil || *r != startRequest {
			writePart(w, StateKey{Part: PartRequest, Text: id}, r, requestFields)
		}
	}
}

// writePart writes one thing of a part; nil removes it.
func writePart[T any](w *partWriter, k StateKey, v *T, fields func(*coder, *T)) {
	if v == nil {
		w.remove(k)
		return
	}
	at := len(w.room)
	w.room = appendValue(w.room, kind(k.Part), v, fields)
	w.put(k, w.since(at))
}

// order are the keys of a map in order, without allocating for the usual one.
func order[K cmp.Ordered, V any](m map[K]V) []K {
	switch len(m) {
	case 0:
		return nil
	case 1:
		for k := range m {
			return []K{k}
		}
	}
	return slices.Sorted(maps.Keys(m))
}

// ErrNoRun is returned by LoadRun when there is nothing under a run's keys.
var ErrNoRun = errors.New("no such run")

// ErrPartial: rows of a run are there, and not those it begins with. It comes with
// store.ErrCorrupt.
var ErrPartial = errors.New("it lacks its first parts")

// LoadRun builds a run from the entries of BeginKey and StateRows, all of them. The
// entries' bytes are not kept. Without any entry the error is ErrNoRun; what is damaged or
// incomplete wraps store.ErrCorrupt.
func LoadRun(key engine.RunKey, entries []store.Entry) (*workflow.Run, error) {
	l := NewLoader(key)
	for _, e := range entries {
		l.Add(e)
	}
	return l.Run()
}

// stateRows are the rows of a run's state on their way into memory. The first
// mistake sticks.
type stateRows struct {
	key   engine.RunKey
	count int
	err   error
}

// next says which part a row is; ok is false when it is of no use.
func (r *stateRows) next(e store.Entry) (k StateKey, ok bool) {
	if r.err != nil {
		return k, false
	}
	r.count++
	k, err := ParseStateKey(e.Key)
	if err == nil && (k.Run.RunID != r.key.RunID || k.Part.begins() && k.Run != r.key) {
		err = corrupt("part of run %v", k.Run)
	}
	r.note(e, err)
	return k, err == nil
}

// note keeps what was wrong with a row, if anything.
func (r *stateRows) note(e store.Entry, err error) {
	if err != nil {
		r.err = fmt.Errorf("state of run %v, key %v: %w", r.key, e.Key, err)
	}
}

// end is what was wrong with all of them; begun says that the parts are there
// which a run begins with.
func (r *stateRows) end(begun bool) error {
	switch {
	case r.err != nil:
		return r.err
	case r.count == 0:
		return ErrNoRun
	case !begun:
		return fmt.Errorf("state of run %v: %w: %w", r.key, ErrPartial, store.ErrCorrupt)
	}
	return nil
}

// Loader builds a run entry by entry, so that a scan need not keep them.
type Loader struct {
	run  *workflow.Run
	rows stateRows
}

// NewLoader begins to load a run.
func NewLoader(key engine.RunKey) *Loader {
	return &Loader{rows: stateRows{key: key}, run: &workflow.Run{
		Key:        key,
		Activities: make(map[int64]*activity.State),
		Timers:     make(map[string]*workflow.Timer),
		Children:   make(map[int64]*workflow.Child),
		Signals:    make(map[int64]*workflow.External),
		Cancels:    make(map[int64]*workflow.External),
		Requests:   make(map[string]*workflow.Request),
		Updates:    make(map[string]*workflow.Update),
		Buffered:   make(map[int64]*historypb.HistoryEvent),
	}}
}

// Add takes the next entry of BeginKey or StateRows. It keeps none of its bytes. A mistake
// shows in Run.
func (l *Loader) Add(e store.Entry) {
	if k, ok := l.rows.next(e); ok {
		l.rows.note(e, l.part(k, e.Value))
	}
}

// Run is the run that was loaded.
func (l *Loader) Run() (*workflow.Run, error) {
	if err := l.rows.end(l.run.Start != nil && l.run.Info != nil); err != nil {
		return nil, err
	}
	if l.run.Requests[l.run.Start.RequestID] == nil {
		r := startRequest
		l.run.Requests[l.run.Start.RequestID] = &r
	}
	if l.run.Info.Unversioned { // a row may be left of others that were removed
		l.run.SearchAttributes = workflow.UnversionedAttributes()
	}
	return l.run, nil
}

func (l *Loader) part(k StateKey, v []byte) (err error) {
	r, what := l.run, kind(k.Part)
	switch k.Part {
	case PartStart:
		var birth *workflowBirth
		if birth, err = decode(what, v, workflowBirthFields(k.Run.RunID)); err == nil {
			r.Start = birth.start
			if r.Info == nil {
				r.Info = birth.info
			}
		}
	case PartInfo:
		r.Info, err = decode(what, v, infoFields)
	case PartMemo:
		r.Memo = new(commonpb.Memo)
		err = decodeMessage(what, v, r.Memo)
	case PartSearchAttributes:
		r.SearchAttributes = new(commonpb.SearchAttributes)
		err = decodeMessage(what, v, r.SearchAttributes)
	case PartActivity:
		r.Activities[k.Number], err = decode(what, v, activityFields)
	case PartTimer:
		r.Timers[k.Text], err = decode(what, v, timerFields)
	case PartChild:
		r.Children[k.Number], err = decode(what, v, childFields)
	case PartSignal:
		r.Signals[k.Number], err = decode(what, v, externalFields)
	case PartCancel:
		r.Cancels[k.Number], err = decode(what, v, externalFields)
	case PartRequest:
		r.Requests[k.Text], err = decode(what, v, requestFields)
	case PartUpdate:
		r.Updates[k.Text], err = decode(what, v, updateFields)
	case PartCallback:
		if r.Callbacks == nil {
			r.Callbacks = make(map[int64]*callback.State)
		}
		r.Callbacks[k.Number], err = decode(what, v, callbackFields)
	case PartBuffered:
		ev := new(historypb.HistoryEvent)
		err = decodeMessage(what, v, ev)
		r.Buffered[k.Number] = ev
	}
	return err
}
