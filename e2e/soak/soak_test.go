//go:build soak

// Package soak keeps the real server under a mixed load from stock SDK workers at
// a fixed part of what it can do, and shows that nothing grows: memory,
// goroutines, open files, and the disk once retention takes as much as comes.
//
// PERDURE_SOAK_FOR is how long it is measured (30m), after a warm-up in which the
// disk fills up to the retention; PERDURE_SOAK_SHARE the part of the capacity
// (0.7).
package soak

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/perdure/perdure/e2e/harness"
)

// Retention is short, so that within the measurement what is removed balances
// what is added. The warm-up is longer: removal begins after one retention, and
// compactions need a while to take the space back.
const (
	retention = 2 * time.Minute
	probing   = 20 * time.Second
)

// enough is how long must be measured for growth to be told from noise; a shorter
// run only shows the figures.
const enough = 10 * time.Minute

// growthAllowed is how much a figure may grow over the whole measurement, of its
// mean, by the line that fits it best. A leak of anything that the load creates
// would be hundreds of times that.
const growthAllowed = 0.15

type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}

func TestNothingGrows(t *testing.T) {
	measure, share := duration(t, "PERDURE_SOAK_FOR", 30*time.Minute), 0.7
	if text := os.Getenv("PERDURE_SOAK_SHARE"); text != "" {
		var err error
		if share, err = strconv.ParseFloat(text, 64); err != nil {
			t.Fatal(err)
		}
	}
	warmUp := max(2*retention, measure/5)
	server := harness.Start(t, "--headless", "--retention", retention.String())
	c, err := client.Dial(client.Options{HostPort: server.GRPC(), Logger: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w := worker.New(c, queue, worker.Options{})
	register(w)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()

	l := &load{client: c}
	capacity := l.capacity(t.Context(), probing)
	rate := share * capacity
	t.Logf("capacity %.0f mixed units a second with worker and clients on the same machine; the load is %.0f", capacity, rate)
	ctx, cancel := context.WithTimeout(t.Context(), warmUp+measure)
	defer cancel()
	ended := make(chan struct{})
	go func() { defer close(ended); l.pace(ctx, rate) }()

	s := &sampler{server: server, folder: filepath.Join(server.Folder, "data")}
	every := max(time.Second, measure/300)
	for wait(ctx, every) {
		if err := s.take(); err != nil {
			t.Fatal(err)
		}
	}
	<-ended
	done, failed, late := l.counts()
	t.Logf("%d units done, %d failed, %d begun late, in %s after a warm-up of %s", done, failed, late, measure, warmUp)
	if failed > 0 {
		t.Errorf("%d units failed; the first: %v", failed, l.firstFailure())
	}
	kept := late <= done/20
	report(t, s.since(warmUp), measure >= enough && kept)
	if !kept {
		t.Errorf("the machine had other work and could not keep up the load: nothing is to be concluded from the figures; let it be quiet and try again")
	}
}

// report prints a line for each figure, and fails for one that grows if it is to
// judge.
func report(t *testing.T, samples []sample, judge bool) {
	t.Helper()
	if len(samples) < 10 {
		t.Fatalf("there are only %d samples", len(samples))
	}
	t.Logf("%-22s %12s %12s %12s %14s %10s", "figure", "mean", "least", "most", "slope an hour", "growth")
	for _, f := range figures {
		s := summarise(samples, f.of)
		t.Logf("%-22s %12s %12s %12s %14s %9.1f%%", f.name, f.show(s.mean), f.show(s.least), f.show(s.most), f.show(s.slopePerHour), 100*s.growth)
		if judge && f.flat && s.growth > growthAllowed {
			t.Errorf("%s grows by %.1f%% within %s", f.name, 100*s.growth, samples[len(samples)-1].at.Sub(samples[0].at).Round(time.Second))
		}
	}
}

func duration(t *testing.T, name string, otherwise time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", name, err))
	}
	return d
}

// wait is false when ctx ended meanwhile.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
