package workflow_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/engine/searchattr"
	"github.com/perdure/perdure/engine/workflow"
)

// checkReplay rebuilds the run from its history and compares it with the one
// that was lived, but for what workflow.Unrecorded lists. Every scenario and every
// random script does so after every step.
func (w *world) checkReplay(run *workflow.Run) {
	told, err := w.replay(run)
	if err != nil {
		w.t.Fatalf("replay of %s: %v", w.names[run.Key.RunID], err)
	}
	lived := recorded(run)
	if !lived.Open() {
		// The start of a child that nobody waits for any more leaves no event.
		maps.DeleteFunc(told.Children, func(id int64, c *workflow.Child) bool {
			return c.StartedEventID == 0 && lived.Children[id] == nil
		})
	}
	// A rejection leaves no event; the next task's tells of it, unless it is the
	// answer to a heartbeat.
	for _, updates := range []map[string]*workflow.Update{told.Updates, lived.Updates} {
		maps.DeleteFunc(updates, func(_ string, u *workflow.Update) bool { return u.AcceptedEventID == 0 })
	}
	if told.Info.FirstTaskDone && (!run.Info.FirstTaskDone || run.Info.AwaitsParent) {
		w.t.Fatalf("%s has had a workflow task, but waits for its first one", w.names[run.Key.RunID])
	}
	told.Callbacks, lived.Callbacks = byRequest(told.Callbacks), byRequest(lived.Callbacks)
	var diff differences
	diff.compare("Run", reflect.ValueOf(told).Elem(), reflect.ValueOf(lived).Elem())
	if len(diff) > 0 {
		w.t.Fatalf("the history of %s tells of another state than the one lived:\n%s", w.names[run.Key.RunID], strings.Join(diff, "\n"))
	}
	if got, want := run.Info.StateBytes, workflow.StateBytes(run); got != want {
		w.t.Fatalf("%s counts %d bytes of state, its parts are %d", w.names[run.Key.RunID], got, want)
	}
}

func (w *world) replay(run *workflow.Run) (*workflow.Run, error) {
	r := workflow.NewReplay(&engine.Env{Namespace: w.ns, Limits: w.limits}, run.Key)
	for _, batch := range w.batches[run.Key] {
		if err := r.Batch(batch); err != nil {
			return nil, err
		}
	}
	var buffered []*historypb.HistoryEvent
	for _, key := range sortedKeys(run.Buffered) {
		buffered = append(buffered, run.Buffered[key])
	}
	if err := r.Buffered(buffered); err != nil {
		return nil, err
	}
	return r.Run(), nil
}

// recorded is the run without what has no field of its own in
// workflow.Unrecorded: the creator's request id, virtual workflow tasks, and
// search attributes about failures and about activities paused by operators.
func recorded(run *workflow.Run) *workflow.Run {
	out, info := *run, *run.Info
	out.Info = &info
	if t := info.Task; t != nil && t.Type != workflow.TaskNormal {
		info.Task = nil
	}
	out.Requests, out.Updates = maps.Clone(run.Requests), maps.Clone(run.Updates)
	maps.DeleteFunc(out.Requests, func(_ string, r *workflow.Request) bool {
		return r.EventType == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
	})
	if sa := run.SearchAttributes; sa != nil {
		fields := maps.Clone(sa.IndexedFields)
		delete(fields, searchattr.ReportedProblems)
		withoutActivities(fields)
		out.SearchAttributes = &commonpb.SearchAttributes{IndexedFields: fields}
	}
	return &out
}

// withoutActivities drops what TemporalPauseInfo says of activities.
func withoutActivities(fields map[string]*commonpb.Payload) {
	p := fields[searchattr.PauseInfo]
	if p == nil {
		return
	}
	var entries []string
	if err := json.Unmarshal(p.Data, &entries); err != nil {
		panic(err)
	}
	entries = slices.DeleteFunc(entries, func(e string) bool { return strings.HasPrefix(e, "property:activityType=") })
	delete(fields, searchattr.PauseInfo)
	if len(entries) > 0 {
		maps.Copy(fields, searchattr.Upsert(nil, searchattr.PauseInfo, entries).IndexedFields)
	}
}

// differences between what a history tells and what was lived, by field.
type differences []string

func (d *differences) compare(name string, told, lived reflect.Value) {
	if lived.Type() == reflect.TypeFor[time.Time]() {
		if a, b := told.Interface().(time.Time), lived.Interface().(time.Time); !a.Equal(b) {
			d.note(name, told, lived)
		}
		return
	}
	if m, ok := lived.Interface().(proto.Message); ok {
		if !sameMessage(told.Interface().(proto.Message), m) {
			d.note(name, told, lived)
		}
		return
	}
	switch lived.Kind() {
	case reflect.Pointer:
		if told.IsNil() != lived.IsNil() {
			d.note(name, told, lived)
		} else if !lived.IsNil() {
			d.compare(lived.Type().Elem().Name(), told.Elem(), lived.Elem())
		}
	case reflect.Struct:
		d.fields(name, told, lived)
	case reflect.Map:
		d.entries(name, told, lived)
	default:
		if !reflect.DeepEqual(told.Interface(), lived.Interface()) {
			d.note(name, told, lived)
		}
	}
}

func (d *differences) fields(name string, told, lived reflect.Value) {
	if lived.Type() == reflect.TypeFor[activity.State]() {
		name = "Activity"
	}
	if lived.Type() == reflect.TypeFor[callback.State]() {
		name = "Callback"
	}
	for i := range lived.NumField() {
		f := lived.Type().Field(i)
		if field := name + "." + f.Name; f.IsExported() && workflow.Unrecorded[field] == "" {
			d.compare(field, told.Field(i), lived.Field(i))
		}
	}
}

func (d *differences) entries(name string, told, lived reflect.Value) {
	for _, key := range append(told.MapKeys(), lived.MapKeys()...) {
		a, b := told.MapIndex(key), lived.MapIndex(key)
		if !a.IsValid() || !b.IsValid() {
			*d = append(*d, fmt.Sprintf("%s: of %v one has %v, the other %v", name, key, a, b))
			continue
		}
		d.compare(name, a, b)
	}
}

func (d *differences) note(name string, told, lived reflect.Value) {
	*d = append(*d, fmt.Sprintf("%s: told %v, lived %v", name, told, lived))
}

// sameMessage takes an empty message for none, as the API does.
func sameMessage(a, b proto.Message) bool {
	if proto.Size(a) == 0 && proto.Size(b) == 0 {
		return true
	}
	return proto.Equal(a, b)
}

// The list of what a history does not tell names real fields, and the design
// note has the same list.
func TestUnrecordedIsDocumented(t *testing.T) {
	note, err := os.ReadFile("../../docs/design/0005-reset.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range slices.Sorted(maps.Keys(workflow.Unrecorded)) {
		if !strings.Contains(string(note), "`"+field+"`") {
			t.Errorf("docs/design/0005-reset.md does not name %s", field)
		}
	}
}

// What is no history of ours is refused, not guessed at.
func TestReplayRefusesWhatCannotBe(t *testing.T) {
	started := &historypb.HistoryEvent{EventId: 1, EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
			WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{}}}
	event := func(id int64, kind enumspb.EventType) *historypb.HistoryEvent {
		return &historypb.HistoryEvent{EventId: id, EventType: kind}
	}
	for name, events := range map[string][]*historypb.HistoryEvent{
		"a gap":                           {started, event(3, enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED)},
		"another first event":             {event(1, enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED)},
		"a second start":                  {started, event(2, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)},
		"an event of a later release":     {started, event(2, 999)},
		"a task that starts from nothing": {started, event(2, enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED)},
		"a task that ends from nothing":   {started, event(2, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)},
		"a task that fails from nothing":  {started, event(2, enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED)},
		"a timer that fires from nothing": {started, event(2, enumspb.EVENT_TYPE_TIMER_FIRED)},
		"a result of nothing":             {started, event(2, enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)},
		"a child of nobody":               {started, event(2, enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED)},
		"an end of no child":              {started, event(2, enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED)},
		"an answer to no signal":          {started, event(2, enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED)},
		"an answer to no cancel request":  {started, event(2, enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED)},
		"an outcome of no update":         {started, event(2, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := workflow.NewReplay(w.env(), engine.RunKey{ID: id("a"), RunID: "r"})
			if err := r.Batch(events); engine.KindOf(err) != engine.KindDataLoss {
				t.Errorf("got %v", err)
			}
		})
	}
}
