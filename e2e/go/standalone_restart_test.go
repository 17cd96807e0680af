//go:build e2e

package e2e

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/perdure/perdure/e2e/harness"
)

// I1: what was acknowledged outlives the server: queued, running, delayed, paused
// and completed activities, and what lists show.
func TestStandaloneOutlivesTheServer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), perTest)
	defer cancel()
	s := &suite{T: t, server: harness.Start(t), queue: t.Name()}
	s.client = dial(t, s.server.GRPC())
	act := alone(func(ctx context.Context, how string) (string, error) {
		if how == "runs" && activity.GetInfo(ctx).Attempt == 1 {
			<-ctx.Done() // lost with its worker
			return "", ctx.Err()
		}
		return how, nil
	})
	w := worker.New(s.client, s.queue, worker.Options{})
	act(w)
	s.must(w.Start())
	handles := map[string]client.ActivityHandle{}
	start := func(how string, change func(*client.StartActivityOptions)) {
		handles[how] = s.run(ctx, func(o *client.StartActivityOptions) { o.ID = how; change(o) }, how)
	}
	start("done", asIs)
	s.must(handles["done"].Get(ctx, nil))
	start("runs", func(o *client.StartActivityOptions) { o.StartToCloseTimeout = 2 * time.Second })
	s.describedUntil(ctx, handles["runs"], func(d *client.ActivityExecutionDescription) bool {
		return d.RunState == enumspb.PENDING_ACTIVITY_STATE_STARTED
	})
	start("delayed", func(o *client.StartActivityOptions) { o.StartDelay = 3 * time.Second })
	start("paused", func(o *client.StartActivityOptions) { o.StartDelay = 100 * time.Hour })
	s.must(handles["paused"].Pause(ctx, client.PauseActivityOptions{Reason: "later"}))
	go w.Stop() // the attempt of "runs" keeps it
	start("queued", func(o *client.StartActivityOptions) { o.TaskQueue = t.Name() + "-later" })

	s.server.Kill()
	s.must(s.server.Restart())
	s.client = dial(t, s.server.GRPC())
	s.work(act, worker.Options{})
	later := *s
	later.queue = t.Name() + "-later"
	later.work(act, worker.Options{})
	if got := s.listed(ctx); got != "delayed done paused queued runs" {
		t.Errorf("listed: %s", got)
	}
	paused := s.client.GetActivityHandle(client.GetActivityHandleOptions{ActivityID: "paused"})
	d, err := paused.Describe(ctx, client.DescribeActivityOptions{})
	if err != nil || d.Status != enumspb.ACTIVITY_EXECUTION_STATUS_PAUSED {
		t.Errorf("%v, %v", d, err)
	}
	s.must(paused.Cancel(ctx, client.CancelActivityOptions{Reason: "not any more"}))
	var canceled *temporal.CanceledError
	if err := paused.Get(ctx, nil); !errors.As(err, &canceled) {
		t.Errorf("paused: %v", err)
	}
	for _, id := range []string{"done", "runs", "delayed", "queued"} {
		var got string
		h := s.client.GetActivityHandle(client.GetActivityHandleOptions{ActivityID: id, RunID: handles[id].GetRunID()})
		if err := h.Get(ctx, &got); err != nil || got != id {
			t.Errorf("%s: %q, %v", id, got, err)
		}
	}

	// The index is derived: lost, it is built anew from the executions.
	s.server.Kill()
	s.must(os.Remove(filepath.Join(s.server.Folder, "data", "visibility.db")))
	s.must(s.server.Restart())
	if got := s.listed(ctx); got != "delayed done paused queued runs" {
		t.Errorf("listed by a new index: %s", got)
	}
	count, err := s.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{})
	if err != nil || count.GetCount() != 0 {
		t.Errorf("%v workflows, %v", count.GetCount(), err)
	}
}

// listed is the ids of all activities, in order.
func (s *suite) listed(ctx context.Context) string {
	s.Helper()
	list, err := s.client.ListActivities(ctx, client.ListActivitiesOptions{})
	s.must(err)
	var ids []string
	for info, err := range list.Results {
		s.must(err)
		ids = append(ids, info.ActivityID)
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}
