package main

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
)

// seen is a run's state on the disk: since when, and what the index must say.
type seen struct {
	version int64
	row     *engine.VisibilityRecord
	since   time.Time
}

// soon is how long after its batch a change is in the feed at the latest, with
// no trouble in between.
const soon = 2 * time.Second

// check compares the index, as a list would see it, with what has been on the
// disk for a while (I10).
func (x *index) check() {
	if x.process == nil {
		return
	}
	x.flush()
	for _, l := range x.disk.order {
		if l.state != nil {
			x.checkRow(l.key, l.state.Info.Transitions, l.state.VisibilityRecord, l.tell)
		}
	}
	for _, s := range x.singles.order {
		if s.state != nil {
			x.checkRow(s.key, s.state.Info.Transitions, s.state.VisibilityRecord, s.tell)
		}
	}
}

func (x *index) checkRow(run engine.RunKey, version int64, record func() *engine.VisibilityRecord, tell func() string) {
	before, known := x.seen[run]
	if !known || before.version != version {
		row := record()
		since := x.now
		if known && differ(before.row, row) == "" {
			since = before.since
		}
		x.seen[run] = seen{version, row, since}
		return
	}
	if since := latest(before.since, x.trouble); x.now.Sub(since) < soon {
		return
	}
	if wrong := differ(before.row, x.rows[run]); wrong != "" {
		x.broken("I10: the index does not say of %s what is so since %v: %s\n%s", short(run), before.since.Sub(epoch), wrong, tell())
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// differ says what the index has wrong of a run; "" for nothing.
func differ(want, got *engine.VisibilityRecord) string {
	switch {
	case got == nil:
		return "it is not there"
	case got.Deleted:
		return "it was removed"
	case got.Status != want.Status:
		return fmt.Sprintf("status %v, is %v", got.Status, want.Status)
	case got.Type != want.Type || got.TaskQueue != want.TaskQueue || !got.StartTime.Equal(want.StartTime):
		return fmt.Sprintf("%s on %s since %v, is %s on %s since %v", got.Type, got.TaskQueue, got.StartTime, want.Type, want.TaskQueue, want.StartTime)
	case !got.CloseTime.Equal(want.CloseTime) || got.HistoryLength != want.HistoryLength:
		return fmt.Sprintf("closed at %v after %d events, was at %v after %d", got.CloseTime, got.HistoryLength, want.CloseTime, want.HistoryLength)
	case !samePayloads(got.Memo.GetFields(), want.Memo.GetFields()):
		return fmt.Sprintf("memo %v, is %v", got.Memo, want.Memo)
	case !samePayloads(got.SearchAttributes.GetIndexedFields(), want.SearchAttributes.GetIndexedFields()):
		return fmt.Sprintf("search attributes %v, are %v", got.SearchAttributes, want.SearchAttributes)
	}
	return ""
}

func samePayloads(a, b map[string]*commonpb.Payload) bool {
	if len(a) != len(b) {
		return false
	}
	for name, p := range a { // all are compared: their order does not matter
		if b[name] == nil || !proto.Equal(p, b[name]) {
			return false
		}
	}
	return true
}

// acknowledged: a caller who was told of a start, or of an end, finds it in the
// index (I10).
func (x *index) acknowledged(run engine.RunKey, closed bool) {
	if x.process == nil {
		return // it crashed while the answer was on its way
	}
	x.flush()
	row := x.rows[run]
	switch {
	case row == nil && run.Archetype == engine.ArchetypeActivity && x.singles.mayBeGone(run):
	case row == nil && !x.disk.mayBeGone(run):
		x.broken("I10: the start of %s was acknowledged, and the index has not heard of it", short(run))
	case row != nil && closed && !row.Deleted && row.Status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		x.broken("I10: the end of %s was acknowledged, and the index says that it runs", short(run))
	}
}

// checkAll compares the index with the state once all is quiet, rows of what was
// deleted included. What the disk has at one moment the index has a second later.
func (x *index) checkAll() {
	x.world.check()
	to := x.now.Add(time.Second)
	for x.step(to) {
	}
	x.now = to
	x.flush()
	for _, l := range x.disk.order {
		if l.state == nil {
			x.checkGone(l.key)
		} else if l.skips && !l.state.Open() || forgotten(l.state.Info.DeleteAt, x.now) { // one that skips time is ahead of it
			continue
		} else if wrong := differ(l.state.VisibilityRecord(), x.rows[l.key]); wrong != "" {
			x.broken("I10: the index does not say of %s what is so: %s\n%s", short(l.key), wrong, l.tell())
		}
	}
	for _, s := range x.singles.order {
		if s.state == nil {
			x.checkGone(s.key)
		} else if forgotten(s.state.Info.DeleteAt, x.now) {
			continue
		} else if wrong := differ(s.state.VisibilityRecord(), x.rows[s.key]); wrong != "" {
			x.broken("I10: the index does not say of %s what is so: %s\n%s", short(s.key), wrong, s.tell())
		}
	}
}

// forgotten reports whether what has closed was to be deleted by now: a shard that
// has seen a clock ahead of its time goes on from there.
func forgotten(at, now time.Time) bool { return !at.IsZero() && !at.After(now.Add(maxSkew)) }

func (x *index) checkGone(run engine.RunKey) {
	if row := x.rows[run]; row == nil || !row.Deleted {
		x.broken("I10: %s was deleted, the index says %+v", short(run), row)
	}
}
