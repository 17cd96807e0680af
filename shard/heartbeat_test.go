package shard

import (
	"context"
	"fmt"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"

	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

// Heartbeats that bring the same details again, or none, need no disk: their times
// are written once a minute, when the run leaves memory, and with other changes.
func TestHeartbeatWithNothingNewIsWrittenOnceAMinute(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.IdleAfter = time.Hour })
	w.doAlone("a", startAlone("a"))
	stamp := w.takeAlone().Activity.Stamp
	commits := 0
	w.faults.Commit = func(store.Shard, *store.Batch) memstore.CommitFault { commits++; return memstore.CommitFault{} }
	beat := func(text string) {
		w.advance(time.Second)
		w.doAlone("a", &standalone.Heartbeat{Stamp: stamp, Details: &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: []byte(text)}}}})
	}
	lastHeartbeat := func() (at time.Time) {
		w.viewAlone("a", func(run *standalone.Run) { at = run.Activity.LastHeartbeatTime })
		return at
	}
	beat("same")
	w.advance(w.host.opt.DeferFor)
	if commits != 1 {
		t.Fatalf("%d commits for new details, want 1", commits)
	}
	for range 59 {
		beat("same")
	}
	if commits != 1 {
		t.Errorf("%d commits within a minute, want 1", commits)
	}
	beat("same")
	beat("same")
	if commits != 2 {
		t.Errorf("%d commits after a minute, want 2", commits)
	}
	beat("same")
	beat("new")
	w.advance(w.host.opt.DeferFor)
	if commits != 3 {
		t.Errorf("%d commits after new details, want 3", commits)
	}
	beat("new")
	before := lastHeartbeat()
	w.evictAll()
	if after := lastHeartbeat(); !after.Equal(before) {
		t.Errorf("the last heartbeat was at %v, after an eviction at %v", before, after)
	}
}

// BenchmarkHeartbeat is the heartbeats of 10,000 activities that run, each in a
// workflow of its own, one after another: what core and shell cost without disk
// and network. Each is written every Options.DeferFor at most.
func BenchmarkHeartbeat(b *testing.B) {
	m := &eagerMatcher{started: make(chan any, 1<<16)}
	var cost costMetrics
	host, err := Open(b.Context(), Options{
		Driver: memstore.New(memstore.Options{}), Matcher: m, Namespaces: fakeNamespaces{}, Feed: discardFeed{},
		Metrics: &cost,
	})
	if err != nil {
		b.Fatal(err)
	}
	const count = 10_000
	var running []*workflow.ActivityStarted
	for n := range count {
		id := fmt.Sprint("w", n)
		if _, err := host.Do(b.Context(), idOf(id), "", startOf(id)); err != nil {
			b.Fatal(err)
		}
		task := (<-m.started).(*workflow.TaskStarted)
		if _, err := host.Do(b.Context(), idOf(id), "", completeTask(task, activityCommand("a"))); err != nil {
			b.Fatal(err)
		}
		running = append(running, (<-m.started).(*workflow.ActivityStarted))
	}
	rows := cost.rows.Load()
	b.ReportAllocs()
	answered := make(chan error, 64)
	flying, n := 0, 0
	for b.Loop() {
		if flying == cap(answered) {
			if err := <-answered; err != nil {
				b.Error(err)
			}
			flying--
		}
		token := &running[n%count].Token
		n++
		flying++
		host.Submit(token.Run.ID, token.Run.RunID, &workflow.HeartbeatActivity{Ref: workflow.ActivityRef{Token: token}},
			func(_ any, err error) { answered <- err })
	}
	b.ReportMetric(float64(cost.rows.Load()-rows)/float64(n), "rows/op")
	if err := host.Stop(context.Background()); err != nil {
		b.Fatal(err)
	}
}
