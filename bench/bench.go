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
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	commonpb "go.temporal.io/api/common/v1"
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
	// Floor measures a null server too, in turns with the real one. It is started
	// by executing Binary with NullCommand.
	Floor bool
	// Data is a folder for the open executions of scenario million. If they are
	// there already they are used, else they are started and left there. Defaults
	// to a temporary folder.
	Data string
	// FillOnly ends scenario million when they are there.
	FillOnly bool

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
		o.Concurrency = 64
	}
	if o.Count <= 0 {
		if o.Count = scenarios[o.Scenario].count; o.Count == 0 {
			o.Count = 10_000
		}
	}
	if o.Namespace == "" {
		o.Namespace = "default"
	}
	return o
}

// bench is one run in progress.
type bench struct {
	Options
	role   role
	play   scenario
	api    workflowservice.WorkflowServiceClient
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
	// latencies and took are of the rounds driven so far.
	latencies samples
	took      time.Duration
}

// settle is how long a server is left alone before and after it is measured:
// what it does behind its answers (the visibility index, flushes) is its cost too.
const settle = time.Second

// floorRounds is how often the real server and the floor take turns, so that
// whatever else the machine does meets both.
const floorRounds = 4

// closedLoop keeps Concurrency workflows in flight until Count have ended. A
// short warm-up before the measured part opens connections and fills pools.
// With a floor the two are driven in turns; CPU and writes of each are taken
// over the whole time, since neither has anything to do in the other's turns
// but what it put off.
func closedLoop(ctx context.Context, benches ...*bench) (*Report, error) {
	before := make([]usage, len(benches))
	for i, b := range benches {
		if b.play.prepare != nil {
			if err := b.play.prepare(ctx, b); err != nil {
				return nil, err
			}
		}
		if _, err := b.drive(ctx, "warm", min(b.Count/10, 2*b.Concurrency)); err != nil {
			return nil, err
		}
		if err := wait(ctx, settle); err != nil {
			return nil, err
		}
		var err error
		if before[i], err = b.server.usage(); err != nil {
			return nil, err
		}
	}
	if err := inTurns(ctx, benches); err != nil {
		return nil, err
	}
	reports := make([]*Report, len(benches))
	for i, b := range benches {
		after, err := b.server.usage()
		if err != nil {
			return nil, err
		}
		reports[i] = b.report(b.took, before[i], after)
		reports[i].Latency = b.latencies.distribution()
	}
	for i, b := range benches {
		reports[0].compareAs(b.role, reports[i])
	}
	return reports[0], nil
}

// inTurns drives every server's share of each round.
func inTurns(ctx context.Context, benches []*bench) error {
	rounds := 1
	if len(benches) > 1 {
		rounds = floorRounds
	}
	for round := range rounds {
		for _, b := range benches {
			share := b.Count*(round+1)/rounds - b.Count*round/rounds
			began := time.Now()
			latencies, err := b.drive(ctx, fmt.Sprint("run", round), share)
			if err != nil {
				return err
			}
			b.took += time.Since(began)
			b.latencies.add(latencies.each...)
			if err := wait(ctx, settle); err != nil {
				return err
			}
		}
	}
	return nil
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
