package server

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/pebblestore"
)

// TestUpgradeCutOff: an upgrade that ends after any of its batches is completed
// by the next, and what comes out is the same.
func TestUpgradeCutOff(t *testing.T) {
	var want map[string]string
	for batches := 100; batches >= 0; batches-- {
		driver, err := pebblestore.Open(pebblestore.Options{Dir: filepath.Join(copyFolder(t, "folder-1"), "store")})
		if err != nil {
			t.Fatal(err)
		}
		cut := &cutOff{Driver: driver, left: batches}
		const atOnce = 2000 // bytes, so that there are several batches
		err = upgradeNames(t.Context(), cut, slog.New(slog.DiscardHandler), atOnce)
		switch {
		case want == nil:
			batches -= cut.left
			if want = contents(t, driver); err != nil || batches < 5 {
				t.Fatalf("%d batches, %v", batches, err)
			}
		case !errors.Is(err, errCutOff):
			t.Fatalf("cut off after %d batches: %v", batches, err)
		default:
			if err := upgradeNames(t.Context(), driver, slog.New(slog.DiscardHandler), renamedAtOnce); err != nil {
				t.Fatal(err)
			}
		}
		got := contents(t, driver)
		for key, value := range want {
			if got[key] != value {
				t.Errorf("cut off after %d batches: %s differs", batches, key)
			}
		}
		if len(got) != len(want) {
			t.Errorf("cut off after %d batches: %d rows for %d", batches, len(got), len(want))
		}
		if err := driver.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// contents are all rows of state and history; each has its present name.
func contents(t *testing.T, driver store.Driver) map[string]string {
	t.Helper()
	all := store.SlotRange{From: 0, To: store.SystemSlot + 1}
	st, err := driver.Open(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, family := range []store.Family{store.FamilyState, store.FamilyHistory} {
		from, to := record.Family(family, all)
		err := st.Scan(t.Context(), from, to, func(e store.Entry) bool {
			if _, was, err := record.Renamed(e.Key); was || err != nil {
				t.Errorf("%v still has that name, %v", e.Key, err)
			}
			rows[e.Key.String()] = string(e.Value)
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return rows
}

var errCutOff = errors.New("cut off")

// cutOff is a driver that carries out so many batches and no more.
type cutOff struct {
	store.Driver
	left int
}

func (c *cutOff) Open(ctx context.Context, slots store.SlotRange) (store.Shard, error) {
	s, err := c.Driver.Open(ctx, slots)
	return &cutOffShard{s, c}, err
}

type cutOffShard struct {
	store.Shard
	of *cutOff
}

func (s *cutOffShard) Commit(b *store.Batch, done func(error)) {
	if s.of.left == 0 {
		done(errCutOff)
		return
	}
	s.of.left--
	s.Shard.Commit(b, done)
}
