package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/matching"
	"github.com/perdure/perdure/shard"
)

// Everything the machines know is played: every input of their closed lists and
// every command and message is carried out, and every event written, in a small
// number of worlds. What is new in the machines has no place here until it is in
// the workload.
func TestEverythingIsPlayed(t *testing.T) {
	if testing.Short() {
		t.Skip("needs some two hundred worlds")
	}
	all := played{}
	for seed := uint64(1); seed <= 200; seed++ {
		w := newWorld(options{seed: seed, steps: 1500})
		if wrong := w.live(); wrong != "" {
			t.Errorf("%s", w.epitaph(wrong))
		}
		for name, n := range w.played {
			all[name] += n
		}
	}
	var wanted []string
	wanted = append(wanted, inputsOf(t, "../engine/workflow", "")...)
	wanted = append(wanted, inputsOf(t, "../engine/standalone", "standalone.")...)
	for number := range enumspb.CommandType_name {
		wanted = append(wanted, "command "+enumspb.CommandType(number).String())
	}
	for number := range enumspb.EventType_name {
		wanted = append(wanted, "event "+enumspb.EventType(number).String())
	}
	wanted = append(wanted, "message Acceptance", "message Rejection", "message Response")
	for _, name := range wanted {
		switch why, excused := neverPlayed[name]; {
		case all[name] == 0 && !excused && !strings.Contains(name, "Nexus"):
			t.Errorf("200 worlds have not played: %s", name)
		case all[name] > 0 && excused:
			t.Errorf("%s is played, and is said not to be: %s", name, why)
		}
	}
}

// neverPlayed are names of the API behind which there is nothing here yet.
var neverPlayed = map[string]string{
	"command Unspecified":                        "no command",
	"event Unspecified":                          "no event",
	"event WorkflowExecutionUpdateRejected":      "a rejection leaves no event",
	"event ActivityPropertiesModifiedExternally": "reserved by the API",
	"event WorkflowPropertiesModifiedExternally": "reserved by the API",
}

// inputsOf are the closed list of a machine's inputs: the receivers of its marker
// method.
func inputsOf(t *testing.T, dir, prefix string) (names []string) {
	t.Helper()
	packages, err := parser.ParseDir(token.NewFileSet(), dir, func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, 0) //nolint:staticcheck // names are enough
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packages {
		for _, f := range p.Files {
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Name.Name != "input" || fn.Recv == nil {
					continue
				}
				if star, ok := fn.Recv.List[0].Type.(*ast.StarExpr); ok {
					names = append(names, "input "+prefix+star.X.(*ast.Ident).Name)
				}
			}
		}
	}
	if len(names) < 10 {
		t.Fatalf("%s has %d inputs", dir, len(names))
	}
	return names
}

// Every request that a shard and the task queues serve is made by somebody in the
// simulator.
func TestEveryRequestIsMade(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(b)
	}
	for field, of := range map[string]reflect.Type{"host": reflect.TypeFor[*shard.Host](), "matcher": reflect.TypeFor[*matching.Matcher]()} {
		for i := range of.NumMethod() {
			name := field + "." + of.Method(i).Name
			made := strings.Contains(text.String(), "."+name+"(") || strings.Contains(text.String(), "."+name+")")
			if why, excused := neverMade[name]; made == excused {
				t.Errorf("%s is made: %v; excused: %q", name, made, why)
			}
		}
	}
}

// neverMade are methods that are not requests, or the same as one that is made.
var neverMade = map[string]string{
	"host.Do":              "Submit by a caller that waits",
	"host.Fatal":           "the simulator knows when it has broken the disk",
	"matcher.Poll":         "Begin by a caller that waits in real time",
	"matcher.RetireSticky": "of ShutdownWorker",
	"matcher.Reserve":      "of shards",
	"matcher.Deliver":      "of shards",
	"matcher.Release":      "of shards",
	"matcher.Offer":        "of shards",
	"matcher.Withdraw":     "of shards",
	"matcher.Forget":       "of shards",
	"matcher.OfferQuery":   "of shards",
	"matcher.PolledWithin": "of shards",
}
