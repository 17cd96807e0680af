package main

import (
	"testing"
)

// Every bug can be planted in the code as it is, and no two have one name.
func TestBugsCanBePlanted(t *testing.T) {
	root, err := root()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, b := range bugs() {
		if names[b.name] {
			t.Errorf("two bugs are called %s", b.name)
		}
		names[b.name] = true
		if _, err := b.plant(root, t.TempDir()); err != nil {
			t.Errorf("bug %s: %v", b.name, err)
		}
	}
	if len(names) < 30 {
		t.Errorf("%d bugs are few", len(names))
	}
}

// A bug is found, and the code without it is not blamed: the hunt itself works.
func TestHunt(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the simulator twice")
	}
	root, err := root()
	if err != nil {
		t.Fatal(err)
	}
	none := bug{name: "none", hunter: hunter{model: 5}}
	if f, err := none.hunted(t.Context(), root, 1); err != nil || f.found() {
		t.Errorf("without a bug: %+v, %v", f, err)
	}
	some := find(t, "signal-twice")
	some.hunter = hunter{model: 5000}
	f, err := some.hunted(t.Context(), root, 1)
	if err != nil || !f.found() || f.by != "model" || f.worlds[0] < 1 {
		t.Errorf("signal-twice: %+v, %v", f, err)
	}
	t.Log(some.row(f))
}

func find(t *testing.T, name string) bug {
	for _, b := range bugs() {
		if b.name == name {
			return b
		}
	}
	t.Fatalf("no bug %s", name)
	return bug{}
}
