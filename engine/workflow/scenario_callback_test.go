package workflow_test

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/workflowservice/v1"

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
		if want := callback.RequestID(run.Key, d.Number); d.RequestID != want {
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
