package workflow_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine/workflow"
)

// TestInvariants plays random scripts to two ids that start, signal and end each
// other, and after each input checks what must always hold: I2 (history is
// gapless and ends with its close), I3 (one open run per id), I4 (one workflow
// task at a time), and that what a run says about itself can be derived from its
// parts alone, as after a reload. That a failed step changes nothing, and that
// the same step twice gives the same result, is checked by the world itself.
// Events share parts, and no step may change what another has made.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.limits.BufferedEvents = 3
		w.limits.LimitHistory(100, w.limits.HistoryFullBytes)
		asBorn := make(map[*historypb.HistoryEvent]*historypb.HistoryEvent)
		w.saw = func(c *workflow.Change) {
			for _, ev := range slices.Concat(c.Batches...) {
				asBorn[ev] = proto.CloneOf(ev)
			}
		}
		for range 80 {
			line, input := draw(t, w)
			if line == "" {
				continue
			}
			w.play(t, line, input)
			w.check(t)
			if name, ok := strings.CutPrefix(line, "due "); ok {
				w.checkLookedAt(t, strings.Fields(name)[0])
			}
		}
		for ev, born := range asBorn {
			if !proto.Equal(ev, born) {
				t.Fatalf("an event was changed after its step, or what it shares with others was: %v; it was %v", ev, born)
			}
		}
	})
}

// play runs one paragraph, and shows it should the test fail.
func (w *world) play(t *rapid.T, line, input string) {
	cmd, cmdArgs, err := datadriven.ParseLine(line)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	out := w.run(&datadriven.TestData{Cmd: cmd, CmdArgs: cmdArgs, Input: input, Pos: line})
	t.Logf("%s\n%s\n----\n%s", line, input, out)
}

// checkLookedAt: what was due of a run is done by one look at it, paused or not.
// A deadline that stays in the past would keep the shell busy for nothing.
func (w *world) checkLookedAt(t *rapid.T, name string) {
	run := w.find(name)
	if run == nil {
		return
	}
	if at := run.NextDeadline(); !at.IsZero() && !at.After(w.now) {
		t.Fatalf("%s has been looked at at %v, and is due still, since %v", name, w.now, at)
	}
}

// draw picks the next paragraph.
func draw(t *rapid.T, w *world) (line, input string) {
	id := rapid.SampledFrom([]string{"a", "a", "a", "b", "c0", "c1", "c2"}).Draw(t, "id")
	request := fmt.Sprintf(" request=r%d", rapid.IntRange(1, 5).Draw(t, "request"))
	switch op := rapid.SampledFrom([]string{
		"start", "start", "signal-with-start", "signal", "signal", "signal", "cancel", "end", "reset-sticky",
		"poll", "poll", "poll", "poll", "poll", "poll", "complete", "complete", "complete", "complete", "complete", "complete",
		"fail-task", "abort-task", "due", "due", "due", "due", "now", "now",
		"poll-activity", "poll-activity", "activity", "activity", "activity", "deliver", "deliver",
		"update", "update", "update", "update-with-start", "reload", "operate", "operate",
		"reset", "call", "call", "call", "update-with-callbacks",
	}).Draw(t, "op"); op {
	case "start":
		return op + " " + id + request + rapid.SampledFrom([]string{"", " eager", " delay=3s", " attempts=3", " cron=@every_2s",
			" skip delay=3s", " skip=3 cron=@every_2s", " skip forward=5s", " skip run-timeout=5s",
			" run-timeout=5s attempts=2", " execution-timeout=10s", " conflict=USE_EXISTING attach", " callbacks=(x,y)",
			" callbacks=(x) attempts=2", " conflict=USE_EXISTING attach-callbacks callbacks=(z)", " conflict=TERMINATE_EXISTING",
			" reuse=REJECT_DUPLICATE"}).Draw(t, "start"), ""
	case "signal-with-start":
		return op + " " + id + " signal=s" + request + rapid.SampledFrom([]string{"", " delay=2s", " conflict=TERMINATE_EXISTING"}).Draw(t, "start"), ""
	case "update-with-start":
		return op + " " + id + drawUpdate(t, " update=") + request + rapid.SampledFrom([]string{"", " conflict=USE_EXISTING",
			" conflict=TERMINATE_EXISTING", " reuse=REJECT_DUPLICATE"}).Draw(t, "start"), ""
	case "update", "reload":
		if w.find(id) == nil {
			return "", ""
		}
		if op == "update" {
			id += drawUpdate(t, " ")
		}
		return op + " " + id, ""
	case "update-with-callbacks":
		if w.find(id) == nil {
			return "", ""
		}
		return op + " " + id + drawUpdate(t, " ") + request + " callbacks=(u)", ""
	case "call":
		return drawCall(t, w, id), ""
	case "reset":
		return drawReset(t, w, id), ""
	case "operate":
		if w.find(id) == nil {
			return "", ""
		}
		return drawOperation(t, id), ""
	case "end":
		op = rapid.SampledFrom([]string{"terminate", "terminate", "delete"}).Draw(t, "how")
		if w.find(id) == nil {
			return "", ""
		}
		return op + " " + id, ""
	case "signal", "cancel", "reset-sticky", "due":
		if w.find(id) == nil {
			return "", ""
		}
		if at := w.find(id).NextDeadline(); op == "due" && at.After(w.now) && rapid.Bool().Draw(t, "wait") {
			w.play(t, "now "+at.Sub(epoch).String(), "")
		}
		if op == "signal" {
			id += " s"
		}
		return op + " " + id + request, ""
	case "poll", "poll-activity":
		queue := rapid.SampledFrom([]string{"orders", "orders", "orders", "home sticky", "home sticky", "parcels"}).Draw(t, "queue")
		return fmt.Sprintf("%s %s request=p%d", op, queue, w.steps), ""
	case "complete", "fail-task", "abort-task":
		if w.tasks[id] == nil || w.runs[w.tasks[id].Token.Run] == nil {
			return "", ""
		}
		if op == "complete" {
			return op + " " + id + drawCompletion(t), drawCommands(t, w.runs[w.tasks[id].Token.Run])
		}
		return op + " " + id, ""
	case "activity":
		for name, act := range w.acts {
			if w.runs[act.Token.Run] == nil {
				delete(w.acts, name)
			}
		}
		if len(w.acts) == 0 {
			return "", ""
		}
		op := rapid.SampledFrom([]string{"complete-activity", "fail-activity", "fail-activity", "cancel-activity", "heartbeat", "abort-activity"}).Draw(t, "answer")
		if op == "abort-activity" && rapid.Bool().Draw(t, "spare") {
			return "", ""
		}
		return op + " " + rapid.SampledFrom(sortedKeys(w.acts)).Draw(t, "activity"), ""
	case "now":
		later := w.now.Sub(epoch) + time.Duration(rapid.IntRange(1, 8000).Draw(t, "millis"))*time.Millisecond
		return "now " + later.String(), ""
	}
	return "deliver", ""
}

func drawUpdate(t *rapid.T, prefix string) string {
	return prefix + rapid.SampledFrom([]string{"u1", "u2", "u3", "u4"}).Draw(t, "update")
}

// drawMessages answers the updates of a run, mostly as a worker should.
func drawMessages(t *rapid.T, run *workflow.Run) []string {
	var lines []string
	for _, id := range sortedKeys(run.Proposals) {
		if run.Proposals[id].Sent == 0 {
			continue
		}
		switch rapid.IntRange(0, 5).Draw(t, "verdict") {
		case 0, 1:
			lines = append(lines, "reject "+id)
		case 2:
			lines = append(lines, "accept "+id)
		case 3, 4:
			lines = append(lines, "accept "+id, "answer "+id)
		}
	}
	for _, id := range sortedKeys(run.Updates) {
		if run.Updates[id].CompletedEventID == 0 && rapid.Bool().Draw(t, "answered") {
			lines = append(lines, "answer "+id)
		}
	}
	if rapid.IntRange(0, 30).Draw(t, "resurrected") == 0 {
		lines = append(lines, "accept u5")
	}
	return lines
}

func drawCompletion(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", " sticky=home", " sticky=home return-new", " return-new", " force-new",
		" force-new return-new sticky=home", " sticky=home rewinds"}).Draw(t, "flags")
}

// drawCommands picks commands that mostly make sense for the run whose task is
// completed: a completion with a bad one among them changes nothing.
func drawCommands(t *rapid.T, run *workflow.Run) string {
	choices := []string{"marker m", "memo k=v", "upsert CustomerId=c", "signal b s", "signal c1 s child-only", "cancel c2", "start-child b"}
	for n := range 3 {
		id := fmt.Sprintf("t%d", n)
		if run.Timers[id] != nil {
			choices = append(choices, "cancel-timer "+id)
		} else {
			choices = append(choices, fmt.Sprintf("start-timer %s %ds", id, 2*n))
		}
		choices = append(choices, fmt.Sprintf("schedule-activity x%d start-to-close=4s attempts=2", n),
			fmt.Sprintf("schedule-activity y%d eager start-to-close=2s", n), fmt.Sprintf("start-child c%d", n))
	}
	for _, id := range sortedKeys(run.Activities) {
		if !run.Activities[id].CancelRequested {
			choices = append(choices, fmt.Sprintf("cancel-activity %d", id))
		}
	}
	for _, ev := range run.Buffered {
		if fired := ev.GetTimerFiredEventAttributes(); fired != nil {
			choices = []string{"cancel-timer " + fired.GetTimerId()}
		}
	}
	var lines []string
	for range rapid.IntRange(0, 3).Draw(t, "commands") {
		if line := rapid.SampledFrom(choices).Draw(t, "command"); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	lines = append(lines, drawMessages(t, run)...)
	if rapid.IntRange(0, 30).Draw(t, "bad") == 0 {
		lines = append(lines, "no-timer-id")
	}
	if rapid.IntRange(0, 6).Draw(t, "end") == 0 {
		lines = append(lines, rapid.SampledFrom([]string{"complete-workflow", "fail-workflow", "fail-workflow non-retryable",
			"cancel-workflow", "continue-as-new"}).Draw(t, "close"))
	}
	return strings.Join(lines, "\n")
}

// check looks at every run.
func (w *world) check(t *rapid.T) {
	open := map[string]string{}
	for key, run := range w.runs {
		if run.Open() {
			if other := open[key.Name]; other != "" {
				t.Fatalf("I3: %s has two open runs, %s and %s", key.Name, other, key.RunID)
			}
			open[key.Name] = key.RunID
			if w.current[key.Name] != key {
				t.Fatalf("I3: the open run %s of %s is not its current one", key.RunID, key.Name)
			}
		}
		w.checkHistory(t, run)
		checkDerived(t, run)
		checkPauses(t, run)
		w.checkCallbacks(t, run)
		checkAwake(t, w, run)
	}
}

// checkHistory reads a history as an SDK would.
func (w *world) checkHistory(t *rapid.T, run *workflow.Run) {
	history := w.history[run.Key]
	if got := run.Info.NextEventID - 1; got != int64(len(history)) {
		t.Fatalf("I2: the run counts %d events, history has %d", got, len(history))
	}
	var scheduled, started, closes int
	timers := map[int64]bool{}
	for i, ev := range history {
		switch ev.EventType {
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
			scheduled++
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
			started++
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
			scheduled, started = scheduled-1, started-1
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED:
			scheduled--
			if ev.GetWorkflowTaskFailedEventAttributes().GetStartedEventId() != 0 { // else paused before its start
				started--
			}
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
			scheduled--
			if ev.GetWorkflowTaskTimedOutEventAttributes().GetStartedEventId() != 0 {
				started--
			}
		case enumspb.EVENT_TYPE_TIMER_STARTED:
			timers[ev.EventId] = true
		case enumspb.EVENT_TYPE_TIMER_FIRED:
			id := ev.GetTimerFiredEventAttributes().GetStartedEventId()
			if !timers[id] {
				t.Fatalf("event %d fires timer %d, which is not running", ev.EventId, id)
			}
			delete(timers, id)
		case enumspb.EVENT_TYPE_TIMER_CANCELED:
			delete(timers, ev.GetTimerCanceledEventAttributes().GetStartedEventId())
		}
		if scheduled < 0 || scheduled > 1 || started < 0 || started > 1 || started > scheduled {
			t.Fatalf("I4: after event %d there are %d workflow tasks, %d of them started", ev.EventId, scheduled, started)
		}
		checkStarted(t, history[:i], ev)
		if isClose(ev.EventType) {
			closes++
			if i != len(history)-1 {
				t.Fatalf("I2: event %d follows the close", history[i+1].EventId)
			}
		}
	}
	if (closes == 1) == run.Open() {
		t.Fatalf("%d close events, status %s", closes, run.Info.Status)
	}
	if !run.Open() && started != 0 {
		t.Fatalf("I4: closed with a started workflow task")
	}
}

// checkStarted: what closes an activity or a child names the start it had.
func checkStarted(t *rapid.T, before []*historypb.HistoryEvent, ev *historypb.HistoryEvent) {
	var about, startedID, startedAbout int64
	started := func(id int64) *historypb.HistoryEvent {
		if id < 1 || id > int64(len(before)) {
			t.Fatalf("event %d %s names event %d as its start", ev.EventId, ev.EventType, id)
		}
		return before[id-1]
	}
	switch ev.EventType {
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		a := ev.GetActivityTaskCompletedEventAttributes()
		about, startedID = a.ScheduledEventId, a.StartedEventId
		startedAbout = started(startedID).GetActivityTaskStartedEventAttributes().GetScheduledEventId()
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		a := ev.GetActivityTaskFailedEventAttributes()
		about, startedID = a.ScheduledEventId, a.StartedEventId
		startedAbout = started(startedID).GetActivityTaskStartedEventAttributes().GetScheduledEventId()
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:
		a := ev.GetChildWorkflowExecutionCompletedEventAttributes()
		about, startedID = a.InitiatedEventId, a.StartedEventId
		startedAbout = started(startedID).GetChildWorkflowExecutionStartedEventAttributes().GetInitiatedEventId()
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:
		a := ev.GetChildWorkflowExecutionTerminatedEventAttributes()
		about, startedID = a.InitiatedEventId, a.StartedEventId
		startedAbout = started(startedID).GetChildWorkflowExecutionStartedEventAttributes().GetInitiatedEventId()
	}
	if about != startedAbout {
		t.Fatalf("event %d %s is about %d, its start %d about %d", ev.EventId, ev.EventType, about, startedID, startedAbout)
	}
}

func isClose(t enumspb.EventType) bool {
	switch t {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		return true
	}
	return false
}

// checkDerived compares a run that has lived through its changes with one that
// is made of the same parts.
func checkDerived(t *rapid.T, run *workflow.Run) {
	reloaded := &workflow.Run{Key: run.Key, Start: run.Start, Info: run.Info, Memo: run.Memo,
		SearchAttributes: run.SearchAttributes, Activities: maps.Clone(run.Activities), Timers: maps.Clone(run.Timers),
		Children: run.Children, Signals: run.Signals, Cancels: run.Cancels, Requests: run.Requests, Updates: run.Updates, Callbacks: run.Callbacks,
		Proposals: run.Proposals, Buffered: run.Buffered}
	if a, b := run.NextDeadline(), reloaded.NextDeadline(); !a.Equal(b) {
		t.Fatalf("the next deadline is %v, by the parts it is %v", a, b)
	}
	if a, b := run.Offers(), reloaded.Offers(); !slices.Equal(a, b) {
		t.Fatalf("on offer are %v, by the parts %v", a, b)
	}
	if task := run.Info.Task; run.Open() && task != nil && task.Type != workflow.TaskNormal &&
		task.ScheduledEventID != run.Info.NextEventID {
		t.Fatalf("a virtual task has event id %d, the next one is %d", task.ScheduledEventID, run.Info.NextEventID)
	}
	if empty := run.Info.StateBytes == 0; empty && len(run.Activities)+len(run.Timers)+len(run.Requests) > 0 || run.Info.StateBytes < 0 {
		t.Fatalf("the parts of the run are counted as %d bytes", run.Info.StateBytes)
	}
	if run.Info.AwaitsParent && run.Info.Task != nil {
		t.Fatalf("a child has a workflow task before its parent knows of it")
	}
	if !run.Open() && run.Volatile() {
		t.Fatalf("a closed run has updates that nobody has answered")
	}
	if speculative := run.Info.Task != nil && run.Info.Task.Type == workflow.TaskSpeculative; len(run.Buffered) > 0 && speculative {
		t.Fatalf("events are buffered behind a workflow task that a restart forgets")
	}
	if len(run.Buffered) > 0 && (run.Info.Task == nil || run.Info.Task.StartedEventID == 0) {
		t.Fatalf("events are buffered although no workflow task is started")
	}
}
