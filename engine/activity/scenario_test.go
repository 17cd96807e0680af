package activity

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine"
)

// TestScenarios plays the scripts in testdata, each about one activity: what a
// worker, a workflow or the clock does, and what becomes of the activity. Any
// command may say at=5s, the time since the schedule. With -rewrite the results
// are regenerated; read the difference.
//
//	schedule  s2c= s2s= stc= hb= run=      timeouts; run= that of the workflow run
//	          alone delay=                 standing alone, with a start delay
//	          initial= max-interval= max-attempts= non-retryable=A,B
//	poll      worker=                      take the attempt if it is on offer
//	heartbeat details= token=              token: a worker; default the last one; "id" for by-id calls
//	complete  result= token=
//	fail      message= type= delay= fatal details= token=
//	accept-cancel details= token=
//	request-cancel                         what a workflow command does
//	abort     token=                       the worker was gone before its answer was written
//	pause     request=                     what operators do
//	unpause   reset-attempts reset-heartbeat jitter=
//	reset     reset-heartbeat keep-paused restore jitter=
//	update    path=value...
//	recall                                 the workflow is paused: off its task queue
//	load                                   read from the store by a shard opened at at=
//	wait                                   let time pass up to at=
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var s *stage
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "schedule" {
				s = &stage{tokens: map[string]int64{}}
			}
			return s.play(t, d)
		})
	})
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// stage is one activity and the workers that know a token for it.
type stage struct {
	now    time.Duration
	state  *State
	tokens map[string]int64
	last   string
	// original are the options it was scheduled with.
	original Options
	out      strings.Builder
}

func (s *stage) env() *engine.Env {
	return &engine.Env{Now: epoch.Add(s.now), Limits: limits(), Fresh: engine.NewFresh([16]byte{})}
}

// limits are small, so that scripts can exceed them.
func limits() *engine.Limits {
	l := engine.DefaultLimits()
	l.BlobBytes = 300
	l.LastFailureBytes = 200
	return l
}

func (s *stage) play(t *testing.T, d *datadriven.TestData) string {
	s.out.Reset()
	s.waitUntil(argDuration(d, "at", s.now))
	switch d.Cmd {
	case "schedule":
		s.schedule(d)
	case "wait":
	default:
		if s.state == nil {
			s.say("refused: it has ended")
			break
		}
		s.act(t, d)
	}
	s.describe()
	return s.out.String()
}

func (s *stage) act(t *testing.T, d *datadriven.TestData) {
	env, stamp, who := s.env(), s.stamp(d), text(d, "token")
	if who == "" {
		who = s.last
	}
	switch d.Cmd {
	case "poll":
		s.poll(text(d, "worker"))
	case "heartbeat":
		step, heard, err := s.state.RecordHeartbeat(env, stamp, payloads(text(d, "details")), who)
		if err == nil {
			s.say("told:%s", told(heard))
		}
		s.step(step, err)
	case "complete":
		s.step(s.state.Complete(env, stamp, payloads(text(d, "result")), who))
	case "fail":
		step, complaints, err := s.state.Fail(env, stamp, failureOf(d), payloads(text(d, "details")), who)
		for _, c := range complaints {
			s.say("complaint: %s", show(c))
		}
		s.step(step, err)
	case "accept-cancel":
		s.step(s.state.AcceptCancel(env, stamp, payloads(text(d, "details")), who))
	case "request-cancel":
		next := s.state.RequestCancel(9)
		if next.Unstarted() {
			o := next.CancelUnstarted("workflow worker")
			s.step(Step{Outcome: &o}, nil)
		} else {
			s.step(Step{State: next}, nil)
		}
	case "abort":
		s.step(s.state.Abort(stamp))
	case "recall":
		s.state = s.state.Recall() // and not offered again: the workflow is paused
	case "load":
		s.state = s.state.Loaded(epoch.Add(s.now))
	default:
		s.operate(t, d)
	}
}

// operate is what operators do.
func (s *stage) operate(t *testing.T, d *datadriven.TestData) {
	env := s.env()
	jitter := argDuration(d, "jitter", 0)
	next, err := s.state, error(nil)
	switch d.Cmd {
	case "pause":
		next, err = s.state.SetPaused(Pause{Time: env.Now, Identity: "operator", Reason: text(d, "reason"), RequestID: text(d, "request")})
	case "unpause":
		next = s.state.Unpause(env, Unpause{ResetAttempts: d.HasArg("reset-attempts"), ResetHeartbeat: d.HasArg("reset-heartbeat"), Jitter: jitter})
	case "reset":
		r := Reset{ResetHeartbeat: d.HasArg("reset-heartbeat"), KeepPaused: d.HasArg("keep-paused"), Jitter: jitter}
		if d.HasArg("restore") {
			r.Original = &s.original
		}
		next = s.state.Reset(env, r)
	case "update":
		var o Options
		if o, err = updated(d, s.state); err == nil {
			next = s.state.SetOptions(env, o)
			s.say("options: q=%s s2c=%v s2s=%v stc=%v hb=%v initial=%v max-attempts=%d", o.TaskQueue, o.ScheduleToClose, o.ScheduleToStart,
				o.StartToClose, o.Heartbeat, o.RetryPolicy.GetInitialInterval().AsDuration(), o.RetryPolicy.GetMaximumAttempts())
		}
	default:
		t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
	}
	if err != nil {
		s.say("refused: %v", err)
		return
	}
	s.state = next
	s.waitUntil(s.now) // what is due by it
}

// waitUntil lets time pass, and does what is due on the way at its very time.
func (s *stage) waitUntil(until time.Duration) {
	for s.state != nil {
		next := s.state.Next()
		if next.IsZero() || next.After(epoch.Add(until)) {
			break
		}
		s.now = max(s.now, next.Sub(epoch))
		s.due()
	}
	s.now = until
}

func (s *stage) due() {
	overdue := s.state.Overdue(epoch.Add(s.now))
	slices.SortFunc(overdue, func(a, b Overdue) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Rank, b.Rank)) })
	if len(overdue) > 0 {
		s.say("at %v: %v is due", s.now, overdue[0].Type)
		s.step(s.state.TimeOut(s.env(), overdue[0].Type), nil)
	}
	s.offer()
}

func (s *stage) offer() {
	if s.state != nil && s.state.MayOffer(epoch.Add(s.now)) {
		s.state = s.state.Offer()
		s.say("at %v: attempt %d is offered", s.now, s.state.Attempt)
	}
}

func (s *stage) schedule(d *datadriven.TestData) {
	r := Request{
		ID: "a1", Type: &commonpb.ActivityType{Name: "T"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "q"},
		ScheduleToClose: protoDuration(d, "s2c"), ScheduleToStart: protoDuration(d, "s2s"), StartToClose: protoDuration(d, "stc"), Heartbeat: protoDuration(d, "hb"),
		RetryPolicy: &commonpb.RetryPolicy{InitialInterval: protoDuration(d, "initial"), MaximumInterval: protoDuration(d, "max-interval")},
	}
	fmt.Sscan(text(d, "max-attempts"), &r.RetryPolicy.MaximumAttempts)
	if list := text(d, "non-retryable"); list != "" {
		r.RetryPolicy.NonRetryableErrorTypes = strings.Split(list, "|")
	}
	house := InWorkflow
	if d.HasArg("alone") {
		house, r.StartDelay = Alone, protoDuration(d, "delay")
	}
	o, err := r.Resolve(limits(), argDuration(d, "run", 0))
	if err != nil {
		s.say("refused: %v", err)
		return
	}
	s.say("timeouts: s2c=%v s2s=%v stc=%v hb=%v", o.ScheduleToClose, o.ScheduleToStart, o.StartToClose, o.Heartbeat)
	s.original = o
	s.state = New(house, r.ID, "T", o, epoch.Add(s.now))
	s.offer()
}

func (s *stage) poll(worker string) {
	if !s.state.Offered {
		s.say("nothing for %s", worker)
		return
	}
	next, err := s.state.Start(epoch.Add(s.now), s.state.Stamp, &engine.Poller{Identity: worker, RequestID: "poll of " + worker})
	s.step(Step{State: next}, err)
	s.tokens[worker], s.last = next.Stamp, worker
	s.say("%s has attempt %d, details %s", worker, next.Attempt, data(next.HeartbeatDetails))
}

// stamp is that of the token named; 0 for a by-id call.
func (s *stage) stamp(d *datadriven.TestData) int64 {
	switch who := text(d, "token"); who {
	case "":
		return s.tokens[s.last]
	case "id":
		return ByID
	default:
		return s.tokens[who]
	}
}

func (s *stage) step(step Step, err error) {
	switch {
	case err != nil && engine.KindOf(err) == engine.KindStale:
		s.say("dropped: %v", err)
	case err != nil:
		s.say("refused: %v", err)
	case step.Outcome != nil:
		s.state = nil
		s.ended(step.Outcome)
	default:
		s.state = step.State
		s.offer()
	}
}

func (s *stage) ended(o *Outcome) {
	switch o.Ending {
	case Completed:
		s.say("ended Completed result=%s by %q", data(o.Result), o.Identity)
	case Canceled:
		s.say("ended Canceled details=%s by %q", data(o.Details), o.Identity)
	case Failed:
		s.say("ended Failed %s %v by %q", show(o.Failure), o.RetryState, o.Identity)
	case TimedOut:
		s.say("ended TimedOut %s %v", show(o.Failure), o.RetryState)
	}
	if a := o.Attempt; a != nil {
		s.say("  attempt %d started at %v by %q, before it: %s", a.Number, a.StartedTime.Sub(epoch), a.Identity, show(a.LastFailure))
	}
}

func (s *stage) describe() {
	switch a := s.state; {
	case a == nil:
	case a.Status == StatusStarted:
		s.say("started: attempt %d%s, next look at %v", a.Attempt, flags(a), s.since(a.Next()))
	case a.Offered:
		s.say("on offer: attempt %d since %v%s, next look at %v", a.Attempt, a.DueTime.Sub(epoch), flags(a), s.since(a.Next()))
	case a.Paused:
		s.say("paused: attempt %d%s, next look at %v, details %s", a.Attempt, flags(a), s.since(a.Next()), data(a.HeartbeatDetails))
		if a.RetryInterval > 0 {
			s.say("  its back-off of %v ends at %v", a.RetryInterval, a.DueTime.Sub(epoch))
		}
	case a.RetryInterval == 0:
		s.say("waiting: attempt %d at %v, next look at %v", a.Attempt, a.DueTime.Sub(epoch), s.since(a.Next()))
	default:
		s.say("backing off %v: attempt %d at %v, after %s", a.RetryInterval, a.Attempt, a.DueTime.Sub(epoch), show(a.LastFailure))
	}
}

func (s *stage) since(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Sub(epoch).String()
}

func flags(a *State) string {
	text := ""
	for _, f := range []struct {
		on   bool
		name string
	}{
		{a.CancelRequested, "cancel requested"}, {a.Paused, "paused"}, {a.Resetting, "resetting"}, {a.ResetHeartbeat, "heartbeat to be reset"},
	} {
		if f.on {
			text += " (" + f.name + ")"
		}
	}
	return text
}

func told(h Heard) string {
	return fmt.Sprintf(" cancel=%v paused=%v reset=%v", h.CancelRequested, h.Paused, h.Reset)
}

// updated are the options after an update: "path=value" for each path.
func updated(d *datadriven.TestData, s *State) (Options, error) {
	p := Patch{Options: &activitypb.ActivityOptions{TaskQueue: &taskqueuepb.TaskQueue{}, RetryPolicy: &commonpb.RetryPolicy{}}}
	for _, arg := range d.CmdArgs {
		if arg.Key == "at" {
			continue
		}
		p.Paths = append(p.Paths, arg.Key)
		switch o := p.Options; arg.Key {
		case "task_queue.name":
			o.TaskQueue.Name = text(d, arg.Key)
		case "start_to_close_timeout", "startToCloseTimeout":
			o.StartToCloseTimeout = protoDuration(d, arg.Key)
		case "schedule_to_close_timeout":
			o.ScheduleToCloseTimeout = protoDuration(d, arg.Key)
		case "heartbeat_timeout":
			o.HeartbeatTimeout = protoDuration(d, arg.Key)
		case "start_delay":
			o.StartDelay = protoDuration(d, arg.Key)
		case "retry_policy.initial_interval":
			o.RetryPolicy.InitialInterval = protoDuration(d, arg.Key)
		case "retry_policy.maximum_attempts":
			fmt.Sscan(text(d, arg.Key), &o.RetryPolicy.MaximumAttempts)
		}
	}
	return p.Apply(s, limits(), 0)
}

func (s *stage) say(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

func show(f *failurepb.Failure) string {
	if f == nil {
		return "nothing"
	}
	message := f.GetMessage()
	if len(message) > 60 {
		message = fmt.Sprintf("%s... (%d bytes)", message[:20], len(message))
	}
	out := fmt.Sprintf("%q", message)
	switch {
	case f.GetTimeoutFailureInfo() != nil:
		out += fmt.Sprintf(" (%v", f.GetTimeoutFailureInfo().GetTimeoutType())
		if details := f.GetTimeoutFailureInfo().GetLastHeartbeatDetails(); details != nil {
			out += ", details " + data(details)
		}
		out += ")"
	case f.GetServerFailureInfo().GetNonRetryable():
		out += " (server, non-retryable)"
	case f.GetServerFailureInfo() != nil:
		out += " (server)"
	}
	if f.GetSource() != "" {
		out += " from " + f.GetSource()
	}
	if f.GetCause() != nil {
		out += " caused by " + show(f.GetCause())
	}
	return out
}

func failureOf(d *datadriven.TestData) *failurepb.Failure {
	info := &failurepb.ApplicationFailureInfo{Type: text(d, "type"), NonRetryable: d.HasArg("fatal"), NextRetryDelay: protoDuration(d, "delay")}
	return &failurepb.Failure{Message: text(d, "message"), FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: info}}
}

// text is an argument; "x*300" stands for 300 times x.
func text(d *datadriven.TestData, key string) string {
	arg, _ := d.Arg(key)
	v := strings.Join(arg.Vals, ",")
	if c, n, ok := strings.Cut(v, "*"); ok {
		var times int
		if _, err := fmt.Sscan(n, &times); err == nil {
			return strings.Repeat(c, times)
		}
	}
	return v
}

func payloads(s string) *commonpb.Payloads {
	if s == "" {
		return nil
	}
	return &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: []byte(s)}}}
}

func data(p *commonpb.Payloads) string {
	if p == nil {
		return "none"
	}
	return string(p.GetPayloads()[0].GetData())
}

func argDuration(d *datadriven.TestData, key string, otherwise time.Duration) time.Duration {
	if v := text(d, key); v != "" {
		parsed, err := time.ParseDuration(v)
		if err != nil {
			panic(err)
		}
		return parsed
	}
	return otherwise
}

func protoDuration(d *datadriven.TestData, key string) *durationpb.Duration {
	if text(d, key) == "" {
		return nil
	}
	return durationpb.New(argDuration(d, key, 0))
}
