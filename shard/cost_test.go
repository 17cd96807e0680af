package shard

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/store/memstore"
)

// What a workflow with one activity may put into the store when every task
// meets a waiting poller: these are counts, the same on every machine. Who
// makes them smaller lowers the figures; who must make them larger raises them
// and says why in the commit.
const (
	recordedCommits = 4.0
	recordedRows    = 26.0
	recordedBytes   = 3300.0
)

// TestCostOfAWorkflow runs workflows one after another on the memory driver and
// compares what they commit with the recorded figures.
func TestCostOfAWorkflow(t *testing.T) {
	var cost costMetrics
	m := &eagerMatcher{started: make(chan any, 16)}
	host, err := Open(t.Context(), Options{
		Driver: memstore.New(memstore.Options{}), Matcher: m, Namespaces: fakeNamespaces{}, Feed: discardFeed{},
		Shards: 1, Metrics: &cost,
	})
	if err != nil {
		t.Fatal(err)
	}
	do := func(id, run string, in workflow.Input) {
		t.Helper()
		if _, err := host.Do(t.Context(), idOf(id), run, in); err != nil {
			t.Fatal(err)
		}
	}
	const count = 200
	for n := range count {
		id := fmt.Sprintf("workflow-%d", 1000+n)
		do(id, "", startOf(id))
		first := (<-m.started).(*workflow.TaskStarted)
		run := first.Token.Run.RunID
		do(id, run, completeTask(first, activityCommand("a")))
		activity := (<-m.started).(*workflow.ActivityStarted)
		do(id, run, &workflow.CompleteActivity{Ref: workflow.ActivityRef{Token: &activity.Token}})
		do(id, run, completeTask((<-m.started).(*workflow.TaskStarted), closeCommand()))
	}
	commits, rows, bytes := cost.commits.Load(), cost.rows.Load(), cost.bytes.Load()
	if err := host.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what     string
		got      int64
		recorded float64
	}{{"commits", commits, recordedCommits}, {"rows", rows, recordedRows}, {"bytes", bytes, recordedBytes}} {
		const slack = 1.05 // times are varints, and a commit of lazy rows now and then
		if each := float64(c.got) / count; each > c.recorded*slack || each < c.recorded/slack {
			t.Errorf("%.2f %s a workflow; recorded are %.0f", each, c.what, c.recorded)
		}
	}
}

// costMetrics adds up what is committed.
type costMetrics struct {
	noMetrics
	commits, rows, bytes atomic.Int64
}

func (c *costMetrics) Commit(rows, sizeBytes int, _ time.Duration, _ error) {
	if rows == 0 {
		return // a barrier
	}
	c.commits.Add(1)
	c.rows.Add(int64(rows))
	c.bytes.Add(int64(sizeBytes))
}
