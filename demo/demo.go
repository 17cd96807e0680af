// Package demo is the showcase that `perdure demo` runs: a server, a worker and
// a few orders, in one process, with the official Go SDK. It is a client like
// any other and uses nothing of Perdure but package server.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
)

// Run plays the showcase against the server that client is connected to and
// writes what happens to out. It returns nil when every order ended the way it
// should, and an error that names those that did not.
func Run(ctx context.Context, c client.Client, out io.Writer) error {
	stage := &stage{client: c, out: out, began: time.Now()}
	w := worker.New(c, taskQueue, worker.Options{MaxHeartbeatThrottleInterval: 200 * time.Millisecond})
	w.RegisterWorkflow(OrderWorkflow)
	w.RegisterWorkflow(DeliveryWorkflow)
	w.RegisterActivity(&activities{say: stage.say})
	if err := w.Start(); err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	defer w.Stop()

	acts := []func(context.Context) error{stage.plain, stage.flaky, stage.approved, stage.cancelled}
	outcomes := make([]error, len(acts))
	var group sync.WaitGroup
	for i, act := range acts {
		group.Go(func() { outcomes[i] = act(ctx) })
	}
	group.Wait()
	return errors.Join(outcomes...)
}

// Quiet is an SDK logger that says nothing: the demo's own lines tell the story.
var Quiet log.Logger = quiet{}

type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

// stage is where the acts play.
type stage struct {
	client client.Client
	began  time.Time
	mu     sync.Mutex // guards out: lines come from many goroutines
	out    io.Writer
}

// plain is an order with nothing special.
func (s *stage) plain(ctx context.Context) error {
	run, err := s.order(ctx, Order{ID: "order-1", Cents: 1_990, Destination: "Main Street 1"})
	if err != nil {
		return err
	}
	return s.mustComplete(ctx, run)
}

// flaky is paid at the third attempt.
func (s *stage) flaky(ctx context.Context) error {
	run, err := s.order(ctx, Order{ID: "order-2", Cents: 4_250, FlakyCard: 2, Destination: "Harbour 7"})
	if err != nil {
		return err
	}
	return s.mustComplete(ctx, run)
}

// approved is expensive and waits for a signal.
func (s *stage) approved(ctx context.Context) error {
	run, err := s.order(ctx, Order{ID: "order-3", Cents: 250_000, Destination: "Castle Hill"})
	if err != nil {
		return err
	}
	s.say(run.GetID(), "waits for approval; sending the signal")
	if err := s.client.SignalWorkflow(ctx, run.GetID(), run.GetRunID(), approval, nil); err != nil {
		return fmt.Errorf("approve %s: %w", run.GetID(), err)
	}
	return s.mustComplete(ctx, run)
}

// cancelled is called off while its parcel is on the road.
func (s *stage) cancelled(ctx context.Context) error {
	run, err := s.order(ctx, Order{ID: "order-4", Cents: 990, Destination: "nowhere"})
	if err != nil {
		return err
	}
	if err := s.untilDriving(ctx, run); err != nil {
		return err
	}
	s.say(run.GetID(), "the customer cancels")
	if err := s.client.CancelWorkflow(ctx, run.GetID(), run.GetRunID()); err != nil {
		return fmt.Errorf("cancel %s: %w", run.GetID(), err)
	}
	err = run.Get(ctx, nil)
	if !temporal.IsCanceledError(err) {
		return fmt.Errorf("%s: want a cancelled order, got %v", run.GetID(), err)
	}
	s.say(run.GetID(), "ended: cancelled, and cleaned up")
	return nil
}

// untilDriving waits until the delivery has begun, which its heartbeats show.
func (s *stage) untilDriving(ctx context.Context, run client.WorkflowRun) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		description, err := s.client.DescribeWorkflowExecution(ctx, "delivery-"+run.GetID(), "")
		if err == nil {
			for _, a := range description.GetPendingActivities() {
				if a.GetHeartbeatDetails() != nil {
					return nil
				}
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: the delivery never began: %w", run.GetID(), ctx.Err())
		case <-tick.C:
		}
	}
}

func (s *stage) order(ctx context.Context, order Order) (client.WorkflowRun, error) {
	run, err := s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:            order.ID,
		TaskQueue:     taskQueue,
		StaticSummary: fmt.Sprintf("%s to %s", euros(order.Cents), order.Destination),
	}, OrderWorkflow, order)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", order.ID, err)
	}
	s.say(order.ID, "started: %s to %s", euros(order.Cents), order.Destination)
	return run, nil
}

func (s *stage) mustComplete(ctx context.Context, run client.WorkflowRun) error {
	var result string
	if err := run.Get(ctx, &result); err != nil {
		return fmt.Errorf("%s: %w", run.GetID(), err)
	}
	s.say(run.GetID(), "ended: %s", result)
	return nil
}

// say writes one line of the story: time since the beginning, order, what happened.
func (s *stage) say(order, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, "%6.2fs  %-8s %s\n", time.Since(s.began).Seconds(), order, fmt.Sprintf(format, args...))
}
