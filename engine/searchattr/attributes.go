// Package searchattr knows the search attributes: which names exist and of what
// type, how their values are encoded, what users may set, and how a change is
// merged into what is there. Memos follow the same merging rule and live here
// too. Spec: visibility.md section 1, workflow.md 0.1.
package searchattr

import (
	"maps"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
)

// Names of attributes the server itself writes.
const (
	BuildIDs         = "BuildIds"
	ReportedProblems = "TemporalReportedProblems"
	PauseInfo        = "TemporalPauseInfo"
	ScheduledByID    = "TemporalScheduledById"
	ScheduledStart   = "TemporalScheduledStartTime"
	Division         = "TemporalNamespaceDivision"
)

const (
	text        = enumspb.INDEXED_VALUE_TYPE_TEXT
	keyword     = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	integer     = enumspb.INDEXED_VALUE_TYPE_INT
	double      = enumspb.INDEXED_VALUE_TYPE_DOUBLE
	boolean     = enumspb.INDEXED_VALUE_TYPE_BOOL
	datetime    = enumspb.INDEXED_VALUE_TYPE_DATETIME
	keywordList = enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST
)

// system attributes are filled by the server for every execution; nobody sets them.
var system = map[string]enumspb.IndexedValueType{
	"WorkflowId":           keyword,
	"RunId":                keyword,
	"WorkflowType":         keyword,
	"StartTime":            datetime,
	"ExecutionTime":        datetime,
	"CloseTime":            datetime,
	"ExecutionStatus":      keyword,
	"TaskQueue":            keyword,
	"HistoryLength":        integer,
	"HistorySizeBytes":     integer,
	"ExecutionDuration":    integer,
	"StateTransitionCount": integer,
	"ParentWorkflowId":     keyword,
	"ParentRunId":          keyword,
	"RootWorkflowId":       keyword,
	"RootRunId":            keyword,
}

// predefined attributes exist in every namespace; settable says whether a user may.
var predefined = map[string]struct {
	kind     enumspb.IndexedValueType
	settable bool
}{
	"TemporalChangeVersion":                {keywordList, true},
	"BinaryChecksums":                      {keywordList, true},
	BuildIDs:                               {keywordList, true},
	"BatcherNamespace":                     {keyword, true},
	"BatcherUser":                          {keyword, true},
	ScheduledStart:                         {datetime, true},
	ScheduledByID:                          {keyword, true},
	"TemporalSchedulePaused":               {boolean, true},
	Division:                               {keyword, true},
	PauseInfo:                              {keywordList, true},
	ReportedProblems:                       {keywordList, true},
	"TemporalWorkerDeploymentVersion":      {keyword, false},
	"TemporalWorkerDeployment":             {keyword, false},
	"TemporalWorkflowVersioningBehavior":   {keyword, false},
	"TemporalUsedWorkerDeploymentVersions": {keywordList, false},
	"TemporalExternalPayloadCount":         {integer, false},
	"TemporalExternalPayloadSizeBytes":     {integer, false},
}

// System returns the system and predefined attributes with their types: what
// ListSearchAttributes calls system_attributes (SA-1). The caller owns the map.
func System() map[string]enumspb.IndexedValueType {
	all := maps.Clone(system)
	for name, a := range predefined {
		all[name] = a.kind
	}
	return all
}

// IsSystem reports whether the server fills the attribute from the execution itself.
func IsSystem(name string) bool { _, ok := system[name]; return ok }

// Reserved reports whether a custom attribute may not have this name (SA-3).
func Reserved(name string) bool {
	switch name {
	case "NamespaceId", "Memo", "MemoEncoding", "VisibilityTaskKey":
		return true
	}
	_, isPredefined := predefined[name]
	return IsSystem(name) || isPredefined || strings.HasPrefix(name, "Temporal")
}

// TypeOf is the registered type of an attribute, custom or not.
func TypeOf(ns *engine.Namespace, name string) (enumspb.IndexedValueType, bool) {
	if t, ok := system[name]; ok {
		return t, true
	}
	if a, ok := predefined[name]; ok {
		return a.kind, true
	}
	t, ok := ns.SearchAttributes[name]
	return t, ok
}

// settable reports whether a user may set the attribute.
func settable(name string) bool {
	if a, ok := predefined[name]; ok {
		return a.settable
	}
	return !IsSystem(name)
}

// TypeName is the name of a type in payload metadata and messages: "KeywordList".
func TypeName(t enumspb.IndexedValueType) string {
	switch t {
	case text:
		return "Text"
	case keyword:
		return "Keyword"
	case integer:
		return "Int"
	case double:
		return "Double"
	case boolean:
		return "Bool"
	case datetime:
		return "Datetime"
	case keywordList:
		return "KeywordList"
	}
	return "Unspecified"
}
