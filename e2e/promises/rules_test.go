package promises

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sections are those of the specification of workflows.
var sections = strings.Fields(`0.1 0.2 0.3 0.4
	1.1 1.2 1.3 1.4 1.5 1.6 1.7 1.8 1.9 1.10 1.11 1.12 1.13 1.14 1.15
	2.1 2.2 2.3 2.4 2.5 2.6
	3.1 3.2 3.3 3.4 3.5 3.6 3.7 3.8 3.9 3.10 3.11 3.12 3.13 3.14
	4.1 4.2 4.3 4.4 4.5 4.6
	5.1 5.2
	6.1 6.2 6.3 6.4 6.5 6.6 6.7 6.8
	7.1 7.2 7.3 7.4 7.5
	8.1 8.2 8.3 8.4 8.5
	9.1 9.2 9.3 9.4
	A
	1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30`)

// rule is a row of the page; proof a test it names.
var (
	rule  = regexp.MustCompile(`(?m)^\| ([0-9A][0-9.]*) \| ([^|]+) \| ([^|]+) \|$`)
	proof = regexp.MustCompile("`([a-z0-9]+(?:/[a-z]+)*(?:#[^`]+|/[a-z_]+\\.txt))`")
)

// Every section and every common mistake has its row, in order, and names tests
// that exist; what differs on purpose is told in compatibility.md.
func TestEveryRuleHasItsTests(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/workflow-rules.md"))
	if err != nil {
		t.Fatal(err)
	}
	differences, err := os.ReadFile(filepath.Join(root, "docs/compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, told, _ := strings.Cut(string(differences), "## Deliberate differences")
	var rows []string
	for _, m := range rule.FindAllStringSubmatch(string(page), -1) {
		rows = append(rows, m[1])
		tests := proof.FindAllStringSubmatch(m[3], -1)
		if len(tests) == 0 {
			t.Errorf("%s: no test", m[1])
		}
		if n := strings.Count(m[3], "`"); n != 2*len(tests) {
			t.Errorf("%s: something in backticks is no test: %s", m[1], m[3])
		}
		for _, p := range tests {
			if !exists(t, p[1]) {
				t.Errorf("%s: no such test, or it is skipped: %s", m[1], p[1])
			}
		}
		if strings.Contains(m[2], "*differs*") && !strings.Contains(told, "("+differing(m[1])+")") {
			t.Errorf("%s differs; compatibility.md does not say how: no (%s) there", m[1], differing(m[1]))
		}
	}
	if !slices.Equal(rows, sections) {
		t.Errorf("the page has rows\n%v, the specification\n%v", rows, sections)
	}
}

// differing is how compatibility.md names a section or a common mistake.
func differing(row string) string {
	if strings.Contains(row, ".") {
		return "rule " + row
	}
	return "behaviour " + row
}
