package visibility

import (
	"fmt"
	"testing"

	"github.com/perdure/perdure/engine"
)

// Rows of new runs go in many at a time. Where some of those runs are there already,
// these get the newer content, or keep theirs if it is newer; each run is found by
// its own values afterwards, and by no others.
func TestPutOfNewAndKnownRuns(t *testing.T) {
	f := start(t, testOptions(t, testSpaces()), nil)
	record := func(i int, version int64) *engine.VisibilityRecord {
		return run(fmt.Sprintf("w%02d", i), running, with("CI", kindInt, 100*int64(i)+version), func(r *engine.VisibilityRecord) { r.Version = version })
	}
	const runs = 5 * rowsAtOnce
	versions := make([]int64, runs)
	for round, kept := range []func(i int) int64{
		func(i int) int64 { return map[bool]int64{true: 20}[i%3 == 0] },            // every third run
		func(i int) int64 { return map[bool]int64{true: 10, false: 30}[i%6 == 0] }, // of these half anew, half late; all others are new
	} {
		var batch []*engine.VisibilityRecord
		for i := range runs {
			if v := kept(i); v > 0 {
				batch = append(batch, record(i, v))
				versions[i] = max(versions[i], v)
			}
		}
		f.put(batch...)
		for i, version := range versions {
			for _, v := range []int64{10, 20, 30} {
				want := ""
				if v == version {
					want = fmt.Sprintf("w%02d", i)
				}
				if got := f.ids(fmt.Sprintf("CI = %d", 100*int64(i)+v)); got != want {
					t.Errorf("round %d: run %d of version %d is found by %d as %q", round, i, version, v, got)
				}
			}
		}
	}
}
