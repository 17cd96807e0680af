package main

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	activitypb "go.temporal.io/api/activity/v1"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

// single is what is known of a run of a standalone activity: it has no history,
// so all there is to hold it to is that it never goes back.
type single struct {
	key    engine.RunKey
	state  *standalone.Run // by the last look; nil once deleted
	gone   bool
	lastly time.Time // when its state was last seen
	// stored and atRest are those of a life.
	stored []store.Entry
	atRest bool
	// outcome once it has closed; transitions and stamp as last seen.
	outcome     *activitypb.ActivityExecutionOutcome
	transitions int64
	stamp       int64
}

// singles are what observer and auditor know of standalone activities.
type singles struct {
	*world
	runs  map[engine.RunKey]*single
	order []*single // as they were first seen
	// facts are promises not yet looked for on the disk.
	facts []*aloneFact
	// starts are the start versions handed out of a run (I5); ended how its
	// outcome was acknowledged (I6).
	starts map[engine.RunKey]int64
	ended  map[engine.RunKey]string
	// beats are the latest heartbeats that were acknowledged.
	beats map[engine.RunKey]beat
}

type aloneFact struct {
	what  string
	run   engine.RunKey
	at    time.Time
	holds func(*standalone.Run) bool
}

func newSingles(w *world) *singles {
	return &singles{world: w, runs: map[engine.RunKey]*single{}, starts: map[engine.RunKey]int64{},
		ended: map[engine.RunKey]string{}, beats: map[engine.RunKey]beat{}}
}

func (s *singles) single(key engine.RunKey) *single {
	x := s.runs[key]
	if x == nil {
		x = &single{key: key}
		s.runs[key] = x
		s.order = append(s.order, x)
	}
	return x
}

// answered hears every answer that leaves the server.
func (s *singles) answered(id engine.ID, runID string, in engine.Input, reply any) {
	run := engine.RunKey{ID: id, RunID: runID}
	switch in := in.(type) {
	case *standalone.StartExecution:
		s.started(id, in, reply.(*standalone.StartedExecution))
	case *standalone.Heartbeat:
		if in.Stamp != 0 {
			s.beats[run] = beat{in.Stamp, string(in.Details.Payloads[0].Data), s.now}
		}
	case *standalone.Complete:
		s.end(run, in.Stamp, enumspb.ACTIVITY_EXECUTION_STATUS_COMPLETED)
	case *standalone.Cancel:
		s.end(run, in.Stamp, enumspb.ACTIVITY_EXECUTION_STATUS_CANCELED)
	}
}

func (s *singles) promise(run engine.RunKey, holds func(*standalone.Run) bool, format string, args ...any) {
	s.auditor.acknowledged++
	f := &aloneFact{fmt.Sprintf(format, args...), run, s.now, holds}
	s.facts = append(s.facts, f)
	if s.oneIn(4) { // a reply before its commit shows best at once
		if state := s.stateOf(s.present(), run); state == nil && !s.mayBeGone(run) || state != nil && !holds(state) {
			s.broken("I1: acknowledged and not on the disk: %s", f.what)
		}
	}
}

func (s *singles) started(id engine.ID, in *standalone.StartExecution, reply *standalone.StartedExecution) {
	run := engine.RunKey{ID: id, RunID: reply.RunID}
	if reply.EagerTask != nil {
		s.handedEager(reply.EagerTask)
	}
	request := in.Request.GetRequestId()
	callbacks := len(in.Request.GetCompletionCallbacks())
	attached := !reply.Started && in.Request.GetOnConflictOptions().GetAttachCompletionCallbacks()
	s.promise(run, func(state *standalone.Run) bool {
		have := 0
		for _, c := range state.Callbacks { // a count: their order does not matter
			if c.AttachedBy == request || reply.Started && c.AttachedBy == "" {
				have++
			}
		}
		return have == callbacks || !reply.Started && !attached || state.Start.RequestID == request && !reply.Started
	}, "start %s of %s with %d callbacks", request, short(run), callbacks)
	s.index.acknowledged(run, false)
}

// end hears that an outcome was accepted.
func (s *singles) end(run engine.RunKey, stamp int64, how enumspb.ActivityExecutionStatus) {
	if former := s.ended[run]; former != "" {
		s.broken("I6: %s has ended twice: %s, then %v", short(run), former, how)
	}
	if last := s.starts[run]; stamp != 0 && last != stamp {
		s.broken("I5: %s: an outcome of start %d is accepted, the last start is %d", short(run), stamp, last)
	}
	s.ended[run] = fmt.Sprint(how, " by start ", stamp)
	s.promise(run, func(state *standalone.Run) bool {
		return state.Info.Status == how || s.tightfisted() && state.Info.Status == enumspb.ACTIVITY_EXECUTION_STATUS_FAILED
	}, "%v of %s", how, short(run))
	s.index.acknowledged(run, true)
}

// handed hears of every attempt that a poll brings a worker.
func (s *singles) handed(t *standalone.Started) {
	token := t.Token()
	if last := s.starts[t.Run]; token.Stamp <= last {
		s.broken("I5: %s: start %d is handed out after %d", short(t.Run), token.Stamp, last)
	}
	s.starts[t.Run] = token.Stamp
	s.durable(t)
}

// handedEager: the same start again is right, to who asks again.
func (s *singles) handedEager(t *standalone.Started) {
	if last := s.starts[t.Run]; t.Token().Stamp < last {
		s.broken("I5: %s: start %d is handed out after %d", short(t.Run), t.Token().Stamp, last)
	}
	s.starts[t.Run] = t.Token().Stamp
	s.durable(t)
}

func (s *singles) durable(t *standalone.Started) {
	s.aloneHanded(t)
	if state := s.stateOf(s.present(), t.Run); state != nil && state.Activity.Stamp < t.Token().Stamp {
		s.broken("I1: %s is handed out before its start is durable", describe(t))
	}
}

// stateOf reads a run from the disk; nil when there is none.
func (s *singles) stateOf(img *memstore.Image, run engine.RunKey) *standalone.Run {
	loader := record.NewStandaloneLoader(run)
	if !addState(img, run, loader) {
		return nil
	}
	state, err := loader.Run()
	s.disk.must(err)
	return state
}

// settle compares a run with what was seen of it before.
func (s *singles) settle(x *single, stored []store.Entry) {
	if stored == nil {
		if !x.gone && !s.mayBeGone(x.key) {
			s.broken("I1: %s is gone", short(x.key))
		}
		x.gone, x.state = true, nil
		return
	}
	if x.gone {
		s.broken("I1: %s is back after it was deleted", short(x.key))
	}
	if x.atRest && sameRows(x.stored, stored) {
		x.lastly = s.now
		s.disk.checkPunctual(x.key, x.state.NextDeadline(), x.tell)
		return
	}
	loader := record.NewStandaloneLoader(x.key)
	for _, e := range stored {
		loader.Add(e)
	}
	state, err := loader.Run()
	s.disk.must(err)
	// As a shard that opens at this moment would find it, whatever its clock.
	state.Loaded(s.now.Add(maxSkew))
	x.state, x.lastly = state, s.now
	if wrong := x.compare(); wrong != "" {
		s.broken("%s: %s\n%s", short(x.key), wrong, x.tell())
	}
	x.outcome, x.transitions, x.stamp = state.Outcome, state.Info.Transitions, state.Activity.Stamp
	s.disk.checkWoken(x.key, state.Open(), state.NextDeadline(), state.Info.Armed, x.tell)
	for n := int64(1); state.Callbacks[n] != nil; n++ {
		s.disk.checkCallback(x.key, n, state.Callbacks[n], !state.Open(), x.tell)
	}
	x.stored, x.atRest = stored, !state.Open() && !pending(state.Callbacks)
}

// compare says what is wrong with a run, given what was seen of it before.
func (x *single) compare() string {
	run := x.state
	switch {
	case run.Info.Transitions < x.transitions:
		return fmt.Sprintf("I1: it has made %d transitions, and had made %d", run.Info.Transitions, x.transitions)
	case run.Activity.Stamp < x.stamp:
		return fmt.Sprintf("I5: its start version is %d, and was %d", run.Activity.Stamp, x.stamp)
	case run.Open() != (run.Outcome == nil):
		return "I6: it has ended and has no outcome, or the other way round"
	case x.outcome != nil && !proto.Equal(x.outcome, run.Outcome):
		return fmt.Sprintf("I6: its outcome is %v, and was %v", run.Outcome, x.outcome)
	case !run.Open() && run.Info.DeleteAt.IsZero():
		return "it is closed, and will never be forgotten"
	}
	return x.checkOutcome()
}

// mayBeGone reports whether a run was to be deleted by now.
func (s *singles) mayBeGone(key engine.RunKey) bool {
	x := s.runs[key]
	return s.auditor.deleted[key.ID] || x != nil && (x.gone || x.lastly.IsZero() ||
		x.state != nil && !x.state.Open() && !x.state.Info.DeleteAt.After(s.now.Add(maxSkew)) ||
		!s.now.Before(x.lastly.Add(s.retention-2*maxSkew)))
}

// verify looks for what was promised in what was last seen (I1).
func (s *singles) verify() {
	for _, f := range s.facts {
		x := s.runs[f.run]
		if x == nil && !s.mayBeGone(f.run) && !s.auditor.retained(f.at) || x != nil && x.state != nil && !f.holds(x.state) {
			s.broken("I1: acknowledged and lost: %s", f.what)
		}
	}
	s.facts = s.facts[:0]
}

// checkIDs: an id has one open run, which is the current one (I3).
func (s *singles) checkIDs() {
	open := map[engine.ID]*single{}
	for _, x := range s.order {
		if x.state == nil || !x.state.Open() {
			continue
		}
		if other := open[x.key.ID]; other != nil {
			s.broken("I3: %s and %s are both open", short(other.key), short(x.key))
		}
		open[x.key.ID] = x
		if current := s.disk.current[x.key.ID]; current != x.key.RunID {
			s.broken("I3: %s is open, and the current run is %s", short(x.key), current)
		}
	}
}

// nothingForgotten is asked after a clean stop, as for the activities of workflows.
func (s *singles) nothingForgotten(calm time.Time) {
	for _, x := range s.order {
		b, ok := s.beats[x.key]
		if !ok || x.state == nil || !x.state.Open() || x.state.Activity.Stamp != b.start || !b.at.After(calm) {
			continue
		}
		got := ""
		if details := x.state.Activity.HeartbeatDetails.GetPayloads(); len(details) > 0 {
			got = string(details[0].GetData())
		}
		if got != b.details {
			s.broken("I1: after a clean stop the heartbeat of %s is %q, acknowledged was %q", short(x.key), got, b.details)
		}
	}
}

// left lists what has not ended.
func (s *singles) left() string {
	var b strings.Builder
	for _, x := range s.order {
		if x.state != nil && (x.state.Open() || pending(x.state.Callbacks)) {
			fmt.Fprintf(&b, "%s has not ended:\n%s", short(x.key), x.tell())
		}
	}
	return b.String()
}

func pending(callbacks map[int64]*callback.State) bool {
	for _, s := range callbacks { // is there any: their order does not matter
		if s.Pending() {
			return true
		}
	}
	return false
}

// tell is the state of a run.
func (x *single) tell() string {
	if x.state == nil {
		return "    deleted\n"
	}
	return fmt.Sprintf("    %s: %+v\n    activity %+v\n    outcome %v\n", x.state.State(), *x.state.Info, *x.state.Activity, x.state.Outcome)
}
