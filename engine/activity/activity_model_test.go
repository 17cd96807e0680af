package activity

import (
	"cmp"
	"slices"
	"testing"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/retry"
)

// The machine is compared with an oracle that knows nothing of deadlines: it
// lives through every second and asks of each timeout whether it has passed by
// now. The machine is only woken when it asked to be (State.Next), so a deadline
// it forgets, and one it fires early, both show (I6, I7). Along the way every
// start gets its own token, and at most one token is ever accepted (I5).
func TestTheMachineAgreesWithAnOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		t.Repeat(map[string]func(*rapid.T){
			"a second passes":   m.second,
			"another":           m.second,
			"seconds pass":      m.seconds,
			"a worker polls":    m.poll,
			"another polls":     m.poll,
			"the worker fails":  m.fail,
			"it heartbeats":     m.heartbeat,
			"it completes":      m.complete,
			"a cancel is asked": m.requestCancel,
			"cancel accepted":   m.acceptCancel,
			"hand-over aborted": m.abort,
			"an old token":      m.oldToken,
			"it is paused":      m.pause,
			"it is unpaused":    m.unpause,
			"it is reset":       m.reset,
			"new options":       m.setOptions,
			"":                  m.agree,
		})
	})
}

// oracle is the activity in whole seconds. Zero timeouts are none.
type oracle struct {
	s2c, s2s, stc, hb, initial, maxInterval, maxAttempts int
	nonRetryableTimeout                                  bool

	running, ended, cancel    bool
	paused, reset, forget     bool
	attempt, due, start, beat int
	// failed is when the last attempt did, wait the back-off after it; both 0
	// when there is none.
	failed, wait int
	details      bool
	how          string
}

// tick does what is due at second now: of what is overdue the earliest, and of
// several of one second the first in this list.
func (o *oracle) tick(now int) {
	if o.ended || o.paused {
		return
	}
	covered := o.s2c > 0 && o.stc >= o.s2c // see coversStart
	earliest, what := now+1, func() {}
	for _, t := range []struct {
		applies bool
		at      int
		happens func()
	}{
		{o.running && !covered, o.start + o.stc, func() { o.lost(now, "StartToClose") }},
		{!o.running && o.s2s > 0, o.due + o.s2s, func() { o.end("ScheduleToStart") }},
		{o.s2c > 0, o.s2c, func() { o.end("ScheduleToClose") }},
		{o.running && o.hb > 0, max(o.start, o.beat) + o.hb, func() { o.lost(now, "Heartbeat") }},
	} {
		if t.applies && t.at < earliest {
			earliest, what = t.at, t.happens
		}
	}
	what()
	if !o.running && now >= o.due {
		o.wait = 0
	}
}

// lost is an attempt that failed or timed out.
func (o *oracle) lost(now int, how string) {
	interval := o.interval(o.attempt)
	switch {
	case o.cancel, how == "StartToClose" && o.nonRetryableTimeout:
		o.end(how)
	case o.paused:
		o.again(now, 0)
	case o.maxAttempts > 0 && o.attempt >= o.maxAttempts:
		o.end(how)
	case o.s2c > 0 && now+interval > o.s2c:
		if how != "Failed" {
			how = "ScheduleToClose"
		}
		o.end(how)
	default:
		o.again(now, interval)
	}
}

// interval is the back-off after that attempt.
func (o *oracle) interval(attempt int) int {
	interval := o.initial
	for i := 1; i < attempt && interval < o.maxInterval; i++ {
		interval *= 2
	}
	return min(interval, o.maxInterval)
}

func (o *oracle) again(now, wait int) {
	o.stop()
	o.attempt, o.due, o.failed, o.wait = o.attempt+1, now+wait, now, wait
}

// stop is the end of a running attempt that the activity outlives.
func (o *oracle) stop() {
	o.details = o.details && !o.forget
	o.running, o.reset, o.forget = false, false, false
}

// handOut: nobody has it, and it is to be done now.
func (o *oracle) handOut(now int) { o.due, o.failed, o.wait = now, 0, 0 }

func (o *oracle) end(how string) { o.ended, o.running, o.how = true, false, how }

// model is the two of them side by side.
type model struct {
	o      *oracle
	now    int
	s      *State // nil: ended
	how    string
	tokens []int64 // of every start so far
	live   int64   // the one that must be accepted; 0 none
}

func newModel(t *rapid.T) *model {
	pick := func(name string, most int) int { return rapid.IntRange(0, most).Draw(t, name) }
	o := &oracle{attempt: 1, initial: 1 + pick("initial", 2), maxAttempts: pick("max attempts", 4)}
	o.maxInterval = o.initial + pick("max interval", 6)
	o.nonRetryableTimeout = rapid.Bool().Draw(t, "non-retryable timeout")
	sec := func(n int) time.Duration { return time.Duration(n) * time.Second }
	opts := Options{TaskQueue: "q",
		ScheduleToClose: sec(pick("s2c", 20)), ScheduleToStart: sec(pick("s2s", 8)),
		StartToClose: sec(1 + pick("stc", 8)), Heartbeat: sec(pick("hb", 5)),
		RetryPolicy: retry.Fill(&commonpb.RetryPolicy{
			InitialInterval: durationpb.New(sec(o.initial)), MaximumInterval: durationpb.New(sec(o.maxInterval)),
			MaximumAttempts: int32(o.maxAttempts), //nolint:gosec // small
		}),
	}
	if o.nonRetryableTimeout {
		opts.RetryPolicy.NonRetryableErrorTypes = []string{"TemporalTimeout:StartToClose"}
	}
	opts = opts.Normalize(0)
	o.s2c, o.s2s = int(opts.ScheduleToClose/time.Second), int(opts.ScheduleToStart/time.Second)
	o.stc, o.hb = int(opts.StartToClose/time.Second), int(opts.Heartbeat/time.Second)
	return &model{o: o, s: New(InWorkflow, "a", "T", opts, epoch)}
}

func (m *model) env() *engine.Env {
	return &engine.Env{Now: epoch.Add(time.Duration(m.now) * time.Second), Limits: engine.DefaultLimits(),
		Fresh: engine.NewFresh([16]byte{})}
}

func (m *model) seconds(t *rapid.T) {
	for range rapid.IntRange(2, 6).Draw(t, "seconds") {
		m.second(t)
		m.poll(t)
		m.agree(t)
	}
}

func (m *model) second(*rapid.T) {
	m.now++
	m.o.tick(m.now)
	if m.s == nil {
		return
	}
	if next := m.s.Next(); next.IsZero() || next.After(m.env().Now) {
		return
	}
	due := m.s.Overdue(m.env().Now)
	slices.SortFunc(due, func(a, b Overdue) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Rank, b.Rank)) })
	if len(due) > 0 {
		m.step(m.s.TimeOut(m.env(), due[0].Type))
	}
	m.offer()
}

func (m *model) offer() {
	if m.s != nil && m.s.MayOffer(m.env().Now) {
		m.s = m.s.Offer()
	}
}

func (m *model) step(step Step) {
	old := m.s
	m.s = step.State
	if step.Outcome != nil {
		m.how, m.live = outcomeName(step.Outcome), 0
		return
	}
	if old.Status == StatusStarted && m.s.Status != StatusStarted {
		m.live = 0
	}
}

func outcomeName(o *Outcome) string {
	switch {
	case o.Ending == TimedOut:
		return o.Failure.GetTimeoutFailureInfo().GetTimeoutType().String()
	case o.Ending == Failed:
		return "Failed"
	case o.Ending == Canceled:
		return "Canceled"
	}
	return "Completed"
}

func (m *model) poll(t *rapid.T) {
	m.offer()
	if m.s == nil || m.s.Status != StatusQueued || !m.s.Offered {
		return
	}
	stamp := m.s.Stamp
	next, err := m.s.Start(m.env().Now, stamp, &engine.Poller{Identity: "w", RequestID: "r"})
	if err != nil {
		t.Fatalf("offered, but refused: %v", err)
	}
	if again, err := next.Start(m.env().Now, stamp, &engine.Poller{RequestID: "r"}); err != nil || again != next {
		t.Fatalf("the same poll got another answer: %v", err)
	}
	if _, err := next.Start(m.env().Now, stamp, &engine.Poller{RequestID: "other"}); engine.KindOf(err) != engine.KindStale {
		t.Fatalf("one attempt was started twice: %v", err)
	}
	m.s, m.live = next, next.Stamp
	if slices.Contains(m.tokens, m.live) {
		t.Fatalf("token %d was given before", m.live)
	}
	m.tokens = append(m.tokens, m.live)
	m.o.running, m.o.start, m.o.beat, m.o.wait = true, m.now, 0, 0
}

func (m *model) fail(t *rapid.T) {
	if m.live == 0 {
		return
	}
	f := &failurepb.Failure{Message: "x"}
	step, _, err := m.s.Fail(m.env(), m.live, f, nil, "w")
	if err != nil {
		t.Fatal(err)
	}
	m.step(step)
	m.o.lost(m.now, "Failed")
}

func (m *model) heartbeat(t *rapid.T) {
	if m.live == 0 {
		return
	}
	var details *commonpb.Payloads
	if m.o.details = rapid.Bool().Draw(t, "details"); m.o.details {
		details = &commonpb.Payloads{}
	}
	step, heard, err := m.s.RecordHeartbeat(m.env(), m.live, details, "w")
	if want := (Heard{CancelRequested: m.o.cancel, Paused: m.o.paused, Reset: m.o.reset}); err != nil || heard != want {
		t.Fatalf("told %+v, %v; it should be %+v", heard, err, want)
	}
	m.step(step)
	m.o.beat = m.now
}

func (m *model) complete(t *rapid.T) {
	if m.live == 0 || rapid.IntRange(0, 9).Draw(t, "seldom") > 0 {
		return
	}
	step, err := m.s.Complete(m.env(), m.live, nil, "w")
	if err != nil {
		t.Fatal(err)
	}
	m.step(step)
	m.o.end("Completed")
}

func (m *model) requestCancel(t *rapid.T) {
	if m.s == nil || m.s.CancelRequested || rapid.IntRange(0, 2).Draw(t, "seldom") > 0 {
		return
	}
	m.s = m.s.RequestCancel(7)
	m.o.cancel = true
	if m.s.Unstarted() {
		o := m.s.CancelUnstarted("w")
		m.step(Step{Outcome: &o})
		m.o.end("Canceled")
	}
}

func (m *model) acceptCancel(t *rapid.T) {
	if m.live == 0 {
		return
	}
	if m.o.cancel && rapid.IntRange(0, 3).Draw(t, "seldom") > 0 {
		return
	}
	step, err := m.s.AcceptCancel(m.env(), m.live, nil, "w")
	if (err == nil) != m.o.cancel {
		t.Fatalf("accepted: %v; asked: %v", err, m.o.cancel)
	}
	if err == nil {
		m.step(step)
		m.o.end("Canceled")
	}
}

func (m *model) abort(t *rapid.T) {
	if m.live == 0 {
		return
	}
	step, err := m.s.Abort(m.live)
	if err != nil {
		t.Fatal(err)
	}
	m.step(step)
	m.o.stop()
	if m.o.cancel {
		m.o.end("Canceled")
	}
}

// operated takes over what an operator did; a token is good as long as its
// attempt runs.
func (m *model) operated(t *rapid.T, next *State) {
	if next != m.s && next.Unstarted() == (next.Stamp == m.s.Stamp) {
		t.Fatalf("stamp %d became %d in status %d", m.s.Stamp, next.Stamp, next.Status)
	}
	m.s = next
}

func (m *model) pause(t *rapid.T) {
	if m.s == nil || rapid.IntRange(0, 2).Draw(t, "seldom") > 0 {
		return
	}
	request := rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "request")
	next, err := m.s.SetPaused(Pause{RequestID: request})
	same := request != "" && request == m.s.Pause.RequestID
	if (err == nil) != (!m.o.paused || same) {
		t.Fatalf("paused: %v; before: %v", err, m.o.paused)
	}
	if err == nil {
		m.operated(t, next)
		m.o.paused = true
	}
}

func (m *model) unpause(t *rapid.T) {
	if m.s == nil {
		return
	}
	u := Unpause{ResetAttempts: rapid.Bool().Draw(t, "reset attempts"), ResetHeartbeat: rapid.Bool().Draw(t, "reset heartbeat")}
	m.operated(t, m.s.Unpause(m.env(), u))
	if !m.o.paused {
		return
	}
	m.o.paused = false
	m.o.details = m.o.details && !u.ResetHeartbeat
	if u.ResetAttempts {
		m.o.attempt = 1
	}
	if !m.o.running {
		m.o.handOut(m.now)
	}
}

func (m *model) reset(t *rapid.T) {
	if m.s == nil || rapid.IntRange(0, 3).Draw(t, "seldom") > 0 {
		return
	}
	r := Reset{ResetHeartbeat: rapid.Bool().Draw(t, "reset heartbeat"), KeepPaused: rapid.Bool().Draw(t, "keep paused")}
	m.operated(t, m.s.Reset(m.env(), r))
	m.o.attempt = 1
	m.o.paused = m.o.paused && r.KeepPaused
	if m.o.running {
		m.o.reset, m.o.forget = true, r.ResetHeartbeat
		return
	}
	m.o.details = m.o.details && !r.ResetHeartbeat
	m.o.handOut(m.now)
}

// setOptions changes start-to-close and the first interval, which decides when
// a back-off ends.
func (m *model) setOptions(t *rapid.T) {
	if m.s == nil || rapid.IntRange(0, 2).Draw(t, "seldom") > 0 {
		return
	}
	sec := func(n int) *durationpb.Duration { return durationpb.New(time.Duration(n) * time.Second) }
	stc, initial := 1+rapid.IntRange(0, 8).Draw(t, "stc"), 1+rapid.IntRange(0, m.o.maxInterval-1).Draw(t, "initial")
	o, err := Patch{
		Paths:   []string{"startToCloseTimeout", "retry_policy.initial_interval"},
		Options: &activitypb.ActivityOptions{StartToCloseTimeout: sec(stc), RetryPolicy: &commonpb.RetryPolicy{InitialInterval: sec(initial)}},
	}.Apply(m.s, m.env().Limits, 0)
	if err != nil {
		t.Fatal(err)
	}
	m.operated(t, m.s.SetOptions(m.env(), o))
	m.o.stc, m.o.initial, m.o.hb = int(o.StartToClose/time.Second), initial, int(o.Heartbeat/time.Second)
	switch {
	case m.o.running:
	case m.o.wait == 0:
		m.o.due = min(m.o.due, m.now)
	case m.o.wait != m.o.interval(m.o.attempt-1):
		m.o.wait = m.o.interval(m.o.attempt - 1)
		m.o.due = max(m.o.failed+m.o.wait, m.now)
	}
}

// oldToken: whatever a worker says with a token that is not the latest start's
// is refused.
func (m *model) oldToken(t *rapid.T) {
	if m.s == nil {
		return
	}
	for _, token := range m.tokens {
		if token == m.live {
			continue
		}
		if _, err := m.s.Complete(m.env(), token, nil, "w"); engine.KindOf(err) != engine.KindNotFound {
			t.Fatalf("an old token completed the activity: %v", err)
		}
		if _, err := m.s.Abort(token); engine.KindOf(err) != engine.KindStale {
			t.Fatalf("an old token aborted a start: %v", err)
		}
	}
}

func (m *model) agree(t *rapid.T) {
	switch o := m.o; {
	case (m.s == nil) != o.ended:
		t.Fatalf("second %d: the machine ended %v (%s), the oracle %v (%s)", m.now, m.s == nil, m.how, o.ended, o.how)
	case m.s == nil:
		if m.how != o.how {
			t.Fatalf("second %d: ended as %s, the oracle as %s", m.now, m.how, o.how)
		}
	case int(m.s.Attempt) != o.attempt || (m.s.Status == StatusStarted) != o.running:
		t.Fatalf("second %d: attempt %d status %d; the oracle: attempt %d running %v", m.now, m.s.Attempt, m.s.Status, o.attempt, o.running)
	case m.s.Paused != o.paused || m.s.Resetting != o.reset || (m.s.HeartbeatDetails != nil) != o.details:
		t.Fatalf("second %d: paused %v, resetting %v, details %v; the oracle: %v, %v, %v", m.now, m.s.Paused, m.s.Resetting, m.s.HeartbeatDetails != nil,
			o.paused, o.reset, o.details)
	case !o.running && !m.s.DueTime.Equal(epoch.Add(time.Duration(o.due)*time.Second)):
		t.Fatalf("second %d: due %v, the oracle at %d", m.now, m.s.DueTime, o.due)
	}
}
