package filter

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenName
	tokenKeyword // Text is lower case
	tokenString
	tokenInteger
	tokenFloat
	tokenSymbol // Text is the symbol
)

type token struct {
	kind tokenKind
	text string
	at   int // position of its first byte
	// quoted: a name in back quotes.
	quoted bool
	i      int64
	f      float64
}

// keywords of the grammar and of the SQL around it that we name in messages.
var keywords = map[string]struct{}{
	"and": {}, "or": {}, "not": {}, "in": {}, "between": {}, "starts_with": {}, "is": {}, "null": {},
	"true": {}, "false": {}, "group": {}, "order": {}, "by": {}, "limit": {}, "like": {}, "regexp": {}, "rlike": {},
	"having": {}, "union": {}, "case": {}, "exists": {}, "select": {},
}

// lexer cuts a query into tokens.
type lexer struct {
	in  string
	pos int
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c) || c == '_' || c == '.' || c >= utf8.RuneSelf
}

func (l *lexer) next() (token, error) {
	for l.pos < len(l.in) && strings.IndexByte(" \t\r\n", l.in[l.pos]) >= 0 {
		l.pos++
	}
	if l.pos == len(l.in) {
		return token{kind: tokenEnd, at: l.pos}, nil
	}
	c := l.in[l.pos]
	switch {
	case c == '\'' || c == '"':
		return l.quoted(c, tokenString)
	case c == '`':
		return l.quoted(c, tokenName)
	case isDigit(c), c == '.' && l.pos+1 < len(l.in) && isDigit(l.in[l.pos+1]):
		return l.number()
	case isNameByte(c):
		return l.name(), nil
	}
	return l.symbol()
}

// quoted reads up to the closing quote. The quote itself is written twice inside;
// in strings a backslash escapes the next byte too.
func (l *lexer) quoted(quote byte, kind tokenKind) (token, error) {
	start := l.pos
	var b strings.Builder
	for i := start + 1; i < len(l.in); i++ {
		switch c := l.in[i]; {
		case c == quote && i+1 < len(l.in) && l.in[i+1] == quote:
			b.WriteByte(quote)
			i++
		case c == quote:
			l.pos = i + 1
			return token{kind: kind, text: b.String(), at: start, quoted: kind == tokenName}, nil
		case c == '\\' && kind == tokenString && i+1 < len(l.in):
			i++
			b.WriteByte(unescape(l.in[i]))
		default:
			b.WriteByte(c)
		}
	}
	return token{}, syntaxError(len(l.in))
}

// unescape is what `\c` stands for; of letters only those that stand for white
// space mean something else than themselves.
func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 't':
		return '\t'
	case 'r':
		return '\r'
	case '0':
		return 0
	}
	return c
}

func (l *lexer) number() (token, error) {
	start := l.pos
	for l.pos < len(l.in) {
		c := l.in[l.pos]
		exponentSign := (c == '+' || c == '-') && (l.in[l.pos-1] == 'e' || l.in[l.pos-1] == 'E')
		if !isNameByte(c) && !exponentSign {
			break
		}
		l.pos++
	}
	return numberToken(l.in[start:l.pos], start)
}

func numberToken(text string, at int) (token, error) {
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return token{kind: tokenInteger, text: text, at: at, i: i}, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.ContainsAny(text, "xXpP_") {
		return token{}, syntaxError(at)
	}
	return token{kind: tokenFloat, text: text, at: at, f: f}, nil
}

func (l *lexer) name() token {
	start := l.pos
	for l.pos < len(l.in) && isNameByte(l.in[l.pos]) {
		l.pos++
	}
	text := l.in[start:l.pos]
	if lower := strings.ToLower(text); len(lower) == len(text) {
		if _, ok := keywords[lower]; ok {
			return token{kind: tokenKeyword, text: lower, at: start}
		}
	}
	return token{kind: tokenName, text: text, at: start}
}

// symbols, longer ones first.
var symbols = []string{"<=>", "<=", ">=", "<>", "!=", "&&", "||", "=", "<", ">", "(", ")", ",", "+", "-", "*", "/", "%", "!", ";"}

func (l *lexer) symbol() (token, error) {
	for _, s := range symbols {
		if strings.HasPrefix(l.in[l.pos:], s) {
			t := token{kind: tokenSymbol, text: s, at: l.pos}
			l.pos += len(s)
			return t, nil
		}
	}
	return token{}, syntaxError(l.pos)
}
