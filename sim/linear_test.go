package main

import (
	"strings"
	"testing"
	"time"

	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/sim/linear"
)

// mistakes are servers that are wrong in what they tell the clients of a history,
// and in nothing else: no other checker could notice.
var mistakes = map[string]func(*episode, linear.Call, heard) (told heard, answered bool){
	"a description comes from the memory of a former owner": func() func(e *episode, c linear.Call, told heard) (heard, bool) {
		memory := map[*episode]linear.Answer{}
		return func(e *episode, c linear.Call, told heard) (heard, bool) {
			if c.Kind != linear.Read || c.Run != "" {
				return told, false
			}
			return func(a linear.Answer, heard bool) {
				if old, ok := memory[e]; ok && e.oneIn(3) {
					a, heard = old, true
				} else if heard && a.Sight != nil {
					memory[e] = a
				}
				told(a, heard)
			}, false
		}
	}(),
	"a start is accepted twice": func(e *episode, _ linear.Call, told heard) (heard, bool) {
		return func(a linear.Answer, heard bool) {
			if a.Refused == linear.AlreadyStarted {
				a = linear.Answer{Started: true, Run: e.unique("run")}
			}
			told(a, heard)
		}, false
	},
	"a signal is acknowledged and lost":       lost(linear.Signal),
	"a termination is acknowledged and lost":  lost(linear.Terminate),
	"a cancellation is acknowledged and lost": lost(linear.Cancel),
	"an update is called accepted before a worker has seen it": func(e *episode, c linear.Call, told heard) (heard, bool) {
		if c.Kind != linear.Update {
			return told, false
		}
		e.submit(e.id, "", updateInput(e.id.Name, c.Request, ""), func(reply any, err error) {
			status, ok := reply.(*workflow.UpdateStatus)
			if !ok || err != nil {
				told(linear.Answer{}, false)
				return
			}
			told(linear.Answer{Run: status.Run.RunID, Progress: linear.Progress{Stage: linear.Accepted}}, true)
		})
		return nil, true
	},
	"a signal is acknowledged before its commit": func(e *episode, c linear.Call, told heard) (heard, bool) {
		if c.Kind != linear.Signal {
			return told, false
		}
		e.call(func(p *process, answer func(any, error)) {
			p.host.Submit(e.id, c.Run, e.input(c), func(_ any, err error) { answer(nil, err) })
			// By the time somebody looks the signal is in memory, unless it was refused.
			p.host.Look(e.id, c.Run, func(run *workflow.Run) {
				if run.Requests[c.Request] == nil {
					return
				}
				answer(nil, nil)
				if e.oneIn(3) { // the moment that tells
					e.after(e.between(0, time.Millisecond), p.living(func() {
						e.crash()
						e.rise()
					}))
				}
			}, func(error) {})
		}, func(_ any, err error) { told(answerTo(err)) })
		return nil, true
	},
	"what failed is told as done": func(_ *episode, c linear.Call, told heard) (heard, bool) {
		return func(a linear.Answer, heard bool) {
			if c.Kind == linear.Signal && a.Lost {
				a, heard = linear.Answer{}, true
			}
			told(a, heard)
		}, false
	},
}

// lost never carries out calls of a kind, and says it did.
func lost(kind linear.Kind) func(*episode, linear.Call, heard) (heard, bool) {
	return func(e *episode, c linear.Call, told heard) (heard, bool) {
		if c.Kind != kind || len(e.runs) == 0 || !e.oneIn(2) {
			return told, false
		}
		e.after(e.latency(), func() { told(linear.Answer{}, true) })
		return nil, true
	}
}

// What finds nothing proves nothing: a server that is wrong about one kind of call
// has a history that is not linearizable.
func TestMistakesInHistoriesAreNoticed(t *testing.T) {
	for name, mistaken := range mistakes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= 100; seed++ {
				w := newWorld(options{seed: seed, steps: 3000, mistaken: mistaken, crashEvery: 500 * time.Millisecond})
				w.faults.rates[faultSlowCommit] = 2 // so that there is something before it
				if wrong := w.live(); strings.HasPrefix(wrong, "linearizability: no order") {
					t.Logf("noticed in world %d", seed)
					return
				} else if wrong != "" {
					t.Errorf("%s", w.epitaph(wrong))
				}
			}
			t.Error("100 worlds have not noticed")
		})
	}
}

// The same worlds with an honest server have histories that are linearizable, and
// some answers in them that were lost.
func TestHonestHistories(t *testing.T) {
	honest := func(_ *episode, _ linear.Call, told heard) (heard, bool) { return told, false }
	var all judged
	for seed := uint64(1); seed <= 10; seed++ {
		w := newWorld(options{seed: seed, steps: 3000, mistaken: honest, crashEvery: 500 * time.Millisecond})
		if wrong := w.live(); wrong != "" {
			t.Fatalf("%s", w.epitaph(wrong))
		}
		all.add(w.linearity.judged)
	}
	if all.Histories < 10 || all.Lost == 0 {
		t.Errorf("hardly anything was judged: %+v", all)
	}
}
