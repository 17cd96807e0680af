// Package workflowtest compares the state of a run that was lived with the one
// that its history tells of, for tests of this machine and of those who run it.
package workflowtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/engine/searchattr"
	"github.com/perdure/perdure/engine/workflow"
)

// Differences are the fields in which a run that was replayed from its history
// (workflow.Replay) and the one that was lived differ, but for what
// workflow.Unrecorded lists; empty for none. Neither is changed.
func Differences(replayed, run *workflow.Run) []string {
	told, lived := *replayed, recorded(run)
	if !lived.Open() {
		// The start of a child that nobody waits for any more leaves no event.
		told.Children = maps.Clone(told.Children)
		maps.DeleteFunc(told.Children, func(id int64, c *workflow.Child) bool {
			return c.StartedEventID == 0 && lived.Children[id] == nil
		})
	}
	// A rejection leaves no event; the next task's tells of it, unless it is the
	// answer to a heartbeat.
	told.Updates, lived.Updates = accepted(told.Updates), accepted(lived.Updates)
	// Callbacks are numbered as they came; history has some in another order,
	// since events wait while a workflow task is started.
	told.Callbacks, lived.Callbacks = renumbered(told.Callbacks), renumbered(lived.Callbacks)
	var diff differences
	if told.Info.FirstTaskDone && (!run.Info.FirstTaskDone || run.Info.AwaitsParent) {
		diff = append(diff, "Info.FirstTaskDone: there was a workflow task, and the run waits for its first one")
	}
	diff.compare("Run", reflect.ValueOf(told), reflect.ValueOf(*lived))
	return diff
}

func renumbered(callbacks map[int64]*callback.State) map[int64]*callback.State {
	all := slices.SortedFunc(maps.Values(callbacks), func(a, b *callback.State) int { return strings.Compare(a.RequestID, b.RequestID) })
	again := make(map[int64]*callback.State, len(all))
	for i, s := range all {
		again[int64(i)] = s
	}
	return again
}

func accepted(updates map[string]*workflow.Update) map[string]*workflow.Update {
	updates = maps.Clone(updates)
	maps.DeleteFunc(updates, func(_ string, u *workflow.Update) bool { return u.AcceptedEventID == 0 })
	return updates
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
	out.Requests = maps.Clone(run.Requests)
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
