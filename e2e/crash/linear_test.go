//go:build crash

package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/perdure/perdure/e2e/harness"
	"github.com/perdure/perdure/sim/linear"
)

// hotQueue is where the workflows of TestCallsAreLinearizable are done.
const hotQueue = "hot"

// hot completes when the signal "end" comes and is canceled when that is asked
// for, and does nothing else by itself: as package linear wants it. Its updates
// count.
func hot(ctx workflow.Context) error {
	count := 0
	if err := workflow.SetUpdateHandler(ctx, "count", func(workflow.Context) (int, error) {
		count++
		return count, nil
	}); err != nil {
		return err
	}
	over := false
	s := workflow.NewSelector(ctx)
	s.AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) { over = true })
	s.AddReceive(workflow.GetSignalChannel(ctx, "end"), func(c workflow.ReceiveChannel, _ bool) {
		c.Receive(ctx, nil)
		over = true
	})
	s.AddReceive(workflow.GetSignalChannel(ctx, "more"), func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) })
	for !over {
		s.Select(ctx)
	}
	return ctx.Err()
}

// crowd are clients that make histories, one workflow id after the other.
type crowd struct {
	*wire
	t       *testing.T
	began   time.Time
	made    atomic.Int64 // calls answered
	started atomic.Int64 // histories

	mu     sync.Mutex
	judged linear.Verdict // sums
	done   int
}

// TestCallsAreLinearizable: several clients call at once about the same few
// workflows, while the server is killed and started again. There is an order of
// the calls, of those that a kill has cut off too, that explains every answer.
func TestCallsAreLinearizable(t *testing.T) {
	server := harness.Start(t, "--headless")
	c, err := client.Dial(dialOptions(server))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w := worker.New(c, hotQueue, worker.Options{})
	w.RegisterWorkflow(hot)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()

	x := &crowd{wire: dialWire(t, server), t: t, began: time.Now()}
	load, quiet := context.WithCancel(context.Background())
	defer quiet()
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			for load.Err() == nil {
				x.episode()
			}
		})
	}
	kills := x.kill(server)
	quiet()
	group.Wait()
	if x.done == 0 || x.judged.Lost == 0 {
		t.Errorf("hardly anything was judged: %d histories, %d calls, %d of them cut off", x.done, x.judged.Calls, x.judged.Lost)
	}
	t.Logf("killed %d times; %d histories of %d calls, %d of them cut off, are linearizable", kills, x.done, x.judged.Calls, x.judged.Lost)
	if err := server.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	examine(t, server, "after a clean stop")
}

// kill kills the server while calls are under way: eight times, or for a sixth of
// PERDURE_CRASH_FOR.
func (x *crowd) kill(server *harness.Server) (kills int) {
	wanted, until := 8, time.Time{}
	if text := os.Getenv("PERDURE_CRASH_FOR"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			x.t.Fatal(err)
		}
		until = time.Now().Add(d / 6)
	}
	for until.IsZero() && kills < wanted || time.Now().Before(until) {
		x.await(int64(1+rand.IntN(300)), atWork)
		pause(context.Background(), time.Duration(rand.IntN(3000))*time.Microsecond) // else it would mostly follow an answer
		server.Kill()
		kills++
		if err := server.Restart(); err != nil {
			x.t.Fatalf("after kill %d: %v", kills, err)
		}
	}
	return kills
}

// await returns when so many more calls are answered, or after most.
func (x *crowd) await(more int64, most time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	for target := x.made.Load() + more; x.made.Load() < target && ctx.Err() == nil; {
		pause(ctx, time.Millisecond)
	}
}

// episode is the history of one workflow id.
func (x *crowd) episode() {
	e := &calls{crowd: x, id: fmt.Sprint("hot-", x.started.Add(1))}
	var clients sync.WaitGroup
	for n := range 4 {
		clients.Go(func() {
			for range 5 + rand.IntN(6) {
				pause(context.Background(), time.Duration(rand.IntN(5000))*time.Microsecond)
				e.make(n, e.draw(), 0)
			}
		})
	}
	clients.Wait()
	x.judge(e)
	// Nobody else will end it.
	e.call(linear.Call{Kind: linear.Terminate})
}

func (x *crowd) judge(e *calls) {
	v := e.history.Check(time.Minute)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.done++
	x.judged.Calls += v.Calls
	x.judged.Lost += v.Lost
	switch {
	case v.Undecided:
		x.t.Errorf("whether the calls about %s have an order could not be found out:\n%s", e.id, e.history.String())
	case !v.Linearizable:
		x.t.Errorf("no order of the calls about %s explains their answers:\n%s%s%s", e.id, e.history.String(), v.Explain(), draw(v))
	}
}

// draw keeps a picture of the history that outlives the test.
func draw(v linear.Verdict) string {
	dir, err := os.MkdirTemp("", "perdure-history-")
	if err != nil {
		return err.Error()
	}
	path := filepath.Join(dir, "history.html")
	if err := v.Draw(path); err != nil {
		return err.Error()
	}
	return "drawn in " + path
}

// calls are what several clients ask of one id.
type calls struct {
	*crowd
	id      string
	history linear.History
	number  atomic.Int64

	mu   sync.Mutex
	runs []string // that answers have told of
}

// make makes a call; a start or signal whose answer is lost may be sent again.
func (e *calls) make(client int, c linear.Call, tries int) {
	number := e.history.Call(client, c, time.Since(e.began))
	a, heard := e.call(c)
	switch {
	case !heard:
		e.history.Drop(number)
	case a.Lost:
		// The process that had the call is dead, and the call with it.
		e.history.Return(number, a, time.Since(e.began))
		if c.Kind != linear.Update && c.Request != "" && tries < 2 && rand.IntN(2) == 0 {
			e.make(client, c, tries+1)
		}
		return
	default:
		e.history.Return(number, a, time.Since(e.began))
		e.remember(a)
	}
	e.made.Add(1)
}

func (e *calls) remember(a linear.Answer) {
	run := a.Run
	if a.Sight != nil {
		run = a.Sight.Run
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if run != "" && (len(e.runs) == 0 || e.runs[len(e.runs)-1] != run) {
		e.runs = append(e.runs, run)
	}
}

// aRun is one that was told of, or none.
func (e *calls) aRun() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.runs) == 0 || rand.IntN(5) > 0 {
		return ""
	}
	return e.runs[rand.IntN(len(e.runs))]
}

// draw is what a client asks for next.
func (e *calls) draw() linear.Call {
	request := fmt.Sprint(e.id, "-", e.number.Add(1))
	conflicts := []enumspb.WorkflowIdConflictPolicy{
		enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL, enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING, enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
	}
	reuses := []enumspb.WorkflowIdReusePolicy{
		enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
	}
	conflict, reuse := conflicts[rand.IntN(len(conflicts))], reuses[rand.IntN(len(reuses))]
	if conflict == enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING && reuse == enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE {
		reuse = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE // the two together are refused
	}
	switch n := rand.IntN(100); {
	case n < 20:
		return linear.Call{Kind: linear.Start, Request: request, Conflict: conflict, Reuse: reuse}
	case n < 27:
		if conflict == enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL {
			conflict = enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING // the other makes no sense
		}
		return linear.Call{Kind: linear.SignalWithStart, Request: request, Conflict: conflict, Reuse: reuse}
	case n < 50:
		return linear.Call{Kind: linear.Signal, Request: request, Run: e.aRun(), Ends: rand.IntN(6) == 0}
	case n < 55:
		return linear.Call{Kind: linear.Cancel}
	case n < 61:
		return linear.Call{Kind: linear.Terminate, Run: e.aRun()}
	case n < 73:
		return linear.Call{Kind: linear.Update, Request: request}
	}
	return linear.Call{Kind: linear.Read, Run: e.aRun()}
}
