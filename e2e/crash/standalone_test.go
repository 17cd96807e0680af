//go:build crash

package crash

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	enumspb "go.temporal.io/api/enums/v1"
)

// errands are activities that stand alone: what the server has acknowledged of
// them.
type errands struct {
	mu       sync.Mutex
	started  map[string]string // activity id -> run id
	canceled map[string]bool   // activity ids whose cancellation was acknowledged
}

// errand is the activity: it fails in its odd attempts, so that each is retried
// at least once.
func (d *diary) errand(ctx context.Context, id string) (string, error) {
	defer d.enter(ctx)()
	activity.RecordHeartbeat(ctx, id)
	if activity.GetInfo(ctx).Attempt%2 == 1 {
		return "", errors.New("odd attempt")
	}
	return "done " + id, nil
}

// customers start errands, cancel some that wait, and write down what was
// acknowledged.
func (e *errands) customers(ctx context.Context, c client.Client, n int) *sync.WaitGroup {
	var group sync.WaitGroup
	for who := range n {
		group.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				e.serve(ctx, c, fmt.Sprintf("errand-%d-%d", who, i))
				// An errand is short; without a pause they would be all there is.
				pause(ctx, time.Duration(rand.IntN(300))*time.Millisecond)
			}
		})
	}
	return &group
}

func (e *errands) serve(ctx context.Context, c client.Client, id string) {
	options := client.StartActivityOptions{
		ID: id, TaskQueue: queue, StartToCloseTimeout: bounded.StartToCloseTimeout, RetryPolicy: bounded.RetryPolicy,
		ActivityIDConflictPolicy: enumspb.ACTIVITY_ID_CONFLICT_POLICY_USE_EXISTING,
	}
	waits := rand.IntN(4) == 0
	if waits {
		options.StartDelay = time.Hour
	}
	var h client.ActivityHandle
	if !insist(ctx, func(ctx context.Context) (err error) {
		h, err = c.ExecuteActivity(ctx, options, "errand", id)
		return err
	}) {
		return
	}
	e.mu.Lock()
	e.started[id] = h.GetRunID()
	e.mu.Unlock()
	if !waits {
		insist(ctx, func(ctx context.Context) error { return h.Get(ctx, nil) })
		return
	}
	// Asked again after a lost answer, the cancellation may have been carried out.
	if insist(ctx, func(ctx context.Context) error {
		err := h.Cancel(ctx, client.CancelActivityOptions{Reason: "not needed"})
		if d, gone := h.Describe(ctx, client.DescribeActivityOptions{}); gone == nil && d.Status == enumspb.ACTIVITY_EXECUTION_STATUS_CANCELED {
			return nil
		}
		return err
	}) {
		e.mu.Lock()
		e.canceled[id] = true
		e.mu.Unlock()
	}
}

// finish waits for every run and compares its outcome, and the index with all.
func (e *errands) finish(t *testing.T, c client.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	for _, id := range slices.Sorted(maps.Keys(e.started)) {
		h := c.GetActivityHandle(client.GetActivityHandleOptions{ActivityID: id, RunID: e.started[id]})
		d, err := h.Describe(ctx, client.DescribeActivityOptions{})
		if err != nil {
			t.Errorf("%s was acknowledged and is gone: %v", id, err)
			continue
		}
		if d.StartDelay > 0 && !e.canceled[id] && d.Status == enumspb.ACTIVITY_EXECUTION_STATUS_RUNNING {
			if err := h.Cancel(ctx, client.CancelActivityOptions{}); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		}
		var got string
		var canceled *temporal.CanceledError
		switch err := h.Get(ctx, &got); {
		case d.StartDelay > 0 && !errors.As(err, &canceled):
			t.Errorf("%s was canceled, and ended with %q, %v", id, got, err)
		case d.StartDelay == 0 && (err != nil || got != "done "+id):
			t.Errorf("%s: %q, %v", id, got, err)
		}
	}
	count, err := c.CountActivities(ctx, client.CountActivitiesOptions{Query: "ActivityType = 'errand'"})
	if err != nil || count.Count < int64(len(e.started)) {
		t.Errorf("the index counts %v errands of at least %d; %v", count, len(e.started), err)
	}
	open, err := c.CountActivities(ctx, client.CountActivitiesOptions{Query: "ActivityType = 'errand' AND ExecutionStatus = 'Canceled'"})
	if err != nil || open.Count < int64(len(e.canceled)) {
		t.Errorf("the index counts %v canceled errands of at least %d; %v", open, len(e.canceled), err)
	}
}
