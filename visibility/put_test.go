package visibility

import (
	"database/sql/driver"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	commonpb "go.temporal.io/api/common/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/searchattr"
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

// Statements of rows that most runs have, and of such with parents, a root or a
// division: each run has its own, and no other.
func TestPutOfPlainAndOtherRows(t *testing.T) {
	f := fresh(t)
	parent := &commonpb.WorkflowExecution{WorkflowId: "p", RunId: "run-p"}
	var batch []*engine.VisibilityRecord
	var plain, children, hidden []string
	for i := range 4*rowsAtOnce + 3 {
		r, id := run(fmt.Sprintf("w%03d", i), running), fmt.Sprintf("w%03d", i)
		switch {
		case i == rowsAtOnce+1 || i >= 3*rowsAtOnce && i%2 == 0:
			r.Parent, r.Root = parent, parent
			children = append(children, id)
		case i == 2*rowsAtOnce+7:
			with(searchattr.Division, kindKeyword, "D")(r)
			hidden = append(hidden, id)
		default:
			plain = append(plain, id)
		}
		batch = append(batch, r)
	}
	f.put(batch...)
	f.expect("ParentWorkflowId IS NULL AND RootWorkflowId != 'p'", strings.Join(plain, " "))
	f.expect("ParentRunId = 'run-p' AND RootRunId = 'run-p'", strings.Join(children, " "))
	f.expect("TemporalNamespaceDivision = 'D'", strings.Join(hidden, " "))
}

// A field remembers the values of the payload before. Runs that have the same, or
// other ones, or such that cannot be read, in whatever order and by whatever types,
// are each found by what they have.
func TestValuesAfterOthers(t *testing.T) {
	f := fresh(t)
	unreadable := func(r *engine.VisibilityRecord) {
		r.SearchAttributes.IndexedFields["CK"].Metadata["encoding"] = []byte("binary/plain")
	}
	f.put(
		run("a", running, with("CK", kindKeyword, "x")),
		run("b", running, with("CK", kindKeyword, "x")),
		run("c", running, with("CK", kindKeyword, "x"), unreadable),
		run("d", running, with("CK", kindKeyword, "y"), with("CL", kindKeywordList, []string{"x", "y"})),
		run("e", running, with("CK", kindKeyword, "x"), with("CL", kindKeywordList, []string{"x", "y"})),
		run("f", running, with("CK", kindText, "x")), // of the type that the name had once
		run("g", running, with("CK", kindKeyword, "x"), func(r *engine.VisibilityRecord) { r.Run.NamespaceID = "ns-2" }),
		run("h", running, with("CL", kindKeywordList, []string{})),
		run("i", running, with("CL", kindKeywordList, []string{"y"}), with("CK", kindKeyword, "x")),
	)
	f.expect("CK = 'x'", "a b e i")
	f.expect("CK = 'y'", "d")
	f.expect("CL = 'x'", "d e")
	f.expect("CL = 'y'", "d e i")
}

// A sync writes how far each slot got, many at a time; none ever goes back.
func TestPositions(t *testing.T) {
	f, err := openFile(filepath.Join(t.TempDir(), "v.db"), 1, maxVerifyBytes)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.close(); err != nil {
			t.Error(err)
		}
	}()
	const slots = 3*rowsAtOnce + 5
	for round, through := range []uint64{9, 7} {
		positions := make(slotPositions, 2*slots)
		for slot := range slots {
			positions[2*slot] = through + uint64(slot)%3
		}
		if err := f.writer.sync(positions, false); err != nil {
			t.Fatal(err)
		}
		next := 0
		err := f.writer.conn.each(t.Context(), "SELECT slot, sequence FROM position ORDER BY slot", func(v []driver.Value) error {
			if v[0] != int64(2*next) || v[1] != int64(9+next%3) {
				t.Errorf("round %d: row %d is of slot %d: %d", round, next, v[0], v[1])
			}
			next++
			return nil
		})
		if err != nil || next != slots {
			t.Errorf("round %d: %d rows, %v", round, next, err)
		}
	}
}
