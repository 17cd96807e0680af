package filter

import (
	"strconv"
	"strings"
)

// Query is a parsed list filter.
type Query struct {
	// Where is nil when everything matches.
	Where Expr
	// GroupBy holds the names after GROUP BY; empty without one.
	GroupBy []string
}

// Expr is one of *And, *Or, *Not, *Compare, *In, *Between, *StartsWith, *IsNull.
type Expr interface{ expr() }

// And holds when all of its terms do; there are at least two.
type And struct{ Terms []Expr }

// Or holds when one of its terms does; there are at least two.
type Or struct{ Terms []Expr }

// Not negates.
type Not struct{ Term Expr }

// Op is a comparison.
type Op string

// The comparisons. `<>` is read as NotEqual.
const (
	Equal          Op = "="
	NotEqual       Op = "!="
	Less           Op = "<"
	LessOrEqual    Op = "<="
	Greater        Op = ">"
	GreaterOrEqual Op = ">="
)

// Compare is `Name Op Value`.
type Compare struct {
	Name  string
	Op    Op
	Value Value
}

// In is `Name [NOT] IN (Values)`; there is at least one value.
type In struct {
	Name   string
	Not    bool
	Values []Value
}

// Between is `Name [NOT] BETWEEN Low AND High`.
type Between struct {
	Name      string
	Not       bool
	Low, High Value
}

// StartsWith is `Name [NOT] STARTS_WITH Prefix`.
type StartsWith struct {
	Name   string
	Not    bool
	Prefix Value
}

// IsNull is `Name IS [NOT] NULL`.
type IsNull struct {
	Name string
	Not  bool
}

func (*And) expr()        {}
func (*Or) expr()         {}
func (*Not) expr()        {}
func (*Compare) expr()    {}
func (*In) expr()         {}
func (*Between) expr()    {}
func (*StartsWith) expr() {}
func (*IsNull) expr()     {}

// ValueKind is the form a literal was written in.
type ValueKind uint8

// The kinds of literals.
const (
	String ValueKind = iota + 1
	Integer
	Float
	Bool
)

// Value is a literal. Which field counts follows from Kind; Text is always what
// was written, for strings without quotes and escapes.
type Value struct {
	Kind  ValueKind
	Text  string
	Int   int64
	Float float64
	Bool  bool
}

// String is the literal as one would write it.
func (v Value) String() string {
	if v.Kind == String {
		return "'" + strings.NewReplacer("'", "''", `\`, `\\`).Replace(v.Text) + "'"
	}
	return v.Text
}

// negated turns NOT into the opposite of each condition, so that what lacks an
// attribute matches neither a condition nor its opposite (V-20).
func negated(e Expr) Expr {
	switch e := e.(type) {
	case *And:
		return &Or{Terms: negateAll(e.Terms)}
	case *Or:
		return &And{Terms: negateAll(e.Terms)}
	case *Not:
		return Positive(e.Term)
	case *Compare:
		return &Compare{Name: e.Name, Op: opposite[e.Op], Value: e.Value}
	case *In:
		return &In{Name: e.Name, Not: !e.Not, Values: e.Values}
	case *Between:
		return &Between{Name: e.Name, Not: !e.Not, Low: e.Low, High: e.High}
	case *StartsWith:
		return &StartsWith{Name: e.Name, Not: !e.Not, Prefix: e.Prefix}
	case *IsNull:
		return &IsNull{Name: e.Name, Not: !e.Not}
	}
	return e
}

var opposite = map[Op]Op{
	Equal: NotEqual, NotEqual: Equal,
	Less: GreaterOrEqual, GreaterOrEqual: Less,
	Greater: LessOrEqual, LessOrEqual: Greater,
}

func negateAll(terms []Expr) []Expr {
	out := make([]Expr, len(terms))
	for i, t := range terms {
		out[i] = negated(t)
	}
	return out
}

// Positive returns an equal expression without any *Not in it.
func Positive(e Expr) Expr {
	switch e := e.(type) {
	case *And:
		return &And{Terms: positiveAll(e.Terms)}
	case *Or:
		return &Or{Terms: positiveAll(e.Terms)}
	case *Not:
		return negated(e.Term)
	}
	return e
}

func positiveAll(terms []Expr) []Expr {
	out := make([]Expr, len(terms))
	for i, t := range terms {
		out[i] = Positive(t)
	}
	return out
}

// Format writes an expression in the canonical form: lower-case operators, names
// in back quotes where they need them. Messages quote conditions with it.
func Format(e Expr) string {
	var b strings.Builder
	format(&b, e)
	return b.String()
}

func format(b *strings.Builder, e Expr) {
	switch e := e.(type) {
	case *And:
		formatTerms(b, e.Terms, " and ")
	case *Or:
		formatTerms(b, e.Terms, " or ")
	case *Not:
		b.WriteString("not (")
		format(b, e.Term)
		b.WriteString(")")
	case *Compare:
		b.WriteString(formatName(e.Name) + " " + string(e.Op) + " " + e.Value.String())
	case *In:
		b.WriteString(formatName(e.Name) + not(e.Not) + " in (")
		for i, v := range e.Values {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(v.String())
		}
		b.WriteString(")")
	case *Between:
		b.WriteString(formatName(e.Name) + not(e.Not) + " between " + e.Low.String() + " and " + e.High.String())
	case *StartsWith:
		b.WriteString(formatName(e.Name) + not(e.Not) + " starts_with " + e.Prefix.String())
	case *IsNull:
		b.WriteString(formatName(e.Name) + " is" + not(e.Not) + " null")
	}
}

func formatTerms(b *strings.Builder, terms []Expr, between string) {
	b.WriteString("(")
	for i, t := range terms {
		if i > 0 {
			b.WriteString(between)
		}
		format(b, t)
	}
	b.WriteString(")")
}

func not(negative bool) string {
	if negative {
		return " not"
	}
	return ""
}

func formatName(name string) string {
	if _, keyword := keywords[strings.ToLower(name)]; isIdentifier(name) && !keyword {
		return name
	}
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

func isIdentifier(name string) bool {
	if name == "" {
		return false
	}
	for i := range len(name) {
		if !isNameByte(name[i]) || i == 0 && isDigit(name[i]) {
			return false
		}
	}
	_, err := strconv.ParseFloat(name, 64)
	return err != nil // "inf" and "nan" stay names, but quoted
}

// Names calls visit for each name in the expression, which may be nil.
func Names(e Expr, visit func(name string)) {
	switch e := e.(type) {
	case *And:
		for _, t := range e.Terms {
			Names(t, visit)
		}
	case *Or:
		for _, t := range e.Terms {
			Names(t, visit)
		}
	case *Not:
		Names(e.Term, visit)
	case *Compare:
		visit(e.Name)
	case *In:
		visit(e.Name)
	case *Between:
		visit(e.Name)
	case *StartsWith:
		visit(e.Name)
	case *IsNull:
		visit(e.Name)
	}
}
