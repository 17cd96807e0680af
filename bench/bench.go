// Package bench is the load generator behind `perdure bench`. It drives a server
// over the public API with plain gRPC calls, closed loop: each of Concurrency
// clients starts an execution, waits for its result, and starts the next. The
// workers answer from small tables instead of running an SDK, so that the
// figures are the server's and not the client's.
//
// With Options.Floor a null server runs beside the real one, and every figure is
// also given as a ratio to what the same client measured there.
//
// It is a client like any other and imports nothing of Perdure.
package bench

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// Options of a run.
type Options struct {
	// Scenario is one of Scenarios.
	Scenario string
	// Concurrency is how many workflows are in flight. Defaults to 64, or what suits
	// the scenario.
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
	// Floor measures a null server too, in turns with the real one. It is started
	// by executing Binary with NullCommand.
	Floor bool
	// Data is a folder for the open executions of scenario million. If they are
	// there already they are used, else they are started and left there. Defaults
	// to a temporary folder.
	Data string
	// Part is what of scenario million is carried out: "fill", "compare",
	// "restart", or all of it. Each but the first wants Data with the executions.
	Part string

	// metrics is the URL of the metrics of the server at Address, if known.
	metrics string
	// settle is how long a server is left alone before and after it is measured:
	// what it does behind its answers (the visibility index, flushes) is its cost
	// too. Defaults to a second.
	settle time.Duration
	// press is how long scenario overload keeps each number of clients up.
	// Defaults to five seconds.
	press time.Duration
	// mostClients is the last number of clients that scenario overload tries, and
	// asks how often scenario list asks each query, and wave how many activities
	// scenario fanout10000 has pending. They default to 256, 200, and 2,000, which is
	// how many a run may have.
	mostClients, asks, wave int
	// prefix of ids and task queue, if not one of its own.
	prefix string
}

// NullCommand is the subcommand by which Binary serves ServeNull; its one flag
// is --data.
const NullCommand = "bench-null"

// Run carries out one scenario and reports what it cost.
func Run(ctx context.Context, o Options) (*Report, error) {
	o = o.withDefaults()
	play, ok := scenarios[o.Scenario]
	if !ok {
		return nil, fmt.Errorf("unknown scenario %q; there are %v", o.Scenario, Scenarios())
	}
	if o.Floor && (play.run != nil || play.alone != nil) && !play.floors {
		return nil, fmt.Errorf("scenario %q has no floor: it does not measure a closed loop", o.Scenario)
	}
	if play.alone != nil {
		return play.alone(ctx, o)
	}
	benches, err := openAll(ctx, o, play)
	defer func() {
		for _, b := range benches {
			b.close()
		}
	}()
	if err != nil {
		return nil, err
	}
	if play.run != nil {
		return play.run(ctx, benches...)
	}
	return closedLoop(ctx, benches...)
}

// openAll connects to the server under test, first, and to those it is compared
// with: a floor, and a server of its own for the scenario beside this one. With
// an error the caller closes those that were opened.
func openAll(ctx context.Context, o Options, play scenario) (benches []*bench, err error) {
	add := func(o Options, play scenario, what role, reach func(context.Context, Options) (*process, error)) {
		if err != nil {
			return
		}
		var b *bench
		if b, err = open(ctx, o, play, reach); err == nil {
			b.role = what
			benches = append(benches, b)
		}
	}
	add(o, play, roleTested, reach)
	if o.Floor {
		add(o, play, roleFloor, reachNull)
	}
	if play.beside != "" {
		other := o
		other.Scenario = play.beside
		add(other, scenarios[play.beside], roleBeside, reach)
	}
	return benches, err
}

// role is what a server is measured for.
type role int

const (
	roleTested role = iota
	roleFloor
	roleBeside
)

// open connects to a server and begins to poll it.
func open(ctx context.Context, o Options, play scenario, reach func(context.Context, Options) (*process, error)) (*bench, error) {
	server, err := reach(ctx, o)
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(server.address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		server.stop()
		return nil, fmt.Errorf("connect to %s: %w", server.address, err)
	}
	b := &bench{
		Options: o,
		play:    play,
		api:     workflowservice.NewWorkflowServiceClient(conn),
		conn:    conn,
		server:  server,
		prefix:  cmp.Or(o.prefix, fmt.Sprintf("bench-%s-%d", o.Scenario, time.Now().UnixNano())),
		crowd:   play.crowd,
	}
	stopWorkers := b.startWorkers(ctx)
	b.close = func() {
		stopWorkers()
		_ = conn.Close() // nothing is in flight
		server.stop()
	}
	return b, nil
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
		o.Concurrency = cmp.Or(scenarios[o.Scenario].concurrency, 64)
	}
	if o.Count <= 0 {
		if o.Count = scenarios[o.Scenario].count; o.Count == 0 {
			o.Count = 10_000
		}
	}
	if o.Namespace == "" {
		o.Namespace = "default"
	}
	o.settle = cmp.Or(o.settle, time.Second)
	o.press = cmp.Or(o.press, 5*time.Second)
	o.mostClients, o.asks, o.wave = cmp.Or(o.mostClients, 256), cmp.Or(o.asks, 200), cmp.Or(o.wave, 2_000)
	return o
}

// bench is one run in progress.
type bench struct {
	Options
	role   role
	play   scenario
	api    workflowservice.WorkflowServiceClient
	conn   *grpc.ClientConn
	server *process
	// prefix makes task queue and workflow ids of this run its own.
	prefix string
	// crowd are the executions that workers answer for, in scenario million.
	crowd *crowd
	// lateness collects how long after its due time each timer fired.
	lateness samples
	// free are the open runs that nobody asks anything just now.
	free chan *commonpb.WorkflowExecution
	// firstTasks counts first workflow tasks answered.
	firstTasks atomic.Int64
	// fire is when all timers of the timer scenario are due; see fireAt.
	fire     time.Time
	fireOnce sync.Once
	// close ends workers, connection and server.
	close func()
	// sdk is the official client, in the scenario that is driven by it.
	sdk client.Client
	// answering are the answers on their way while their pollers poll on.
	answering sync.WaitGroup
	// presses counts the crowds of clients so far.
	presses int
	// latencies and took are of the rounds driven so far.
	latencies samples
	took      time.Duration
}
