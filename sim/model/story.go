package main

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// story is what happened in a world, for a person. It is told only when a world
// is played again to see why it broke: telling costs more than playing.
type story struct{ lines []string }

func (w *world) tell(format string, args ...any) {
	if w.story == nil {
		return
	}
	w.story.lines = append(w.story.lines, fmt.Sprintf("%5d %-10s ", w.steps, w.since())+fmt.Sprintf(format, args...))
}

func (w *world) since() string { return w.now.Sub(firstDay).String() }

// lazily delays a description until it is told.
type lazily func() string

func (f lazily) String() string { return f() }

func describe(in workflow.Input) fmt.Stringer {
	return lazily(func() string {
		name := strings.TrimPrefix(fmt.Sprintf("%T", in), "*workflow.")
		switch in := in.(type) {
		case *workflow.StartWorkflow:
			if in.Child != nil {
				return name + " of " + in.Child.From.Name + " by event " + fmt.Sprint(in.Child.EventID)
			}
			return name + " " + short(in.Request)
		case *workflow.SignalWithStart:
			return name + " " + short(in.Request)
		case *workflow.UpdateWithStart:
			return name + " " + short(in.Start) + " | " + short(in.Update)
		case *workflow.Signal:
			return name + " " + in.Request.GetRequestId()
		case *workflow.UpdateWorkflow:
			return name + " " + in.Request.GetRequest().GetMeta().GetUpdateId()
		case *workflow.CompleteWorkflowTask:
			var text []string
			for _, c := range in.Request.GetCommands() {
				text = append(text, "\n        "+short(c))
			}
			for _, m := range in.Request.GetMessages() {
				text = append(text, "\n        "+m.GetProtocolInstanceId()+" "+m.GetBody().GetTypeUrl())
			}
			return fmt.Sprintf("%s stamp=%d force=%v return=%v sticky=%v%s", name, in.Token.Stamp, in.Request.GetForceCreateNewWorkflowTask(),
				in.Request.GetReturnNewWorkflowTask(), in.Request.GetStickyAttributes() != nil, strings.Join(text, ""))
		case *workflow.StartWorkflowTask:
			return fmt.Sprintf("%s event=%d stamp=%d", name, in.EventID, in.Stamp)
		case *workflow.StartActivity:
			return fmt.Sprintf("%s event=%d stamp=%d", name, in.EventID, in.Stamp)
		case *workflow.FailWorkflowTask:
			return fmt.Sprintf("%s stamp=%d", name, in.Token.Stamp)
		case *workflow.AbortWorkflowTask:
			return fmt.Sprintf("%s stamp=%d", name, in.Token.Stamp)
		case *workflow.Answered:
			return fmt.Sprintf("%s: %s, %v", name, describeMessage(in.Message), in.Refusal)
		case *workflow.ChildClosed:
			return name + ": " + describeMessage(in.Message)
		}
		return fmt.Sprintf("%s %+v", name, in)
	})
}

func short(m proto.Message) string {
	text := prototext.MarshalOptions{}.Format(m)
	if len(text) > 200 {
		text = text[:200] + "…"
	}
	return text
}

func describeMessage(m *engine.Message) string {
	kinds := []string{"?", "start child", "first task", "child closed", "signal", "cancel", "parent closed", "reconnect"}
	kind := fmt.Sprint(m.Kind)
	if int(m.Kind) < len(kinds) {
		kind = kinds[m.Kind]
	}
	return fmt.Sprintf("%s from %s/%.4s event %d to %s/%.4s", kind, m.From.Name, m.From.RunID, m.EventID, m.To.Name, m.ToRunID)
}

func verdictOf(r *engine.Refusal) fmt.Stringer {
	return lazily(func() string {
		if r == nil {
			return "taken"
		}
		return "refused: " + r.Message
	})
}

func describeEvent(ev *historypb.HistoryEvent) fmt.Stringer {
	return lazily(func() string { return fmt.Sprintf("%d %s", ev.GetEventId(), ev.GetEventType()) })
}
