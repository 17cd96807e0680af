package shard

import (
	"context"
	"fmt"
	"testing"

	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/store/memstore"
)

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
