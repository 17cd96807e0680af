package workflow

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/engine/event"
)

// draft is a run being stepped: the run as it was, and over it what the step has
// changed so far. Reads go through the draft; nothing below it is touched, so a
// step that fails is undone by forgetting its draft, and a completion whose
// third command is bad starts over from a new one.
type draft struct {
	env  *engine.Env
	base *Run

	// info is a copy, changed freely. What its pointers lead to is replaced,
	// never changed: editTask and editSticky copy first. It goes into the run as it
	// is, and so is no part of the draft, which it would keep alive.
	info  *Info
	start *Start // replaced when changed; nil otherwise

	activities overlay[int64, activity.State]
	timers     overlay[string, Timer]
	children   overlay[int64, Child]
	signals    overlay[int64, External]
	cancels    overlay[int64, External]
	requests   overlay[string, Request]
	updates    overlay[string, Update]
	callbacks  overlay[int64, callback.State]
	proposals  overlay[string, Proposal]
	buffered   overlay[int64, historypb.HistoryEvent]

	// change and given are what the step gives. Both are gone once the step is
	// durable, and so may be parts of the draft: one object instead of three.
	change Change
	given  Result
	// now is the time of the step, once an event has it; see at.
	now *timestamppb.Timestamp
	// open is the batch being filled; cut ends it. Of its first sized events
	// openBytes is the size: an event is complete when it is appended, and is
	// sized once.
	open      []*historypb.HistoryEvent
	sized     int
	openBytes int64
	// few is where the events of most steps find room.
	few struct {
		events  [3]*historypb.HistoryEvent
		batches [1][]*historypb.HistoryEvent
	}
	// born is the successor created in this step.
	born *Newborn
	// leavesUpdates is the first event from which on updates are not those of the
	// run that a reset puts in the place of this one, if it leaves any out; else 0.
	leavesUpdates int64
	// reborn: a reset puts another run in the place of this one, which has its
	// completion callbacks, too.
	reborn bool

	// taskWanted: an event of this step calls for a workflow task; settle
	// schedules it once, after all events of the step.
	taskWanted bool
	// visible: the run's row in the visibility index has changed.
	visible bool
	// untouched: the input turned out to change nothing (a repetition).
	untouched bool
}

// newDraft begins a draft over the run; env is to be at the run's own time (Run.own).
func newDraft(env *engine.Env, run *Run) *draft {
	info := *run.Info
	return &draft{
		env:        env,
		base:       run,
		info:       &info,
		activities: overlay[int64, activity.State]{base: run.Activities},
		timers:     overlay[string, Timer]{base: run.Timers},
		children:   overlay[int64, Child]{base: run.Children},
		signals:    overlay[int64, External]{base: run.Signals},
		cancels:    overlay[int64, External]{base: run.Cancels},
		requests:   overlay[string, Request]{base: run.Requests},
		updates:    overlay[string, Update]{base: run.Updates},
		callbacks:  overlay[int64, callback.State]{base: run.Callbacks},
		proposals:  overlay[string, Proposal]{base: run.Proposals},
		buffered:   overlay[int64, historypb.HistoryEvent]{base: run.Buffered},
	}
}

// fixed is the part that was fixed at the run's beginning.
func (d *draft) fixed() *Start {
	if d.start != nil {
		return d.start
	}
	return d.base.Start
}

// editTask gives a copy of the pending workflow task to change.
func (d *draft) editTask() *Task {
	t := *d.info.Task
	d.info.Task = &t
	return &t
}

// event begins an event at the step's time. It has no id until it is appended.
func (d *draft) event(t enumspb.EventType) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{EventType: t, EventTime: d.at(d.env.Now)}
}

// at is t for an event. The events of a step share the one of now, which like
// all that is in an event is never written again.
func (d *draft) at(t time.Time) *timestamppb.Timestamp {
	if !t.Equal(d.env.Now) {
		return timestamppb.New(t)
	}
	if d.now == nil {
		d.now = timestamppb.New(t)
	}
	return d.now
}

// append gives the event the next id and puts it into the open batch.
func (d *draft) append(ev *historypb.HistoryEvent) int64 {
	if d.open == nil && d.change.Batches == nil {
		d.open = d.few.events[:0]
	}
	ev.EventId = d.info.NextEventID
	ev.TaskId = ev.EventId
	d.info.NextEventID++
	d.open = append(d.open, ev)
	return ev.EventId
}

// batchID is the first event id of the batch that the next appended event goes into.
func (d *draft) batchID() int64 {
	if len(d.open) > 0 {
		return d.open[0].EventId
	}
	return d.info.NextEventID
}

// cut ends the open batch: the next event begins a new one. History is paged by
// batches, and a batch ends after a WorkflowTaskStarted.
func (d *draft) cut() {
	if len(d.open) == 0 {
		return
	}
	d.info.HistorySizeBytes = d.historySize()
	d.info.LastBatchID = d.open[0].EventId
	if d.change.Batches == nil {
		d.change.Batches = d.few.batches[:0]
	}
	d.change.Batches = append(d.change.Batches, d.open)
	d.open, d.sized, d.openBytes = nil, 0, 0
}

// openSize is the size of the events in the open batch. Two bytes or more frame
// each event in its batch; counting the message alone keeps the figure the
// API's meaning: bytes of events.
func (d *draft) openSize() int64 {
	for _, ev := range d.open[d.sized:] {
		d.openBytes += int64(event.Size(ev))
	}
	d.sized = len(d.open)
	return d.openBytes
}

// historySize is the size of the history with what this step has added so far.
func (d *draft) historySize() int64 { return d.info.HistorySizeBytes + d.openSize() }

// result ends the step.
func (d *draft) result(reply any) *Result {
	if d.untouched {
		return &Result{Reply: reply}
	}
	d.given = Result{Run: d.finish(), New: d.born, Reply: reply}
	return &d.given
}

// finish settles the draft and gives all that changed.
func (d *draft) finish() *Change {
	d.notePauses()
	d.settle()
	if d.skip() {
		d.settle()
	}
	d.cut()
	if d.base.Open() || d.change.Deleted {
		// A closed run's count is final, and in the index: what becomes of its
		// callbacks, or that it was reset, is no transition.
		d.info.Transitions++
	}
	d.info.StateBytes += d.growth()
	if d.visible {
		d.change.Visibility = d.visibilityRecord()
	}
	c := &d.change
	c.Info = d.info
	c.Start = d.start
	c.Activities = d.activities.changed
	c.Timers = d.timers.changed
	c.Children = d.children.changed
	c.Signals = d.signals.changed
	c.Cancels = d.cancels.changed
	c.Requests = d.requests.changed
	c.Updates = d.updates.changed
	c.Callbacks = d.callbacks.changed
	c.Proposals = d.proposals.changed
	c.Buffered = d.buffered.changed
	return c
}

// overlay is a map with changes over it that leave it untouched. Values are
// replaced, not changed.
type overlay[K cmp.Ordered, V any] struct {
	base    map[K]*V
	changed map[K]*V // nil value: removed
}

func (o *overlay[K, V]) get(k K) *V {
	if v, ok := o.changed[k]; ok {
		return v
	}
	return o.base[k]
}

func (o *overlay[K, V]) put(k K, v *V) {
	if o.changed == nil {
		o.changed = make(map[K]*V)
	}
	o.changed[k] = v
}

func (o *overlay[K, V]) remove(k K) { o.put(k, nil) }

// len counts what is there now.
func (o *overlay[K, V]) len() int {
	n := len(o.base)
	for k, v := range o.changed {
		switch _, was := o.base[k]; {
		case v != nil && !was:
			n++
		case v == nil && was:
			n--
		}
	}
	return n
}

// keys are all present keys in order: iteration must not let the order of a Go
// map reach the output.
func (o *overlay[K, V]) keys() []K {
	return o.keysWhere(func(*V) bool { return true })
}

// keysWhere are the keys of what is so, in order. Where few of many are, it is
// the sorting that this spares.
func (o *overlay[K, V]) keysWhere(is func(*V) bool) []K {
	var ks []K
	for k := range o.base {
		if v := o.get(k); v != nil && is(v) {
			ks = append(ks, k)
		}
	}
	for k, v := range o.changed {
		if _, was := o.base[k]; v != nil && !was && is(v) {
			ks = append(ks, k)
		}
	}
	slices.Sort(ks)
	return ks
}

// Apply brings a change into the run. The owner calls it at once after the
// step, before the change is durable; if the commit fails the owner forgets the
// run altogether.
func (r *Run) Apply(c *Change) {
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
	r.Activities = merge(r.Activities, c.Activities)
	r.Timers = merge(r.Timers, c.Timers)
	r.Children = merge(r.Children, c.Children)
	r.Signals = merge(r.Signals, c.Signals)
	r.Cancels = merge(r.Cancels, c.Cancels)
	r.Requests = merge(r.Requests, c.Requests)
	r.Updates = merge(r.Updates, c.Updates)
	r.Callbacks = merge(r.Callbacks, c.Callbacks)
	r.Proposals = merge(r.Proposals, c.Proposals)
	r.Buffered = merge(r.Buffered, c.Buffered)
	r.keepScheduled(c)
	r.deadlines.applied(r, c)
}

func merge[K comparable, V any](m, changed map[K]*V) map[K]*V {
	if len(changed) == 0 {
		return m
	}
	if m == nil {
		m = make(map[K]*V, len(changed))
	}
	for k, v := range changed {
		if v == nil {
			delete(m, k)
		} else {
			m[k] = v
		}
	}
	return m
}

// sorted are the keys of a map in order.
func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
