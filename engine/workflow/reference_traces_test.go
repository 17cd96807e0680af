package workflow_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The reference traces of spec/workflow.md, appendix A: each is in a scenario
// file, event for event. A trace names events as that appendix does, an id where
// the history begins with it; what stands between bars comes in another
// paragraph, with other runs' events between.
func TestReferenceTraces(t *testing.T) {
	for _, trace := range []struct{ name, file, events string }{
		{"start, complete", "first_task", "1:WEStarted 2:WFTScheduled | 3:WFTStarted | 4:WFTCompleted 5:WECompleted"},
		{"signal before first poll", "first_task", "1:WEStarted 2:WFTScheduled | 3:WESignaled | 4:WFTStarted"},
		{"signal-with-start, new", "delayed_start", "1:WEStarted 2:WESignaled 3:WFTScheduled"},
		{"signal-with-start, new, with delay; then a second one", "delayed_start", "1:WEStarted 2:WESignaled | 3:WESignaled 4:WFTScheduled"},
		{"signal and cancel while the task is started, completed inline", "buffered_events",
			"9:WFTStarted | 10:WFTCompleted 11:TimerCanceled 12:TimerCanceled 13:WESignaled 14:WECancelRequested 15:WFTScheduled 16:WFTStarted"},
		{"terminated while that task is started", "buffered_events", "17:WFTFailed 18:WESignaled 19:WETerminated"},
		{"complete with a buffered signal", "reference_traces",
			"3:WFTStarted | 4:WFTFailed 5:WESignaled 6:WFTScheduled | 7:WFTStarted | 8:WFTCompleted 9:WECompleted"},
		{"bad command, attempt 1", "failed_tasks", "WFTStarted | WFTFailed"},
		{"transient finally succeeds", "failed_tasks", "4:WFTFailed | 5:WFTScheduled 6:WFTStarted 7:WFTCompleted"},
		{"sticky task failed by its worker", "sticky", "WFTStarted | WFTFailed WFTScheduled"},
		{"sticky worker gone", "sticky", "WFTScheduled | WFTTimedOut WFTScheduled"},
		{"local activity heartbeat", "heartbeat", "3:WFTStarted | 4:WFTCompleted 5:WFTScheduled 6:WFTStarted"},
		{"activity fails once, then succeeds", "activities", "5:ATScheduled | 6:ATStarted 7:ATCompleted 8:WFTScheduled"},
		{"cancel an activity that never started", "reference_traces", "9:WFTCompleted 10:ATCancelRequested 11:ATCanceled 12:WFTScheduled"},
		{"child, at the parent", "children", "5:StartChildInitiated | 6:ChildStarted 7:WFTScheduled"},
		{"child id taken", "children", "StartChildInitiated | StartChildFailed WFTScheduled"},
		{"parent continues as new, child terminated", "children", "WEContinuedAsNew | WETerminated"},
		{"update accepted and completed on an idle run", "updates", "5:WFTScheduled 6:WFTStarted 7:WFTCompleted 8:UpdateAccepted 9:UpdateCompleted"},
		{"update, no worker", "updates_tasks", "5:WFTScheduled 6:WFTTimedOut 7:WFTScheduled"},
		{"pause before the first task was started", "pause", "2:WFTScheduled | 3:WFTFailed 4:WEPaused | 5:WESignaled | 6:WEUnpaused 7:WFTScheduled"},
		{"pause while a task is started", "pause",
			"WFTStarted | WFTCompleted TimerStarted ATScheduled WEPaused | TimerFired | WEUnpaused WFTScheduled"},
		{"reset to 4, two later signals", "reset", "14:WFTFailed 15:WETerminated 4:WFTFailed 5:WESignaled 6:WESignaled 7:WFTScheduled"},
		{"reset, no signals", "reset", "4:WFTFailed 5:WFTScheduled"},
		{"cron run completes", "cron", "WECompleted 1:WEStarted | 2:WFTScheduled"},
		{"retry", "chains", "WEFailed 1:WEStarted | 2:WFTScheduled"},
		{"update-with-start", "updates_start", "1:WEStarted 2:WFTScheduled | 3:WFTStarted | 4:WFTCompleted 5:UpdateAccepted"},
		{"conflict policy USE_EXISTING with attachments", "callbacks", "WEOptionsUpdated"},
	} {
		t.Run(trace.name, func(t *testing.T) {
			text, err := os.ReadFile("../testdata/" + trace.file + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			if !tracePattern(trace.events).Match(text) {
				t.Errorf("%s.txt has no %s", trace.file, trace.events)
			}
		})
	}
}

// tracePattern finds the events in a scenario file: in one paragraph those that
// follow one another, in a later one those behind a bar.
func tracePattern(events string) *regexp.Regexp {
	const restOfLine = `[^\n]*\n`
	pattern := `(?s)`
	for i, word := range strings.Fields(events) {
		if word == "|" {
			pattern += `.*?`
			continue
		}
		id, kind, found := strings.Cut(word, ":")
		if !found {
			id, kind = `\d+`, word
		}
		if i > 0 {
			pattern += `(?:(?:new run|offered:|message:|call)` + restOfLine + `)*`
		}
		pattern += `(?:\n|^)?event ` + id + ` ` + traceNames.Replace(kind) + `(?: ` + restOfLine + `|\n)`
	}
	return regexp.MustCompile(pattern)
}

var traceNames = strings.NewReplacer("WFT", "WorkflowTask", "WE", "WorkflowExecution", "AT", "ActivityTask",
	"StartChild", "StartChildWorkflowExecution", "ChildStarted", "ChildWorkflowExecutionStarted",
	"UpdateAccepted", "WorkflowExecutionUpdateAccepted", "UpdateCompleted", "WorkflowExecutionUpdateCompleted")
