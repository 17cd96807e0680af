package bench

import (
	"context"
	"fmt"
	"time"

	sdkactivity "go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// This file has the scenario that is driven by the official Go SDK, as it is: its
// client, and one worker with its own defaults. Much of the time goes into the SDK;
// what is measured is still the server's process.

// sdkScenario is the name of the scenario, and the type of its workflow.
const sdkScenario = "sdk-activity1"

// quiet says nothing: what the SDK has to say, the errors of its calls say too.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

// sdkInput is of the size of payload.
const sdkInput = "some input of a usual size, that is not very long"

func sdkWorkflow(ctx workflow.Context, input string) (result string, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	err = workflow.ExecuteActivity(ctx, "work", input).Get(ctx, &result)
	return result, err
}

func sdkActivity(_ context.Context, input string) (string, error) { return input, nil }

// startSDK connects a client and starts a worker.
func startSDK(ctx context.Context, b *bench) (err error) {
	b.sdk, err = client.DialContext(ctx, client.Options{HostPort: b.server.address, Namespace: b.Namespace, Logger: quiet{}})
	if err != nil {
		return fmt.Errorf("connect the SDK: %w", err)
	}
	w := worker.New(b.sdk, b.prefix, worker.Options{})
	w.RegisterWorkflowWithOptions(sdkWorkflow, workflow.RegisterOptions{Name: sdkScenario})
	w.RegisterActivityWithOptions(sdkActivity, sdkactivity.RegisterOptions{Name: "work"})
	if err := w.Start(); err != nil {
		b.sdk.Close()
		return fmt.Errorf("start the SDK's worker: %w", err)
	}
	stop := b.close
	b.close = func() {
		w.Stop()
		b.sdk.Close()
		stop()
	}
	return nil
}

func sdkStartAndWait(ctx context.Context, b *bench, id string) error {
	run, err := b.sdk.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: b.prefix}, sdkScenario, sdkInput)
	if err != nil {
		return fmt.Errorf("start %s: %w", id, err)
	}
	var result string
	if err := run.Get(ctx, &result); err != nil {
		return fmt.Errorf("result of %s: %w", id, err)
	}
	return nil
}
