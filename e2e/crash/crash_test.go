//go:build crash

// Package crash kills the real server under a mixed load from a real SDK worker
// and checks that nothing acknowledged is missing.
//
// PERDURE_KILLS is how often it is killed (50); PERDURE_CRASH_FOR, if set, goes
// on for that long instead.
package crash

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/perdure/perdure/e2e/harness"
)

type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}

// impatient connects again soon after the server is back. By default a client
// waits ever longer, and most kills would find a server that nobody talks to.
var impatient = grpc.WithConnectParams(grpc.ConnectParams{
	Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.2, MaxDelay: 100 * time.Millisecond},
	MinConnectTimeout: time.Second,
})

func TestNothingAcknowledgedIsLost(t *testing.T) {
	server := harness.Start(t, "--headless")
	c, err := client.Dial(client.Options{HostPort: server.GRPC(), Logger: silent{},
		ConnectionOptions: client.ConnectionOptions{DialOptions: []grpc.DialOption{impatient}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d := &diary{running: map[string]int32{}, seen: map[string]int32{}}
	w := worker.New(c, queue, worker.Options{})
	d.register(w)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()

	load, quiet := context.WithCancel(context.Background())
	defer quiet()
	l := &ledger{started: map[string]string{}, signals: map[string]string{}, resets: map[string]string{}}
	customers := l.customers(load, c, 16)
	e := &errands{started: map[string]string{}, canceled: map[string]bool{}}
	runners := e.customers(load, c, 4)
	kills := killRepeatedly(t, server, d)

	// Whatever has been started is brought to its end: customers finish the
	// order they are at, with a server that stays up.
	quiet()
	customers.Wait()
	runners.Wait()
	t.Logf("killed %d times; %d workflows, %d signals, %d standalone activities and %d cancellations acknowledged; %d activity attempts begun",
		kills, len(l.started), len(l.signals), len(e.started), len(e.canceled), d.count())
	l.finish(t, c)
	l.check(t, c)
	e.finish(t, c)
	if err := server.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	examine(t, server, "after a clean stop")
	for _, fault := range d.faults {
		t.Error(fault)
	}
}

// atWork bounds how long a kill waits for the worker to be at work again.
const atWork = 5 * time.Second

// killRepeatedly kills and restarts the server at random moments: most of them
// while the worker is at work, which takes it a while after a restart, and some
// right after the start.
func killRepeatedly(t *testing.T, server *harness.Server, d *diary) (kills int) {
	wanted, until := 50, time.Time{}
	if text := os.Getenv("PERDURE_KILLS"); text != "" {
		wanted, _ = strconv.Atoi(text)
	}
	if text := os.Getenv("PERDURE_CRASH_FOR"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		until = time.Now().Add(d)
	}
	for until.IsZero() && kills < wanted || time.Now().Before(until) {
		if rand.IntN(4) > 0 {
			d.await(1+rand.IntN(100), atWork)
		}
		pause(context.Background(), time.Duration(rand.IntN(500))*time.Millisecond)
		server.Kill()
		if kills++; kills%5 == 0 {
			examine(t, server, fmt.Sprintf("after kill %d", kills))
		}
		if err := server.Restart(); err != nil {
			t.Fatalf("after kill %d: %v", kills, err)
		}
	}
	return kills
}

// examine has the doctor look at what the server has left.
func examine(t *testing.T, server *harness.Server, when string) {
	t.Helper()
	binary, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(binary, "doctor", "--data", filepath.Join(server.Folder, "data")).CombinedOutput()
	if err != nil {
		t.Errorf("%s the doctor says %v:\n%s", when, err, out)
	}
}

// finish signals what was started and not signalled, and waits for every run.
func (l *ledger) finish(t *testing.T, c client.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	for _, id := range slices.Sorted(maps.Keys(l.started)) {
		if _, ok := l.signals[id]; !ok {
			// It may have got there although it was not acknowledged; then the
			// run can have closed, which is no error here.
			_ = c.SignalWorkflow(ctx, id, l.started[id], "word", "for-"+id)
		}
		l.ended(ctx, t, c, id, l.started[id])
		if made := l.resets[id]; made != "" {
			l.ended(ctx, t, c, id, made)
		}
		if ctx.Err() != nil {
			return
		}
	}
	t.Logf("%d workflows were reset", len(l.resets))
}

// ended waits for a run, whose result is known.
func (l *ledger) ended(ctx context.Context, t *testing.T, c client.Client, id, runID string) {
	t.Helper()
	var got string
	if err := c.GetWorkflow(ctx, id, runID).Get(ctx, &got); err != nil {
		t.Errorf("%s/%s is stuck or failed: %v", id, runID, err)
		return
	}
	if want := "first child for-" + id; got != want {
		t.Errorf("%s/%s: result %q, want %q", id, runID, got, want)
	}
}

// check reads every history back.
func (l *ledger) check(t *testing.T, c client.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	for _, id := range slices.Sorted(maps.Keys(l.started)) {
		if err := l.checkHistory(ctx, c, id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	// I10: the index shows what the state says.
	count, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
		Query: "WorkflowType = 'mixed' AND ExecutionStatus = 'Completed'"})
	if err != nil || count.Count < int64(len(l.started)) {
		t.Errorf("the index counts %d completed workflows of at least %d; %v", count.GetCount(), len(l.started), err)
	}
}

func (l *ledger) checkHistory(ctx context.Context, c client.Client, id string) error {
	events := c.GetWorkflowHistory(ctx, id, l.started[id], false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	var next, closes, words int64 = 1, 0, 0
	for events.HasNext() {
		ev, err := events.Next()
		if err != nil {
			return err
		}
		if ev.EventId != next {
			return fmt.Errorf("event %d follows event %d", ev.EventId, next-1)
		}
		if closes > 0 {
			return fmt.Errorf("%s after the close", ev.EventType)
		}
		next++
		switch ev.EventType {
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
			closes++
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
			words++
		}
	}
	if closes != 1 {
		return fmt.Errorf("closed %d times", closes)
	}
	if _, acknowledged := l.signals[id]; acknowledged && words < 1 {
		return fmt.Errorf("an acknowledged signal is missing")
	}
	return nil
}
