package workflow

import (
	"testing"
	"time"

	"github.com/perdure/perdure/engine"
)

// spec/workflow.md 3.1: "start-to-close timeout = run's task timeout for attempt
// ≤ 3; for attempt n > 3: base + exponential backoff (initial 5 s, coefficient 2,
// cap 10 min) computed on n−3".
func TestTaskTimeoutGrowsFromTheFourthAttempt(t *testing.T) {
	for attempt, want := range map[int32]time.Duration{
		1: 10 * time.Second, 2: 10 * time.Second, 3: 10 * time.Second,
		4: 15 * time.Second, 5: 20 * time.Second, 6: 30 * time.Second,
		10: 10*time.Second + 320*time.Second, 11: 10*time.Second + 10*time.Minute, 1 << 30: 10*time.Second + 10*time.Minute,
	} {
		if got := taskTimeout(engine.DefaultLimits(), 10*time.Second, attempt); got != want {
			t.Errorf("attempt %d: %v, want %v", attempt, got, want)
		}
	}
}

// spec/workflow.md 1.6.
func TestTimeoutsOfARun(t *testing.T) {
	const s, m = time.Second, time.Minute
	for _, row := range []struct {
		name                             string
		execution, run, task, backoff    time.Duration
		wantRun, wantTask, deadlineAfter time.Duration
	}{
		{"nothing asked for: no limit, the default task timeout", 0, 0, 0, 0, 0, 10 * s, 0},
		{"no run timeout: the execution's", m, 0, 0, 0, m, 10 * s, m},
		{"a longer run timeout is cut to the execution's", m, 2 * m, 0, 0, m, 10 * s, m},
		{"a shorter one stands", m, 30 * s, 0, 0, 30 * s, 10 * s, 30 * s},
		{"the run's time counts from the end of its back-off", 0, 30 * s, 0, 5 * s, 30 * s, 10 * s, 35 * s},
		{"but not beyond the end of the chain", m, 30 * s, 0, 50 * s, 30 * s, 10 * s, m},
		{"the task timeout is cut to the run's", 0, 5 * s, 0, 0, 5 * s, 5 * s, 5 * s},
		{"and to two minutes", 0, 0, time.Hour, 0, 0, 2 * m, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			start := &Start{StartTime: time.Unix(1e9, 0), ExecutionTimeout: row.execution, Backoff: row.backoff,
				RunTimeout: runTimeout(row.run, row.execution)}
			start.TaskTimeout = workflowTaskTimeout(engine.DefaultLimits(), row.task, start.RunTimeout)
			start.setDeadlines()
			var want time.Time
			if row.deadlineAfter > 0 {
				want = start.StartTime.Add(row.deadlineAfter)
			}
			if start.RunTimeout != row.wantRun || start.TaskTimeout != row.wantTask || !start.RunDeadline.Equal(want) {
				t.Errorf("run %v, task %v, deadline %v; want %v, %v, %v", start.RunTimeout, start.TaskTimeout, start.RunDeadline,
					row.wantRun, row.wantTask, want)
			}
		})
	}
}

// A heartbeat moves a deadline on a million times; the heap must not grow with it.
func TestDeadlinesOfAPartThatChangesForEver(t *testing.T) {
	run := &Run{Start: &Start{}, Info: &Info{Status: 1, FirstTaskDone: true}}
	run.NextDeadline() // builds the heap
	for i := range 10000 {
		run.Apply(&Change{Info: run.Info, Timers: map[string]*Timer{"t": {ID: "t", FireTime: time.Unix(int64(1e9+i), 0)}}})
	}
	if n := len(run.deadlines.heap); n > 32 {
		t.Errorf("one timer takes %d entries", n)
	}
	if got, want := run.NextDeadline(), time.Unix(1e9+9999, 0); !got.Equal(want) {
		t.Errorf("the next deadline is %v, want %v", got, want)
	}
	if timers, _ := run.due(time.Unix(2e9, 0)); len(timers) != 1 {
		t.Errorf("due are %v, want the timer once", timers)
	}
}
