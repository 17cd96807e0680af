package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// campaignIn opens the ledger as another run does, which plays so many seeds.
func campaignIn(t *testing.T, path string, seeds uint64) *campaign {
	t.Helper()
	l, err := openLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.file.Close() })
	return &campaign{ledger: l, commit: "abc", from: 1, steps: 50, parallel: 2, seeds: seeds, create: func(seed uint64) *world {
		return newWorld(options{seed: seed, steps: 50})
	}}
}

// TestLedger: every run goes on behind the last seed of the one before, a chunk
// whose line was cut off by a kill is played again, and what is reported is what
// was played.
func TestLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	if r, err := campaignIn(t, path, chunkSeeds+2).run(); err != nil || r.seeds != chunkSeeds+2 {
		t.Fatalf("%d seeds were played, %v", r.seeds, err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(whole), "\n"); lines != 2 {
		t.Fatalf("%d lines for two chunks", lines)
	}
	if err := os.WriteFile(path, whole[:len(whole)-10], 0o600); err != nil { // killed in the middle of the second
		t.Fatal(err)
	}
	c := campaignIn(t, path, 3)
	if len(c.ledger.chunks) != 1 || c.ledger.next(1) != chunkSeeds+1 {
		t.Fatalf("after a kill there are %d chunks, and seed %d is next", len(c.ledger.chunks), c.ledger.next(1))
	}
	r, err := c.run()
	if err != nil {
		t.Fatal(err)
	}
	again := campaignIn(t, path, 1).ledger
	if again.next(1) != chunkSeeds+4 || len(again.chunks) != 2 {
		t.Fatalf("%d chunks, and seed %d is next", len(again.chunks), again.next(1))
	}
	last := again.chunks[1]
	if last.First != chunkSeeds+1 || last.Seeds != 3 || last.Events != r.events || last.Promises != r.promises {
		t.Fatalf("the ledger has %+v of a run with %+v", last, r)
	}
	report := again.report()
	for _, row := range []string{"| abc | 103 | ", "| **together** | 103 | ", "| crash | "} {
		if !strings.Contains(report, row) {
			t.Errorf("no %q in the report:\n%s", row, report)
		}
	}
}

// TestLedgerCountsWhatBreaks: a world that is broken is recorded, and the run
// goes on.
func TestLedgerCountsWhatBreaks(t *testing.T) {
	c := campaignIn(t, filepath.Join(t.TempDir(), "ledger"), 3)
	create := c.create
	c.create = func(seed uint64) *world {
		w := create(seed)
		if seed == 2 {
			w.after(0, func() { panic("as planted") })
		}
		return w
	}
	r, err := c.run()
	if err != nil {
		t.Fatal(err)
	}
	if r.seeds != 3 || len(r.broken) != 1 || !strings.Contains(c.ledger.report(), "seed 2: panic: as planted") {
		t.Fatalf("%+v:\n%s", r, c.ledger.report())
	}
}

// TestDamagedLedger: a line that is none is an error, and nothing is thrown away.
func TestDamagedLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	text := "{\"first\":1,\"seeds\":5}\nnonsense\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openLedger(path); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Fatalf("the ledger is opened: %v", err)
	}
	if left, err := os.ReadFile(path); err != nil || string(left) != text {
		t.Fatalf("it holds %q, %v", left, err)
	}
}
