//go:build e2e

package e2e

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/grpc"
)

// heldQueries keeps a worker's first query task back on its way to it.
type heldQueries struct {
	held    atomic.Bool
	arrived chan struct{}
	release chan struct{}
}

func (h *heldQueries) intercept(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := invoke(ctx, method, req, reply, cc, opts...)
	if task, ok := reply.(*workflowservice.PollWorkflowTaskQueueResponse); ok && err == nil && task.GetQuery() != nil && h.held.CompareAndSwap(false, true) {
		close(h.arrived)
		<-h.release
	}
	return err
}

// A query is on its way to a worker while its run goes on, with an update whose
// handler has commands of its own; and the worker has lost the run from its cache
// when the query arrives. It then replays a history that is longer than what the
// query task says of it, and finds that nondeterministic (TMPRL1100). The query is
// answered all the same.
func TestQueryOvertakenByItsRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), perTest)
	defer cancel()
	held := &heldQueries{arrived: make(chan struct{}), release: make(chan struct{})}
	s := &suite{T: t, server: shared(t), queue: t.Name()}
	c, err := client.Dial(client.Options{HostPort: s.server.GRPC(), Logger: silent{}, ConnectionOptions: client.ConnectionOptions{
		DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(held.intercept)}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s.client = c
	s.work(func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(slowCounter, workflow.RegisterOptions{Name: "counter"})
	}, worker.Options{MaxConcurrentWorkflowTaskPollers: 8})

	s.start(ctx, "counter")
	s.mustUpdate(ctx, 1, "u1", "add", 1)
	type answer struct {
		total int
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		var a answer
		value, err := c.QueryWorkflow(ctx, s.Name(), "", "total")
		if a.err = err; err == nil {
			a.err = value.Get(&a.total)
		}
		answered <- a
	}()
	<-held.arrived
	s.mustUpdate(ctx, 3, "u2", "add", 2)
	worker.PurgeStickyWorkflowCache()
	close(held.release)
	a := <-answered
	if a.err != nil || a.total != 1 && a.total != 3 {
		t.Errorf("the query is answered %d, %v", a.total, a.err)
	}
}

// slowCounter adds what it is told to, each time after a timer.
func slowCounter(ctx workflow.Context) error {
	total := 0
	if err := workflow.SetQueryHandler(ctx, "total", func() (int, error) { return total, nil }); err != nil {
		return err
	}
	err := workflow.SetUpdateHandler(ctx, "add", func(ctx workflow.Context, n int) (int, error) {
		err := workflow.Sleep(ctx, time.Millisecond)
		total += n
		return total, err
	})
	if err != nil {
		return err
	}
	return workflow.Sleep(ctx, time.Hour)
}
