// Package storetest is the conformance suite of the storage drivers: every
// promise of package store as a test that any driver must pass. A driver's
// tests call Run with a Disk of theirs; memstore and pebblestore do.
//
// The suite waits for signals only, and its failures name the promise.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/perdure/perdure/store"
)

// Disk is where a driver keeps its bytes, so that a test can close the driver
// or cut its power and look at what is left.
type Disk interface {
	// Open starts a driver on the disk as it is. The former one has been
	// closed or crashed.
	Open(t TB) store.Driver

	// Crash cuts the power. The driver that is open must not be used any more.
	// Everything synced survives; of the rest r chooses.
	Crash(t TB, r *rand.Rand)

	// Fill makes the disk full, or empty again, as far as the driver that is
	// open can see.
	Fill(full bool)
}

// TB is what the suite needs of *testing.T and *rapid.T.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Logf(format string, args ...any)
}

// Run runs the whole suite. Each test gets a new disk.
func Run(t *testing.T, newDisk func() Disk) {
	for _, test := range []struct {
		name string
		run  func(TB, Disk)
	}{
		{"reads return what was committed", testReads},
		{"scans go in order of family, slot, name", testScanOrder},
		{"scans end early", testScanEnds},
		{"a scan is one view", testScanView},
		{"later operations of a batch win", testBatchOrder},
		{"range deletes stop at their bounds", testRangeDelete},
		{"large values", testLargeValues},
		{"callers own the bytes of Get", testGetOwned},
		{"keys outside the shard are refused", testOutside},
		{"what is said to be absent is", testAbsent},
		{"what is durable is not said to be absent", testAbsentBeside},
		{"done functions come in order, once, one at a time", testDoneOrder},
		{"the list of a batch that is durable may be used again", testListUsedAgain},
		{"an empty batch is a barrier", testBarrier},
		{"an owner is fenced by the next", testFenced},
		{"a fenced owner's batches in flight are durable or undone", testFencedInFlight},
		{"owners of other slots are left alone", testDisjoint},
		{"epochs grow", testEpochs},
		{"a closed shard refuses", testClosedShard},
		{"a closed driver refuses", testClosedDriver},
		{"closing ends what is in flight", testCloseInFlight},
		{"a full disk refuses growth", testFull},
		{"after a failure nothing more is accepted", testAfterFailure},
		{"what is acknowledged survives a crash", testCrash},
		{"shards commit and read at the same time", testConcurrent},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, newDisk())
		})
	}
	t.Run("the driver is its model", func(t *testing.T) { testModel(t, newDisk) })
}

var bg = context.Background()

// key is a key of the history family.
func key(slot store.Slot, name string) store.Key {
	return store.Key{Family: store.FamilyHistory, Slot: slot, Name: []byte(name)}
}

func open(t TB, d store.Driver, from, to store.Slot) store.Shard {
	t.Helper()
	s, err := d.Open(bg, store.SlotRange{From: from, To: to})
	if err != nil {
		t.Fatalf("open slots [%d, %d): %v", from, to, err)
	}
	return s
}

func puts(pairs ...any) *store.Batch {
	b := &store.Batch{}
	for i := 0; i < len(pairs); i += 2 {
		b.Put(pairs[i].(store.Key), []byte(pairs[i+1].(string)))
	}
	return b
}

// commit waits for the outcome.
func commit(s store.Shard, b *store.Batch) error {
	done := make(chan error, 1)
	s.Commit(b, func(err error) { done <- err })
	return <-done
}

func mustCommit(t TB, s store.Shard, b *store.Batch) {
	t.Helper()
	if err := commit(s, b); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func wantValue(t TB, s store.Shard, k store.Key, want string) {
	t.Helper()
	got, err := s.Get(bg, k)
	if err != nil || string(got) != want {
		t.Fatalf("get %v: %.80q, %v; want %.80q", k, got, err, want)
	}
}

func wantMissing(t TB, s store.Shard, k store.Key) {
	t.Helper()
	if got, err := s.Get(bg, k); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("get %v: %q, %v; want ErrNotFound", k, got, err)
	}
}

func wantErr(t TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: error %v; want %v", what, err, want)
	}
}

// list scans and prints what it sees, an entry a line.
func list(t TB, s store.Shard, from, to store.Key) []string {
	t.Helper()
	var lines []string
	err := s.Scan(bg, from, to, func(e store.Entry) bool {
		lines = append(lines, fmt.Sprintf("%v=%s", e.Key, e.Value))
		return true
	})
	if err != nil {
		t.Fatalf("scan from %v to %v: %v", from, to, err)
	}
	return lines
}

// all lists a whole family of the shard.
func all(t TB, s store.Shard) []string {
	t.Helper()
	return list(t, s, key(s.Slots().From, ""), key(s.Slots().To, ""))
}

func wantLines(t TB, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) || len(got) != len(want) {
		t.Fatalf("got\n%q\nwant\n%q", got, want)
	}
}

func closeDriver(t TB, d store.Driver) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Fatalf("close the driver: %v", err)
	}
}
