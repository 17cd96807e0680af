package floors_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"testing"

	"github.com/perdure/perdure/internal/floors"
)

// What `go list` finds agrees with the plan. Imports of tests are free.
func TestImportsFollowThePlan(t *testing.T) {
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages := 0
	for d := json.NewDecoder(bytes.NewReader(out)); ; packages++ {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for _, imported := range p.Imports {
			if err := floors.Check(p.ImportPath, imported); err != nil {
				t.Error(err)
			}
		}
		if _, ok := floors.Of(p.ImportPath[len(floors.Module)+1:]); !ok {
			t.Errorf("%s has no floor; put it into the plan", p.ImportPath)
		}
	}
	if packages < 10 {
		t.Errorf("go list found %d packages only", packages)
	}
}

// The rules of the plan, each with a case on both sides.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"shard", "record", true},
		{"record", "shard", false},
		{"record", "engine/workflow", true},
		{"engine/workflow", "engine", true},
		{"engine/workflow", "engine/activity", true},
		{"engine/activity", "engine/workflow", false},
		{"engine/workflow", "store", false},
		{"engine", "engine/workflow", false},
		{"store/pebblestore", "store", true},
		{"store/pebblestore", "store/memstore", false},
		{"store/pebblestore", "engine", false},
		{"matching", "shard", true},
		{"matching", "timers", false},
		{"shard", "matching", false},
		{"frontend", "shard", true},
		{"server", "config", true},
		{"config", "server", false},
		{"demo", "server", true},
		{"demo", "engine", false},
		{"cmd/perdure", "bench", true},
		{"server", "bench", false},
		{"sim", "shard", true},
		{"server", "sim", false},
		{"e2e/go", "e2e/harness", true},
		{"store/memstore", "store/storetest", false},
		{"internal/clock", "engine", false},
		{"frontend", "nowhere", false},
	} {
		err := floors.Check(floors.Module+"/"+c.from, floors.Module+"/"+c.to)
		if (err == nil) != c.ok {
			t.Errorf("%s imports %s: %v, want allowed %v", c.from, c.to, err, c.ok)
		}
	}
	if err := floors.Check(floors.Module+"/engine", "go.temporal.io/api/common/v1"); err != nil {
		t.Errorf("an import from outside: %v", err)
	}
}
