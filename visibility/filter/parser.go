package filter

import (
	"fmt"
	"slices"
)

// Error says what is wrong with a query. Its text begins with what clients look
// for.
type Error struct{ Message string }

func (e *Error) Error() string { return "invalid query: " + e.Message }

// Bounds on what a query may make us do.
const (
	// maxDepth of parentheses and NOTs; a recursive parser must have one.
	maxDepth = 250
	// maxConditions keeps the translated statement within what SQLite parses.
	maxConditions = 5000
)

// Errorf makes an Error.
func Errorf(format string, args ...any) error { return &Error{Message: fmt.Sprintf(format, args...)} }

func syntaxError(at int) error {
	return Errorf("malformed SQL query: syntax error at position %d", at+1)
}

// Parse reads a query. Errors are of type *Error.
func Parse(query string) (*Query, error) {
	p := &parser{lexer: lexer{in: query}}
	if err := p.advance(); err != nil {
		return nil, err
	}
	q := new(Query)
	var err error
	if !p.atClause() && p.tok.kind != tokenEnd {
		if q.Where, err = p.or(); err != nil {
			return nil, err
		}
	}
	if q.GroupBy, err = p.groupBy(); err != nil {
		return nil, err
	}
	if p.tok.kind != tokenEnd {
		return nil, p.unexpected()
	}
	return q, nil
}

// parser has one token in hand.
type parser struct {
	lexer
	tok        token
	depth      int
	conditions int
}

func (p *parser) advance() (err error) {
	p.tok, err = p.next()
	return err
}

func (p *parser) isKeyword(words ...string) bool {
	return p.tok.kind == tokenKeyword && slices.Contains(words, p.tok.text)
}

func (p *parser) isSymbol(symbols ...string) bool {
	return p.tok.kind == tokenSymbol && slices.Contains(symbols, p.tok.text)
}

// atClause: what may follow the condition.
func (p *parser) atClause() bool { return p.isKeyword("group", "order", "limit") }

// unexpected says what is wrong at the token in hand.
func (p *parser) unexpected() error {
	switch {
	case p.isKeyword("order"):
		return Errorf("operation is not supported: 'ORDER BY' clause")
	case p.isKeyword("limit"):
		return Errorf("operation is not supported: 'LIMIT' clause")
	case p.isSymbol("+", "-", "*", "/", "%"):
		return Errorf("invalid expression: must be a column name but was *sqlparser.BinaryExpr")
	}
	return syntaxError(p.tok.at)
}

func (p *parser) groupBy() (names []string, err error) {
	if !p.isKeyword("group") {
		return nil, nil
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if !p.isKeyword("by") {
		return nil, p.unexpected()
	}
	for {
		if err := p.advance(); err != nil {
			return nil, err
		}
		if p.tok.kind != tokenName {
			return nil, p.unexpected()
		}
		names = append(names, p.tok.text)
		if err := p.advance(); err != nil {
			return nil, err
		}
		if !p.isSymbol(",") {
			return names, nil
		}
	}
}

func (p *parser) or() (Expr, error) {
	terms, err := p.chain(p.and, "or", "||")
	if err != nil || len(terms) == 1 {
		return first(terms), err
	}
	return &Or{Terms: terms}, nil
}

func (p *parser) and() (Expr, error) {
	terms, err := p.chain(p.not, "and", "&&")
	if err != nil || len(terms) == 1 {
		return first(terms), err
	}
	return &And{Terms: terms}, nil
}

func first(terms []Expr) Expr {
	if len(terms) == 0 {
		return nil
	}
	return terms[0]
}

func (p *parser) chain(operand func() (Expr, error), word, symbol string) (terms []Expr, err error) {
	for {
		term, err := operand()
		if err != nil {
			return nil, err
		}
		terms = append(terms, term)
		if !p.isKeyword(word) && !p.isSymbol(symbol) {
			return terms, nil
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
}

func (p *parser) not() (Expr, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return nil, Errorf("operation is not supported: more than %d levels of parentheses", maxDepth)
	}
	switch {
	case p.isKeyword("not"):
		if err := p.advance(); err != nil {
			return nil, err
		}
		term, err := p.not()
		return &Not{Term: term}, err
	case p.isSymbol("("):
		return p.parenthesis()
	case p.isSymbol("!"):
		return nil, Errorf("operation is not supported: '!' operator (use NOT)")
	}
	return p.condition()
}

func (p *parser) parenthesis() (Expr, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if !p.isSymbol(")") {
		return nil, p.unexpected()
	}
	return e, p.advance()
}

func (p *parser) condition() (Expr, error) {
	if p.conditions++; p.conditions > maxConditions {
		return nil, Errorf("operation is not supported: more than %d conditions", maxConditions)
	}
	name, err := p.column()
	if err != nil {
		return nil, err
	}
	switch {
	case p.isSymbol("=", "!=", "<>", "<", "<=", ">", ">="):
		return p.comparison(name)
	case p.isSymbol("<=>"):
		return nil, p.badOperator(name)
	case p.isKeyword("like", "regexp", "rlike"):
		return nil, p.badOperator(name)
	case p.isKeyword("is"):
		return p.isNull(name)
	}
	return p.wordCondition(name)
}

// column reads the left side.
func (p *parser) column() (string, error) {
	name := p.tok
	switch name.kind {
	case tokenName:
	case tokenString, tokenInteger, tokenFloat:
		return "", Errorf("invalid expression: must be a column name but was *sqlparser.SQLVal")
	default:
		if p.isKeyword("case", "exists", "select") {
			return "", Errorf("operation is not supported: %s", p.tok.text)
		}
		return "", p.unexpected()
	}
	if err := p.advance(); err != nil {
		return "", err
	}
	switch {
	case p.isSymbol("(") && !name.quoted:
		return "", Errorf("operation is not supported: nested func")
	case p.tok.kind == tokenEnd, p.isSymbol(")"), p.isKeyword("and", "or"), p.atClause():
		return "", Errorf("invalid expression: incomplete expression")
	}
	return name.text, nil
}

func (p *parser) comparison(name string) (Expr, error) {
	op := Op(p.tok.text)
	if op == "<>" {
		op = NotEqual
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	value, err := p.value()
	return &Compare{Name: name, Op: op, Value: value}, err
}

func (p *parser) badOperator(name string) error {
	op := p.tok.text
	if err := p.advance(); err != nil {
		return err
	}
	right := p.tok.text
	if value, err := p.value(); err == nil {
		right = value.String()
	}
	return Errorf("invalid expression: invalid operator '%s' in `%s %s %s`", op, formatName(name), op, right)
}

func (p *parser) isNull(name string) (Expr, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	negative := p.isKeyword("not")
	if negative {
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	if p.isKeyword("true", "false") {
		return nil, Errorf("invalid expression: 'IS' operator can only be used with 'NULL' or 'NOT NULL'")
	}
	if !p.isKeyword("null") {
		return nil, p.unexpected()
	}
	return &IsNull{Name: name, Not: negative}, p.advance()
}

// wordCondition is [NOT] IN, BETWEEN or STARTS_WITH.
func (p *parser) wordCondition(name string) (Expr, error) {
	negative := p.isKeyword("not")
	if negative {
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	if p.isKeyword("like", "regexp", "rlike") {
		p.tok.text = "not " + p.tok.text
		return nil, p.badOperator(name)
	}
	if !p.isKeyword("in", "between", "starts_with") {
		return nil, p.unexpected()
	}
	word := p.tok.text
	if err := p.advance(); err != nil {
		return nil, err
	}
	switch word {
	case "in":
		values, err := p.values()
		return &In{Name: name, Not: negative, Values: values}, err
	case "between":
		return p.between(name, negative)
	}
	prefix, err := p.value()
	if err == nil && prefix.Kind != String {
		err = Errorf("invalid expression: right-hand side of 'starts_with' must be a literal string (got: %s)", prefix)
	}
	return &StartsWith{Name: name, Not: negative, Prefix: prefix}, err
}

func (p *parser) between(name string, negative bool) (Expr, error) {
	low, err := p.value()
	if err != nil {
		return nil, err
	}
	if !p.isKeyword("and") {
		return nil, p.unexpected()
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	high, err := p.value()
	return &Between{Name: name, Not: negative, Low: low, High: high}, err
}

func (p *parser) values() (values []Value, err error) {
	if !p.isSymbol("(") {
		return nil, p.unexpected()
	}
	for {
		if err := p.advance(); err != nil {
			return nil, err
		}
		value, err := p.value()
		if err != nil {
			return nil, err
		}
		values = append(values, value)
		if p.isSymbol(")") {
			return values, p.advance()
		}
		if !p.isSymbol(",") {
			return nil, p.unexpected()
		}
	}
}

// value reads a literal.
func (p *parser) value() (Value, error) {
	sign := ""
	if p.isSymbol("-", "+") {
		sign = p.tok.text
		if err := p.advance(); err != nil {
			return Value{}, err
		}
		if p.tok.kind != tokenInteger && p.tok.kind != tokenFloat {
			return Value{}, p.unexpected()
		}
	}
	t := p.tok
	if sign == "-" {
		var err error
		// Not by negating: the smallest integer has no positive counterpart.
		if t, err = numberToken(sign+t.text, t.at); err != nil {
			return Value{}, err
		}
	}
	v := Value{Text: t.text}
	switch {
	case t.kind == tokenString:
		v.Kind = String
	case t.kind == tokenInteger:
		v.Kind, v.Int, v.Float = Integer, t.i, float64(t.i)
	case t.kind == tokenFloat:
		v.Kind, v.Float = Float, t.f
	case p.isKeyword("true", "false"):
		v.Kind, v.Bool = Bool, t.text == "true"
	case t.kind == tokenName:
		return Value{}, Errorf("operation is not supported: column name on the right side of comparison expression (did you forget to quote '%s'?)", t.text)
	default:
		return Value{}, p.unexpected()
	}
	if err := p.advance(); err != nil {
		return Value{}, err
	}
	if p.isSymbol("+", "-", "*", "/", "%") {
		return Value{}, Errorf("operation is not supported: arithmetic in a value")
	}
	return v, nil
}
