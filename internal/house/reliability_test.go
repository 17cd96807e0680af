package house

import (
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// docs/reliability.md names tests as evidence. Each must exist, every invariant
// must have one, and no fuzz target may be missing.
func TestReliabilityNamesRealTests(t *testing.T) {
	declaration := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
	declared := map[string]bool{}
	for _, file := range tracked(t, isGoTest) {
		for _, m := range declaration.FindAllSubmatch(read(t, file), -1) {
			declared[path.Join(filepath.ToSlash(filepath.Dir(file)))+"."+string(m[1])] = true
		}
	}

	page := string(read(t, "docs/reliability.md"))
	mention := regexp.MustCompile("`([a-z0-9/]+\\.(?:Test|Fuzz)[A-Za-z0-9_]+)`")
	mentioned := map[string]bool{}
	for _, m := range mention.FindAllStringSubmatch(page, -1) {
		mentioned[m[1]] = true
		if !declared[m[1]] {
			t.Errorf("docs/reliability.md names %s, which does not exist", m[1])
		}
	}
	for name := range declared {
		if strings.Contains(name, ".Fuzz") && !mentioned[name] {
			t.Errorf("docs/reliability.md does not list %s", name)
		}
	}

	const invariants = 12
	for i := range invariants {
		row := regexp.MustCompile(`(?m)^\| I` + strconv.Itoa(i+1) + ` \|.*$`).FindString(page)
		if !mention.MatchString(row) {
			t.Errorf("docs/reliability.md names no test of I%d", i+1)
		}
	}
}
