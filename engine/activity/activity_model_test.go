package activity

import (
	"cmp"
	"slices"
	"testing"
	"time"

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
			"":                  m.agree,
		})
	})
}

// oracle is the activity in whole seconds. Zero timeouts are none.
type oracle struct {
	s2c, s2s, stc, hb, initial, maxInterval, maxAttempts int
	nonRetryableTimeout                                  bool

	running, ended, cancel    bool
	attempt, due, start, beat int
	how                       string
}

// tick does what is due at second now.
func (o *oracle) tick(now int) {
	covered := o.s2c > 0 && o.stc >= o.s2c // see coversStart
	switch {
	case o.ended:
	case o.running && !covered && now >= o.start+o.stc:
		o.lost(now, "StartToClose")
	case !o.running && o.s2s > 0 && now >= o.due+o.s2s:
		o.end("ScheduleToStart")
	case o.s2c > 0 && now >= o.s2c:
		o.end("ScheduleToClose")
	case o.running && o.hb > 0 && now >= max(o.start, o.beat)+o.hb:
		o.lost(now, "Heartbeat")
	}
}

// lost is an attempt that failed or timed out.
func (o *oracle) lost(now int, how string) {
	interval := o.initial
	for i := 1; i < o.attempt && interval < o.maxInterval; i++ {
		interval *= 2
	}
	interval = min(interval, o.maxInterval)
	switch {
	case o.cancel, how == "StartToClose" && o.nonRetryableTimeout,
		o.maxAttempts > 0 && o.attempt >= o.maxAttempts:
		o.end(how)
	case o.s2c > 0 && now+interval > o.s2c:
		if how != "Failed" {
			how = "ScheduleToClose"
		}
		o.end(how)
	default:
		o.running, o.attempt, o.due = false, o.attempt+1, now+interval
	}
}

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
	opts := Options{
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
	return &model{o: o, s: New("a", "T", opts, epoch)}
}

func (m *model) env() *engine.Env {
	return &engine.Env{Now: epoch.Add(time.Duration(m.now) * time.Second), Limits: engine.DefaultLimits()}
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
	m.o.running, m.o.start, m.o.beat = true, m.now, 0
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
	step, heard, err := m.s.RecordHeartbeat(m.env(), m.live, nil, "w")
	if err != nil || heard.CancelRequested != m.o.cancel {
		t.Fatalf("told %+v, %v; cancel asked: %v", heard, err, m.o.cancel)
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
	m.o.running = false
	if m.o.cancel {
		m.o.end("Canceled")
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
	case !o.running && !m.s.DueTime.Equal(epoch.Add(time.Duration(o.due)*time.Second)):
		t.Fatalf("second %d: due %v, the oracle at %d", m.now, m.s.DueTime, o.due)
	}
}
