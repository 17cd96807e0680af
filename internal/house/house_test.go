package house

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// tracked are the files of the repository, or, in a tree without git, all files
// that are not hidden. Paths are relative to the root.
func tracked(t *testing.T, accept func(path string) bool) []string {
	t.Helper()
	var paths []string
	if out, err := exec.Command("git", "-C", top, "ls-files").Output(); err == nil {
		paths = strings.Split(strings.TrimSpace(string(out)), "\n")
	} else {
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			path, _ = filepath.Rel(top, path)
			hidden := path != "." && strings.HasPrefix(d.Name(), ".")
			switch {
			case d.IsDir() && (hidden || d.Name() == "node_modules"):
				return filepath.SkipDir
			case !d.IsDir() && !hidden:
				paths = append(paths, path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return slices.DeleteFunc(paths, func(path string) bool {
		_, err := os.Stat(filepath.Join(top, path))
		return err != nil || !accept(path)
	})
}

const top = "../.."

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(top, path))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func isGo(path string) bool     { return strings.HasSuffix(path, ".go") }
func isGoTest(path string) bool { return strings.HasSuffix(path, "_test.go") }
func inCore(path string) bool {
	return isGo(path) && !isGoTest(path) && strings.HasPrefix(path, "engine/")
}

// A reader sits through a file, up to a point.
func TestNoFileIsTooLong(t *testing.T) {
	const most = 900
	for _, path := range tracked(t, isGo) {
		if n := bytes.Count(read(t, path), []byte("\n")); n > most {
			t.Errorf("%s has %d lines, more than %d; what else is in it?", path, n, most)
		}
	}
}

// notInCore are the packages that bring time, chance, waiting or the world.
var notInCore = []string{
	"context", "crypto/rand", "io/fs", "log", "log/slog", "math/rand", "math/rand/v2", "net", "net/http", "os", "os/exec",
	"runtime", "sync", "sync/atomic", "syscall", "testing", "unsafe",
}

// notCalledInCore are the functions that read a clock, wait, or draw an id.
var notCalledInCore = map[string]bool{
	"time.Now": true, "time.Since": true, "time.Until": true, "time.Sleep": true, "time.After": true, "time.AfterFunc": true,
	"time.Tick": true, "time.NewTimer": true, "time.NewTicker": true, "timestamppb.Now": true,
	"uuid.New": true, "uuid.NewString": true, "uuid.NewRandom": true, "uuid.NewUUID": true, "uuid.NewV6": true, "uuid.NewV7": true,
}

// The core is pure: no clock, no chance, no goroutine, no channel, no lock, no
// logger, no context. Time and fresh ids are data.
func TestCoreIsPure(t *testing.T) {
	for _, path := range tracked(t, inCore) {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, read(t, path), parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			if name, _ := strconv.Unquote(spec.Path.Value); slices.Contains(notInCore, name) {
				t.Errorf("%s: the core imports %s", fset.Position(spec.Pos()), name)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if what := impure(n); what != "" {
				t.Errorf("%s: the core uses %s", fset.Position(n.Pos()), what)
			}
			return true
		})
	}
}

// impure names what is wrong with a node; empty for nothing.
func impure(n ast.Node) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "a goroutine"
	case *ast.SelectStmt, *ast.SendStmt, *ast.ChanType:
		return "a channel"
	case *ast.SelectorExpr:
		if pkg, ok := n.X.(*ast.Ident); ok {
			if name := pkg.Name + "." + n.Sel.Name; notCalledInCore[name] {
				return name
			}
		}
	}
	return ""
}

// A test waits for a signal or moves a fake clock; it does not sleep.
func TestNoTestSleeps(t *testing.T) {
	sleeps := regexp.MustCompile(`\btime\.Sleep\(`)
	for _, path := range tracked(t, isGoTest) {
		// Inside a synctest bubble a sleep takes no time and means "once all
		// is still"; there it is allowed.
		b := read(t, path)
		if bytes.Contains(b, []byte(`"testing/synctest"`)) {
			continue
		}
		for _, at := range lines(b, sleeps) {
			// Workflow and activity code inside an e2e test may take its time:
			// that is the load, not the test.
			if !strings.HasPrefix(path, "e2e/") {
				t.Errorf("%s:%d sleeps", path, at)
			}
		}
	}
}

// What is tracked names no machine's own paths.
func TestNoMachinePaths(t *testing.T) {
	// Put together so that this file does not name them itself.
	own := regexp.MustCompile(strings.Join([]string{`/` + `work/`, `/` + `root/`, `/` + `home/[a-z]`, `/` + `Users/[a-z]`, `/tmp/` + `bash_jobs`}, "|"))
	text := func(path string) bool {
		switch filepath.Ext(path) {
		case ".png", ".sum", ".jpg", ".ico", ".woff2":
			return false
		}
		return true
	}
	for _, path := range tracked(t, text) {
		for _, at := range lines(read(t, path), own) {
			t.Errorf("%s:%d names a path of some machine", path, at)
		}
	}
}

// Nothing is merged that says it is not finished.
func TestNothingLeftOpen(t *testing.T) {
	open := regexp.MustCompile(`\b(FIX` + `ME|X` + `XX|HA` + `CK)\b|TO` + `DO[^(]`)
	for _, path := range tracked(t, isGo) {
		for _, at := range lines(read(t, path), open) {
			t.Errorf("%s:%d is left open, or a TO"+"DO without a name", path, at)
		}
	}
}

// No package is named for not having thought yet.
func TestPackageNames(t *testing.T) {
	vague := regexp.MustCompile(`^(pkg|src|common|utils?|helpers?|managers?|misc|base|impl|[a-z]*\d[a-z]*)$`)
	for _, path := range tracked(t, isGo) {
		dir := filepath.ToSlash(filepath.Dir(path))
		for part := range strings.SplitSeq(dir, "/") {
			if vague.MatchString(part) && part != "e2e" {
				t.Errorf("%s: a folder named %q", path, part)
			}
		}
	}
}

// Every package tells a colleague what it is for.
func TestPackageComments(t *testing.T) {
	documented := map[string]bool{}
	for _, path := range tracked(t, isGo) {
		if isGoTest(path) {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, read(t, path), parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(path)
		documented[dir] = documented[dir] || file.Doc != nil
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

// Every direct requirement of go.mod has a line in docs/dependencies.md that says
// what it is for, and no line is left of one that is gone.
func TestDependenciesAreJustified(t *testing.T) {
	requirement := regexp.MustCompile(`(?m)^(?:require )?\t?([a-z0-9./_-]+\.[a-z]+/[^ ]+) v[^ ]+$`)
	line := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\|")
	required, justified := map[string]bool{}, map[string]bool{}
	for _, m := range requirement.FindAllStringSubmatch(string(read(t, "go.mod")), -1) {
		required[m[1]] = true
	}
	for _, m := range line.FindAllStringSubmatch(string(read(t, "docs/dependencies.md")), -1) {
		justified[m[1]] = true
	}
	for module := range required {
		if !justified[module] {
			t.Errorf("%s has no line in docs/dependencies.md", module)
		}
	}
	for module := range justified {
		if !required[module] {
			t.Errorf("docs/dependencies.md speaks of %s, which go.mod does not require", module)
		}
	}
	if len(required) == 0 {
		t.Error("found no requirement in go.mod")
	}
}

// Each of the design's invariants I1 to I12 has a test that names it.
func TestInvariantsAreNamed(t *testing.T) {
	const invariants = 12
	name := regexp.MustCompile(`\bI([1-9][0-9]?)\b`)
	named := map[string]bool{}
	for _, path := range tracked(t, isGoTest) {
		for _, m := range name.FindAllSubmatch(read(t, path), -1) {
			named[string(m[1])] = true
		}
	}
	for i := range invariants {
		if n := strconv.Itoa(i + 1); !named[n] {
			t.Errorf("no test names invariant I%s", n)
		}
	}
}

// Bare `make` lists the targets, so each needs a line of its own.
func TestMakeListsEveryTarget(t *testing.T) {
	target := regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):(.*)$`)
	for _, m := range target.FindAllStringSubmatch(string(read(t, "Makefile")), -1) {
		if !strings.Contains(m[2], "## ") {
			t.Errorf("target %s says nothing after ##", m[1])
		}
	}
}

// lines are the numbers of the lines that match.
func lines(b []byte, pattern *regexp.Regexp) (numbers []int) {
	for i, line := range bytes.Split(b, []byte("\n")) {
		if pattern.Match(line) {
			numbers = append(numbers, i+1)
		}
	}
	return numbers
}
