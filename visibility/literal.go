package visibility

import (
	"slices"
	"strconv"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/searchattr"
	"github.com/perdure/perdure/visibility/filter"
)

// literal turns a value of a filter into what the index stores of the attribute.
func (s scope) literal(a attribute, v filter.Value) (any, error) {
	switch a.name {
	case "ExecutionStatus":
		return s.statusLiteral(v)
	case "ExecutionDuration":
		return durationLiteral(v)
	}
	switch a.kind {
	case enumspb.INDEXED_VALUE_TYPE_DATETIME:
		return timeLiteral(a, v)
	case enumspb.INDEXED_VALUE_TYPE_INT:
		if v.Kind == filter.Integer {
			return v.Int, nil
		}
	case enumspb.INDEXED_VALUE_TYPE_DOUBLE:
		if v.Kind == filter.Integer || v.Kind == filter.Float {
			return v.Float, nil
		}
	case enumspb.INDEXED_VALUE_TYPE_BOOL:
		if v.Kind == filter.Bool {
			return boolValue(v.Bool), nil
		}
	default:
		if v.Kind == filter.String {
			return v.Text, nil
		}
	}
	return nil, filter.Errorf("invalid expression: invalid value type for search attribute %s of type %s: %s", a.name, searchattr.TypeName(a.kind), v)
}

// alsoOfStatus is what holds of every run with one of these statuses, in the
// words of the schema, so that an index serves it: run_status for those it has,
// and run_order for the open ones, which all close in the year 9999.
func alsoOfStatus(statuses []any) string {
	all := func(is func(enumspb.WorkflowExecutionStatus) bool) bool {
		return !slices.ContainsFunc(statuses, func(v any) bool {
			status, ok := v.(int64)
			return !ok || !is(enumspb.WorkflowExecutionStatus(status)) //nolint:gosec // one of the few
		})
	}
	switch {
	case all(func(s enumspb.WorkflowExecutionStatus) bool { return !closed(s) }):
		return " AND close = 253402300799000000"
	case all(func(s enumspb.WorkflowExecutionStatus) bool { return s > enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED }):
		return " AND status > 2"
	}
	return ""
}

// statusNames are the short spellings of V-16.
var statusNames = func() map[string]enumspb.WorkflowExecutionStatus {
	names := make(map[string]enumspb.WorkflowExecutionStatus)
	for number := range enumspb.WorkflowExecutionStatus_name {
		status := enumspb.WorkflowExecutionStatus(number)
		if status != enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED {
			names[status.String()] = status
			names[statusEnumPrefix+screaming(status.String())] = status
		}
	}
	return names
}()

const statusEnumPrefix = "WORKFLOW_EXECUTION_STATUS_"

// screaming is the enum's spelling of a name: ContinuedAsNew, CONTINUED_AS_NEW.
func screaming(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && 'A' <= r && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}

// activityStatusNames are the same for activities; activityStatusNumbers are the
// numbers rows have, by those the API has.
var activityStatusNames, activityStatusNumbers = func() (map[string]enumspb.WorkflowExecutionStatus, map[int64]enumspb.WorkflowExecutionStatus) {
	names, numbers := make(map[string]enumspb.WorkflowExecutionStatus), make(map[int64]enumspb.WorkflowExecutionStatus)
	for stored, status := range activityStatuses {
		names[status.String()] = stored
		names[enumspb.ActivityExecutionStatus_name[int32(status)]] = stored
		numbers[int64(status)] = stored
	}
	return names, numbers
}()

// statusLiteral is a status as rows have it.
func (s scope) statusLiteral(v filter.Value) (any, error) {
	if s.archetype == engine.ArchetypeActivity {
		return activityStatusLiteral(v)
	}
	switch v.Kind {
	case filter.String:
		if status, ok := statusNames[v.Text]; ok {
			return int64(status), nil
		}
	case filter.Integer:
		if _, ok := enumspb.WorkflowExecutionStatus_name[int32(v.Int)]; ok && v.Int == int64(int32(v.Int)) {
			return v.Int, nil
		}
	}
	return nil, badStatus(v)
}

func activityStatusLiteral(v filter.Value) (any, error) {
	status, ok := activityStatusNames[v.Text]
	if v.Kind == filter.Integer {
		status, ok = activityStatusNumbers[v.Int]
	}
	if !ok {
		return nil, badStatus(v)
	}
	return int64(status), nil
}

func badStatus(v filter.Value) error {
	return filter.Errorf("invalid expression: invalid ExecutionStatus value %s", v)
}

// timeLiteral is V-15: RFC 3339 with a zone, or nanoseconds since 1970.
func timeLiteral(a attribute, v filter.Value) (any, error) {
	switch v.Kind {
	case filter.Integer:
		return time.Unix(0, v.Int).UnixMicro(), nil
	case filter.String:
		t, err := time.Parse(time.RFC3339Nano, v.Text)
		if err != nil {
			return nil, filter.Errorf("invalid expression: unable to parse datetime '%s'", v.Text)
		}
		return t.UnixMicro(), nil
	}
	return nil, filter.Errorf("invalid expression: invalid value type for search attribute %s of type Datetime: %s", a.name, v)
}

// durationLiteral is V-17.
func durationLiteral(v filter.Value) (any, error) {
	switch v.Kind {
	case filter.Integer:
		return v.Int, nil
	case filter.String:
		if d, ok := parseDuration(v.Text); ok {
			return int64(d), nil
		}
	}
	return nil, filter.Errorf("invalid value for search attribute ExecutionDuration: %s (invalid duration)", v.Text)
}

const day = 24 * time.Hour

// parseDuration reads "1h30m", "1d12h", "hh:mm:ss" and a number of nanoseconds.
func parseDuration(text string) (time.Duration, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Duration(n), true
	}
	if strings.Count(text, ":") == 2 {
		return parseClock(text)
	}
	var days time.Duration
	if number, rest, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n < -maxDays || n > maxDays {
			return 0, false
		}
		if days = time.Duration(n) * day; rest == "" {
			return days, true
		}
		text = rest
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, false
	}
	if days < 0 {
		d = -d
	}
	return days + d, true
}

// maxDays keeps days within what a duration holds.
const maxDays = 100_000

func parseClock(text string) (time.Duration, bool) {
	var parts [3]int64
	for i, part := range strings.Split(text, ":") {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil || i > 0 && n >= 60 || i == 0 && n > maxDays*24 {
			return 0, false
		}
		parts[i] = int64(n)
	}
	return time.Duration(parts[0])*time.Hour + time.Duration(parts[1])*time.Minute + time.Duration(parts[2])*time.Second, true
}
