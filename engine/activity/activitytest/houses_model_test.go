package activitytest_test

import (
	"testing"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity/activitytest"
)

// houses are the executions that have an activity.
var houses = map[string]func(*clock, activitytest.Options) house{
	"in a workflow":  newInWorkflow,
	"standing alone": newAlone,
}

// pair is an execution and the oracle, side by side. Each method is one thing
// that happens to both; after it they agree.
type pair struct {
	*clock
	house
	o *activitytest.Oracle
	// live is the token that must be accepted, 0 for none; spent are the others.
	live  int64
	spent []int64
	// written is whether there were details when the state was last stored: what a
	// crash brings back.
	written bool
}

func newPair(t testing.TB, house string, o activitytest.Options) *pair {
	o.Alone = house == "standing alone"
	if !o.Alone {
		o.Delay = 0
	}
	c := &clock{TB: t}
	p := &pair{clock: c, house: houses[house](c, o)}
	// What is not given is derived from what is (AT-10).
	s := p.activity()
	o.ScheduleToClose, o.ScheduleToStart = inSeconds(s.ScheduleToClose), inSeconds(s.ScheduleToStart)
	o.StartToClose, o.Heartbeat = inSeconds(s.StartToClose), inSeconds(s.Heartbeat)
	p.o = activitytest.New(o)
	p.agree("schedule")
	return p
}

func inSeconds(d time.Duration) int { return int(d / time.Second) }

// allowed checks that err is nil if it should be, and else a refusal.
func (p *pair) allowed(what string, err error, want bool) bool {
	p.Helper()
	if (err == nil) != want || err != nil && engine.KindOf(err) == 0 {
		p.Fatalf("second %d, %s: %v; allowed: %v", p.now, what, err, want)
	}
	return want
}

// happened is the end of everything that happens: what is due by it is done, and
// the two are compared.
func (p *pair) happened(what string) {
	p.Helper()
	p.o.Tick(p.now)
	for range 10 {
		if at := p.deadline(); at.IsZero() || at.After(p.env().Now) {
			break
		}
		p.allowed("due", p.due(), true)
	}
	p.agree(what)
}

func (p *pair) agree(what string) {
	p.Helper()
	s, o := p.activity(), p.o
	switch {
	case (s == nil) != o.Ended:
		p.Fatalf("second %d, %s: it has ended: %v; the oracle: %v (%s, %s)", p.now, what, s == nil, o.Ended, o.How, o.Why)
	case s == nil:
		if how, why := p.ended(); how != o.How || why != o.Why {
			p.Fatalf("second %d, %s: ended as %s, %s; the oracle as %s, %s", p.now, what, how, why, o.How, o.Why)
		}
	case int(s.Attempt) != o.Attempt || s.Unstarted() == o.Running || s.Paused != o.Paused || s.CancelRequested != o.CancelAsked ||
		s.Resetting != o.ResetAsked || (s.HeartbeatDetails != nil) != o.Details:
		p.Fatalf("second %d, %s: %+v; the oracle: %+v", p.now, what, s, o)
	case s.Unstarted() && !s.DueTime.Equal(epoch.Add(seconds(o.Due))):
		p.Fatalf("second %d, %s: due %v; the oracle at %d", p.now, what, s.DueTime, o.Due)
	}
	_, offered := p.offer()
	if want := s != nil && !o.Running && !o.Paused && p.now >= o.Due; offered != want {
		p.Fatalf("second %d, %s: on offer: %v; it should be %v", p.now, what, offered, want)
	}
	if s == nil || !o.Running {
		p.spend()
	}
	if p.stored() {
		p.written = o.Details
	}
}

func (p *pair) spend() {
	if p.live != 0 {
		p.spent = append(p.spent, p.live)
		p.live = 0
	}
}

func (p *pair) second() {
	p.now++
	p.happened("a second passes")
}

// poll takes the attempt if it is on offer.
func (p *pair) poll() {
	t, ok := p.offer()
	if !ok {
		return
	}
	stamp, err := p.start(t, "one")
	p.allowed("poll", err, true)
	if again, err := p.start(t, "one"); err != nil || again != stamp {
		p.Fatalf("the same poll got %d, %v after %d", again, err, stamp)
	}
	if _, err := p.start(t, "another"); engine.KindOf(err) != engine.KindStale {
		p.Fatalf("an attempt was started twice: %v", err)
	}
	p.live = stamp
	p.o.Start(p.now)
	p.happened("poll")
}

// completeIt completes it with the token; when nobody has one, by its id (AT-43).
func (p *pair) completeIt() {
	if p.allowed("complete", p.complete(p.live), !p.o.Ended) {
		p.o.Complete()
		p.happened("complete")
	}
}

func (p *pair) failIt(final bool, delay int) {
	info := &failurepb.ApplicationFailureInfo{NonRetryable: final}
	if delay > 0 {
		info.NextRetryDelay = durationpb.New(seconds(delay))
	}
	f := &failurepb.Failure{Message: "x", FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: info}}
	if p.live != 0 && p.allowed("fail", p.fail(p.live, f), true) {
		p.o.Fail(p.now, final, delay)
		p.happened("fail")
	}
}

func (p *pair) beatIt(withDetails bool) {
	if p.live == 0 {
		return
	}
	var details *commonpb.Payloads
	if withDetails {
		details = &commonpb.Payloads{}
	}
	canceled, paused, reset, err := p.beat(p.live, details)
	p.allowed("heartbeat", err, true)
	c, pa, r := p.o.Beat(p.now, withDetails)
	if canceled != c || paused != pa || reset != r {
		p.Fatalf("told %v, %v, %v; the oracle %v, %v, %v", canceled, paused, reset, c, pa, r)
	}
	p.agree("heartbeat")
}

func (p *pair) acceptIt() {
	if p.live != 0 && p.allowed("accept", p.acceptCancel(p.live), p.o.CancelAsked) {
		p.o.AcceptCancel()
		p.happened("accept")
	}
}

func (p *pair) abortIt() {
	if p.live != 0 && p.allowed("abort", p.abort(p.live), true) {
		p.spend()
		p.o.Abort()
		p.happened("abort")
	}
}

func (p *pair) cancelIt() {
	// A workflow does not ask twice: that would be its own mistake (AT-131).
	if p.o.CancelAsked && !p.o.Alone {
		return
	}
	if p.allowed("cancel", p.askCancel(), !p.o.Ended && !p.o.CancelAsked) {
		p.o.AskCancel()
		p.happened("cancel")
	}
}

func (p *pair) terminateIt() {
	// A workflow goes on when its activity has ended.
	if p.o.Ended && !p.o.Alone {
		return
	}
	if p.allowed("terminate", p.terminate(), !p.o.Ended) {
		p.o.Terminate()
		p.happened("terminate")
	}
}

// free reports whether operators may ask for something. Standing alone what was
// asked for before comes first.
func (p *pair) free() bool { return !p.o.Ended && !(p.o.Alone && (p.o.CancelAsked || p.o.ResetAsked)) }

func (p *pair) pauseIt() {
	if p.allowed("pause", p.pause(), p.free() && !p.o.Paused) {
		p.o.Pause()
		p.happened("pause")
	}
}

func (p *pair) unpauseIt(resetAttempts, resetDetails bool) {
	if p.o.Alone {
		resetAttempts, resetDetails = false, false
	}
	if p.allowed("unpause", p.unpause(resetAttempts, resetDetails), p.free() && (p.o.Paused || !p.o.Alone)) {
		p.o.Unpause(p.now, resetAttempts, resetDetails)
		p.happened("unpause")
	}
}

func (p *pair) resetIt(resetDetails, keepPaused, restore bool) {
	if p.allowed("reset", p.reset(resetDetails, keepPaused, restore), p.free()) {
		p.o.Reset(p.now, resetDetails, keepPaused, restore)
		p.happened("reset")
	}
}

func (p *pair) updateIt(startToClose, initial int) {
	err := p.update(&activitypb.ActivityOptions{
		StartToCloseTimeout: timeout(startToClose), RetryPolicy: &commonpb.RetryPolicy{InitialInterval: timeout(initial)},
	}, "start_to_close_timeout", "retry_policy.initial_interval")
	if !p.allowed("update", err, p.free()) {
		return
	}
	if p.o.ScheduleToClose > 0 {
		startToClose = min(startToClose, p.o.ScheduleToClose)
	}
	p.o.Update(p.now, startToClose, min(p.o.Heartbeat, startToClose), initial)
	p.happened("update")
}

func (p *pair) delayIt(delay int) {
	if !p.o.Alone {
		return
	}
	err := p.update(&activitypb.ActivityOptions{StartDelay: timeout(delay)}, "start_delay")
	if p.allowed("delay", err, p.free() && p.o.Delayable(p.now)) {
		p.o.UpdateDelay(p.now, delay)
		p.happened("delay")
	}
}

// crashIt loses what is in memory; what heartbeats have said since the last write
// is lost, or had been written just before.
func (p *pair) crashIt(lost bool) {
	if lost {
		p.o.Details = p.written
	} else {
		p.sync()
	}
	p.crash()
	p.o.Load(p.now)
	p.happened("crash")
}

// lateAnswers: whatever a worker says with a token that is not the latest start's
// is refused, and changes nothing.
func (p *pair) lateAnswers() {
	for _, stamp := range p.spent {
		_, _, _, beat := p.beat(stamp, nil)
		for what, err := range map[string]error{
			"complete": p.complete(stamp), "fail": p.fail(stamp, nil), "accept": p.acceptCancel(stamp), "beat": beat,
		} {
			if engine.KindOf(err) != engine.KindNotFound {
				p.Fatalf("%s with an old token: %v", what, err)
			}
		}
		if err := p.abort(stamp); engine.KindOf(err) != engine.KindStale {
			p.Fatalf("abort with an old token: %v", err)
		}
	}
	p.agree("late answers")
}

// Whatever happens to an activity, in whichever house, through restarts that lose
// all but what was written: it is as the oracle says.
func TestWholeExecutionsAgreeWithAnOracle(t *testing.T) {
	for name := range houses {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				n := func(what string, most int) int { return rapid.IntRange(0, most).Draw(rt, what) }
				yes := func(what string) bool { return rapid.Bool().Draw(rt, what) }
				initial := 1 + n("initial", 2)
				p := newPair(rapidTB{t, rt}, name, activitytest.Options{
					ScheduleToClose: n("s2c", 20), ScheduleToStart: n("s2s", 8), StartToClose: 1 + n("stc", 8), Heartbeat: n("hb", 5),
					Delay: max(0, n("delay", 8)-4), Initial: initial, MaxInterval: initial + n("max interval", 6),
					MaxAttempts: n("max attempts", 4), FinalTimeout: yes("final timeout"),
				})
				rarely := func(f func()) func(*rapid.T) {
					return func(*rapid.T) {
						if n("seldom", 3) == 0 {
							f()
						}
					}
				}
				often := func(f func()) func(*rapid.T) { return func(*rapid.T) { f() } }
				rt.Repeat(map[string]func(*rapid.T){
					"a second passes": often(p.second),
					"seconds pass": often(func() {
						for range 2 + n("seconds", 4) {
							p.second()
							p.poll()
						}
					}),
					"a worker polls":    often(p.poll),
					"another polls":     often(p.poll),
					"the worker fails":  often(func() { p.failIt(n("final", 9) == 0, max(0, n("delay", 9)-5)) }),
					"it heartbeats":     often(func() { p.beatIt(yes("details")) }),
					"it completes":      rarely(p.completeIt),
					"a cancel is asked": rarely(p.cancelIt),
					"cancel accepted":   rarely(p.acceptIt),
					"terminated":        rarely(rarelyMore(n, p.terminateIt)),
					"hand-over aborted": often(p.abortIt),
					"late answers":      often(p.lateAnswers),
					"it is paused":      rarely(p.pauseIt),
					"it is unpaused":    often(func() { p.unpauseIt(yes("attempts"), yes("details")) }),
					"it is reset":       rarely(func() { p.resetIt(yes("details"), yes("keep paused"), yes("restore")) }),
					"new options":       rarely(func() { p.updateIt(1+n("stc", 8), 1+n("initial", p.o.MaxInterval-1)) }),
					"another delay":     rarely(func() { p.delayIt(n("delay", 12)) }),
					"a crash":           rarely(func() { p.crashIt(yes("lost")) }),
				})
			})
		})
	}
}

func rarelyMore(n func(string, int) int, f func()) func() {
	return func() {
		if n("very seldom", 4) == 0 {
			f()
		}
	}
}

// rapidTB lets rapid know of failures that a testing.TB is told.
type rapidTB struct {
	testing.TB
	rt *rapid.T
}

func (r rapidTB) Helper()                           {}
func (r rapidTB) Fatal(args ...any)                 { r.rt.Fatal(args...) }
func (r rapidTB) Fatalf(format string, args ...any) { r.rt.Fatalf(format, args...) }
