// Command go shows the life of an activity with the Go SDK: it fails and is
// retried from its last heartbeat, then another is cancelled and cleans up; and
// both once more without a workflow. Run it beside "perdure server":
// go run ./examples/go
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const queue = "example-go"

// copyRows copies rows one by one and reports how far it is. The first attempt
// stumbles half-way; the next goes on where it stopped.
func copyRows(ctx context.Context, rows int) (string, error) {
	done := 0
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &done); err != nil {
			return "", err
		}
	}
	from := done
	for ; done < rows; done++ {
		select {
		case <-ctx.Done(): // cancelled, paused, timed out, or the worker stops
			fmt.Println("  cleaning up after row", done)
			return "", ctx.Err() // accept; returning a result instead would ignore it
		case <-time.After(20 * time.Millisecond): // the work
		}
		activity.RecordHeartbeat(ctx, done+1)
		if activity.GetInfo(ctx).Attempt == 1 && done+1 == rows/2 {
			return "", errors.New("the disk is busy")
		}
	}
	return fmt.Sprintf("rows %d to %d copied in attempt %d", from+1, rows, activity.GetInfo(ctx).Attempt), nil
}

// Copy is the workflow. WaitForCancellation lets the activity have the last word.
func Copy(ctx workflow.Context, rows int) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute,      // one attempt
		HeartbeatTimeout:    10 * time.Second, // between two reports
		WaitForCancellation: true,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 100 * time.Millisecond},
	})
	var result string
	err := workflow.ExecuteActivity(ctx, copyRows, rows).Get(ctx, &result)
	return result, err
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	c, err := client.Dial(client.Options{
		HostPort: cmp.Or(os.Getenv("TEMPORAL_ADDRESS"), client.DefaultHostPort),
		Logger:   log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return err
	}
	defer c.Close()
	w := worker.New(c, queue, worker.Options{MaxHeartbeatThrottleInterval: 100 * time.Millisecond})
	w.RegisterWorkflow(Copy)
	w.RegisterActivity(copyRows)
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()

	options := client.StartWorkflowOptions{TaskQueue: queue}
	retried, err := c.ExecuteWorkflow(ctx, options, Copy, 10)
	if err != nil {
		return err
	}
	var result string
	if err := retried.Get(ctx, &result); err != nil {
		return err
	}
	fmt.Println(result)

	cancelled, err := c.ExecuteWorkflow(ctx, options, Copy, 1_000_000)
	if err != nil {
		return err
	}
	if err := c.CancelWorkflow(ctx, cancelled.GetID(), cancelled.GetRunID()); err != nil {
		return err
	}
	if err := cancelled.Get(ctx, nil); !temporal.IsCanceledError(err) {
		return fmt.Errorf("it should have been cancelled: %w", err)
	}
	fmt.Println("cancelled")
	return alone(ctx, c)
}

// alone runs the same activity without a workflow: a client starts it under an id
// of its own and waits for its result.
func alone(ctx context.Context, c client.Client) error {
	options := client.StartActivityOptions{
		ID: "copy-alone", TaskQueue: queue, StartToCloseTimeout: time.Minute, HeartbeatTimeout: 10 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: 100 * time.Millisecond},
	}
	handle, err := c.ExecuteActivity(ctx, options, copyRows, 10)
	if err != nil {
		return err
	}
	var result string
	if err := handle.Get(ctx, &result); err != nil {
		return err
	}
	fmt.Println("alone:", result)

	// The id is free again. Whoever knows it can describe it, cancel it, wait for it.
	if _, err = c.ExecuteActivity(ctx, options, copyRows, 1_000_000); err != nil {
		return err
	}
	handle = c.GetActivityHandle(client.GetActivityHandleOptions{ActivityID: "copy-alone"})
	if err := handle.Cancel(ctx, client.CancelActivityOptions{Reason: "changed my mind"}); err != nil {
		return err
	}
	if err := handle.Get(ctx, nil); !temporal.IsCanceledError(err) {
		return fmt.Errorf("it should have been cancelled: %w", err)
	}
	fmt.Println("alone: cancelled")
	return nil
}
