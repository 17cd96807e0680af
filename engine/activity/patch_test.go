package activity

import (
	"strings"
	"testing"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/retry"
)

// Each path of AT-166, in both spellings, changes its field and no other.
func TestPatchPaths(t *testing.T) {
	sec := func(n int) *durationpb.Duration { return durationpb.New(time.Duration(n) * time.Second) }
	full := &activitypb.ActivityOptions{
		TaskQueue:              &taskqueuepb.TaskQueue{Name: "q2"},
		ScheduleToCloseTimeout: sec(200), ScheduleToStartTimeout: sec(90), StartToCloseTimeout: sec(80), HeartbeatTimeout: sec(7),
		RetryPolicy: &commonpb.RetryPolicy{InitialInterval: sec(3), BackoffCoefficient: 4, MaximumInterval: sec(60), MaximumAttempts: 5},
		Priority:    &commonpb.Priority{PriorityKey: 2, FairnessKey: "tenant", FairnessWeight: 3},
	}
	base := Options{
		TaskQueue: "q", ScheduleToClose: 100 * time.Second, ScheduleToStart: 50 * time.Second, StartToClose: 40 * time.Second, Heartbeat: 10 * time.Second,
		RetryPolicy: retry.Fill(&commonpb.RetryPolicy{NonRetryableErrorTypes: []string{"Bad"}}),
	}
	for path, want := range map[string]func(*Options){
		"task_queue.name":                  func(o *Options) { o.TaskQueue = "q2" },
		"schedule_to_close_timeout":        func(o *Options) { o.ScheduleToClose = 200 * time.Second },
		"schedule_to_start_timeout":        func(o *Options) { o.ScheduleToStart = 90 * time.Second },
		"start_to_close_timeout":           func(o *Options) { o.StartToClose = 80 * time.Second },
		"heartbeat_timeout":                func(o *Options) { o.Heartbeat = 7 * time.Second },
		"priority":                         func(o *Options) { o.Priority = full.Priority },
		"priority.priority_key":            func(o *Options) { o.Priority = &commonpb.Priority{PriorityKey: 2} },
		"priority.fairness_key":            func(o *Options) { o.Priority = &commonpb.Priority{FairnessKey: "tenant"} },
		"priority.fairness_weight":         func(o *Options) { o.Priority = &commonpb.Priority{FairnessWeight: 3} },
		"retry_policy.initial_interval":    func(o *Options) { o.RetryPolicy.InitialInterval = sec(3) },
		"retry_policy.backoff_coefficient": func(o *Options) { o.RetryPolicy.BackoffCoefficient = 4 },
		"retry_policy.maximum_interval":    func(o *Options) { o.RetryPolicy.MaximumInterval = sec(60) },
		"retry_policy.maximum_attempts":    func(o *Options) { o.RetryPolicy.MaximumAttempts = 5 },
		// The types that are not retried stay: descriptions do not show them.
		"retry_policy": func(o *Options) {
			o.RetryPolicy = proto.CloneOf(full.RetryPolicy)
			o.RetryPolicy.NonRetryableErrorTypes = []string{"Bad"}
		},
		"task_queue":   func(*Options) {}, // unknown paths are ignored
		"nonsense.yes": func(*Options) {},
	} {
		for _, spelling := range []string{path, camel(path)} {
			expected := base
			expected.RetryPolicy = proto.CloneOf(base.RetryPolicy)
			want(&expected)
			s := &State{ID: "a", Type: "T", Options: base}
			got, err := Patch{Options: full, Paths: []string{spelling}}.Apply(s, engine.DefaultLimits(), 0)
			if err != nil || !sameOptions(got, expected) {
				t.Errorf("%s: %+v, %v; want %+v", spelling, got, err, expected)
			}
			if !sameOptions(s.Options, base) {
				t.Fatalf("%s changed the state", spelling)
			}
		}
	}
}

func camel(path string) string {
	words := strings.Split(path, "_")
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

func sameOptions(a, b Options) bool {
	policies := proto.Equal(a.RetryPolicy, b.RetryPolicy) && proto.Equal(a.Priority, b.Priority)
	a.RetryPolicy, a.Priority, b.RetryPolicy, b.Priority = nil, nil, nil, nil
	return policies && a == b
}

// The texts of AT-166; a priority of its own can be taken away, and what is new
// is resolved against the run (AT-12, AT-167).
func TestPatchesThatSayTooLittle(t *testing.T) {
	s := &State{ID: "a", Type: "T", Options: Options{
		TaskQueue: "q", StartToClose: time.Second, RetryPolicy: retry.Fill(nil), Priority: &commonpb.Priority{PriorityKey: 1}}}
	for path, want := range map[string]string{
		"task_queue.name":               "TaskQueue is not provided",
		"priority.fairness_key":         "Priority is not provided",
		"retry_policy":                  "RetryPolicy is not provided",
		"retryPolicy.maximumAttempts":   "RetryPolicy is not provided",
		"start_to_close_timeout":        "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity.",
		"priority":                      "",
		"retry_policy.not_known_so_far": "",
	} {
		o, err := Patch{Options: &activitypb.ActivityOptions{}, Paths: []string{path}}.Apply(s, engine.DefaultLimits(), time.Minute)
		if text := errorText(err); text != want {
			t.Errorf("%s: %q, want %q", path, text, want)
		}
		if err == nil && (o.Priority != nil) != (path != "priority") {
			t.Errorf("%s: priority %v", path, o.Priority)
		}
		if err == nil && o.ScheduleToClose != time.Minute {
			t.Errorf("%s: the run's timeout does not bound it: %v", path, o.ScheduleToClose)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// The start delay is told in both spellings; only standing alone there is one.
func TestPatchesOfTheStartDelay(t *testing.T) {
	for path, want := range map[string]bool{"start_delay": true, "startDelay": true, "start_to_close_timeout": false} {
		p := Patch{Options: &activitypb.ActivityOptions{StartDelay: durationpb.New(time.Minute), StartToCloseTimeout: durationpb.New(time.Second)}, Paths: []string{path}}
		if p.Delays() != want {
			t.Errorf("%s: %v", path, !want)
		}
		for house, delay := range map[House]time.Duration{InWorkflow: 0, Alone: time.Minute} {
			s := &State{ID: "a", Type: "T", House: house, Options: Options{TaskQueue: "q", StartToClose: time.Second, RetryPolicy: retry.Fill(nil)}}
			if o, err := p.Apply(s, engine.DefaultLimits(), 0); err != nil || want && o.StartDelay != delay {
				t.Errorf("%s in house %d: %v, %v", path, house, o.StartDelay, err)
			}
		}
	}
}
