package filter

import (
	"reflect"
	"strings"
	"testing"
)

// TestParse shows how queries are understood: each is printed in its canonical
// form.
func TestParse(t *testing.T) {
	for _, row := range []struct{ query, want string }{
		{"", ""},
		{"   ", ""},
		{"WorkflowId = 'a'", "WorkflowId = 'a'"},
		{"WorkflowId='a'and RunId=\"b\"", "(WorkflowId = 'a' and RunId = 'b')"},
		{"`WorkflowType`=\"X\" AND `StartTime`>=\"2024-01-01T00:00:00.000Z\"", "(WorkflowType = 'X' and StartTime >= '2024-01-01T00:00:00.000Z')"},
		{"a = 1 or b = 2 and c = 3", "(a = 1 or (b = 2 and c = 3))"},
		{"(a = 1 or b = 2) and c = 3", "((a = 1 or b = 2) and c = 3)"},
		{"a = 1 && b = 2 || c = 3", "((a = 1 and b = 2) or c = 3)"},
		{"not a = 1 and b = 2", "(not (a = 1) and b = 2)"},
		{"not (a = 1 or b <> 2)", "not ((a = 1 or b != 2))"},
		{"`my attr` = 1", "`my attr` = 1"},
		{"`a``b` = 1", "`a``b` = 1"},
		{"x = 'it''s'", "x = 'it''s'"},
		{`x = 'it\'s' `, "x = 'it''s'"},
		{`x = "a\"b"`, `x = 'a"b'`},
		{"x in ('a', \"b\",3)", "x in ('a', 'b', 3)"},
		{"x not in (1)", "x not in (1)"},
		{"x BETWEEN 1 AND 2.5 AND y = true", "(x between 1 and 2.5 and y = true)"},
		{"x not between -1 and -9223372036854775808", "x not between -1 and -9223372036854775808"},
		{"x STARTS_WITH 'ab'", "x starts_with 'ab'"},
		{"x is null", "x is null"},
		{"x IS NOT NULL", "x is not null"},
		{"x >= 1e3", "x >= 1e3"},
		{"x = +5", "x = 5"},
		{"größe = 1", "größe = 1"},
		{"`order` = 1", "`order` = 1"},
	} {
		q, err := Parse(row.query)
		if err != nil {
			t.Errorf("%s: %v", row.query, err)
			continue
		}
		if got := Format(q.Where); got != row.want || q.GroupBy != nil {
			t.Errorf("%s\ngot  %s %v\nwant %s", row.query, got, q.GroupBy, row.want)
		}
		again, err := Parse(Format(q.Where))
		if err != nil || Format(again.Where) != row.want {
			t.Errorf("%s: its canonical form is read as %v, %v", row.query, again, err)
		}
	}
}

func TestGroupBy(t *testing.T) {
	for query, want := range map[string][]string{
		"GROUP BY ExecutionStatus":                  {"ExecutionStatus"},
		"a = 1 group by `ExecutionStatus`":          {"ExecutionStatus"},
		"GROUP BY a, b":                             {"a", "b"},
		"(a = 1 or b = 2) GROUP BY ExecutionStatus": {"ExecutionStatus"},
	} {
		q, err := Parse(query)
		if err != nil || !reflect.DeepEqual(q.GroupBy, want) {
			t.Errorf("%s: %+v, %v", query, q, err)
		}
	}
}

// TestErrors quotes section 2.5 of spec/visibility.md.
func TestErrors(t *testing.T) {
	for query, want := range map[string]string{
		"WorkflowId = foo":                      "operation is not supported: column name on the right side of comparison expression (did you forget to quote 'foo'?)",
		"WorkflowId = RunId":                    "operation is not supported: column name on the right side of comparison expression (did you forget to quote 'RunId'?)",
		"a = 1 ORDER BY StartTime":              "operation is not supported: 'ORDER BY' clause",
		"order by StartTime":                    "operation is not supported: 'ORDER BY' clause",
		"a = 1 LIMIT 5":                         "operation is not supported: 'LIMIT' clause",
		"WorkflowType LIKE 'a%'":                "invalid expression: invalid operator 'like' in `WorkflowType like 'a%'`",
		"WorkflowType not LIKE 'a%'":            "invalid expression: invalid operator 'not like' in `WorkflowType not like 'a%'`",
		"WorkflowType REGEXP 'a'":               "invalid expression: invalid operator 'regexp' in `WorkflowType regexp 'a'`",
		"a <=> 1":                               "invalid expression: invalid operator '<=>' in `a <=> 1`",
		"a STARTS_WITH 5":                       "invalid expression: right-hand side of 'starts_with' must be a literal string (got: 5)",
		"now() = 1":                             "operation is not supported: nested func",
		"HistoryLength + 1 = 2":                 "invalid expression: must be a column name but was *sqlparser.BinaryExpr",
		"a = 1 + 1":                             "operation is not supported: arithmetic in a value",
		"1 = a":                                 "invalid expression: must be a column name but was *sqlparser.SQLVal",
		"WorkflowId":                            "invalid expression: incomplete expression",
		"WorkflowId and a = 1":                  "invalid expression: incomplete expression",
		"a IS TRUE":                             "invalid expression: 'IS' operator can only be used with 'NULL' or 'NOT NULL'",
		"!a = 1":                                "operation is not supported: '!' operator (use NOT)",
		"a in ()":                               "malformed SQL query: syntax error at position 7",
		"a = 'x":                                "malformed SQL query: syntax error at position 7",
		"a = 1 b":                               "malformed SQL query: syntax error at position 7",
		"(a = 1":                                "malformed SQL query: syntax error at position 7",
		"a = 1)":                                "malformed SQL query: syntax error at position 6",
		"a = 0x10":                              "malformed SQL query: syntax error at position 5",
		"a = 1;":                                "malformed SQL query: syntax error at position 6",
		"a = @x":                                "malformed SQL query: syntax error at position 5",
		"a = -'x'":                              "malformed SQL query: syntax error at position 6",
		"GROUP a":                               "malformed SQL query: syntax error at position 7",
		strings.Repeat("(", 300) + "a":          "operation is not supported: more than 250 levels of parentheses",
		strings.Repeat("a=1 or ", 5000) + "a=1": "operation is not supported: more than 5000 conditions",
	} {
		q, err := Parse(query)
		if err == nil || err.Error() != "invalid query: "+want {
			t.Errorf("%.60s\ngot  %v, %v\nwant %s", query, q, err, want)
		}
	}
}

// TestPositive shows that NOT becomes the opposite of what it stands before.
func TestPositive(t *testing.T) {
	for query, want := range map[string]string{
		"not a = 1":                                "a != 1",
		"not not a = 1":                            "a = 1",
		"not (a = 1 and b < 2 or c in (1))":        "((a != 1 or b >= 2) and c not in (1))",
		"not (a is null or not b starts_with 'x')": "(a is not null and b starts_with 'x')",
		"not a between 1 and 2":                    "a not between 1 and 2",
		"not (a > 1) and not (b >= 1 or c <= 1)":   "(a <= 1 and (b < 1 and c > 1))",
	} {
		q, err := Parse(query)
		if err != nil {
			t.Fatal(err)
		}
		if got := Format(Positive(q.Where)); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", query, got, want)
		}
	}
}

// FuzzParse shows that no query harms, and that what is understood is
// understood in the same way when written down again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "WorkflowId = 'a' and not (x in (1,2.5,true) or `y y` between 'a' and \"b\") group by z",
		"a starts_with 'x' || b is not null && c <> -1", "a like 'x'", "((((", "'", "a = 'it''s\\''", "inf = 1", "`` = 1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		q, err := Parse(query)
		if err != nil {
			return
		}
		text := Format(q.Where)
		again, err := Parse(text)
		if err != nil {
			t.Fatalf("%q is understood as %q, which is not understood: %v", query, text, err)
		}
		if second := Format(again.Where); second != text {
			t.Fatalf("%q, then %q", text, second)
		}
	})
}
