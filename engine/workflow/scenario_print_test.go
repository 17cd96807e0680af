package workflow_test

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"

	"github.com/perdure/perdure/engine"
)

// hidden are attributes that say the same in every scenario.
var hidden = []string{
	"workflow_id", "namespace", "namespace_id", "workflow_task_completed_event_id", "history_size_bytes",
	"parent_workflow_namespace", "parent_workflow_namespace_id", "original_execution_run_id",
	"workflow_task_timeout", "start_to_close_timeout", "retry_policy", "header", "request_id",
	"schedule_to_close_timeout", "schedule_to_start_timeout", "heartbeat_timeout", "root_workflow_execution",
}

// shown overrides hidden for some events.
var shown = map[string][]string{
	"WorkflowTaskScheduled":    {"start_to_close_timeout"},
	"WorkflowExecutionStarted": {},
}

// describeEvent prints an event: "event 6 TimerFired timer_id=t1 started_event_id=5".
func describeEvent(ev *historypb.HistoryEvent) string {
	name := ev.GetEventType().String()
	var b strings.Builder
	if ev.EventId != 0 {
		fmt.Fprintf(&b, "event %d ", ev.EventId)
	}
	b.WriteString(name)
	if at := ev.EventTime.AsTime().Sub(epoch); at != 0 {
		fmt.Fprintf(&b, " at=%s", at)
	}
	m := ev.ProtoReflect()
	which := m.WhichOneof(m.Descriptor().Oneofs().ByName("attributes"))
	if which != nil {
		describeFields(&b, name, m.Get(which).Message())
	}
	if ev.WorkerMayIgnore {
		b.WriteString(" worker_may_ignore")
	}
	b.WriteString(describeAlong(ev))
	return b.String()
}

func describeFields(b *strings.Builder, event string, m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		name := string(f.Name())
		if !m.Has(f) || slices.Contains(hidden, name) && !slices.Contains(shown[event], name) {
			continue
		}
		if text := describeValue(f, m.Get(f)); text != "" {
			fmt.Fprintf(b, " %s=%s", name, text)
		}
	}
}

func describeValue(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch {
	case f.IsList():
		var parts []string
		for i := range v.List().Len() {
			parts = append(parts, describeSingle(f, v.List().Get(i)))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case f.IsMap():
		var parts []string
		v.Map().Range(func(k protoreflect.MapKey, e protoreflect.Value) bool {
			parts = append(parts, k.String()+":"+describeSingle(f.MapValue(), e))
			return true
		})
		slices.Sort(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return describeSingle(f, v)
}

func describeSingle(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	if f.Enum() != nil {
		return string(f.Enum().Values().ByNumber(v.Enum()).Name())[len(enumPrefix(f)):]
	}
	if f.Message() == nil {
		if f.Kind() == protoreflect.StringKind && strings.ContainsAny(v.String(), " \n") {
			return fmt.Sprintf("%q", v.String())
		}
		return v.String()
	}
	return describeMessageValue(v.Message().Interface())
}

func enumPrefix(f protoreflect.FieldDescriptor) string {
	zero := string(f.Enum().Values().ByNumber(0).Name())
	return strings.TrimSuffix(zero, "UNSPECIFIED")
}

func describeMessageValue(m proto.Message) string {
	switch m := m.(type) {
	case *durationpb.Duration:
		return m.AsDuration().String()
	case *timestamppb.Timestamp:
		return m.AsTime().Sub(epoch).String()
	case *commonpb.Payload:
		return string(m.GetData())
	case *commonpb.Payloads:
		var parts []string
		for _, p := range m.GetPayloads() {
			parts = append(parts, string(p.GetData()))
		}
		return strings.Join(parts, ",")
	case *commonpb.WorkflowType:
		return m.GetName()
	case *commonpb.ActivityType:
		return m.GetName()
	case *commonpb.WorkflowExecution:
		return strings.TrimSuffix(m.GetWorkflowId()+"/"+m.GetRunId(), "/")
	case *taskqueuepb.TaskQueue:
		if m.GetNormalName() != "" {
			return m.GetName() + "(sticky of " + m.GetNormalName() + ")"
		}
		return m.GetName()
	case *failurepb.Failure:
		return describeFailure(m)
	}
	var b strings.Builder
	describeFields(&b, "", m.ProtoReflect())
	return "{" + strings.TrimSpace(b.String()) + "}"
}

func describeFailure(f *failurepb.Failure) string {
	text := fmt.Sprintf("%q", f.GetMessage())
	switch i := f.GetFailureInfo().(type) {
	case *failurepb.Failure_TimeoutFailureInfo:
		text += "(" + i.TimeoutFailureInfo.GetTimeoutType().String() + ")"
	case *failurepb.Failure_ServerFailureInfo:
		text += "(server)"
	case *failurepb.Failure_ApplicationFailureInfo:
		if i.ApplicationFailureInfo.GetNonRetryable() {
			text += "(non-retryable)"
		}
	}
	if f.GetCause() != nil {
		text += " caused by " + describeFailure(f.GetCause())
	}
	return text
}

func describeOffer(t engine.Task) string {
	kind := "activity task"
	if t.IsWorkflow() {
		kind = "workflow task"
	}
	text := fmt.Sprintf("%s %s#%d on %s", kind, t.Run.Name, t.EventID, t.Queue.Name)
	if t.Priority != 0 || t.FairnessKey != "" {
		text += strings.TrimRight(fmt.Sprintf(" priority=%d %s", t.Priority, t.FairnessKey), " ")
	}
	return text
}

func describeMessage(m engine.Message) string {
	names := map[engine.MessageKind]string{
		engine.MessageStartChild: "start child", engine.MessageFirstWorkflowTask: "first workflow task",
		engine.MessageChildClosed: "child closed", engine.MessageSignal: "signal",
		engine.MessageCancel: "cancel", engine.MessageParentClosed: "parent closed",
		engine.MessageReconnect: "reconnect",
	}
	text := fmt.Sprintf("%s from %s#%d to %s", names[m.Kind], m.From.Name, m.EventID, m.To.Name)
	if m.ParentClosePolicy != 0 {
		text += " " + m.ParentClosePolicy.String()
	}
	return text
}
