package shard

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

// TestScanDeadlinesAgreesWithAFilter: whatever lies before and behind the time
// that is asked for, in few slots or in many, the earliest rows in it are found,
// and none due before the end is missing.
func TestScanDeadlinesAgreesWithAFilter(t *testing.T) {
	start := time.Unix(1_000_000, 0).UTC()
	for seed := range uint64(200) {
		chance := rand.New(rand.NewPCG(seed, 0))
		driver := memstore.New(memstore.Options{})
		st, err := driver.Open(context.Background(), store.SlotRange{From: 100, To: store.Slots})
		if err != nil {
			t.Fatal(err)
		}
		var batch store.Batch
		var all []dueRow
		ids := 1 + chance.IntN(200)
		for n := 0; n < chance.IntN(300); n++ {
			key := engine.RunKey{ID: idOf(fmt.Sprint(chance.IntN(ids))), RunID: fmt.Sprintf("%08d-0000-4000-8000-000000000000", n)}
			row := dueRow{start.Add(time.Duration(chance.IntN(50)) * time.Second), key}
			if record.SlotOf(key.ID) >= 100 {
				all = append(all, row)
				batch.Put(record.DeadlineKey(row.due, key), record.DeadlineValue)
			}
		}
		done := make(chan error, 1)
		st.Commit(&batch, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		from := start.Add(time.Duration(chance.IntN(50)) * time.Second)
		to := from.Add(time.Duration(chance.IntN(50)) * time.Second)
		most := 1 + chance.IntN(60)
		got, end, err := scanDeadlines(context.Background(), st, from, to, most)
		if err != nil {
			t.Fatal(err)
		}
		want := slices.DeleteFunc(all, func(r dueRow) bool { return r.due.Before(from) || !r.due.Before(end) })
		if end.After(to) || end.Before(to) && len(got) < most || end.Equal(to) && len(got) > most {
			t.Fatalf("seed %d: %d rows of at most %d, up to %v of %v", seed, len(got), most, end, to)
		}
		for _, rows := range [][]dueRow{got, want} {
			slices.SortFunc(rows, func(a, b dueRow) int {
				if c := a.due.Compare(b.due); c != 0 {
					return c
				}
				return compareRuns(a.key, b.key)
			})
		}
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: got %d rows up to %v, want %d:\n%v\n%v", seed, len(got), end, len(want), got, want)
		}
	}
}

func compareRuns(a, b engine.RunKey) int {
	switch {
	case a.RunID < b.RunID:
		return -1
	case a.RunID > b.RunID:
		return 1
	}
	return 0
}
