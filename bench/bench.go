// Package bench is the load generator behind `perdure bench`. It drives a server
// over the public API with plain gRPC calls, closed loop: each of Concurrency
// clients starts a workflow, waits for its result, and starts the next. The
// workers answer from small tables instead of running an SDK, so that the
// figures are the server's and not the client's.
//
// It is a client like any other and imports nothing of Perdure.
package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"go.temporal.io/api/workflowservice/v1"
)

// Options of a run.
type Options struct {
	// Scenario is one of Scenarios.
	Scenario string
	// Concurrency is how many workflows are in flight. Defaults to 64.
	Concurrency int
	// Count is how many workflows are run. Defaults to 10000.
	Count int
	// Address of a running server. Empty: one is started for the run, by
	// executing Binary with "server" and its flags, on a temporary folder.
	Address string
	// Binary is the perdure executable. Defaults to the one that is running.
	Binary string
	// ServerFlags are added to the started server's.
	ServerFlags []string
	// Namespace to work in. Defaults to "default".
	Namespace string
}

// Run carries out one scenario and reports what it cost.
func Run(ctx context.Context, o Options) (*Report, error) {
	o = o.withDefaults()
	play, ok := scenarios[o.Scenario]
	if !ok {
		return nil, fmt.Errorf("unknown scenario %q; there are %v", o.Scenario, Scenarios())
	}
	server, err := reach(ctx, o)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	conn, err := grpc.NewClient(server.address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", server.address, err)
	}
	defer conn.Close()

	b := &bench{
		Options: o,
		play:    play,
		api:     workflowservice.NewWorkflowServiceClient(conn),
		server:  server,
		prefix:  fmt.Sprintf("bench-%s-%d", o.Scenario, time.Now().UnixNano()),
	}
	stopWorkers := b.startWorkers(ctx)
	defer stopWorkers()
	if play.run != nil {
		return play.run(ctx, b)
	}
	return b.closedLoop(ctx)
}

// Scenarios are the names Run knows, in order.
func Scenarios() []string {
	var names []string
	for name := range scenarios {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (o Options) withDefaults() Options {
	if o.Concurrency <= 0 {
		o.Concurrency = 64
	}
	if o.Count <= 0 {
		o.Count = 10_000
	}
	if o.Namespace == "" {
		o.Namespace = "default"
	}
	return o
}

// bench is one run in progress.
type bench struct {
	Options
	play   scenario
	api    workflowservice.WorkflowServiceClient
	server *process
	// prefix makes task queue and workflow ids of this run its own.
	prefix string
	// lateness collects how long after its due time each timer fired.
	lateness samples
	// firstTasks counts first workflow tasks answered.
	firstTasks atomic.Int64
	// fire is when all timers of the timer scenario are due; see fireAt.
	fire     time.Time
	fireOnce sync.Once
}

// closedLoop keeps Concurrency workflows in flight until Count have ended. A
// short warm-up before the measured part opens connections and fills pools.
func (b *bench) closedLoop(ctx context.Context) (*Report, error) {
	warm := min(b.Count/10, 2*b.Concurrency)
	if _, err := b.drive(ctx, "warm", warm); err != nil {
		return nil, err
	}
	before, err := b.server.usage()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	latencies, err := b.drive(ctx, "run", b.Count)
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	after, err := b.server.usage()
	if err != nil {
		return nil, err
	}
	report := b.report(took, before, after)
	report.Latency = latencies.distribution()
	return report, nil
}

// drive runs count workflows, each from start call to result.
func (b *bench) drive(ctx context.Context, part string, count int) (*samples, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	latencies := &samples{}
	var group sync.WaitGroup
	for range min(b.Concurrency, count) {
		group.Go(func() {
			for n := next.Add(1); n <= int64(count); n = next.Add(1) {
				began := time.Now()
				if err := b.play.one(ctx, b, fmt.Sprintf("%s-%s-%d", b.prefix, part, n)); err != nil {
					cancel(err)
					return
				}
				latencies.add(time.Since(began))
			}
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return nil, err
	}
	return latencies, ctx.Err()
}
