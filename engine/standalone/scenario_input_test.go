package standalone

import (
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/datadriven"
	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/perdure/perdure/engine/callback"
)

// input is what a command of a script does to the run; nil for an unknown one.
func (s *stage) input(d *datadriven.TestData) Input {
	request, reason, who := text(d, "request"), text(d, "reason"), "operator"
	stamp := s.stamp(d)
	switch d.Cmd {
	case "heartbeat":
		return &Heartbeat{Stamp: stamp, Details: payloads(text(d, "details")), Identity: s.last}
	case "complete":
		return &Complete{Stamp: stamp, Result: payloads(text(d, "result")), Identity: s.last}
	case "fail":
		return &Fail{Stamp: stamp, Failure: failureOf(d), HeartbeatDetails: payloads(text(d, "details")), Identity: s.last}
	case "accept-cancel":
		return &Cancel{Stamp: stamp, Details: payloads(text(d, "details")), Identity: s.last}
	case "abort":
		return &AbortAttempt{Stamp: stamp}
	case "cancel":
		return &RequestCancel{&workflowservice.RequestCancelActivityExecutionRequest{RequestId: request, Reason: reason, Identity: who}}
	case "terminate":
		return &Terminate{&workflowservice.TerminateActivityExecutionRequest{RequestId: request, Reason: reason, Identity: who}}
	case "delete":
		return &Delete{}
	case "pause":
		return &Pause{&workflowservice.PauseActivityExecutionRequest{RequestId: request, Reason: reason, Identity: who}}
	case "unpause":
		return &Unpause{&workflowservice.UnpauseActivityExecutionRequest{RequestId: request, Jitter: protoDuration(d, "jitter")}}
	case "reset":
		return &Reset{&workflowservice.ResetActivityExecutionRequest{
			RequestId: request, Jitter: protoDuration(d, "jitter"), KeepPaused: d.HasArg("keep-paused"),
			ResetHeartbeat: d.HasArg("reset-heartbeat"), RestoreOriginalOptions: d.HasArg("restore")}}
	case "update":
		return &UpdateOptions{updateOf(d)}
	case "answer":
		in := &CallbackAnswered{Number: argNumber(d, "number"), Stamp: argNumber(d, "stamp")}
		switch {
		case d.HasArg("accepted"):
			in.Answer = callback.Answer{Verdict: callback.Accepted}
		case d.HasArg("refused"):
			in.Answer = callback.Answer{Verdict: callback.Refused, Failure: &failurepb.Failure{Message: text(d, "refused")}}
		default:
			in.Answer = callback.Answer{Verdict: callback.Failed, Failure: &failurepb.Failure{Message: text(d, "failed")}}
		}
		return in
	case "unknown-input":
		return &StartExecution{}
	}
	return nil
}

// updateOf is an update of options: "path=value" for each path.
func updateOf(d *datadriven.TestData) *workflowservice.UpdateActivityExecutionOptionsRequest {
	o := &activitypb.ActivityOptions{TaskQueue: &taskqueuepb.TaskQueue{}, RetryPolicy: &commonpb.RetryPolicy{}, Priority: &commonpb.Priority{}}
	req := &workflowservice.UpdateActivityExecutionOptionsRequest{
		RequestId: text(d, "request"), RestoreOriginal: d.HasArg("restore"), ActivityOptions: o, UpdateMask: &fieldmaskpb.FieldMask{}}
	for _, arg := range d.CmdArgs {
		switch arg.Key {
		case "at", "request", "restore":
			continue
		case "no-options":
			req.ActivityOptions = nil
			continue
		case "task_queue.name":
			o.TaskQueue.Name = text(d, arg.Key)
		case "start_to_close_timeout":
			o.StartToCloseTimeout = protoDuration(d, arg.Key)
		case "schedule_to_start_timeout":
			o.ScheduleToStartTimeout = protoDuration(d, arg.Key)
		case "schedule_to_close_timeout":
			o.ScheduleToCloseTimeout = protoDuration(d, arg.Key)
		case "start_delay":
			o.StartDelay = protoDuration(d, arg.Key)
		case "retry_policy.initial_interval":
			o.RetryPolicy.InitialInterval = protoDuration(d, arg.Key)
		case "priority.priority_key":
			fmt.Sscan(text(d, arg.Key), &o.Priority.PriorityKey)
		}
		req.UpdateMask.Paths = append(req.UpdateMask.Paths, arg.Key)
	}
	return req
}

// stamp is that of the token named; 0 for a by-id call.
func (s *stage) stamp(d *datadriven.TestData) int64 {
	switch who := text(d, "token"); who {
	case "":
		return s.tokens[s.last]
	case "id":
		return 0
	default:
		return s.tokens[who]
	}
}

func failureOf(d *datadriven.TestData) *failurepb.Failure {
	if d.HasArg("nothing") {
		return nil
	}
	info := &failurepb.ApplicationFailureInfo{Type: text(d, "type"), NonRetryable: d.HasArg("fatal"), NextRetryDelay: protoDuration(d, "delay")}
	return &failurepb.Failure{Message: text(d, "message"), FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: info}}
}

func outcome(o *activitypb.ActivityExecutionOutcome) string {
	if r := o.GetResult(); r != nil {
		return "result " + data(r)
	}
	return fmt.Sprintf("%s, %v", show(o.GetFailure()), o.GetRetryState())
}

func show(f *failurepb.Failure) string {
	message := f.GetMessage()
	if len(message) > 70 && !strings.HasPrefix(message, "Not enough") {
		message = fmt.Sprintf("%s... (%d bytes)", message[:20], len(message))
	}
	out := fmt.Sprintf("%q", message)
	switch {
	case f.GetTimeoutFailureInfo() != nil:
		out += fmt.Sprintf(" (%v, details %s)", f.GetTimeoutFailureInfo().GetTimeoutType(), data(f.GetTimeoutFailureInfo().GetLastHeartbeatDetails()))
	case f.GetCanceledFailureInfo() != nil:
		out += fmt.Sprintf(" (canceled by %s, details %s)", f.GetCanceledFailureInfo().GetIdentity(), data(f.GetCanceledFailureInfo().GetDetails()))
	case f.GetTerminatedFailureInfo() != nil:
		out += fmt.Sprintf(" (terminated by %s)", f.GetTerminatedFailureInfo().GetIdentity())
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

func argNumber(d *datadriven.TestData, key string) (n int64) {
	fmt.Sscan(text(d, key), &n)
	return n
}

func payloads(s string) *commonpb.Payloads {
	if s == "" {
		return nil
	}
	return &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: []byte(s)}}}
}

func data(p *commonpb.Payloads) string {
	if len(p.GetPayloads()) == 0 {
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
