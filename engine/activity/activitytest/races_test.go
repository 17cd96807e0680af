package activitytest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/perdure/perdure/engine/activity/activitytest"
)

// Cancellation, a pause, a timeout, the worker's answer and the end of all reach
// an activity in some order. In each of the 120 orders, wherever it stands when
// they begin and whether or not there is a crash in between, it ends as the
// oracle says, once: who is late is refused or finds nothing to do.
func TestRacesHaveOneOutcome(t *testing.T) {
	racers := map[string]func(p *pair){
		"cancel":    (*pair).cancelIt,
		"pause":     (*pair).pauseIt,
		"timeout":   func(p *pair) { p.now += 10; p.happened("timeout") },
		"answer":    (*pair).completeIt,
		"terminate": (*pair).terminateIt,
	}
	// The same with an answer that is no result.
	failing := map[string]func(p *pair){"answer": func(p *pair) { p.failIt(false, 0) }}
	accepting := map[string]func(p *pair){"answer": (*pair).acceptIt}
	stands := map[string]func(p *pair){
		"waiting":     func(*pair) {},
		"started":     (*pair).poll,
		"heard of":    func(p *pair) { p.poll(); p.beatIt(true) },
		"backing off": func(p *pair) { p.poll(); p.failIt(false, 0) },
		"paused":      (*pair).pauseIt,
		"resetting":   func(p *pair) { p.poll(); p.resetIt(true, false, true) },
	}
	outcomes := map[string]bool{}
	for name := range houses {
		for stand, begin := range stands {
			for _, instead := range []map[string]func(*pair){nil, failing, accepting} {
				orders([]string{"cancel", "pause", "timeout", "answer", "terminate"}, func(order []string) {
					for crash := range len(order) + 1 {
						p := newPair(t, name, activitytest.Options{StartToClose: 10, Initial: 20, MaxInterval: 20, MaxAttempts: 2})
						begin(p)
						for i, racer := range order {
							if i == crash {
								p.crashIt(true)
							}
							act := racers[racer]
							if other := instead[racer]; other != nil {
								act = other
							}
							act(p)
						}
						if !p.o.Ended {
							t.Fatalf("%s, %s, %v: it has not ended", name, stand, order)
						}
						p.lateAnswers()
						how, why := p.ended()
						outcomes[strings.TrimSpace(fmt.Sprint(how, " ", why))] = true
					}
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
