//go:build soak

// Package soak keeps the real server under a mixed load from stock SDK workers at
// a fixed part of what it can do, and shows that nothing grows: memory,
// goroutines, open files, and the disk once retention takes as much as comes. And
// when the load is over and retention has had its time, that nothing is left.
//
// PERDURE_SOAK_FOR is how long it is measured (30m), after a warm-up in which the
// disk fills up to the retention; PERDURE_SOAK_SHARE the part of the capacity
// (0.7); PERDURE_SOAK_PROFILES a folder for profiles of the heap.
package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/perdure/perdure/doctor"
	"github.com/perdure/perdure/e2e/harness"
)

// longestRetention is short, so that within the measurement what is removed
// balances what is added; a short measurement has a shorter one. The warm-up is
// twice that or more: removal begins after one retention, and compactions need a
// while to take the space back.
const longestRetention = time.Minute

// workerLife is how long the second worker stays before it is replaced.
const workerLife = 30 * time.Second

// probing is how long capacity is measured.
const probing = 20 * time.Second

// enough is how long must be measured for growth to be told from noise; a shorter
// run only shows the figures.
const enough = 10 * time.Minute

// growthAllowed is how much a figure may grow over the whole measurement, of its
// mean, by the line that fits it best. A leak of anything that the load creates
// would be hundreds of times that.
const growthAllowed = 0.15

// What may be left at the end: goroutines that wait for work, and marks in the feed
// that the index has not yet said to be synced.
const (
	spareGoroutines = 20
	spareFeed       = 100
)

// leastShare is the part of the capacity below which a load that had to be
// lowered is no load any more.
const leastShare = 0.25

type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}

func TestNothingGrows(t *testing.T) {
	measure, share := duration(t, "PERDURE_SOAK_FOR", 30*time.Minute), part(t, "PERDURE_SOAK_SHARE", 0.7)
	retention := max(time.Minute, min(longestRetention, measure/4)) // the least that there is
	warmUp := max(2*retention, measure/15)
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
	l := &load{client: c}
	s := &sampler{server: server, folder: filepath.Join(server.Folder, "data"), load: l}

	l.capacity(t.Context(), probing/2) // code and caches are cold at first
	idle, err := s.look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	capacity := l.capacity(t.Context(), probing)
	t.Logf("capacity %.1f mixed units a second with worker and clients on the same machine; the load is %.1f", capacity, share*capacity)
	pace := steady(t, l, s, share, capacity, warmUp, measure)
	t.Logf("%d units done, %d failed, %d not begun in time, %d queries asked again, in %s after a warm-up of %s; at the end %.1f a second were begun, %.0f%% of the capacity",
		l.done.Load(), l.failed.Load(), pace.late, l.slow.Load(), measure, warmUp, pace.rate, 100*pace.rate/capacity)
	if n := l.failed.Load(); n > 0 {
		t.Errorf("%d units failed; the first: %v", n, l.firstFailure())
	}
	loaded := pace.rate >= leastShare*capacity
	report(t, s.since(warmUp), measure >= enough && loaded)
	if !loaded {
		t.Errorf("the machine had other work and could not keep up the load: nothing is to be concluded from the figures; let it be quiet and try again")
	}
	t.Logf("capacity afterwards %.1f", l.capacity(t.Context(), probing))

	nothingIsLeft(t, s, idle, retention+5*time.Minute)
	w.Stop()
	examine(t, server)
}

// steady is the load for a warm-up and a measurement, with samples of it.
func steady(t *testing.T, l *load, s *sampler, share, capacity float64, warmUp, measure time.Duration) *pacer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), warmUp+measure)
	defer cancel()
	begun := time.Now()
	pace := newPacer(l, share, capacity, begun.Add(warmUp), func(rate float64) {
		t.Logf("%s: from now on %.1f a second", time.Since(begun).Round(time.Second), rate)
	})
	ended := make(chan struct{})
	go func() { defer close(ended); pace.run(ctx) }()
	gone := make(chan error, 1)
	go func() { gone <- comeAndGo(ctx, l.client) }()
	warm := time.After(warmUp)
	for wait(ctx, max(time.Second, measure/300)) {
		if err := s.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		select {
		case <-warm:
			keepProfile(t, s, "warm")
		default:
		}
		if err := list(t.Context(), l.client); err != nil {
			t.Fatal(err)
		}
	}
	keepProfile(t, s, "end")
	<-ended
	if err := <-gone; err != nil {
		t.Error(err)
	}
	return pace
}

// comeAndGo runs a second worker that is replaced by another again and again until
// ctx ends: each has a queue of its own for the runs that it holds in its cache.
func comeAndGo(ctx context.Context, c client.Client) error {
	for {
		w := worker.New(c, queue, worker.Options{WorkerStopTimeout: 10 * time.Second})
		register(w)
		if err := w.Start(); err != nil {
			return fmt.Errorf("start another worker: %w", err)
		}
		goOn := wait(ctx, workerLife)
		w.Stop()
		if !goOn {
			return nil
		}
	}
}

func keepProfile(t *testing.T, s *sampler, name string) {
	t.Helper()
	if err := s.profile(name); err != nil {
		t.Fatal(err)
	}
}

// list reads a page of what is open, as somebody before the UI would.
func list(ctx context.Context, c client.Client) error {
	_, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{PageSize: 100, Query: "WorkflowType = 'unit' AND ExecutionStatus = 'Running'"})
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	return nil
}

// report prints a line for each figure, and fails for one that grows if it is to
// judge.
func report(t *testing.T, samples []sample, judge bool) {
	t.Helper()
	if len(samples) < 10 {
		t.Fatalf("there are only %d samples", len(samples))
	}
	t.Logf("%-18s %12s %12s %12s %14s %10s", "figure", "mean", "least", "most", "slope an hour", "growth")
	for _, f := range figures {
		s := summarise(samples, f.of, f.withCallers)
		t.Logf("%-18s %12s %12s %12s %14s %9.1f%%", f.name, f.show(s.mean), f.show(s.least), f.show(s.most), f.show(s.slopePerHour), 100*s.growth)
		if judge && f.flat && s.growth > growthAllowed {
			t.Errorf("%s grows by %.1f%% within %s", f.name, 100*s.growth, samples[len(samples)-1].at.Sub(samples[0].at).Round(time.Second))
		}
	}
}

// nothingIsLeft waits, without load, until retention has taken everything, and
// compares the server with what it was after its first load.
func nothingIsLeft(t *testing.T, s *sampler, before sample, patience time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		now, err := s.look(ctx)
		if err != nil {
			t.Fatalf("waiting for retention: %v", errors.Join(err, context.Cause(ctx)))
		}
		if now.rows == 0 {
			break
		}
		if !wait(ctx, time.Second) {
			t.Fatalf("%.0f runs are left, of them %.0f open", now.rows, now.open)
		}
	}
	keepProfile(t, s, "idle")
	now, err := s.look(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("when retention has taken everything: %s resident, %.0f goroutines (%.0f after the first load), %.0f open files (%.0f), %s on disk",
		mebibytes(now.memory), now.goroutines, before.goroutines, now.files, before.files, mebibytes(now.disk))
	if now.goroutines > before.goroutines+spareGoroutines {
		t.Errorf("%.0f goroutines are left, there were %.0f", now.goroutines, before.goroutines)
	}
}

// examine stops the server and looks at what it leaves on disk.
func examine(t *testing.T, server *harness.Server) {
	t.Helper()
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	binary, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(binary, "doctor", "--data", filepath.Join(server.Folder, "data"), "--json").Output()
	if err != nil {
		t.Fatalf("doctor: %v\n%s", err, out)
	}
	var r doctor.Report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	t.Logf("left on disk: %v, %d rows in the index", r.Rows, r.IndexRows)
	for _, f := range r.Findings {
		t.Errorf("%s: %s %s", f.Check, f.Where, f.What)
	}
	for family, n := range r.Rows {
		if family != "meta" && n > 0 && !(family == "feed" && n <= spareFeed) {
			t.Errorf("%d rows of %s are left", n, family)
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

func part(t *testing.T, name string, otherwise float64) float64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", name, err))
	}
	return f
}
