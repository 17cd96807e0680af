package visibility

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"pgregory.net/rapid"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/searchattr"
	"github.com/perdure/perdure/visibility/filter"
)

// TestAgainstModel compares the index with a filter evaluated over plain records,
// in three-valued logic as SQL has it: a scalar that is absent makes a condition
// unknown, and NOT of unknown is unknown. The index pushes NOT down instead; this
// shows that the two ways agree, for lists, pages and counts.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		options := testOptions(t, testSpaces())
		x, err := Open(options)
		if err != nil {
			rt.Fatal(err)
		}
		x.Start(nil, nil)
		f := &fixture{Index: x, t: t, spaces: options.Namespaces.(spaces)}
		defer func() {
			if err := x.Stop(); err != nil {
				rt.Error(err)
			}
		}()
		records := map[string]*engine.VisibilityRecord{}
		for version := range rapid.IntRange(1, 30).Draw(rt, "records") {
			r := anyRun(rt, int64(version+1))
			records[r.Run.Name] = r
			f.put(r)
		}
		for range rapid.IntRange(1, 10).Draw(rt, "queries") {
			e := anyExpr(rt, 3)
			query := filter.Format(e)
			want := modelList(records, e)
			if got := pages(rt, f, query, rapid.IntRange(1, 5).Draw(rt, "page")); got != want {
				rt.Fatalf("%s\ngot  %s\nwant %s", query, got, want)
			}
			count, err := f.Count(t.Context(), CountRequest{Namespace: f.spaces["ns-1"], Query: query})
			if err != nil || int(count.Total) != len(strings.Fields(want)) {
				rt.Fatalf("count of %s: %+v, %v; want %s", query, count, err, want)
			}
		}
	})
}

func pages(rt *rapid.T, f *fixture, query string, size int) string {
	var ids []string
	req := ListRequest{Namespace: f.spaces["ns-1"], Query: query, PageSize: size}
	for {
		page, err := f.List(f.t.Context(), req)
		if err != nil {
			rt.Fatalf("%s: %v", query, err)
		}
		for _, e := range page.Executions {
			ids = append(ids, e.Execution.WorkflowId)
		}
		if req.Token = page.Token; len(req.Token) == 0 {
			return strings.Join(ids, " ")
		}
	}
}

var (
	someWords = []string{"a", "b", "ab", "B"}
	someInts  = []int64{-1, 0, 1, 2}
)

func anyRun(rt *rapid.T, version int64) *engine.VisibilityRecord {
	word := rapid.SampledFrom(someWords)
	status := rapid.SampledFrom([]enumspb.WorkflowExecutionStatus{running, completed, failed, paused}).Draw(rt, "status")
	r := run(word.Draw(rt, "id"), status, func(r *engine.VisibilityRecord) {
		r.Version = version
		r.Type = word.Draw(rt, "type")
		r.StartTime = noon.Add(time.Duration(rapid.IntRange(0, 2).Draw(rt, "start")) * time.Second)
		if closed(status) {
			r.CloseTime = noon.Add(time.Duration(rapid.IntRange(3, 5).Draw(rt, "close")) * time.Second)
			r.HistoryLength = rapid.SampledFrom(someInts).Draw(rt, "length")
		}
	})
	maybe := rapid.Bool()
	if maybe.Draw(rt, "has CK") {
		with("CK", kindKeyword, word.Draw(rt, "CK"))(r)
	}
	if maybe.Draw(rt, "has CI") {
		with("CI", kindInt, rapid.SampledFrom(someInts).Draw(rt, "CI"))(r)
	}
	if maybe.Draw(rt, "has CL") {
		with("CL", kindKeywordList, rapid.SliceOfN(word, 1, 3).Draw(rt, "CL"))(r)
	}
	if maybe.Draw(rt, "has CT") {
		with("CT", kindText, strings.Join(rapid.SliceOfN(word, 1, 3).Draw(rt, "CT"), "-"))(r)
	}
	return r
}

func anyExpr(rt *rapid.T, depth int) filter.Expr {
	if depth > 0 {
		switch rapid.IntRange(0, 5).Draw(rt, "form") {
		case 0:
			return &filter.And{Terms: []filter.Expr{anyExpr(rt, depth-1), anyExpr(rt, depth-1)}}
		case 1:
			return &filter.Or{Terms: []filter.Expr{anyExpr(rt, depth-1), anyExpr(rt, depth-1)}}
		case 2:
			return &filter.Not{Term: anyExpr(rt, depth-1)}
		}
	}
	return anyCondition(rt)
}

func anyCondition(rt *rapid.T) filter.Expr {
	ordered := []filter.Op{filter.Equal, filter.NotEqual, filter.Less, filter.LessOrEqual, filter.Greater, filter.GreaterOrEqual}
	name := rapid.SampledFrom([]string{"WorkflowId", "WorkflowType", "CK", "CI", "HistoryLength", "CL", "CT", "CloseTime", "ExecutionStatus"}).Draw(rt, "name")
	negative := rapid.Bool().Draw(rt, "not")
	form := rapid.SampledFrom([]string{"compare", "in", "between", "starts", "null"}).Draw(rt, "condition")
	text := name == "WorkflowId" || name == "WorkflowType" || name == "CK"
	scalar := text || name == "CI" || name == "HistoryLength"
	switch {
	case form == "null" || name == "CloseTime":
		return &filter.IsNull{Name: name, Not: negative}
	case form == "in" && name != "CT":
		values := make([]filter.Value, rapid.IntRange(1, 3).Draw(rt, "n"))
		for i := range values {
			values[i] = anyValue(rt, name)
		}
		return &filter.In{Name: name, Not: negative, Values: values}
	case form == "between" && scalar:
		return &filter.Between{Name: name, Not: negative, Low: anyValue(rt, name), High: anyValue(rt, name)}
	case form == "starts" && text:
		return &filter.StartsWith{Name: name, Not: negative, Prefix: anyValue(rt, name)}
	case scalar:
		return &filter.Compare{Name: name, Op: rapid.SampledFrom(ordered).Draw(rt, "op"), Value: anyValue(rt, name)}
	}
	return &filter.Compare{Name: name, Op: rapid.SampledFrom(ordered[:2]).Draw(rt, "op"), Value: anyValue(rt, name)}
}

func anyValue(rt *rapid.T, name string) filter.Value {
	switch name {
	case "CI", "HistoryLength":
		n := rapid.SampledFrom(someInts).Draw(rt, "value")
		return filter.Value{Kind: filter.Integer, Text: fmt.Sprint(n), Int: n}
	case "ExecutionStatus":
		return filter.Value{Kind: filter.String, Text: rapid.SampledFrom([]string{"Running", "Completed", "Failed", "Paused"}).Draw(rt, "value")}
	}
	return filter.Value{Kind: filter.String, Text: rapid.SampledFrom(someWords).Draw(rt, "value")}
}

// modelList is the ids of the records that match, in the order of V-3.
func modelList(records map[string]*engine.VisibilityRecord, e filter.Expr) string {
	var match []*engine.VisibilityRecord
	for _, r := range records {
		if truth(r, e) == 1 {
			match = append(match, r)
		}
	}
	slices.SortFunc(match, func(a, b *engine.VisibilityRecord) int {
		end := func(r *engine.VisibilityRecord) time.Time {
			if closed(r.Status) {
				return r.CloseTime
			}
			return noon.AddDate(5000, 0, 0)
		}
		if c := end(b).Compare(end(a)); c != 0 {
			return c
		}
		if c := b.StartTime.Compare(a.StartTime); c != 0 {
			return c
		}
		return strings.Compare(a.Run.RunID, b.Run.RunID)
	})
	ids := make([]string, len(match))
	for i, r := range match {
		ids[i] = r.Run.Name
	}
	return strings.Join(ids, " ")
}

// truth is 1, 0 or -1 for unknown.
func truth(r *engine.VisibilityRecord, e filter.Expr) int {
	known := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	switch e := e.(type) {
	case *filter.Not:
		if inner := truth(r, e.Term); inner >= 0 {
			return 1 - inner
		}
		return -1
	case *filter.And:
		out := 1
		for _, term := range e.Terms {
			out = andOr(out, truth(r, term), 0)
		}
		return out
	case *filter.Or:
		out := 0
		for _, term := range e.Terms {
			out = andOr(out, truth(r, term), 1)
		}
		return out
	case *filter.IsNull:
		return known((len(modelValues(r, e.Name)) == 0) != e.Not)
	}
	var name string
	filter.Names(e, func(n string) { name = n })
	values := modelValues(r, name)
	if name == "CL" || name == "CT" { // absent: no value is equal
		return known(slices.ContainsFunc(values, func(v any) bool { return holds(v, e) == !isNegative(e) }) != isNegative(e))
	}
	if len(values) == 0 {
		return -1
	}
	return known(holds(values[0], e))
}

// andOr combines truths: zero decides an AND, one an OR, else unknown spreads.
func andOr(a, b, decides int) int {
	switch {
	case a == decides || b == decides:
		return decides
	case a < 0 || b < 0:
		return -1
	}
	return 1 - decides
}

func isNegative(e filter.Expr) bool {
	switch e := e.(type) {
	case *filter.Compare:
		return e.Op == filter.NotEqual
	case *filter.In:
		return e.Not
	}
	return false
}

func modelValues(r *engine.VisibilityRecord, name string) []any {
	switch name {
	case "WorkflowId":
		return []any{r.Run.Name}
	case "WorkflowType":
		return []any{r.Type}
	case "ExecutionStatus":
		return []any{r.Status.String()}
	case "CloseTime":
		if closed(r.Status) {
			return []any{r.CloseTime}
		}
		return nil
	case "HistoryLength":
		if closed(r.Status) {
			return []any{r.HistoryLength}
		}
		return nil
	}
	payload := r.SearchAttributes.GetIndexedFields()[name]
	if payload == nil {
		return nil
	}
	kind := testSpaces()["ns-1"].SearchAttributes[name]
	value, err := searchattr.Decode(payload, kind)
	if err != nil {
		panic(err)
	}
	var list []string
	switch {
	case kind == kindKeywordList:
		list = value.([]string)
	case kind == kindText:
		list = strings.Split(strings.ToLower(value.(string)), "-")
	default:
		return []any{value}
	}
	values := make([]any, len(list))
	for i, v := range list {
		values[i] = v
	}
	return values
}

// holds tries a condition on one value that is there.
func holds(value any, e filter.Expr) bool {
	compare := func(v filter.Value) int {
		if n, ok := value.(int64); ok {
			return int(n - v.Int)
		}
		return strings.Compare(value.(string), v.Text)
	}
	switch e := e.(type) {
	case *filter.Compare:
		if e.Name == "CT" {
			e = &filter.Compare{Op: e.Op, Value: filter.Value{Text: strings.ToLower(e.Value.Text)}}
		}
		c := compare(e.Value)
		return map[filter.Op]bool{
			filter.Equal: c == 0, filter.NotEqual: c != 0, filter.Less: c < 0,
			filter.LessOrEqual: c <= 0, filter.Greater: c > 0, filter.GreaterOrEqual: c >= 0,
		}[e.Op]
	case *filter.In:
		return slices.ContainsFunc(e.Values, func(v filter.Value) bool { return compare(v) == 0 }) != e.Not
	case *filter.Between:
		return (compare(e.Low) >= 0 && compare(e.High) <= 0) != e.Not
	case *filter.StartsWith:
		return strings.HasPrefix(value.(string), e.Prefix.Text) != e.Not
	}
	panic(fmt.Sprintf("%T", e))
}
