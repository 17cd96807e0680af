package shard

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/store/memstore"
)

// recorded is what one execution may put into the store when every task meets a
// waiting poller: these are counts, the same on every machine. Who makes them
// smaller lowers the figures; who must make them larger raises them and says why
// in the commit.
type recorded struct{ commits, rows, bytes float64 }

// TestCostOfAWorkflow is the cost of a workflow with one activity.
func TestCostOfAWorkflow(t *testing.T) {
	c := newCosting(t)
	for n := range costCount {
		id := fmt.Sprintf("workflow-%d", 1000+n)
		c.do(idOf(id), "", startOf(id))
		first := (<-c.started).(*workflow.TaskStarted)
		run := first.Token.Run.RunID
		c.do(idOf(id), run, completeTask(first, activityCommand("a")))
		activity := (<-c.started).(*workflow.ActivityStarted)
		c.do(idOf(id), run, &workflow.CompleteActivity{Ref: workflow.ActivityRef{Token: &activity.Token}})
		c.do(idOf(id), run, completeTask((<-c.started).(*workflow.TaskStarted), closeCommand()))
	}
	c.compare(recorded{commits: 4, rows: 17, bytes: 1885})
}

// TestCostOfAStandaloneActivity is the cost of an activity that stands alone: one
// commit starts it and hands it over, one completes it.
func TestCostOfAStandaloneActivity(t *testing.T) {
	c := newCosting(t)
	for n := range costCount {
		id := fmt.Sprintf("activity-%d", 1000+n)
		c.do(activityID(id), "", startAlone(id))
		c.do(activityID(id), "", completeAlone(<-c.started))
	}
	c.compare(recorded{commits: 2, rows: 8, bytes: 696})
}

// TestCostOfACallback is the same with a completion callback: one commit more,
// and its row three times (attached, under way, delivered).
func TestCostOfACallback(t *testing.T) {
	c := newCosting(t)
	for n := range costCount {
		id := fmt.Sprintf("activity-%d", 1000+n)
		start := startAlone(id)
		start.Request.CompletionCallbacks = callbacksTo("https://hooks.example.com/done")
		c.do(activityID(id), "", start)
		c.do(activityID(id), "", completeAlone(<-c.started))
		for delivered := false; !delivered; {
			err := c.host.ViewActivity(t.Context(), activityID(id), "", func(run *standalone.Run) {
				delivered = run.Callbacks[1].Status == enumspb.CALLBACK_STATE_SUCCEEDED
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	c.compare(recorded{commits: 3, rows: 15, bytes: 1365})
}

// acceptingDeliverer is receivers that take everything at once.
type acceptingDeliverer struct{}

func (acceptingDeliverer) Deliver(_ *engine.Delivery, done func(callback.Answer)) {
	done(callback.Answer{Verdict: callback.Accepted})
}

// costing runs executions one after another on the memory driver.
type costing struct {
	*testing.T
	host    *Host
	metrics costMetrics
	started chan any
}

// costCount is how many.
const costCount = 200

func newCosting(t *testing.T) *costing {
	c := &costing{T: t, started: make(chan any, 16)}
	host, err := Open(t.Context(), Options{
		Driver: memstore.New(memstore.Options{}), Matcher: &eagerMatcher{started: c.started},
		Namespaces: fakeNamespaces{}, Feed: discardFeed{}, Deliverer: acceptingDeliverer{}, Shards: 1, Metrics: &c.metrics,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.host = host
	return c
}

func (c *costing) do(id engine.ID, run string, in engine.Input) {
	c.Helper()
	if _, err := c.host.Do(c.Context(), id, run, in); err != nil {
		c.Fatal(err)
	}
}

// compare compares what was committed for each with what is recorded.
func (c *costing) compare(want recorded) {
	c.Helper()
	commits, rows, bytes := c.metrics.commits.Load(), c.metrics.rows.Load(), c.metrics.bytes.Load()
	if err := c.host.Stop(c.Context()); err != nil {
		c.Fatal(err)
	}
	for _, x := range []struct {
		what     string
		got      int64
		recorded float64
	}{{"commits", commits, want.commits}, {"rows", rows, want.rows}, {"bytes", bytes, want.bytes}} {
		const slack = 1.05 // times are varints, and a commit of lazy rows now and then
		if each := float64(x.got) / costCount; each > x.recorded*slack || each < x.recorded/slack {
			c.Errorf("%.2f %s each; recorded are %.0f", each, x.what, x.recorded)
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
