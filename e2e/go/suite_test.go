//go:build e2e

// Package e2e runs the official Go SDK, unmodified, against the real binary.
package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/perdure/perdure/e2e/harness"
)

// suite is a server of its own with a client and a worker.
type suite struct {
	*testing.T
	server *harness.Server
	client client.Client
	worker worker.Worker
	queue  string
}

// perTest bounds a whole test; nothing below takes a minute on a slow machine.
const perTest = 90 * time.Second

func begin(t *testing.T, register func(worker.Registry)) (context.Context, *suite) {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), perTest)
	t.Cleanup(cancel)
	s := &suite{T: t, server: shared(t), queue: t.Name()}
	s.client = dial(t, s.server.GRPC())
	s.worker = s.work(register, worker.Options{})
	return ctx, s
}

// work starts another worker on the suite's queue.
func (s *suite) work(register func(worker.Registry), options worker.Options) worker.Worker {
	s.Helper()
	// Heartbeats are sent at once, so that tests need not wait for a throttle.
	options.MaxHeartbeatThrottleInterval = 50 * time.Millisecond
	w := worker.New(s.client, s.queue, options)
	register(w)
	if err := w.Start(); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(w.Stop)
	return w
}

func (s *suite) start(ctx context.Context, workflow any, args ...any) client.WorkflowRun {
	s.Helper()
	run, err := s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: s.Name(), TaskQueue: s.queue}, workflow, args...)
	if err != nil {
		s.Fatal(err)
	}
	return run
}

// silent keeps the SDK's log out of the tests' output.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}

func dial(t *testing.T, address string) client.Client {
	t.Helper()
	c, err := client.Dial(client.Options{HostPort: address, Logger: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

var common *harness.Server

// shared is the server all tests of this package use, each with task queues
// and ids of its own. Tests that kill their server start one themselves.
func shared(*testing.T) *harness.Server { return common }

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "perdure-e2e-go-")
	if err == nil {
		common, err = harness.Launch(folder, "--search-attribute", "Color=Keyword", "--search-attribute", "Size=Int")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	common.Kill()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}
