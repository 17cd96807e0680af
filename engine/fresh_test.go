package engine

import (
	"testing"
	"time"

	"github.com/google/uuid"
)

// Run ids are a function of seed and time, differ from each other, and sort by
// the millisecond the run began in.
func TestRunIDsSortByTime(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f := NewFresh([16]byte{1})
	first, second := f.RunID(now), f.RunID(now)
	if first == second {
		t.Error("two runs have one id")
	}
	if again := NewFresh([16]byte{1}).RunID(now); again != first {
		t.Errorf("the same seed gave %s, then %s", first, again)
	}
	id, err := uuid.Parse(first)
	if err != nil || id.Version() != 7 || id.Variant() != uuid.RFC4122 {
		t.Errorf("%s is no UUID of version 7: %v", first, err)
	}
	for seed := range byte(50) {
		later := NewFresh([16]byte{seed}).RunID(now.Add(time.Millisecond))
		if later <= first || later <= second {
			t.Errorf("%s, a millisecond later, sorts before %s or %s", later, first, second)
		}
	}
}
