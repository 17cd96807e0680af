package linear

import (
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
)

// at is one call of a table's row: asked and answered at so many seconds; to 0:
// never answered.
type at struct {
	from, to int
	call     Call
	answer   Answer
}

var (
	isRunning    = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	isCompleted  = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	isCanceled   = enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED
	isTerminated = enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED

	fail      = Call{Kind: Start, Request: "s1", Conflict: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL}
	useOpen   = Call{Kind: Start, Request: "s2", Conflict: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING}
	replace   = Call{Kind: Start, Request: "s3", Conflict: enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING}
	rejecting = Call{Kind: Start, Request: "s4", Conflict: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		Reuse: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE}
	onlyFailed = Call{Kind: Start, Request: "s5", Conflict: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		Reuse: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY}
	both1            = Call{Kind: SignalWithStart, Request: "x"}
	signal1, signal2 = Call{Kind: Signal, Request: "a"}, Call{Kind: Signal, Request: "b"}
	ending           = Call{Kind: Signal, Request: "end", Ends: true}
	proposal         = Call{Kind: Update, Request: "u"}
	look             = Call{Kind: Read}

	notFound = Answer{Refused: NotFound}
	done     = Answer{}
)

func began(run string) Answer { return Answer{Started: true, Run: run} }

// sees is a describe.
func sees(run string, status enumspb.WorkflowExecutionStatus, signals ...string) Answer {
	return Answer{Sight: &Sight{Run: run, Status: status, Signals: signals, Whole: true}}
}

func came(run string, stage Stage) Answer { return Answer{Run: run, Progress: Progress{Stage: stage}} }

func cancelSeen(a Answer) Answer {
	a.Sight.CancelRequested = true
	return a
}

func waiting(a Answer, signals ...string) Answer {
	a.Sight.Waiting = signals
	return a
}

func updated(a Answer, stage Stage) Answer {
	a.Sight.Updates = map[string]Progress{"u": {Stage: stage}}
	return a
}

func TestHistories(t *testing.T) {
	r1 := began("r1")
	for name, row := range map[string]struct {
		calls []at
		want  bool
	}{
		"nothing happens":                      {nil, true},
		"a run is seen once it was started":    {[]at{{1, 2, fail, r1}, {3, 4, look, sees("r1", isRunning)}}, true},
		"a run is seen before it was started":  {[]at{{1, 2, look, sees("r1", isRunning)}, {3, 4, fail, r1}}, false},
		"a start is seen before its answer":    {[]at{{1, 5, fail, r1}, {2, 3, look, sees("r1", isRunning)}}, true},
		"a start is not seen after its answer": {[]at{{1, 2, fail, r1}, {3, 4, look, notFound}}, false},
		"two starts make two runs of one id":   {[]at{{1, 2, fail, r1}, {3, 4, onlyFailed, began("r2")}}, false},
		"a refused start names the run": {[]at{{1, 2, fail, r1},
			{3, 4, rejecting, Answer{Refused: AlreadyStarted, Run: "r1"}}}, true},
		"a start is refused and there is nothing": {[]at{{1, 2, rejecting, Answer{Refused: AlreadyStarted, Run: "r1"}}}, false},
		"a refused start names a run nobody started": {[]at{{1, 2, fail, r1},
			{3, 4, rejecting, Answer{Refused: AlreadyStarted, Run: "r7"}}}, false},
		"a start that comes again is the same run": {[]at{{1, 2, fail, r1}, {3, 4, fail, r1}}, true},
		"a start that comes again is another run":  {[]at{{1, 2, fail, r1}, {3, 4, fail, began("r2")}}, false},
		"a start uses the open run":                {[]at{{1, 2, fail, r1}, {3, 4, useOpen, Answer{Run: "r1"}}}, true},
		"a start replaces the open run": {[]at{{1, 2, fail, r1}, {3, 4, replace, began("r3")},
			{5, 6, Call{Kind: Read, Run: "r1"}, sees("r1", isTerminated)}, {7, 8, look, sees("r3", isRunning)}}, true},
		"a replaced run is still current": {[]at{{1, 2, fail, r1}, {3, 4, replace, began("r3")}, {5, 6, look, sees("r1", isRunning)}}, false},
		"a closed run is replaced although its policy forbids": {[]at{{1, 2, fail, r1}, {3, 4, ending, done},
			{5, 6, look, sees("r1", isCompleted, "end")}, {7, 8, onlyFailed, began("r5")}}, false},
		"a terminated run may be followed": {[]at{{1, 2, fail, r1}, {3, 4, Call{Kind: Terminate}, done}, {5, 6, onlyFailed, began("r5")}}, true},
		"a signal is lost":                 {[]at{{1, 2, fail, r1}, {3, 4, signal1, done}, {5, 6, look, sees("r1", isRunning)}}, false},
		"a signal has no place in history yet": {[]at{{1, 2, fail, r1}, {3, 4, signal1, done},
			{5, 6, look, waiting(sees("r1", isRunning), "a")}}, true},
		"a signal is there twice": {[]at{{1, 2, fail, r1}, {3, 4, signal1, done}, {5, 6, look, sees("r1", isRunning, "a", "a")}}, false},
		"a signal that comes again is taken once": {[]at{{1, 2, fail, r1}, {3, 4, signal1, done}, {5, 6, signal1, done},
			{7, 8, look, sees("r1", isRunning, "a")}}, true},
		"signals change places": {[]at{{1, 2, fail, r1}, {3, 4, signal1, done}, {5, 6, signal2, done},
			{7, 8, look, sees("r1", isRunning, "b", "a")}}, false},
		"concurrent signals come in any order": {[]at{{1, 2, fail, r1}, {3, 6, signal1, done}, {4, 7, signal2, done},
			{8, 9, look, sees("r1", isRunning, "b", "a")}}, true},
		"readers disagree about the order": {[]at{{1, 2, fail, r1}, {3, 9, signal1, done}, {3, 9, signal2, done},
			{4, 5, look, sees("r1", isRunning, "b")}, {6, 7, look, sees("r1", isRunning, "a")}}, false},
		"a lost signal shows late": {[]at{{1, 2, fail, r1}, {3, 0, signal1, Answer{Lost: true}}, {4, 5, look, sees("r1", isRunning)},
			{6, 7, look, sees("r1", isRunning, "a")}}, true},
		"a lost signal goes away again": {[]at{{1, 2, fail, r1}, {3, 0, signal1, Answer{Lost: true}}, {4, 5, look, sees("r1", isRunning, "a")},
			{6, 7, look, sees("r1", isRunning)}}, false},
		"a signal that was cut off shows": {[]at{{1, 2, fail, r1}, {3, 4, signal1, Answer{Lost: true}},
			{5, 6, look, sees("r1", isRunning, "a")}}, true},
		"a signal that was cut off does not show": {[]at{{1, 2, fail, r1}, {3, 4, signal1, Answer{Lost: true}},
			{5, 6, look, sees("r1", isRunning)}}, true},
		"a signal that was cut off shows too late": {[]at{{1, 2, fail, r1}, {3, 4, signal1, Answer{Lost: true}},
			{5, 6, look, sees("r1", isRunning)}, {7, 8, look, sees("r1", isRunning, "a")}}, false},
		"a lost start has replaced the run": {[]at{{1, 2, fail, r1}, {3, 0, replace, Answer{Lost: true}}, {4, 5, look, sees("r1", isRunning)},
			{6, 7, look, sees("r3", isRunning)}}, true},
		"a lost signal with start has one of two effects": {[]at{{1, 2, fail, r1}, {3, 4, ending, done}, {5, 0, both1, Answer{Lost: true}},
			{6, 7, look, sees("r1", isCompleted, "end")}, {8, 9, look, sees("r2", isRunning, "x")}}, true},
		"a signal is taken by a closed run": {[]at{{1, 2, fail, r1}, {3, 4, Call{Kind: Terminate}, done}, {5, 6, signal1, done}}, false},
		"a run completes by itself":         {[]at{{1, 2, fail, r1}, {3, 4, look, sees("r1", isCompleted)}}, false},
		"a run opens again": {[]at{{1, 2, fail, r1}, {3, 4, ending, done}, {5, 6, signal1, notFound},
			{7, 8, look, sees("r1", isRunning, "end")}}, false},
		"a signal with start begins a run":     {[]at{{1, 2, both1, r1}, {3, 4, look, sees("r1", isRunning, "x")}}, true},
		"a signal with start loses its signal": {[]at{{1, 2, both1, r1}, {3, 4, look, sees("r1", isRunning)}}, false},
		"a cancellation shows": {[]at{{1, 2, fail, r1}, {3, 4, Call{Kind: Cancel}, done},
			{5, 6, look, cancelSeen(sees("r1", isCanceled))}}, true},
		"a cancellation is lost": {[]at{{1, 2, fail, r1}, {3, 4, Call{Kind: Cancel}, done}, {5, 6, look, sees("r1", isRunning)}}, false},
		"a cancellation of a closed run does nothing": {[]at{{1, 2, fail, r1}, {3, 4, Call{Kind: Terminate}, done},
			{5, 6, Call{Kind: Cancel}, done}, {7, 8, look, sees("r1", isTerminated)}}, true},
		"a cancellation nobody asked for": {[]at{{1, 2, fail, r1}, {3, 4, look, cancelSeen(sees("r1", isCanceled))}}, false},
		"an update is seen before its answer": {[]at{{1, 2, fail, r1}, {3, 8, proposal, came("r1", Completed)},
			{4, 5, look, updated(sees("r1", isRunning), Accepted)}, {6, 7, look, updated(sees("r1", isRunning), Completed)}}, true},
		"an update is told and lost": {[]at{{1, 2, fail, r1}, {3, 4, proposal, came("r1", Accepted)},
			{5, 6, look, updated(sees("r1", isRunning), 0)}}, false},
		"an update goes back": {[]at{{1, 2, fail, r1}, {3, 9, proposal, came("r1", Completed)},
			{4, 5, look, updated(sees("r1", isRunning), Completed)}, {6, 7, look, updated(sees("r1", isRunning), Accepted)}}, false},
		"an update is taken by a closed run": {[]at{{1, 2, fail, r1}, {3, 4, Call{Kind: Terminate}, done},
			{5, 6, proposal, came("r1", Accepted)}}, false},
		"an update has two outcomes": {[]at{{1, 2, fail, r1},
			{3, 9, proposal, Answer{Run: "r1", Progress: Progress{Completed, "one"}}},
			{4, 8, look, Answer{Sight: &Sight{Run: "r1", Status: isRunning, Updates: map[string]Progress{"u": {Completed, "two"}}}}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var h History
			for i, c := range row.calls {
				id := h.Call(i, c.call, time.Duration(c.from)*time.Second)
				if c.to > 0 {
					h.Return(id, c.answer, time.Duration(c.to)*time.Second)
				}
			}
			v := h.Check(10 * time.Second)
			if v.Undecided || v.Linearizable != row.want {
				t.Errorf("linearizable: %v, want %v\n%s%s", v.Linearizable, row.want, h.String(), v.Explain())
			}
		})
	}
}

// A run whose retention is over is found gone, and its id is free; where nothing
// is forgotten that is not so.
func TestRetention(t *testing.T) {
	for _, forgets := range []bool{true, false} {
		h := History{Forgets: forgets}
		for i, c := range []at{{1, 2, fail, began("r1")}, {3, 4, Call{Kind: Terminate}, done}, {5, 6, look, notFound},
			{7, 8, rejecting, began("r4")}} {
			h.Return(h.Call(0, c.call, time.Duration(c.from)), c.answer, time.Duration(c.to+i))
		}
		if v := h.Check(10 * time.Second); v.Linearizable != forgets {
			t.Errorf("forgets %v: linearizable %v", forgets, v.Linearizable)
		}
	}
}

// What was dropped and what was read by nobody does not count; what cannot be
// explained is explained as far as it can be.
func TestVerdict(t *testing.T) {
	var h History
	h.Return(h.Call(0, fail, 1), began("r1"), 2)
	h.Drop(h.Call(0, signal1, 3))
	h.Call(1, look, 4)
	h.Call(1, signal2, 5)
	h.Return(h.Call(0, look, 6), sees("r1", isRunning, "a"), 7)
	v := h.Check(10 * time.Second)
	if v.Linearizable || v.Calls != 3 || v.Lost != 1 || v.Explain() == "" {
		t.Errorf("%+v\n%s", v, v.Explain())
	}
	if err := v.Draw(t.TempDir() + "/history.html"); err != nil {
		t.Error(err)
	}
}
