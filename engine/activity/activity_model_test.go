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
	"github.com/perdure/perdure/engine/activity/activitytest"
	"github.com/perdure/perdure/engine/retry"
)

// The machine is compared with an oracle that knows nothing of deadlines. It is
// only woken when it asked to be (State.Next), so a deadline it forgets, and one
// it fires early, both show (I6, I7). Along the way every start gets its own
// token, and at most one token is ever accepted (I5).
func TestTheMachineAgreesWithAnOracle(t *testing.T) {
	for name, house := range map[string]House{"in a workflow": InWorkflow, "standing alone": Alone} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := newModel(t, house)
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
					"another delay":     m.setDelay,
					"it is read again":  m.load,
					"":                  m.agree,
				})
			})
		})
	}
}

// model is the two of them side by side.
type model struct {
	o        *activitytest.Oracle
	now      int
	s        *State // nil: ended
	original Options
	how, why string
	tokens   []int64 // of every start so far
	live     int64   // the one that must be accepted; 0 none
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func newModel(t *rapid.T, house House) *model {
	pick := func(name string, most int) int { return rapid.IntRange(0, most).Draw(t, name) }
	initial := 1 + pick("initial", 2)
	o := activitytest.Options{
		Alone: house == Alone, Initial: initial, MaxInterval: initial + pick("max interval", 6), MaxAttempts: pick("max attempts", 4),
		FinalTimeout: rapid.Bool().Draw(t, "non-retryable timeout"),
	}
	if o.Alone {
		o.Delay = max(0, pick("delay", 8)-4)
	}
	opts := Options{TaskQueue: "q", StartDelay: seconds(o.Delay),
		ScheduleToClose: seconds(pick("s2c", 20)), ScheduleToStart: seconds(pick("s2s", 8)),
		StartToClose: seconds(1 + pick("stc", 8)), Heartbeat: seconds(pick("hb", 5)),
		RetryPolicy: retry.Fill(&commonpb.RetryPolicy{
			InitialInterval: durationpb.New(seconds(o.Initial)), MaximumInterval: durationpb.New(seconds(o.MaxInterval)),
			MaximumAttempts: int32(o.MaxAttempts), //nolint:gosec // small
		}),
	}
	if o.FinalTimeout {
		opts.RetryPolicy.NonRetryableErrorTypes = []string{"TemporalTimeout:StartToClose"}
	}
	opts = opts.Normalize(0)
	o.ScheduleToClose, o.ScheduleToStart = int(opts.ScheduleToClose/time.Second), int(opts.ScheduleToStart/time.Second)
	o.StartToClose, o.Heartbeat = int(opts.StartToClose/time.Second), int(opts.Heartbeat/time.Second)
	return &model{o: activitytest.New(o), s: New(house, "a", "T", opts, epoch), original: opts}
}

func (m *model) env() *engine.Env {
	return &engine.Env{Now: epoch.Add(seconds(m.now)), Limits: engine.DefaultLimits(), Fresh: engine.NewFresh([16]byte{})}
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
	m.due()
}

// due has both do what is due; the machine as it asked for it.
func (m *model) due() {
	m.o.Tick(m.now)
	for m.s != nil {
		if next := m.s.Next(); next.IsZero() || next.After(m.env().Now) {
			return
		}
		due := m.s.Overdue(m.env().Now)
		slices.SortFunc(due, func(a, b Overdue) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Rank, b.Rank)) })
		if len(due) > 0 {
			m.step(m.s.TimeOut(m.env(), due[0].Type))
		}
		if m.s != nil && m.s.MayOffer(m.env().Now) {
			m.s = m.s.Offer()
		}
	}
}

func (m *model) step(step Step) {
	old := m.s
	m.s = step.State
	if step.Outcome != nil {
		m.how, m.live = outcomeName(step.Outcome), 0
		if m.why = step.Outcome.RetryState.String(); m.why == "Unspecified" {
			m.why = ""
		}
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
	m.due()
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
	m.o.Start(m.now)
}

func (m *model) fail(t *rapid.T) {
	if m.live == 0 {
		return
	}
	final, delay := rapid.IntRange(0, 9).Draw(t, "final") == 0, max(0, rapid.IntRange(0, 9).Draw(t, "delay")-5)
	info := &failurepb.ApplicationFailureInfo{NonRetryable: final}
	if delay > 0 {
		info.NextRetryDelay = durationpb.New(seconds(delay))
	}
	f := &failurepb.Failure{Message: "x", FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: info}}
	step, _, err := m.s.Fail(m.env(), m.live, f, nil, "w")
	if err != nil {
		t.Fatal(err)
	}
	m.step(step)
	m.o.Fail(m.now, final, delay)
	m.due()
}

func (m *model) heartbeat(t *rapid.T) {
	if m.live == 0 {
		return
	}
	var details *commonpb.Payloads
	if rapid.Bool().Draw(t, "details") {
		details = &commonpb.Payloads{}
	}
	step, heard, err := m.s.RecordHeartbeat(m.env(), m.live, details, "w")
	canceled, paused, reset := m.o.Beat(m.now, details != nil)
	if want := (Heard{CancelRequested: canceled, Paused: paused, Reset: reset}); err != nil || heard != want {
		t.Fatalf("told %+v, %v; it should be %+v", heard, err, want)
	}
	m.step(step)
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
	m.o.Complete()
}

func (m *model) requestCancel(t *rapid.T) {
	if m.s == nil || m.s.CancelRequested || rapid.IntRange(0, 2).Draw(t, "seldom") > 0 {
		return
	}
	m.s = m.s.RequestCancel(7)
	m.o.AskCancel()
	if m.s.Unstarted() {
		o := m.s.CancelUnstarted("w")
		m.step(Step{Outcome: &o})
	}
}

func (m *model) acceptCancel(t *rapid.T) {
	if m.live == 0 {
		return
	}
	if m.o.CancelAsked && rapid.IntRange(0, 3).Draw(t, "seldom") > 0 {
		return
	}
	step, err := m.s.AcceptCancel(m.env(), m.live, nil, "w")
	if (err == nil) != m.o.CancelAsked {
		t.Fatalf("accepted: %v; asked: %v", err, m.o.CancelAsked)
	}
	if err == nil {
		m.step(step)
		m.o.AcceptCancel()
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
	m.o.Abort()
	m.due()
}

// load is what a shard does that reads it from the store.
func (m *model) load(*rapid.T) {
	if m.s != nil {
		m.s = m.s.Loaded(m.env().Now)
		m.o.Load(m.now)
	}
}

// shut reports whether operators may ask for nothing: it has ended, or, standing
// alone, what was asked for before comes first (section 11.6).
func (m *model) shut() bool { return m.s == nil || m.o.Alone && (m.o.CancelAsked || m.o.ResetAsked) }

// operated takes over what an operator did, and what is due by it; a token is
// good as long as its attempt runs.
func (m *model) operated(t *rapid.T, next *State) {
	if next != m.s && next.Unstarted() == (next.Stamp == m.s.Stamp) {
		t.Fatalf("stamp %d became %d in status %d", m.s.Stamp, next.Stamp, next.Status)
	}
	m.s = next
	m.due()
}

func (m *model) pause(t *rapid.T) {
	if m.shut() || rapid.IntRange(0, 2).Draw(t, "seldom") > 0 {
		return
	}
	request := rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "request")
	next, err := m.s.SetPaused(Pause{RequestID: request})
	same := request != "" && request == m.s.Pause.RequestID
	if (err == nil) != (!m.o.Paused || same) {
		t.Fatalf("paused: %v; before: %v", err, m.o.Paused)
	}
	if err == nil {
		m.o.Pause()
		m.operated(t, next)
	}
}

func (m *model) unpause(t *rapid.T) {
	if m.shut() {
		return
	}
	u := Unpause{ResetAttempts: rapid.Bool().Draw(t, "reset attempts"), ResetHeartbeat: rapid.Bool().Draw(t, "reset heartbeat")}
	m.o.Unpause(m.now, u.ResetAttempts, u.ResetHeartbeat)
	m.operated(t, m.s.Unpause(m.env(), u))
}

func (m *model) reset(t *rapid.T) {
	if m.shut() || rapid.IntRange(0, 3).Draw(t, "seldom") > 0 {
		return
	}
	r := Reset{ResetHeartbeat: rapid.Bool().Draw(t, "reset heartbeat"), KeepPaused: rapid.Bool().Draw(t, "keep paused")}
	restore := rapid.Bool().Draw(t, "restore")
	if restore {
		original := m.original
		if !m.o.Delayable(m.now) {
			original.StartDelay = m.s.StartDelay
		}
		r.Original = &original
	}
	m.o.Reset(m.now, r.ResetHeartbeat, r.KeepPaused, restore)
	m.operated(t, m.s.Reset(m.env(), r))
}

// setOptions changes start-to-close and the first interval, which decides when
// a back-off ends.
func (m *model) setOptions(t *rapid.T) {
	if m.shut() || rapid.IntRange(0, 2).Draw(t, "seldom") > 0 {
		return
	}
	stc, initial := 1+rapid.IntRange(0, 8).Draw(t, "stc"), 1+rapid.IntRange(0, m.o.MaxInterval-1).Draw(t, "initial")
	m.patch(t, Patch{
		Paths: []string{"startToCloseTimeout", "retry_policy.initial_interval"},
		Options: &activitypb.ActivityOptions{StartToCloseTimeout: durationpb.New(seconds(stc)),
			RetryPolicy: &commonpb.RetryPolicy{InitialInterval: durationpb.New(seconds(initial))}},
	}, func(o Options) {
		m.o.Update(m.now, int(o.StartToClose/time.Second), int(o.Heartbeat/time.Second), initial)
	})
}

// setDelay changes the start delay, as long as that is allowed.
func (m *model) setDelay(t *rapid.T) {
	if m.shut() || !m.o.Alone || !m.o.Delayable(m.now) {
		return
	}
	delay := rapid.IntRange(0, 12).Draw(t, "delay")
	m.patch(t, Patch{
		Paths: []string{"start_delay"}, Options: &activitypb.ActivityOptions{StartDelay: durationpb.New(seconds(delay))},
	}, func(Options) { m.o.UpdateDelay(m.now, delay) })
}

func (m *model) patch(t *rapid.T, p Patch, oracle func(Options)) {
	o, err := p.Apply(m.s, m.env().Limits, 0)
	if err != nil {
		t.Fatal(err)
	}
	oracle(o)
	m.operated(t, m.s.SetOptions(m.env(), o))
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
	case (m.s == nil) != o.Ended:
		t.Fatalf("second %d: the machine ended %v (%s), the oracle %v (%s)", m.now, m.s == nil, m.how, o.Ended, o.How)
	case m.s == nil:
		if m.how != o.How || m.why != o.Why {
			t.Fatalf("second %d: ended as %s, %s; the oracle as %s, %s", m.now, m.how, m.why, o.How, o.Why)
		}
	case int(m.s.Attempt) != o.Attempt || (m.s.Status == StatusStarted) != o.Running:
		t.Fatalf("second %d: attempt %d status %d; the oracle: attempt %d running %v", m.now, m.s.Attempt, m.s.Status, o.Attempt, o.Running)
	case m.s.Paused != o.Paused || m.s.Resetting != o.ResetAsked || (m.s.HeartbeatDetails != nil) != o.Details:
		t.Fatalf("second %d: paused %v, resetting %v, details %v; the oracle: %v, %v, %v", m.now, m.s.Paused, m.s.Resetting, m.s.HeartbeatDetails != nil,
			o.Paused, o.ResetAsked, o.Details)
	case !o.Running && !m.s.DueTime.Equal(epoch.Add(seconds(o.Due))):
		t.Fatalf("second %d: due %v, the oracle at %d", m.now, m.s.DueTime, o.Due)
	}
}
