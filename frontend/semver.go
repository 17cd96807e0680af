package frontend

import (
	"strconv"
	"strings"
)

// version is a semantic version as far as ordering needs it. Build metadata is
// dropped.
type version struct {
	number [3]uint64
	pre    string // pre-release part; sorts before the release itself
}

// parseVersion reads MAJOR.MINOR.PATCH with an optional pre-release and build part.
func parseVersion(s string) (version, bool) {
	var v version
	s, _, _ = strings.Cut(s, "+")
	core, pre, hasPre := strings.Cut(s, "-")
	if hasPre && !validPre(pre) {
		return v, false
	}
	v.pre = pre
	for i := range v.number {
		part, rest, more := strings.Cut(core, ".")
		n, err := strconv.ParseUint(part, 10, 64)
		if err != nil || part[0] == '+' || (len(part) > 1 && part[0] == '0') || more != (i+1 < len(v.number)) {
			return v, false
		}
		v.number[i], core = n, rest
	}
	return v, true
}

func validPre(pre string) bool {
	for id := range strings.SplitSeq(pre, ".") {
		if id == "" || strings.ContainsFunc(id, func(r rune) bool { return !isIdentRune(r) }) {
			return false
		}
	}
	return true
}

func isIdentRune(r rune) bool {
	return r == '-' || (r >= '0' && r <= '9') || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z')
}

// compare orders versions as semver.org section 11 does.
func (v version) compare(w version) int {
	for i := range v.number {
		switch {
		case v.number[i] < w.number[i]:
			return -1
		case v.number[i] > w.number[i]:
			return 1
		}
	}
	switch {
	case v.pre == w.pre:
		return 0
	case v.pre == "":
		return 1
	case w.pre == "":
		return -1
	}
	return comparePre(strings.Split(v.pre, "."), strings.Split(w.pre, "."))
}

func comparePre(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if c := comparePreID(a[i], b[i]); c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}

// comparePreID: numbers sort by value and before words.
func comparePreID(a, b string) int {
	x, errX := strconv.ParseUint(a, 10, 64)
	y, errY := strconv.ParseUint(b, 10, 64)
	switch {
	case errX == nil && errY == nil:
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	case errX == nil:
		return -1
	case errY == nil:
		return 1
	}
	return strings.Compare(a, b)
}

// versionRange is a list of alternatives, each a list of conditions that all hold.
type versionRange [][]condition

type condition struct {
	holds func(cmp int) bool
	bound version
}

// comparators in the order they must be tried: longer ones first.
var comparators = []struct {
	text  string
	holds func(int) bool
}{
	{">=", func(c int) bool { return c >= 0 }},
	{"<=", func(c int) bool { return c <= 0 }},
	{"!=", func(c int) bool { return c != 0 }},
	{"==", func(c int) bool { return c == 0 }},
	{">", func(c int) bool { return c > 0 }},
	{"<", func(c int) bool { return c < 0 }},
	{"!", func(c int) bool { return c != 0 }},
	{"=", func(c int) bool { return c == 0 }},
	{"", func(c int) bool { return c == 0 }},
}

// parseRange reads ranges like ">=1.0.0 <2.0.0 || 3.0.0": a space is "and".
func parseRange(s string) (versionRange, bool) {
	var r versionRange
	for alternative := range strings.SplitSeq(s, "||") {
		conditions, ok := parseConditions(alternative)
		if !ok {
			return nil, false
		}
		r = append(r, conditions)
	}
	return r, true
}

func parseConditions(s string) ([]condition, bool) {
	var out []condition
	// An operator may stand apart from its version: join it to what follows.
	var operator string
	for _, word := range strings.Fields(s) {
		word = operator + word
		operator = ""
		if strings.Trim(word, "<>=!") == "" {
			operator = word
			continue
		}
		c, ok := parseCondition(word)
		if !ok {
			return nil, false
		}
		out = append(out, c)
	}
	return out, len(out) > 0 && operator == ""
}

func parseCondition(word string) (condition, bool) {
	for _, c := range comparators {
		if rest, ok := strings.CutPrefix(word, c.text); ok {
			v, valid := parseVersion(rest)
			return condition{holds: c.holds, bound: v}, valid
		}
	}
	return condition{}, false
}

func (r versionRange) contains(v version) bool {
	for _, alternative := range r {
		if allHold(alternative, v) {
			return true
		}
	}
	return false
}

func allHold(conditions []condition, v version) bool {
	for _, c := range conditions {
		if !c.holds(v.compare(c.bound)) {
			return false
		}
	}
	return true
}
