package visibility

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/searchattr"
)

// shortRuns are runs that took some 30 ms each, as many at a time as under load,
// of one type and by workers that name no build.
func shortRuns(first, n int) []*engine.VisibilityRecord {
	runs := make([]*engine.VisibilityRecord, n)
	for i := range runs {
		number := first + i
		runs[i] = run(fmt.Sprintf("order-%016x", uint64(number)*0x9e3779b97f4a7c15), completed, func(r *engine.VisibilityRecord) {
			r.Run.RunID = fmt.Sprintf("018f%04x-%04x-7000-8000-0123456789ab", number>>16, number&0xffff) // in order of time
			r.StartTime = noon.Add(time.Duration(number) * 300 * time.Microsecond)
			r.ExecutionTime, r.CloseTime = r.StartTime, r.StartTime.Add(time.Duration(20_000+number*7919%20_000)*time.Microsecond)
			r.Root = &commonpb.WorkflowExecution{WorkflowId: r.Run.Name, RunId: r.Run.RunID}
			r.SearchAttributes = &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{searchattr.BuildIDs: noBuild}}
		})
	}
	return runs
}

var noBuild = searchattr.Encode([]string{"unversioned"}, kindKeywordList)

// putShortRuns writes them as the loop does.
func putShortRuns(t testing.TB, f *file, all []*engine.VisibilityRecord) {
	names := testSpaces()
	for len(all) > 0 {
		part := all[:min(maxBatch, len(all))]
		if err := f.writer.put(part, names); err != nil {
			t.Fatal(err)
		}
		all = all[len(part):]
	}
}

func openShort(t testing.TB) *file {
	f, err := openFile(filepath.Join(t.TempDir(), "v.db"), 1, maxVerifyBytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// How many objects the row of a short workflow costs: a count, which changes when
// the code does. Most are the values it hands to SQLite. Who makes it smaller lowers
// the figure.
func TestObjectsOfARow(t *testing.T) {
	if underRace {
		t.Skip("the race detector has objects of its own")
	}
	const rows, rounds = 2_000, 3
	const recorded, slack = 9.7, 0.5
	f := openShort(t)
	rest := shortRuns(0, rows*(rounds+1)) // AllocsPerRun does one more
	objects := testing.AllocsPerRun(rounds, func() {
		putShortRuns(t, f, rest[:rows])
		rest = rest[rows:]
	})
	if got := objects / rows; got > recorded+slack || got < recorded-slack {
		t.Errorf("a row costs %.1f objects; recorded are %.1f", got, recorded)
	}
}

// BenchmarkPutShort is what the row of a short workflow costs.
func BenchmarkPutShort(b *testing.B) {
	f := openShort(b)
	all := shortRuns(0, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	putShortRuns(b, f, all)
}
