package workflow_test

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/workflowservice/v1"
	"pgregory.net/rapid"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/engine/workflow"
)

// More commands of the scenario files, about completion callbacks. start takes
// callbacks=(A,B) and, to attach them to an open run, attach-callbacks.
//
//	update-with-callbacks ID U request=R callbacks=(A,B)
//	call-answered ID N accepted|refused|failed|blocked [stamp=S] [wait=T]
//	callbacks ID                                    what is known of each
func init() {
	commands["update-with-callbacks"] = func(w *world, a *args) {
		req := updateRequest(a.at(1), "")
		req.RequestId, req.CompletionCallbacks = a.str("request"), callbacksOf(a)
		reply := w.step(w.find(a.at(0)), &workflow.UpdateWorkflow{Request: &workflowservice.UpdateWorkflowExecutionRequest{Request: req}})
		if s, ok := reply.(*workflow.UpdateStatus); ok {
			w.printf("reply: %s\n", describeStatus(s))
		}
	}
	commands["call-answered"] = (*world).callAnswered
	commands["callbacks"] = (*world).callbacks
}

func callbacksOf(a *args) []*commonpb.Callback {
	var list []*commonpb.Callback
	for _, arg := range a.CmdArgs {
		if arg.Key != "callbacks" {
			continue
		}
		for _, name := range arg.Vals {
			list = append(list, &commonpb.Callback{Variant: &commonpb.Callback_Nexus_{Nexus: &commonpb.Callback_Nexus{
				Url: "https://" + name}}})
		}
	}
	return list
}

func calledName(cb *commonpb.Callback) string {
	return strings.TrimPrefix(cb.GetNexus().GetUrl(), "https://")
}

func (w *world) callAnswered(a *args) {
	run := w.find(a.at(0))
	number, _ := strconv.ParseInt(a.at(1), 10, 64)
	answer := callback.Answer{Verdict: map[string]callback.Verdict{
		"accepted": callback.Accepted, "refused": callback.Refused, "failed": callback.Failed, "blocked": callback.Blocked,
	}[a.at(2)]}
	switch answer.Verdict {
	case callback.Refused, callback.Failed:
		answer.Failure = &failurepb.Failure{Message: "no"}
	case callback.Blocked:
		answer.Reason = "busy"
		answer.Wait, _ = time.ParseDuration(a.or("wait", "0s"))
	}
	stamp := int64(0)
	if run != nil && run.Callbacks[number] != nil {
		stamp = run.Callbacks[number].Stamp
	}
	if s := a.str("stamp"); s != "" {
		stamp, _ = strconv.ParseInt(s, 10, 64)
	}
	w.step(run, &workflow.CallbackAnswered{Number: number, Stamp: stamp, Answer: answer})
}

func (w *world) callbacks(a *args) {
	run := w.find(a.at(0))
	for _, n := range sortedKeys(run.Callbacks) {
		s := run.Callbacks[n]
		w.printf("%d %s %s", n, calledName(s.Callback), s.Status)
		if s.Attempt > 0 {
			w.printf(" attempt=%d", s.Attempt)
		}
		if at := s.Deadline(); !at.IsZero() {
			w.printf(" due=%s", at.Sub(epoch))
		}
		if s.LastFailure != nil {
			w.printf(" failure=%s", s.LastFailure.Message)
		}
		if s.BlockedReason != "" {
			w.printf(" reason=%s", s.BlockedReason)
		}
		w.printf("\n")
	}
}

// called prints the tries a step asks for. One without a completion is told what
// the named event says, as the shell would.
func (w *world) called(run *workflow.Run, c *workflow.Change) {
	for _, d := range c.Deliveries {
		done := d.Completion
		from := ""
		if done == nil {
			done, from = workflow.CompletionOf(w.history[run.Key][d.EventID-1]), fmt.Sprintf(" by event %d", d.EventID)
		}
		link := d.Link.GetWorkflowEvent()
		w.printf("call %d: %s try %d, %s%s, link to %s\n", d.Number, calledName(d.Callback), d.Stamp, describeCompletion(done), from,
			cmp.Or(link.GetEventRef().GetEventType(), link.GetRequestIdRef().GetEventType()))
		if want := run.Callbacks[d.Number].RequestID; d.RequestID != want {
			w.t.Errorf("call %d has request id %s, want %s", d.Number, d.RequestID, want)
		}
	}
}

func describeCompletion(c *engine.Completion) string {
	switch {
	case c.Canceled:
		return "canceled"
	case c.Failure != nil:
		return "failed: " + describeFailure(c.Failure)
	}
	return strings.TrimSpace("succeeded " + string(c.Result.GetData()))
}

// drawCall answers a try to call a callback of any run of the id, or lets one be due.
func drawCall(t *rapid.T, w *world, name string) string {
	var answers []string
	for key, run := range w.runs {
		if key.Name != name {
			continue
		}
		for _, n := range sortedKeys(run.Callbacks) {
			answers = append(answers, fmt.Sprintf("call-answered %s/%s %d", name, w.names[key.RunID], n))
		}
		if at := run.NextDeadline(); !run.Open() && len(run.Callbacks) > 0 && !at.IsZero() {
			answers = append(answers, fmt.Sprintf("due %s/%s", name, w.names[key.RunID]))
		}
	}
	if len(answers) == 0 {
		return ""
	}
	slices.Sort(answers) // runs come out of a map
	line := rapid.SampledFrom(answers).Draw(t, "callback")
	if strings.HasPrefix(line, "due ") {
		if at := w.find(strings.TrimPrefix(line, "due ")).NextDeadline(); at.After(w.now) && at.Before(w.now.Add(time.Hour)) {
			w.play(t, "now "+at.Sub(epoch).String(), "")
		}
		return line
	}
	return line + rapid.SampledFrom([]string{" accepted", " refused", " failed", " failed", " blocked", " failed stamp=1", " accepted stamp=1"}).Draw(t, "answer")
}

// checkCallbacks: a callback waits only for what has not ended, is looked at
// again while it is to be delivered, and stays as it is once it is over.
func (w *world) checkCallbacks(t *rapid.T, run *workflow.Run) {
	for _, n := range sortedKeys(run.Callbacks) {
		s := run.Callbacks[n]
		ended := !run.Open()
		if u := run.Updates[s.UpdateID]; u != nil {
			ended = ended || u.CompletedEventID != 0
		}
		replaced := run.Info.Status == enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED // by a reset
		handedOn := run.Info.NewRunID != "" && (s.UpdateID == "" || replaced)
		switch {
		case s.Waiting() && ended && !handedOn:
			t.Fatalf("callback %d of %s waits for what has ended", n, w.names[run.Key.RunID])
		case !s.Waiting() && !ended && (s.UpdateID == "" || run.Updates[s.UpdateID] != nil): // else it was rejected
			t.Fatalf("callback %d of %s is %v before anything has ended", n, w.names[run.Key.RunID], s.Status)
		case s.Pending() && run.NextDeadline().After(s.Deadline()):
			t.Fatalf("callback %d of %s is due at %v, the run at %v", n, w.names[run.Key.RunID], s.Deadline(), run.NextDeadline())
		}
		if before, over := w.calls[s.RequestID]; over && before != s.Status {
			t.Fatalf("callback %d of %s was %v and is %v", n, w.names[run.Key.RunID], before, s.Status)
		}
		if !s.Waiting() && !s.Pending() {
			w.calls[s.RequestID] = s.Status
		}
	}
}
