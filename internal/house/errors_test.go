package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// docs/errors.md quotes texts that somebody will search it for. Each must be one
// that the code has: in a string of a file that is no test, with "…" for what is
// put in. Whoever changes a text finds the page here.
func TestErrorsAreQuoted(t *testing.T) {
	var texts []string
	for _, path := range tracked(t, func(path string) bool {
		return strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") &&
			!strings.HasPrefix(path, "sim/") && !strings.HasPrefix(path, "e2e/")
	}) {
		file, err := parser.ParseFile(token.NewFileSet(), path, read(t, path), 0)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, stringsOf(file)...)
	}
	quoted := regexp.MustCompile("(?m)^\\| `([^`]+)`")
	found := quoted.FindAllStringSubmatch(string(read(t, "docs/errors.md")), -1)
	if len(found) < 40 {
		t.Errorf("docs/errors.md quotes %d texts only", len(found))
	}
	for _, m := range found {
		if !containsText(texts, m[1]) {
			t.Errorf("docs/errors.md quotes %q, which is in no string of the source", m[1])
		}
	}
}

var verb = regexp.MustCompile(`%[-+# 0]*[0-9.]*[a-zA-Z]`)

// stringsOf are the strings in a file, with "…" for the verbs of formats; those
// that are added up are one.
func stringsOf(file *ast.File) (all []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		text, whole := joined(e)
		if text != "" {
			all = append(all, verb.ReplaceAllString(text, "…"))
		}
		return !whole
	})
	return all
}

// joined is the text of a string, or of a sum of strings; what else is in the sum
// counts as a verb. It is whole if nothing else is.
func joined(e ast.Expr) (text string, whole bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, err := strconv.Unquote(e.Value)
			return text, err == nil
		}
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			break
		}
		left, leftWhole := joined(e.X)
		right, rightWhole := joined(e.Y)
		return left + right, leftWhole && rightWhole
	}
	return "", false
}

func containsText(texts []string, want string) bool {
	for _, text := range texts {
		if strings.Contains(text, want) {
			return true
		}
	}
	return false
}
