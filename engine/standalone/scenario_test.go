package standalone

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/errordetails/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
)

// TestScenarios plays the scripts in testdata, each about one activity id: what
// clients, workers, operators and the clock do, and what becomes of it. Any
// command may say at=5s, the time since the beginning. With -rewrite the results
// are regenerated; read the difference.
//
//	start     s2c= s2s= stc= hb= delay=      timeouts and start delay
//	          initial= max-attempts= non-retryable= priority=
//	          request= reuse= conflict=       request id and policies: reject, failed-only, use
//	          attach=request,links,callbacks  what to attach on a conflict
//	          links=a|b callbacks=n           names of links, number of callbacks
//	          eager                           the starter wants the first attempt
//	poll      worker=                         take the attempt if it is on offer
//	heartbeat details= token=                 token: a worker; default the last one; "id" for by-id calls
//	complete  result= token=
//	fail      message= type= delay= fatal details= token=; "fail nothing": without a failure
//	accept-cancel details= token=
//	abort     token=                          the worker was gone before its answer was written
//	cancel    request= reason=                terminate likewise
//	delete
//	pause     request=                        unpause likewise, with jitter=
//	reset     request= restore keep-paused reset-heartbeat jitter=
//	update    request= restore path=value...  options
//	answer    number= stamp= accepted         what became of a try to tell a callback;
//	                                          or failed= or refused=, with a message
//	load                                      read from the store by a shard opened at at=
//	wait                                      let time pass up to at=
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &stage{tokens: map[string]int64{}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "new" {
				s = &stage{tokens: map[string]int64{}}
				return ""
			}
			return s.play(t, d)
		})
	})
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// stage is one activity id and the workers that know a token for it.
type stage struct {
	// row is the run's in the index, as last written.
	row  engine.VisibilityRecord
	now  time.Duration
	seed byte
	run  *Run // nil: none, or deleted
	runs int  // names runs in the order of their birth
	// tokens of workers; last is who took an attempt last.
	tokens map[string]int64
	last   string
	// offers are what matching would have.
	offers []engine.Task
	out    strings.Builder
}

func (s *stage) env() *engine.Env {
	s.seed++
	return &engine.Env{
		Now: epoch.Add(s.now), Fresh: engine.NewFresh([16]byte{s.seed}), Limits: limits(),
		Namespace: &engine.Namespace{ID: "ns", Name: "default", Retention: 24 * time.Hour,
			SearchAttributes: map[string]enumspb.IndexedValueType{"Customer": enumspb.INDEXED_VALUE_TYPE_KEYWORD}},
	}
}

// limits are small, so that scripts can exceed them.
func limits() *engine.Limits {
	l := engine.DefaultLimits()
	l.BlobBytes = 300
	l.LastFailureBytes = 200
	l.ActivityLinks = 3
	l.ActivityCallbacks = 3
	return l
}

func (s *stage) play(t *testing.T, d *datadriven.TestData) string {
	s.out.Reset()
	s.waitUntil(argDuration(d, "at", s.now))
	switch d.Cmd {
	case "start":
		s.start(d)
	case "wait":
	case "poll":
		s.poll(text(d, "worker"))
	case "load":
		s.run.Loaded(epoch.Add(s.now))
	default:
		in := s.input(d)
		if in == nil {
			t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
		}
		if s.run == nil {
			s.say("there is no such activity")
			break
		}
		s.step(in)
	}
	s.waitUntil(s.now)
	s.describe()
	return s.out.String()
}

var activityID = engine.ID{NamespaceID: "ns", Archetype: engine.ArchetypeActivity, Name: "charge-7"}

func (s *stage) start(d *datadriven.TestData) {
	req := &workflowservice.StartActivityExecutionRequest{
		ActivityId: activityID.Name, ActivityType: &commonpb.ActivityType{Name: "Charge"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "q"},
		Identity: "client", RequestId: text(d, "request"), Input: payloads("input"),
		ScheduleToCloseTimeout: protoDuration(d, "s2c"), ScheduleToStartTimeout: protoDuration(d, "s2s"),
		StartToCloseTimeout: protoDuration(d, "stc"), HeartbeatTimeout: protoDuration(d, "hb"), StartDelay: protoDuration(d, "delay"),
		RetryPolicy:           &commonpb.RetryPolicy{InitialInterval: protoDuration(d, "initial")},
		RequestEagerExecution: d.HasArg("eager"),
	}
	fmt.Sscan(text(d, "max-attempts"), &req.RetryPolicy.MaximumAttempts)
	if list := text(d, "non-retryable"); list != "" {
		req.RetryPolicy.NonRetryableErrorTypes = strings.Split(list, "|")
	}
	if p := text(d, "priority"); p != "" {
		req.Priority = &commonpb.Priority{}
		fmt.Sscan(p, &req.Priority.PriorityKey)
	}
	req.IdReusePolicy = map[string]enumspb.ActivityIdReusePolicy{
		"reject": enumspb.ACTIVITY_ID_REUSE_POLICY_REJECT_DUPLICATE, "failed-only": enumspb.ACTIVITY_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
	}[text(d, "reuse")]
	if text(d, "conflict") == "use" {
		req.IdConflictPolicy = enumspb.ACTIVITY_ID_CONFLICT_POLICY_USE_EXISTING
	}
	if links := text(d, "links"); links != "" {
		for _, name := range strings.Split(links, "|") {
			req.Links = append(req.Links, link("default", engine.RunKey{ID: engine.ID{Name: name}}))
		}
	}
	if attach := text(d, "attach"); attach != "" {
		req.OnConflictOptions = &commonpb.OnConflictOptions{
			AttachRequestId: strings.Contains(attach, "request"), AttachLinks: strings.Contains(attach, "links"),
			AttachCompletionCallbacks: strings.Contains(attach, "callbacks"),
		}
	}
	for range int(argNumber(d, "callbacks")) {
		req.CompletionCallbacks = append(req.CompletionCallbacks, &commonpb.Callback{})
	}
	if sa := text(d, "customer"); sa != "" {
		req.SearchAttributes = &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{"Customer": {Data: []byte(sa)}}}
	}
	in := &StartExecution{Request: req, Poller: engine.Poller{ClientName: "temporal-go", ClientVersion: "1.0"}}
	res, err := StepID(s.env(), activityID, s.run, in)
	if err != nil {
		s.refused(err)
		return
	}
	s.took(res)
	s.started(res.Reply.(*StartedExecution))
}

func (s *stage) started(r *StartedExecution) {
	if r.RunID != r.Link.GetActivity().GetRunId() || r.RunID != s.run.Key.RunID {
		s.say("the answer is about another run")
	}
	s.say("run %d, started %v", s.runs, r.Started)
	if r.EagerTask != nil {
		s.has("client", r.EagerTask)
	}
}

// took brings in what a step has changed.
func (s *stage) took(res *Result) {
	if n := res.New; n != nil {
		s.run = n.Run
		s.runs++
		s.changed(n.Change)
	}
	if c := res.Run; c != nil {
		s.run.Apply(c)
		s.changed(c)
	}
}

func (s *stage) changed(c *Change) {
	for _, w := range c.Withdrawn {
		s.withdrawn(w)
		s.say("withdrawn from %s", w.Queue.Name)
	}
	for _, o := range c.Offers {
		s.offers = append(s.offers, o)
		s.say("at %v: attempt %d is offered to %s%s", s.now, s.run.Activity.Attempt, o.Queue.Name, important(o))
	}
	for _, x := range c.Deliveries {
		s.say("at %v: callback %d is told, try %d: %s", s.now, x.Number, x.Stamp, told(x.Completion))
	}
	if v := c.Visibility; v != nil && !v.Deleted {
		from := ""
		if v.ExecutionTime.After(v.StartTime) {
			from = fmt.Sprintf(" from %v on", v.ExecutionTime.Sub(epoch))
		}
		s.say("index: %v on %s%s, version %d", v.Status, v.TaskQueue, from, v.Version)
	}
	if c.Closed {
		s.say("closed at %v: %s", s.now, outcome(s.run.Outcome))
	}
	if c.Deleted {
		s.say("at %v: deleted", s.now)
		s.run = nil
		return
	}
	if c.Visibility != nil {
		s.row = *c.Visibility
	}
	shown := *s.run.VisibilityRecord()
	if shown.Version = s.row.Version; !reflect.DeepEqual(shown, s.row) {
		s.say("THE INDEX DIFFERS (I10): it shows %+v, the run is %+v", s.row, shown)
	}
}

func told(c *engine.Completion) string {
	switch {
	case c.Canceled:
		return "canceled, " + show(c.Failure)
	case c.Failure != nil:
		return "failed, " + show(c.Failure)
	}
	return "result " + string(c.Result.GetData())
}

func important(t engine.Task) string {
	if t.Priority == 0 {
		return ""
	}
	return fmt.Sprintf(" with priority %d", t.Priority)
}

func (s *stage) withdrawn(t engine.Task) {
	for i, o := range s.offers {
		if o.Stamp == t.Stamp && o.Run == t.Run {
			s.offers = append(s.offers[:i:i], s.offers[i+1:]...)
			return
		}
	}
	s.say("withdrawn, but never offered: %d", t.Stamp)
}

func (s *stage) refused(err error) {
	r := err.(*engine.Refusal)
	detail := ""
	if f, ok := r.Detail.(*errordetails.ActivityExecutionAlreadyStartedFailure); ok {
		detail = " (started by " + f.GetStartRequestId() + ")"
		if f.GetRunId() != s.run.Key.RunID {
			detail = " (of another run)"
		}
	}
	if r.Kind == engine.KindStale {
		s.say("dropped: %v", r)
		return
	}
	s.say("refused, %s: %v%s", kinds[r.Kind], r, detail)
}

var kinds = map[engine.Kind]string{
	engine.KindInvalidArgument: "invalid argument", engine.KindNotFound: "not found", engine.KindFailedPrecondition: "failed precondition",
	engine.KindAlreadyStarted: "already started", engine.KindUnimplemented: "unimplemented",
}

func (s *stage) step(in Input) {
	res, err := Step(s.env(), s.run, in)
	if err != nil {
		s.refused(err)
		return
	}
	s.reply(res.Reply)
	s.took(res)
	if res.Run == nil {
		s.say("nothing changed")
	} else if res.Run.Deferrable {
		s.say("may be written later")
	}
}

func (s *stage) reply(reply any) {
	switch r := reply.(type) {
	case *workflowservice.RecordActivityTaskHeartbeatResponse:
		s.say("told: cancel=%v paused=%v reset=%v", r.CancelRequested, r.ActivityPaused, r.ActivityReset)
	case *workflowservice.RespondActivityTaskFailedResponse:
		for _, f := range r.Failures {
			s.say("complaint: %s", show(f))
		}
	case *activity.Options:
		s.say("options: q=%s s2c=%v s2s=%v stc=%v hb=%v delay=%v initial=%v max-attempts=%d priority=%d", r.TaskQueue,
			r.ScheduleToClose, r.ScheduleToStart, r.StartToClose, r.Heartbeat, r.StartDelay,
			r.RetryPolicy.GetInitialInterval().AsDuration(), r.RetryPolicy.GetMaximumAttempts(), r.Priority.GetPriorityKey())
	}
}

func (s *stage) poll(worker string) {
	if len(s.offers) == 0 {
		s.say("nothing for %s", worker)
		return
	}
	in := &StartAttempt{Stamp: s.offers[0].Stamp, Poller: engine.Poller{
		Identity: worker, RequestID: "poll of " + worker, ClientName: "temporal-go", ClientVersion: "1.0"}}
	res, err := Step(s.env(), s.run, in)
	if err != nil {
		s.refused(err)
		return
	}
	s.took(res)
	s.has(worker, res.Reply.(*Started))
	if again, err := Step(s.env(), s.run, in); err != nil || again.Run != nil || again.Reply.(*Started).Token() != res.Reply.(*Started).Token() {
		s.say("the same poll got another answer: %v", err)
	}
}

func (s *stage) has(worker string, a *Started) {
	s.tokens[worker], s.last = a.Token().Stamp, worker
	s.say("%s has attempt %d, input %s, details %s, scheduled %v, due %v", worker, a.Token().Attempt, data(a.Start.Input),
		data(a.Activity.HeartbeatDetails), a.Start.ScheduleTime.Sub(epoch), a.Activity.DueTime.Sub(epoch))
}

// waitUntil lets time pass, and does what is due on the way at its very time.
func (s *stage) waitUntil(until time.Duration) {
	for s.run != nil {
		next := s.run.NextDeadline()
		if next.IsZero() || next.After(epoch.Add(until)) {
			break
		}
		s.now = max(s.now, next.Sub(epoch))
		res, err := Step(s.env(), s.run, &Due{})
		if err != nil || res.Run == nil {
			s.say("a deadline at %v for nothing: %v", s.now, err)
			break
		}
		s.took(res)
	}
	s.now = until
}

func (s *stage) say(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

// describe says where the run stands.
func (s *stage) describe() {
	if s.run == nil {
		return
	}
	r, a := s.run, s.run.Activity
	state := string(r.State())
	if run := r.RunState(); run != enumspb.PENDING_ACTIVITY_STATE_UNSPECIFIED && run.String() != state {
		state += fmt.Sprintf(" (shown as %v)", run)
	}
	line := fmt.Sprintf("%s: attempt %d", state, a.Attempt)
	if r.Open() && a.Unstarted() && !a.Offered {
		line += fmt.Sprintf(" due at %v", a.DueTime.Sub(epoch))
	}
	if a.RetryInterval > 0 {
		line += fmt.Sprintf(" after %v", a.RetryInterval)
	}
	if r.Open() && a.Status == activity.StatusStarted {
		line += " by " + a.Identity
	}
	if next := r.NextDeadline(); !next.IsZero() {
		line += fmt.Sprintf(", next look at %v", next.Sub(epoch))
	}
	if at := r.LastAttemptComplete(); !at.IsZero() {
		line += fmt.Sprintf(", an attempt ended at %v", at.Sub(epoch))
	}
	s.say("%s; %d transitions, %d heartbeats", line, r.Info.Transitions, r.Info.Heartbeats)
	if (len(r.Offers()) > 0) != (len(s.offers) > 0) {
		s.say("the run says %d offers, %d are known", len(r.Offers()), len(s.offers))
	}
}

func protoDuration(d *datadriven.TestData, key string) *durationpb.Duration {
	if text(d, key) == "" {
		return nil
	}
	return durationpb.New(argDuration(d, key, 0))
}
