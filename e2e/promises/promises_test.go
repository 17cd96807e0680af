// Package promises holds docs/activity-promises.md against the tests it names.
package promises

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// sentences are the rows of the matrix in the specification of activities.
var sentences = strings.Fields("1 2 3a 3b 4a 4b 4c 4d 5 6 7a 7b 8a 8b 9a 9b 10 11 12 13 14a 14b 15 16 17a 17b")

// Every sentence has its row, in order, and each names a test that exists and is
// not skipped, or says that it is open.
func TestEveryPromiseHasItsTests(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/activity-promises.md"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	row := regexp.MustCompile(`(?m)^\| (\d+[a-d]?) \| ([^|]+) \| ([^|]+) \|$`)
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		rows = append(rows, m[1])
		tests := named.FindAllStringSubmatch(m[3], -1)
		if len(tests) == 0 && !strings.Contains(m[3], "**open**") {
			t.Errorf("%s: no test and not open", m[1])
		}
		if n := strings.Count(m[3], "`"); n != 2*len(tests) {
			t.Errorf("%s: something in backticks is no test", m[1])
		}
	}
	if !slices.Equal(rows, sentences) {
		t.Errorf("the page has rows\n%v, the specification\n%v", rows, sentences)
	}
	for _, m := range named.FindAllStringSubmatch(string(page), -1) {
		if !exists(t, m[1]) {
			t.Errorf("no such test, or it is skipped: %s", m[1])
		}
	}
}

// named is a test: a scenario file, or package#name.
var named = regexp.MustCompile("`((?:e2e|engine)/(?:[a-z/]+#[^`]+|[a-z_/]+\\.txt))`")

// exists finds a test by its name in the page.
func exists(t *testing.T, name string) bool {
	folder, test, isTest := strings.Cut(name, "#")
	if !isTest {
		_, err := os.Stat(filepath.Join(root, name))
		return err == nil
	}
	// Where a language keeps its tests, and how one begins.
	files, begins := "*_test.go", `(?m)^func `+test+`\(t \*testing\.T\) \{`
	switch folder {
	case "e2e/python":
		files, begins = "test_*.py", `(?m)^async def `+test+`\(`
	case "e2e/typescript":
		files, begins = "src/*.test.ts", "test\\(['`]"+regexp.QuoteMeta(test)+"['`:]"
	case "e2e/java":
		files, begins = "src/test/java/*/*.java", `@(Test|ParameterizedTest)\s+(@\w+\([^)]*\)\s+)?void `+test+`\(`
	}
	found, err := filepath.Glob(filepath.Join(root, folder, files))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range found {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if at := regexp.MustCompile(begins).FindIndex(text); at != nil {
			return !skipped(string(text[:at[0]]), string(text[at[1]:]))
		}
	}
	return false
}

// skipped reports whether a test, between what is before and what follows it, is
// not run: by a call in its body, or a mark right above it.
func skipped(before, after string) bool {
	body, _, _ := strings.Cut(after, "\n}")
	above := before[max(0, len(before)-80):]
	return strings.Contains(body, "t.Skip") || strings.Contains(above, "mark.skip") || strings.Contains(above, "@Disabled")
}

func TestExistsTellsWhatDoesNot(t *testing.T) {
	for _, name := range []string{
		"engine/testdata/nothing.txt", "engine/activity#TestNothing", "e2e/go#TestHello", "e2e/python#test_nothing",
		"e2e/typescript#nothing", "e2e/java#hell", "e2e/nowhere#TestX",
	} {
		if exists(t, name) {
			t.Errorf("%s is said to exist", name)
		}
	}
}
