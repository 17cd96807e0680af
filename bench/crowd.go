package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// crowd is many executions that are open and have nothing to do: six in ten wait
// for a timer in a month, the others for a signal. One in ten can be stirred: a
// signal has it wait for a timer that all of those share.
type crowd struct {
	// Prefix of ids and task queue, and how many there are. They are kept in the
	// folder of the server that has them.
	Prefix string `json:"prefix"`
	Count  int    `json:"count"`

	mu sync.Mutex
	// due is when the timers of the stirred fire, and armed how many wait for
	// that. A due time that comes too soon for all to be armed is given up for
	// one span later, twice as long as the last: those that have fired by then
	// are armed again.
	due   time.Time
	span  time.Duration
	armed int
	// handed counts the tasks of timers that have fired, and first is when the
	// first of them was handed out. With rest they are not armed again.
	handed int
	first  time.Time
	rest   bool
}

// stirredShare: one in so many executions is stirred.
const stirredShare = 10

// stirred is how many executions can be.
func (c *crowd) stirred() int { return c.Count / stirredShare }

func (c *crowd) id(n int) string { return fmt.Sprintf("%s-%08d", c.Prefix, n) }

// numberOf is the inverse of id.
func numberOf(id string) int {
	n, _ := strconv.Atoi(id[strings.LastIndexByte(id, '-')+1:])
	return n
}

const month = 30 * 24 * time.Hour

// join is what an execution of the crowd does: in its first task it settles
// down, in any other it has been stirred, or its timer has fired.
func join(b *bench, t *task) []*commandpb.Command {
	if t.PreviousStartedEventId == 0 {
		if numberOf(t.WorkflowExecution.GetWorkflowId())%stirredShare < 6 {
			return []*commandpb.Command{timer(month)}
		}
		return nil
	}
	if due, ok := b.crowd.woken(fired(t)); ok {
		return []*commandpb.Command{timer(time.Until(due))}
	}
	return nil
}

// fired reports whether the task is there because a timer has fired.
func fired(t *task) bool {
	for _, ev := range t.History.GetEvents() {
		if ev.EventId > t.PreviousStartedEventId && ev.GetTimerFiredEventAttributes() != nil {
			return true
		}
	}
	return false
}

// armAhead is how long before they are due timers are no longer armed.
const armAhead = 5 * time.Second

// woken notes a task, and says when the execution is to wake up next.
func (c *crowd) woken(byTimer bool) (due time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if byTimer {
		if c.handed++; c.handed == 1 {
			c.first = time.Now()
		}
	}
	if c.rest {
		return due, false
	}
	if time.Until(c.due) < armAhead {
		c.span = max(2*c.span, 20*time.Second+time.Duration(c.stirred())*time.Millisecond)
		c.due, c.armed = time.Now().Add(c.span), 0
	}
	c.armed++
	return c.due, true
}

// phase begins to count anew.
func (c *crowd) phase(rest bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed, c.handed, c.span, c.first, c.due, c.rest = 0, 0, 0, time.Time{}, time.Time{}, rest
}

func (c *crowd) progress() (armed, handed int, due, first time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.armed, c.handed, c.due, c.first
}

// fill starts the crowd. Each start brings its first task with its answer, which
// spares the server the work of pairing it with a poll.
func (c *crowd) fill(ctx context.Context, b *bench) error {
	err := b.each(ctx, c.Count, func(ctx context.Context, n int) error {
		id := c.id(n)
		reply, err := b.api.StartWorkflowExecution(ctx, &workflowservice.StartWorkflowExecutionRequest{
			Namespace: b.Namespace, WorkflowId: id, RequestId: id, Identity: "bench", Input: payload,
			WorkflowType:          &commonpb.WorkflowType{Name: b.Scenario},
			TaskQueue:             b.queue(),
			RequestEagerExecution: true,
		})
		if err != nil {
			return fmt.Errorf("start %s: %w", id, err)
		}
		first := reply.EagerWorkflowTask
		if len(first.GetTaskToken()) == 0 {
			return nil // a worker gets it
		}
		_, err = b.api.RespondWorkflowTaskCompleted(ctx, &workflowservice.RespondWorkflowTaskCompletedRequest{
			Namespace: b.Namespace, TaskToken: first.TaskToken, Identity: "bench", Commands: join(b, first),
		})
		if err != nil {
			return fmt.Errorf("first task of %s: %w", id, err)
		}
		b.firstTasks.Add(1)
		return nil
	})
	if err != nil {
		return err
	}
	return b.until(ctx, func() bool { return b.firstTasks.Load() >= int64(c.Count) })
}

// stir signals one in ten, and returns when all of them wait for their timer.
func (c *crowd) stir(ctx context.Context, b *bench) error {
	c.phase(false)
	err := b.each(ctx, c.stirred(), func(ctx context.Context, n int) error {
		id := c.id(n*stirredShare + stirredShare - 1)
		_, err := b.api.SignalWorkflowExecution(ctx, &workflowservice.SignalWorkflowExecutionRequest{
			Namespace: b.Namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id},
			SignalName: "stir", Identity: "bench", RequestId: fmt.Sprint(id, "-", time.Now().UnixNano()),
		})
		if err != nil {
			return fmt.Errorf("signal %s: %w", id, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.untilArmed(ctx, b)
}

func (c *crowd) untilArmed(ctx context.Context, b *bench) error {
	return b.until(ctx, func() bool {
		armed, _, due, _ := c.progress()
		return armed >= c.stirred() && time.Until(due) > 0
	})
}

// each calls work for 0, 1, … count-1, Concurrency at a time, and ends with the
// first error.
func (b *bench) each(ctx context.Context, count int, work func(ctx context.Context, n int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	numbers := make(chan int)
	var group sync.WaitGroup
	for range min(b.Concurrency, count) {
		group.Go(func() {
			for n := range numbers {
				if err := work(ctx, n); err != nil {
					cancel(err)
				}
			}
		})
	}
	for n := 0; n < count && ctx.Err() == nil; n++ {
		numbers <- n
	}
	close(numbers)
	group.Wait()
	return context.Cause(ctx)
}

// crowdFile, in a server's folder, tells of the crowd it holds.
const crowdFile = "bench-crowd.json"

// loadCrowd returns the crowd in a folder, or nil.
func loadCrowd(folder string) (*crowd, error) {
	text, err := os.ReadFile(filepath.Join(folder, crowdFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	c := new(crowd)
	if err == nil {
		err = json.Unmarshal(text, c)
	}
	if err != nil {
		return nil, fmt.Errorf("executions in %s: %w", folder, err)
	}
	return c, nil
}

func (c *crowd) save(folder string) error {
	text, err := json.Marshal(c)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, crowdFile), text, 0o600)
	}
	return err
}
