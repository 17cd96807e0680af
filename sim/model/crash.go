package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// crash forgets what is in memory: every run is read again from its rows, and
// must be what it was, but for updates that no worker had accepted and the
// speculative tasks made for them. Answers on their way are lost; messages stay
// in the outbox and will be delivered again.
func (w *world) crash() {
	w.tell("crash")
	w.checkMail()
	for _, l := range w.lives {
		w.reload(l)
	}
	var durable []engine.Task
	for _, t := range w.offers {
		if !t.Volatile {
			durable = append(durable, t)
		}
	}
	w.offers = durable
	for _, l := range w.lives {
		says := l.run.Offers()
		for _, t := range says {
			if !slices.Contains(durable, t) {
				w.fail("%s says that %+v is on offer; there is no row of it", l, t)
			}
		}
		rows := 0
		for _, t := range durable {
			if t.Run == l.key {
				rows++
			}
		}
		if rows != len(says) {
			w.fail("%s has %d tasks on offer and %d rows of them", l, len(says), rows)
		}
	}
	for _, letter := range w.letters {
		letter.answer = nil
	}
}

func (w *world) reload(l *life) {
	var state []store.Entry
	next := int64(1)
	replay := workflow.NewReplay(&engine.Env{Namespace: w.ns, Limits: w.limits}, l.key)
	slot := record.SlotOf(l.key.ID)
	for _, key := range slices.SortedFunc(maps.Keys(l.rows), compareRows) {
		row := store.Key{Family: key.family, Slot: slot, Name: []byte(key.name)}
		if key.family == store.FamilyState {
			state = append(state, store.Entry{Key: row, Value: l.rows[key]})
			continue
		}
		batch, err := record.OpenHistory(l.rows[key])
		if err != nil || batch.First != next {
			w.fail("I2: history has a batch from %d where %d belongs: %v", batch.First, next, err)
		}
		events, err := batch.Events()
		if err != nil {
			w.fail("I2: %v", err)
		}
		next += int64(len(events))
		if err := replay.Batch(events); err != nil {
			w.fail("replay of %s: %v", l, err)
		}
	}
	if next != l.run.Info.NextEventID {
		w.fail("I2: history ends before %d, the state says %d", next, l.run.Info.NextEventID)
	}
	loaded, err := record.LoadRun(l.key, state)
	if err != nil {
		w.fail("I1: %s cannot be read: %v", l, err)
	}
	lived, stored := encoded(l.run), encoded(loaded)
	if !maps.Equal(lived, stored) {
		w.fail("I1: %s is not what was stored of it", l)
	}
	task := l.run.Info.Task
	speculative := task != nil && task.Type == workflow.TaskSpeculative
	// The heartbeat clock may have been set anew by a crash before: what is stored
	// may be earlier, and is then looked at for nothing, but never later.
	if was, is := l.run.NextDeadline(), loaded.NextDeadline(); !speculative && !was.IsZero() && (is.IsZero() || is.After(was)) {
		w.fail("I7: the next deadline was %v, by what is stored it is %v", was, is)
	}
	w.checkReplay(l, replay, loaded)
	loaded.Loaded(w.now)
	l.run = loaded
	l.book.crashed(w.now, speculative)
}

// checkReplay: the history alone tells of the same state, but for what
// workflow.Unrecorded lists. Of each part its names are compared, and of the run
// what it counts; package workflow's own tests compare every field.
func (w *world) checkReplay(l *life, r *workflow.Replay, lived *workflow.Run) {
	if !lived.Open() {
		return
	}
	var buffered []*historypb.HistoryEvent
	for _, key := range sortedKeys(lived.Buffered) {
		buffered = append(buffered, lived.Buffered[key])
	}
	if err := r.Buffered(buffered); err != nil {
		w.fail("replay of %s: %v", l, err)
	}
	told := r.Run()
	same := func(what string, a, b any) {
		if fmt.Sprint(a) != fmt.Sprint(b) {
			w.fail("the history of %s tells of %s %v, lived were %v", l, what, a, b)
		}
	}
	same("status", told.Info.Status, lived.Info.Status)
	same("history size", told.Info.HistorySizeBytes, lived.Info.HistorySizeBytes)
	same("signals", told.Info.SignalCount, lived.Info.SignalCount)
	same("cancel request", told.Info.CancelRequested, lived.Info.CancelRequested)
	same("last completion", told.Info.LastCompletedStartedID, lived.Info.LastCompletedStartedID)
	same("timers", sortedKeys(told.Timers), sortedKeys(lived.Timers))
	same("activities", sortedKeys(told.Activities), sortedKeys(lived.Activities))
	same("children", sortedKeys(told.Children), sortedKeys(lived.Children))
	same("signals to others", sortedKeys(told.Signals), sortedKeys(lived.Signals))
	same("cancel requests to others", sortedKeys(told.Cancels), sortedKeys(lived.Cancels))
	same("updates", acceptedOf(told), acceptedOf(lived))
	same("requests", requestsOf(told), requestsOf(lived))
	for name, t := range lived.Timers {
		same("the time of timer "+name, told.Timers[name].FireTime, t.FireTime)
	}
}

// acceptedOf are the updates that a worker has accepted: what it rejects of those
// that a reset has admitted leaves no event but the next workflow task's.
func acceptedOf(r *workflow.Run) (ids []string) {
	for _, id := range sortedKeys(r.Updates) {
		if r.Updates[id].AcceptedEventID != 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// requestsOf are the request ids that a history tells of: not its creator's.
func requestsOf(r *workflow.Run) (ids []string) {
	for _, id := range sortedKeys(r.Requests) {
		if r.Requests[id].EventType != enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED {
			ids = append(ids, id)
		}
	}
	return ids
}

func compareRows(a, b rowKey) int {
	if a.family != b.family {
		return int(a.family) - int(b.family)
	}
	return strings.Compare(a.name, b.name)
}

// encoded is all of a run's stored state, in bytes.
func encoded(r *workflow.Run) map[string]string {
	var b store.Batch
	record.WriteChange(&b, r.Key, &workflow.Change{
		Start: r.Start, Info: r.Info, Memo: r.Memo, MemoChanged: true,
		SearchAttributes: r.SearchAttributes, SearchAttributesChanged: true,
		Activities: r.Activities, Timers: r.Timers, Children: r.Children, Signals: r.Signals, Cancels: r.Cancels,
		Requests: r.Requests, Updates: r.Updates, Buffered: r.Buffered,
	})
	rows := make(map[string]string, len(b.Ops))
	for _, op := range b.Ops {
		rows[string(bytes.Clone(op.Key.Name))] = string(op.Value)
	}
	return rows
}
