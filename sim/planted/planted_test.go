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
	for _, b := range []struct {
		bug   bug
		found int
	}{
		{bug{name: "none", hunter: hunter{model: 5}}, 0},
		{find(t, "signal-twice"), 1},
	} {
		found, err := b.bug.hunted(t.Context(), root, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != b.found {
			t.Errorf("bug %s: found %d times of one, want %d", b.bug.name, len(found), b.found)
		}
	}
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
