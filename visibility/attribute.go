package visibility

import (
	"strings"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/searchattr"
	"github.com/perdure/perdure/visibility/filter"
)

// attribute is a name in a filter, resolved.
type attribute struct {
	name string
	kind enumspb.IndexedValueType
	// column is the expression of its value in table run; empty for attributes
	// that are rows of table value.
	column string
	// absent is the condition that a run lacks the attribute; empty: never.
	absent string
}

// columns are the attributes kept in table run.
var columns = map[string]attribute{
	"WorkflowId":           {column: "workflow_id"},
	"RunId":                {column: "run_id"},
	"WorkflowType":         {column: "type"},
	"TaskQueue":            {column: "task_queue"},
	"ExecutionStatus":      {column: "status"},
	"StartTime":            {column: "start"},
	"ExecutionTime":        {column: "execution"},
	"CloseTime":            {column: "close", absent: "close = 253402300799000000"},
	"ExecutionDuration":    {column: "duration", absent: "duration IS NULL"},
	"HistoryLength":        {column: "history_length", absent: "history_length IS NULL"},
	"HistorySizeBytes":     {column: "history_size", absent: "history_size IS NULL"},
	"StateTransitionCount": {column: "transitions", absent: "transitions IS NULL"},
	"ParentWorkflowId":     {column: "parent_workflow_id", absent: "parent_workflow_id IS NULL"},
	"ParentRunId":          {column: "parent_run_id", absent: "parent_run_id IS NULL"},
	"RootWorkflowId":       {column: "COALESCE(root_workflow_id, workflow_id)"},
	"RootRunId":            {column: "COALESCE(root_run_id, run_id)"},
	searchattr.Division:    {column: "division", absent: "division IS NULL"},
}

// ofActivities are the attributes of the server's that activities standing alone
// have (V-50). ActivityId and ActivityType are theirs alone; the others are what
// they are for workflows.
var ofActivities = map[string]attribute{
	"ActivityId":           {column: "workflow_id", kind: enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	"ActivityType":         {column: "type", kind: enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	"TaskQueue":            {},
	"ExecutionStatus":      {},
	"RunId":                {},
	"StartTime":            {},
	"ExecutionTime":        {},
	"CloseTime":            {},
	"ExecutionDuration":    {},
	"StateTransitionCount": {},
}

// scope is whom a query is about: the executions of one kind in one namespace.
type scope struct {
	ns        *engine.Namespace
	archetype engine.Archetype
}

// scopeOf fills in the default archetype of a request.
func scopeOf(ns *engine.Namespace, archetype engine.Archetype) scope {
	if archetype == 0 {
		archetype = engine.ArchetypeWorkflow
	}
	return scope{ns: ns, archetype: archetype}
}

const temporalPrefix = "Temporal"

// resolve finds what a name in a filter stands for (V-24): a custom attribute,
// one of the kind or that exists everywhere, or that with the prefix added or
// taken off.
func (s scope) resolve(name string) (attribute, error) {
	if kind, ok := s.ns.SearchAttributes[name]; ok {
		return attribute{name: name, kind: kind}, nil
	}
	candidates := []string{name, temporalPrefix + name}
	if short, ok := strings.CutPrefix(name, temporalPrefix); ok {
		candidates = append(candidates, short)
	}
	for _, candidate := range candidates {
		if a, ok := s.builtIn(candidate); ok {
			return a, nil
		}
		if kind, ok := s.ns.SearchAttributes[candidate]; ok {
			return attribute{name: candidate, kind: kind}, nil
		}
	}
	return attribute{}, filter.Errorf("invalid expression: column name '%s' is not a valid search attribute", name)
}

// builtIn is an attribute that nobody had to register.
func (s scope) builtIn(name string) (attribute, bool) {
	if s.archetype == engine.ArchetypeActivity && searchattr.IsSystem(name) || name == "ActivityId" || name == "ActivityType" {
		return s.ofActivity(name)
	}
	kind, ok := searchattr.TypeOf(&engine.Namespace{}, name)
	a := columns[name]
	a.name, a.kind = name, kind
	return a, ok
}

func (s scope) ofActivity(name string) (attribute, bool) {
	a, ok := ofActivities[name]
	if !ok || s.archetype != engine.ArchetypeActivity {
		return attribute{}, false
	}
	if a.column == "" {
		a = columns[name]
		a.kind, _ = searchattr.TypeOf(s.ns, name)
	}
	a.name = name
	return a, true
}

// mentions reports whether the query refers to the attribute anywhere (V-40).
func (s scope) mentions(q *filter.Query, name string) bool {
	is := func(used string) bool {
		a, err := s.resolve(used)
		return err == nil && a.name == name
	}
	for _, used := range q.GroupBy {
		if is(used) {
			return true
		}
	}
	found := false
	filter.Names(q.Where, func(used string) { found = found || is(used) })
	return found
}
