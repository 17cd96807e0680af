package main

import (
	"fmt"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/engine/workflow"
)

// receivers wait for workflows and updates to end, at the addresses of callbacks.
// They outlive the server. Each has its manner: one takes what comes, one is
// often in trouble, one now and then says no for good, one is out of reach until
// everything heals.
type receivers struct {
	*world
	// taken is what each was told, by the id that tells repetitions; refused are
	// those it will never take.
	taken   map[string]string
	refused map[string]bool
}

func newReceivers(w *world) *receivers {
	return &receivers{world: w, taken: map[string]string{}, refused: map[string]bool{}}
}

// manners of receivers, as hosts of callback addresses.
var manners = []string{"well", "troubled", "strict", "away"}

// drawCallbacks are some callbacks, seldom any.
func (w *world) drawCallbacks() (list []*commonpb.Callback) {
	for w.oneIn(4) {
		list = append(list, &commonpb.Callback{Variant: &commonpb.Callback_Nexus_{Nexus: &commonpb.Callback_Nexus{
			Url: "https://" + manners[w.chance.IntN(len(manners))] + "/" + w.unique("callback"),
		}}})
	}
	return list
}

// Deliver implements shard.Deliverer. What has left the server arrives even if
// the server has died meanwhile; only the report of it does not.
func (p *process) Deliver(d *engine.Delivery, done func(callback.Answer)) {
	w := p.world
	w.receivers.mayBeTold(d)
	report := func(after time.Duration, a callback.Answer) { w.after(after, p.living(func() { done(a) })) }
	if w.strikes(faultCallbackBlocked) {
		report(0, callback.Answer{Verdict: callback.Blocked, Reason: "as the dice fell", Wait: w.between(0, 10*time.Second)})
		return
	}
	w.after(w.latency(), func() {
		a := w.receivers.hear(d)
		if w.strikes(faultCallbackUnheard) {
			if w.oneIn(2) {
				return // nobody ever says what became of it
			}
			a = troubled
		}
		report(w.latency(), a)
	})
}

var troubled = callback.Answer{Verdict: callback.Failed, Failure: &failurepb.Failure{Message: "503"}}

// hear is a receiver that is told of an end.
func (r *receivers) hear(d *engine.Delivery) callback.Answer {
	manner, _, _ := strings.Cut(strings.TrimPrefix(d.Callback.GetNexus().GetUrl(), "https://"), "/")
	switch {
	case r.healed:
	case manner == "troubled" && r.oneIn(2), manner == "away":
		return troubled
	case manner == "strict" && r.oneIn(8) && r.taken[d.RequestID] == "":
		r.refused[d.RequestID] = true
		r.say("%s refuses callback %d of %s", manner, d.Number, short(d.Run))
	}
	if r.refused[d.RequestID] {
		return callback.Answer{Verdict: callback.Refused, Failure: &failurepb.Failure{Message: "404"}}
	}
	what := fmt.Sprint(d.Completion.Result, d.Completion.Failure.GetMessage(), d.Completion.Canceled)
	if before := r.taken[d.RequestID]; before != "" && before != what {
		r.broken("I8: callback %d of %s is told %q, before it was %q", d.Number, short(d.Run), what, before)
	}
	r.taken[d.RequestID] = what
	r.say("%s takes callback %d of %s, try %d", manner, d.Number, short(d.Run), d.Stamp)
	return callback.Answer{Verdict: callback.Accepted}
}

// mayBeTold: what a receiver hears, the disk has.
func (r *receivers) mayBeTold(d *engine.Delivery) {
	if d.Run.Archetype == engine.ArchetypeActivity {
		r.mayBeToldOfSingle(d)
		return
	}
	state := r.disk.state(r.present(), d.Run)
	if state == nil {
		if !r.disk.mayBeGone(d.Run) {
			r.broken("I1: callback %d of %s is told of a run that is not on the disk", d.Number, short(d.Run))
		}
		return
	}
	s := state.Callbacks[d.Number]
	if s == nil || s.Stamp < d.Stamp || s.Waiting() || s.UpdateID == "" && state.Open() {
		r.broken("I1: callback %d of %s is told of what is not durable: %+v", d.Number, short(d.Run), s)
	}
}

func (r *receivers) mayBeToldOfSingle(d *engine.Delivery) {
	state := r.singles.stateOf(r.present(), d.Run)
	switch {
	case state == nil && !r.singles.mayBeGone(d.Run):
		r.broken("I1: callback %d of %s is told of a run that is not on the disk", d.Number, short(d.Run))
	case state == nil:
	case state.Open() || state.Callbacks[d.Number] == nil || state.Callbacks[d.Number].Stamp < d.Stamp:
		r.broken("I1: callback %d of %s is told of what is not durable: %+v", d.Number, short(d.Run), state.Callbacks[d.Number])
	}
}

// checkCallback: the state says delivered only of what its receiver has taken,
// refused only of what it has refused, and waits only while there is something
// to wait for (I8).
func (o *observer) checkCallback(run engine.RunKey, n int64, s *callback.State, ended bool, tell func() string) {
	wrong := ""
	switch {
	case s.Status == enumspb.CALLBACK_STATE_SUCCEEDED && s.Attempt > 0 && o.receivers.taken[s.RequestID] == "":
		wrong = "is said to be delivered, and was not"
	case s.Status == enumspb.CALLBACK_STATE_FAILED && !o.receivers.refused[s.RequestID]:
		wrong = "is said to be refused, and was not"
	case s.Pending() && s.Deadline().IsZero():
		wrong = "is to be delivered, and nobody will look at it"
	case s.Waiting() && ended:
		wrong = "waits for what has ended"
	}
	if wrong != "" {
		o.broken("I8: callback %d of %s %s: %+v\n%s", n, short(run), wrong, s, tell())
	}
}

// told reports whether what a callback waits for has ended in this run.
func (l *life) told(s *callback.State) bool {
	if u := l.state.Updates[s.UpdateID]; u != nil && u.CompletedEventID != 0 {
		return true
	}
	return !l.state.Open() && !replaced(l) && (s.UpdateID != "" || !handedOn(l))
}

// replaced reports whether a reset has put another run in the place of this one:
// that one has its callbacks, those of updates among them.
func replaced(l *life) bool {
	return l.state.Info.Status == enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED && l.state.Info.NewRunID != ""
}

// handedOn reports whether a closed run has given its callbacks to the next.
func handedOn(l *life) bool {
	last := l.events[len(l.events)-1]
	return l.state.Info.Status == enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW ||
		last.GetWorkflowExecutionFailedEventAttributes().GetRetryState() == enumspb.RETRY_STATE_IN_PROGRESS ||
		last.GetWorkflowExecutionTimedOutEventAttributes().GetRetryState() == enumspb.RETRY_STATE_IN_PROGRESS
}

// attached promises that the callbacks of an acknowledged start are kept.
func (a *auditor) attached(id engine.ID, in *workflow.StartWorkflow, started *workflow.Started) {
	req := in.Request
	run := engine.RunKey{ID: id, RunID: started.RunID}
	by := req.GetRequestId()
	if started.Started {
		by = ""
	} else if !req.GetOnConflictOptions().GetAttachCompletionCallbacks() {
		return
	}
	want := len(req.GetCompletionCallbacks())
	a.promise(run, func(l *life) bool {
		if l.state == nil {
			return true
		}
		have, from := 0, by
		if r := l.state.Requests[by]; r != nil && r.EventType == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED {
			from = "" // it has started the run that this one has taken the place of, by a reset
		}
		for _, s := range l.state.Callbacks {
			if s.AttachedBy == from && s.UpdateID == "" {
				have++
			}
		}
		return have == want
	}, "%d callbacks of %q in %s", want, by, short(run))
}
