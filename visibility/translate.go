package visibility

import (
	"encoding/json"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine/searchattr"
	"github.com/perdure/perdure/visibility/filter"
)

// statement is SQL being put together. Whatever comes from outside is an
// argument; the text holds our own words only.
type statement struct {
	scope
	text strings.Builder
	args []any
}

func (s *statement) add(text string, args ...any) {
	s.text.WriteString(text)
	s.args = append(s.args, args...)
}

// maxArgs is how many arguments a statement may have; SQLite takes 32,766.
const maxArgs = 32_000

// maxListArgs is the longest list of values that is passed one by one; a longer
// one goes as one JSON argument.
const maxListArgs = 100

// where adds the condition of a query: the rows of its scope that match, hidden
// divisions left out unless the query speaks of them (V-40).
func (s *statement) where(q *filter.Query) error {
	s.add("namespace = (SELECT id FROM namespace WHERE uuid = ?) AND archetype = ?", s.ns.ID, int64(s.archetype))
	if !s.mentions(q, searchattr.Division) {
		s.add(" AND division IS NULL")
	}
	if q.Where == nil {
		return nil
	}
	s.add(" AND ")
	if err := s.expr(filter.Positive(q.Where)); err != nil {
		return err
	}
	if len(s.args) > maxArgs {
		return filter.Errorf("operation is not supported: more than %d values", maxArgs)
	}
	return nil
}

func (s *statement) expr(e filter.Expr) error {
	switch e := e.(type) {
	case *filter.And:
		return s.terms(e.Terms, " AND ")
	case *filter.Or:
		return s.terms(e.Terms, " OR ")
	}
	return s.condition(e)
}

// terms are put together as a balanced tree: SQLite parses a chain of ORs as one
// inside the other, and bounds the depth.
func (s *statement) terms(terms []filter.Expr, between string) error {
	if len(terms) == 1 {
		return s.expr(terms[0])
	}
	s.add("(")
	half := len(terms) / 2
	if err := s.terms(terms[:half], between); err != nil {
		return err
	}
	s.add(between)
	if err := s.terms(terms[half:], between); err != nil {
		return err
	}
	s.add(")")
	return nil
}

// condition adds one comparison.
func (s *statement) condition(e filter.Expr) error {
	var name string
	filter.Names(e, func(n string) { name = n })
	a, err := s.resolve(name)
	if err != nil {
		return err
	}
	if null, ok := e.(*filter.IsNull); ok {
		s.isNull(a, null.Not)
		return nil
	}
	if err := allowed(a, e); err != nil {
		return err
	}
	if a.kind == enumspb.INDEXED_VALUE_TYPE_TEXT || a.kind == enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST {
		return s.contains(a, e)
	}
	if a.column == "" {
		s.among(a, false)
		defer s.add(")")
		a.column, a.absent = "value", ""
		return s.scalar(a, e)
	}
	if root, ok := s.rootEquals(a, e); ok {
		s.add("("+root+" = ? OR "+root+" IS NULL AND "+strings.TrimPrefix(root, "root_")+" = ?)", s.rootValue(e), s.rootValue(e))
		return nil
	}
	return s.scalar(a, e)
}

// rootEquals recognises `RootWorkflowId = 'x'` and its like, which the UI asks
// for each workflow it shows: written out, an index serves it.
func (s *statement) rootEquals(a attribute, e filter.Expr) (column string, ok bool) {
	compare, isCompare := e.(*filter.Compare)
	if !isCompare || compare.Op != filter.Equal || compare.Value.Kind != filter.String {
		return "", false
	}
	column, ok = map[string]string{"RootWorkflowId": "root_workflow_id", "RootRunId": "root_run_id"}[a.name]
	return column, ok
}

func (s *statement) rootValue(e filter.Expr) string { return e.(*filter.Compare).Value.Text }

// among begins `id [NOT] IN (the runs that have the attribute and ...`; the caller
// adds the condition on value and the closing parenthesis.
func (s *statement) among(a attribute, not bool) {
	s.add("id " + notWord(not) + "IN (SELECT run FROM value WHERE field = (SELECT f.id FROM field f, namespace n WHERE f.namespace = n.id")
	s.add(" AND n.uuid = ? AND f.name = ? AND f.kind = ?) AND ", s.ns.ID, a.name, int64(a.kind))
}

func notWord(not bool) string {
	if not {
		return "NOT "
	}
	return ""
}

func (s *statement) isNull(a attribute, not bool) {
	switch {
	case a.column == "":
		s.among(a, !not)
		s.add("1)")
	case a.absent == "": // never absent
		s.add(map[bool]string{false: "0", true: "1"}[not])
	default:
		s.add(notWord(not) + "(" + a.absent + ")")
	}
}

// contains is = and IN of lists and texts: one of the run's values is one of
// those given. Their negation includes runs without the attribute (V-20).
func (s *statement) contains(a attribute, e filter.Expr) error {
	var not bool
	var values []filter.Value
	switch e := e.(type) {
	case *filter.Compare:
		not, values = e.Op == filter.NotEqual, []filter.Value{e.Value}
	case *filter.In:
		not, values = e.Not, e.Values
	}
	var wanted []any
	for _, v := range values {
		value, err := s.literal(a, v)
		if err != nil {
			return err
		}
		if a.kind == enumspb.INDEXED_VALUE_TYPE_TEXT {
			for _, word := range words(v.Text) {
				wanted = append(wanted, word)
			}
		} else {
			wanted = append(wanted, value)
		}
	}
	s.among(a, not)
	s.add("value IN ")
	s.list(wanted)
	s.add(")")
	return nil
}

func (s *statement) list(values []any) {
	if len(values) > maxListArgs {
		if encoded, err := json.Marshal(values); err == nil {
			s.add("(SELECT j.value FROM json_each(?) j)", string(encoded))
			return
		}
	}
	s.add("(" + strings.TrimSuffix(strings.Repeat("?,", len(values)), ",") + ")")
	s.args = append(s.args, values...)
}

// scalar adds a condition on a.column. Where the column is NULL it does not hold
// in either form; CloseTime, which is never NULL, is told apart.
func (s *statement) scalar(a attribute, e filter.Expr) error {
	values, err := s.literals(a, e)
	if err != nil {
		return err
	}
	negative := false
	switch e := e.(type) {
	case *filter.Compare:
		negative = e.Op == filter.NotEqual
		s.add("("+a.column+" "+string(e.Op)+" ?", values...)
	case *filter.In:
		negative = e.Not
		s.add("(" + a.column + " " + notWord(e.Not) + "IN ")
		s.list(values)
	case *filter.Between:
		negative = e.Not
		s.add("("+a.column+" "+notWord(e.Not)+"BETWEEN ? AND ?", values...)
	case *filter.StartsWith:
		negative = e.Not
		s.startsWith(a.column, e.Not, e.Prefix.Text)
	}
	switch {
	case negative && a.name == "CloseTime":
		s.add(" AND NOT " + a.absent)
	case !negative && a.name == "ExecutionStatus":
		s.add(alsoOfStatus(values))
	}
	s.add(")")
	return nil
}

// startsWith is a range, so that an index serves it. Bytes, not letters: that is
// how SQLite compares.
func (s *statement) startsWith(column string, not bool, prefix string) {
	s.add("(")
	end := []byte(prefix)
	for len(end) > 0 && end[len(end)-1] == 0xff {
		end = end[:len(end)-1]
	}
	if len(end) == 0 { // everything that has a value
		s.add(column + " IS " + map[bool]string{false: "NOT NULL", true: "NULL AND 0"}[not])
		return
	}
	end[len(end)-1]++
	if not {
		s.add("("+column+" < ? OR "+column+" >= ?)", prefix, string(end))
		return
	}
	s.add(column+" >= ? AND "+column+" < ?", prefix, string(end))
}

func (s scope) literals(a attribute, e filter.Expr) (values []any, err error) {
	var given []filter.Value
	switch e := e.(type) {
	case *filter.Compare:
		given = []filter.Value{e.Value}
	case *filter.In:
		given = e.Values
	case *filter.Between:
		given = []filter.Value{e.Low, e.High}
	case *filter.StartsWith:
		given = []filter.Value{e.Prefix}
	}
	for _, v := range given {
		value, err := s.literal(a, v)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

// allowed is the table of section 2.3: which operators each type has.
func allowed(a attribute, e filter.Expr) error {
	const (
		boolean = enumspb.INDEXED_VALUE_TYPE_BOOL
		keyword = enumspb.INDEXED_VALUE_TYPE_KEYWORD
		text    = enumspb.INDEXED_VALUE_TYPE_TEXT
		list    = enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST
	)
	unordered := a.kind == boolean || a.kind == text || a.kind == list || a.name == "ExecutionStatus"
	switch e := e.(type) {
	case *filter.Compare:
		if e.Op != filter.Equal && e.Op != filter.NotEqual && unordered {
			return unsupported(a, string(e.Op), e)
		}
	case *filter.In:
		if a.kind == text {
			return unsupported(a, map[bool]string{false: "in", true: "not in"}[e.Not], e)
		}
	case *filter.Between:
		if unordered {
			return filter.Errorf("invalid expression: cannot do range condition on search attribute '%s' of type %s", a.name, searchattr.TypeName(a.kind))
		}
	case *filter.StartsWith:
		if a.kind != keyword || a.name == "ExecutionStatus" {
			return unsupported(a, map[bool]string{false: "starts_with", true: "not starts_with"}[e.Not], e)
		}
	}
	return nil
}

func unsupported(a attribute, op string, e filter.Expr) error {
	return filter.Errorf("invalid expression: operator '%s' not supported for %s type search attribute in `%s`", op, searchattr.TypeName(a.kind), filter.Format(e))
}
