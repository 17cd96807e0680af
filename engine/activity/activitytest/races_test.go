package activitytest_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/perdure/perdure/engine/activity/activitytest"
)

// race is one order in which things reach an activity.
type race struct {
	house, stand, answer string
	order                []string
	crash                int // before which of them there is a crash
}

// stands are where the activity stands when the race begins.
var stands = map[string]func(p *pair){
	"waiting":     func(*pair) {},
	"started":     (*pair).poll,
	"heard of":    func(p *pair) { p.poll(); p.beatIt(true) },
	"backing off": func(p *pair) { p.poll(); p.failIt(false, 0) },
	"paused":      (*pair).pauseIt,
	"resetting":   func(p *pair) { p.poll(); p.resetIt(true, false, true) },
}

// answers are what the worker may say.
var answers = map[string]func(p *pair){
	"result":       (*pair).completeIt,
	"failure":      func(p *pair) { p.failIt(false, 0) },
	"cancellation": (*pair).acceptIt,
}

// Cancellation, a pause, a timeout, the worker's answer and the end of all reach
// an activity in some order. In each of the 120 orders, wherever it stands when
// they begin, and with a crash somewhere in between, it ends as the oracle says,
// once: who is late is refused or finds nothing to do.
func TestRacesHaveOneOutcome(t *testing.T) {
	outcomes := map[string]bool{}
	r := race{}
	for _, r.house = range slices.Sorted(maps.Keys(houses)) {
		for _, r.stand = range slices.Sorted(maps.Keys(stands)) {
			for _, r.answer = range slices.Sorted(maps.Keys(answers)) {
				orders([]string{"cancel", "pause", "timeout", "answer", "terminate"}, func(order []string) {
					r.order = order
					r.crash = (r.crash + 1) % (len(order) + 1) // the last is after all
					outcomes[r.run(t)] = true
				})
			}
		}
	}
	// The race is one: each of them wins in some order.
	for _, won := range []string{"Canceled", "Completed", "Terminated", "Failed CancelRequested", "StartToClose CancelRequested"} {
		if !outcomes[won] {
			t.Errorf("in no order the end was %q; there were %v", won, outcomes)
		}
	}
}

// run gives the outcome.
func (r race) run(t *testing.T) string {
	p := newPair(t, r.house, activitytest.Options{StartToClose: 10, Initial: 20, MaxInterval: 20, MaxAttempts: 2})
	stands[r.stand](p)
	for i, what := range r.order {
		if i == r.crash {
			p.crashIt(true)
		}
		switch what {
		case "cancel":
			p.cancelIt()
		case "pause":
			p.pauseIt()
		case "timeout":
			p.now += 10
			p.happened("timeout")
		case "answer":
			answers[r.answer](p)
		case "terminate":
			p.terminateIt()
		}
	}
	if !p.o.Ended {
		t.Fatalf("%+v: it has not ended", r)
	}
	p.lateAnswers()
	how, why := p.ended()
	return strings.TrimSpace(fmt.Sprint(how, " ", why))
}

// orders visits every order of the names.
func orders(names []string, visit func([]string)) {
	var place func(n int)
	place = func(n int) {
		if n == len(names) {
			visit(names)
			return
		}
		for i := n; i < len(names); i++ {
			names[n], names[i] = names[i], names[n]
			place(n + 1)
			names[n], names[i] = names[i], names[n]
		}
	}
	place(0)
}
