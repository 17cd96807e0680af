package visibility

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/visibility/filter"
)

// TestSystemAttributes shows the operators on what every run has.
func TestSystemAttributes(t *testing.T) {
	f := fresh(t)
	f.put(
		run("a", running, func(r *engine.VisibilityRecord) { r.Type = "Pay" }),
		run("b", completed),
		run("c", failed, func(r *engine.VisibilityRecord) { r.StartTime = noon.Add(-time.Hour); r.ExecutionTime = noon }),
		run("d", paused, func(r *engine.VisibilityRecord) { r.TaskQueue = "other"; r.StartTime = noon.Add(-time.Minute) }),
	)
	for _, row := range []struct{ query, want string }{
		{"WorkflowId = 'a'", "a"},
		{"WorkflowId = 'A'", ""},
		{"WorkflowId != 'a'", "d b c"},
		{"WorkflowId > 'b'", "d c"},
		{"WorkflowId IN ('a', 'c', 'x')", "a c"},
		{"WorkflowId NOT IN ('a', 'c')", "d b"},
		{"WorkflowId BETWEEN 'b' AND 'c'", "b c"},
		{"RunId = 'run-b'", "b"},
		{"RunId STARTS_WITH 'run-'", "a d b c"},
		{"RunId NOT STARTS_WITH 'run-b'", "a d c"},
		{"RunId STARTS_WITH ''", "a d b c"},
		{"RunId NOT STARTS_WITH ''", ""},
		{"WorkflowType = 'Pay'", "a"},
		{"TaskQueue = 'other'", "d"},
		{"ExecutionStatus = 'Running'", "a"},
		{"ExecutionStatus = 'WORKFLOW_EXECUTION_STATUS_FAILED'", "c"},
		{"ExecutionStatus = 2", "b"},
		{"ExecutionStatus = 'Paused' OR ExecutionStatus = 'Failed'", "d c"},
		{"ExecutionStatus != 'Running'", "d b c"},
		{"ExecutionStatus NOT IN ('Running', 'Paused')", "b c"},
		{"StartTime >= '2024-05-01T12:00:00Z'", "a b"},
		{"StartTime < '2024-05-01T14:00:00+02:00'", "d c"},
		{fmt.Sprintf("StartTime = %d", noon.UnixNano()), "a b"},
		{"StartTime BETWEEN '2024-05-01T11:30:00Z' AND '2024-05-01T11:59:59.5Z'", "d"},
		{"ExecutionTime = '2024-05-01T12:00:00.000Z'", "a d b c"},
		{"CloseTime IS NULL", "a d"},
		{"CloseTime IS NOT NULL", "b c"},
		{"CloseTime > '2024-05-01T12:30:00Z'", "a d b c"}, // open: year 9999 (V-20)
		{"CloseTime < '2030-05-01T12:30:00Z'", "b c"},
		{"CloseTime != '2030-05-01T12:30:00Z'", "b c"},
		{"CloseTime NOT BETWEEN '2030-05-01T12:30:00Z' AND '2031-05-01T12:30:00Z'", "b c"},
		{"NOT CloseTime = '2024-05-01T13:00:00Z'", ""},
		{"HistoryLength = 11", "b c"},
		{"HistoryLength != 12", "b c"},
		{"HistorySizeBytes IS NULL", "a d"},
		{"StateTransitionCount BETWEEN 1 AND 10", "b c"},
		{"ExecutionDuration = '1h'", "b c"},
		{"ExecutionDuration < '1d'", "b c"},
		{"ExecutionDuration > '00:59:59'", "b c"},
		{"ExecutionDuration = 3600000000000", "b c"},
		{"ParentWorkflowId IS NULL", "a d b c"},
		{"WorkflowId IS NULL", ""},
		{"WorkflowId IS NOT NULL", "a d b c"},
		{"WorkflowId = 'a' or WorkflowId = 'b' and ExecutionStatus = 'Failed'", "a"},
		{"(WorkflowId = 'a' or WorkflowId = 'b') and ExecutionStatus = 'Completed'", "b"},
		{"NOT (WorkflowId = 'a' OR WorkflowId = 'b')", "d c"},
		{"`ExecutionStatus`=\"Running\" AND `TemporalReportedProblems` IN (\"category=WorkflowTaskFailed\", \"category=WorkflowTaskTimedOut\")", ""},
	} {
		f.expect(row.query, row.want)
	}
}

// TestRelations is what the UI asks for each workflow it shows.
func TestRelations(t *testing.T) {
	f := fresh(t)
	parent, child := run("p", running), run("c", running)
	child.Parent, child.Root = workflowDetails(parent).Execution, workflowDetails(parent).Execution
	f.put(parent, child, run("x", running))
	f.expect("ParentWorkflowId = 'p' AND ParentRunId = 'run-p'", "c")
	f.expect("RootWorkflowId = 'p'", "c p")
	f.expect("RootWorkflowId = \"c\"", "")
	f.expect("RootRunId = 'run-p'", "c p")
	f.expect("RootRunId = 'run-x'", "x")
	f.expect("RootRunId != 'run-x'", "c p")
	f.expect("RootWorkflowId IN ('p','x')", "c p x")
}

// TestCustomAttributes shows each type, and V-20: what lacks an attribute matches
// neither a condition nor its opposite, except for lists and texts.
func TestCustomAttributes(t *testing.T) {
	f := fresh(t)
	f.put(
		run("none", running),
		run("one", running,
			with("CI", kindInt, int64(5)), with("CD", kindDouble, 1.5), with("CB", kindBool, true), with("CK", kindKeyword, "abc"),
			with("CW", kindDatetime, noon), with("CL", kindKeywordList, []string{"a", "b"}), with("CT", kindText, "Hello big, World"),
			with("my attr", kindInt, int64(1))),
		run("two", running,
			with("CI", kindInt, int64(6)), with("CD", kindDouble, 2.0), with("CB", kindBool, false), with("CK", kindKeyword, "abd"),
			with("CL", kindKeywordList, []string{"b", "b"}), with("CT", kindText, "...")),
	)
	for _, row := range []struct{ query, want string }{
		{"CI = 5", "one"}, {"CI != 5", "two"}, {"NOT CI = 5", "two"}, {"NOT NOT CI = 5", "one"}, {"CI > 4", "one two"}, {"CI > 5", "two"},
		{"CI BETWEEN 1 AND 5", "one"}, {"CI NOT BETWEEN 1 AND 5", "two"}, {"CI IN (5, 7)", "one"}, {"CI NOT IN (5, 7)", "two"},
		{"CI IS NULL", "none"}, {"CI IS NOT NULL", "one two"}, {"NOT CI IS NULL", "one two"},
		{"CD = 1.5", "one"}, {"CD >= 2", "two"}, {"CD IN (2)", "two"},
		{"CB = true", "one"}, {"CB != true", "two"}, {"CB IN (true, false)", "one two"}, {"CB = FALSE", "two"},
		{"CK = 'abc'", "one"}, {"CK = 'ABC'", ""}, {"CK STARTS_WITH 'ab'", "one two"}, {"CK NOT STARTS_WITH 'abc'", "two"}, {"CK > 'abc'", "two"},
		{"CW = '2024-05-01T12:00:00Z'", "one"}, {"CW < '2024-05-01T12:00:01Z'", "one"}, {"CW IS NULL", "none two"},
		{"CL = 'a'", "one"}, {"CL = 'A'", ""}, {"CL IN ('z', 'b')", "one two"}, {"CL != 'a'", "none two"}, {"CL NOT IN ('a', 'b')", "none"}, {"CL IS NULL", "none"},
		{"CT = 'world'", "one"}, {"CT = 'wor'", ""}, {"CT = 'nothing BIG'", "one"}, {"CT != 'world'", "none two"}, {"CT IS NULL", "none"}, {"CT = ''", ""}, {"CT = '...'", ""},
		{"`my attr` = 1", "one"}, {"CI = 5 AND CB = true OR CK = 'abd'", "one two"},
	} {
		f.expect(row.query, row.want)
	}
}

// TestUpsert shows that a later record of a run replaces its values, that an
// older one is ignored, and that a deleted run leaves nothing.
func TestUpsert(t *testing.T) {
	f := fresh(t)
	version := func(v int64) func(*engine.VisibilityRecord) {
		return func(r *engine.VisibilityRecord) { r.Version = v }
	}
	f.put(run("w", running, version(2), with("CL", kindKeywordList, []string{"a", "b"})))
	f.expect("CL = 'a'", "w")
	f.put(run("w", completed, version(3), with("CL", kindKeywordList, []string{"b"})))
	f.expect("CL = 'a'", "")
	f.expect("CL = 'b' AND ExecutionStatus = 'Completed'", "w")
	f.put(run("w", running, version(1)))
	f.expect("ExecutionStatus = 'Completed' AND CL = 'b'", "w")
	f.put(run("w", completed, version(4), func(r *engine.VisibilityRecord) { r.Deleted = true }))
	f.expect("", "")
	f.expect("CL = 'b'", "")
	f.put(run("gone-at-once", running), run("gone-at-once", running, version(2), func(r *engine.VisibilityRecord) { r.Deleted = true }))
	f.expect("", "")
}

// TestBadQueries quotes section 2.5 where types and names decide.
func TestBadQueries(t *testing.T) {
	f := fresh(t)
	for query, want := range map[string]string{
		"Foo = 'x'":                     "invalid expression: column name 'Foo' is not a valid search attribute",
		"workflowid = 'x'":              "invalid expression: column name 'workflowid' is not a valid search attribute",
		"StartTime > 'yesterday'":       "invalid expression: unable to parse datetime 'yesterday'",
		"StartTime > '2024-01-01'":      "invalid expression: unable to parse datetime '2024-01-01'",
		"StartTime > 1.5":               "invalid expression: invalid value type for search attribute StartTime of type Datetime: 1.5",
		"ExecutionStatus = 'Bad'":       "invalid expression: invalid ExecutionStatus value 'Bad'",
		"ExecutionStatus = 'running'":   "invalid expression: invalid ExecutionStatus value 'running'",
		"ExecutionStatus = 'Cancelled'": "invalid expression: invalid ExecutionStatus value 'Cancelled'",
		"ExecutionStatus = 99":          "invalid expression: invalid ExecutionStatus value 99",
		"ExecutionStatus > 'Running'":   "invalid expression: operator '>' not supported for Keyword type search attribute in `ExecutionStatus > 'Running'`",
		"ExecutionDuration > 'abc'":     "invalid value for search attribute ExecutionDuration: abc (invalid duration)",
		"CL STARTS_WITH 'a'":            "invalid expression: operator 'starts_with' not supported for KeywordList type search attribute in `CL starts_with 'a'`",
		"CT STARTS_WITH 'a'":            "invalid expression: operator 'starts_with' not supported for Text type search attribute in `CT starts_with 'a'`",
		"CI STARTS_WITH 'a'":            "invalid expression: operator 'starts_with' not supported for Int type search attribute in `CI starts_with 'a'`",
		"CL > 'a'":                      "invalid expression: operator '>' not supported for KeywordList type search attribute in `CL > 'a'`",
		"CT IN ('a')":                   "invalid expression: operator 'in' not supported for Text type search attribute in `CT in ('a')`",
		"CB BETWEEN true AND false":     "invalid expression: cannot do range condition on search attribute 'CB' of type Bool",
		"CB > true":                     "invalid expression: operator '>' not supported for Bool type search attribute in `CB > true`",
		"CI = '5'":                      "invalid expression: invalid value type for search attribute CI of type Int: '5'",
		"CI = 5.5":                      "invalid expression: invalid value type for search attribute CI of type Int: 5.5",
		"WorkflowType = 5":              "invalid expression: invalid value type for search attribute WorkflowType of type Keyword: 5",
		"CB = 'true'":                   "invalid expression: invalid value type for search attribute CB of type Bool: 'true'",
		"WorkflowId = foo":              "operation is not supported: column name on the right side of comparison expression (did you forget to quote 'foo'?)",
	} {
		f.expect(query, "invalid query: "+want)
	}
}

// TestLongQueries is V-26, and that long chains do not break SQLite's parser.
func TestLongQueries(t *testing.T) {
	f := fresh(t)
	f.put(run("w-7", running, with("CI", kindInt, int64(7))), run("other", running))
	ids, numbers, chain := make([]string, 5000), make([]string, 5000), make([]string, 4000)
	for i := range ids {
		ids[i], numbers[i] = fmt.Sprintf("'w-%d'", i), fmt.Sprint(i)
	}
	for i := range chain {
		chain[i] = fmt.Sprintf("WorkflowId = 'w-%d'", i)
	}
	f.expect("WorkflowId IN ("+strings.Join(ids, ",")+")", "w-7")
	f.expect("WorkflowId NOT IN ("+strings.Join(ids, ",")+")", "other")
	f.expect("CI IN ("+strings.Join(numbers, ",")+")", "w-7")
	f.expect(strings.Join(chain, " OR "), "w-7")
	f.expect(strings.Repeat("(", 100)+"CI = 7"+strings.Repeat(")", 100), "w-7")
}

// FuzzStatement shows that whatever the filter accepts is SQL that SQLite
// accepts, and that no text of a query becomes part of it.
func FuzzStatement(f *testing.F) {
	for _, seed := range []string{
		"CI = 5 and (CL in ('a') or not CT = 'x y')", "`my attr` between 1 and 2", "RootRunId = 'x'", "CK not starts_with 'a\xff'", "CloseTime != 5",
		"WorkflowId = '; DROP TABLE run; --'", "ExecutionDuration > '1d2h'",
	} {
		f.Add(seed)
	}
	options := Options{Namespaces: testSpaces()}
	x, err := Open(options)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := x.Stop(); err != nil {
			f.Error(err)
		}
	})
	ns := testSpaces()["ns-1"]
	f.Fuzz(func(t *testing.T, query string) {
		s, err := listStatement(ListRequest{Namespace: ns, Query: query}, 10)
		if err != nil {
			return
		}
		if _, err := x.file.Load().list(t.Context(), s); err != nil {
			t.Fatalf("%q\n%s\n%v", query, s.text.String(), err)
		}
		q, err := filter.Parse(query)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(s.text.String(), "DROP") {
			t.Fatalf("%q reached the statement: %v", query, q)
		}
	})
}
