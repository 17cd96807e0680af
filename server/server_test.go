package server

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/perdure/perdure/config"
	"github.com/perdure/perdure/store/memstore"
)

// patience bounds the whole of a test that would otherwise hang.
const patience = time.Minute

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// launch starts a server that ends with the test.
func launch(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(testContext(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return s
}

// inFolder is an embedded server's configuration with its data in a folder.
func inFolder(dir string) Options {
	c := config.Embedded()
	c.Data = dir
	return Options{Config: &c}
}

func sdk(t *testing.T, s *Server) client.Client {
	t.Helper()
	c, err := client.Dial(client.Options{
		HostPort:          s.Target(),
		ConnectionOptions: client.ConnectionOptions{DialOptions: s.DialOptions()},
		Logger:            silent{},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// silent keeps the SDK's log out of the tests' output.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}

func api(t *testing.T, s *Server) workflowservice.WorkflowServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(s.Target(), s.DialOptions()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return workflowservice.NewWorkflowServiceClient(conn)
}

func greet(_ workflow.Context, name string) (string, error) { return "Hello, " + name, nil }

// A program needs no options, no port and no other process: data goes where it
// would for `perdure server`, and the official SDK dials the server in memory.
func TestStartWithoutOptions(t *testing.T) {
	t.Chdir(t.TempDir())
	s := launch(t, Options{})
	if len(s.Addresses()) != 0 {
		t.Errorf("it listens at %v", s.Addresses())
	}
	if _, err := os.Stat("perdure-data"); err != nil {
		t.Errorf("the data folder: %v", err)
	}
	c := sdk(t, s)
	w := worker.New(c, "greetings", worker.Options{})
	w.RegisterWorkflow(greet)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	var text string
	run, err := c.ExecuteWorkflow(testContext(t), client.StartWorkflowOptions{TaskQueue: "greetings"}, greet, "world")
	if err == nil {
		err = run.Get(testContext(t), &text)
	}
	if err != nil || text != "Hello, world" {
		t.Errorf("the workflow returned %q, error %v", text, err)
	}
}

// poll waits for a workflow task in the background.
func poll(ctx context.Context, a workflowservice.WorkflowServiceClient, queue string) <-chan error {
	result := make(chan error, 1)
	go func() {
		r, err := a.PollWorkflowTaskQueue(ctx, &workflowservice.PollWorkflowTaskQueueRequest{
			Namespace: "default", TaskQueue: &taskqueuepb.TaskQueue{Name: queue}, Identity: "poller",
		})
		if err == nil && len(r.GetTaskToken()) > 0 {
			err = errors.New("a task came from nowhere")
		}
		result <- err
	}()
	return result
}

// awaitPolls returns once so many polls wait.
func awaitPolls(t *testing.T, s *Server, want float64) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for metric(t, s, "perdure_waiting_polls") != want {
		select {
		case <-deadline.C:
			t.Fatalf("there are not %v polls waiting", want)
		case <-time.After(time.Millisecond): // the metric has no other signal
		}
	}
}

func metric(t *testing.T, s *Server, name string) float64 {
	t.Helper()
	families, err := s.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// A clean stop answers the polls that wait with nothing, as if their time were
// up, and does not make them wait for it. Stopping again is harmless.
func TestStopDrainsPolls(t *testing.T) {
	s := launch(t, inFolder(t.TempDir()))
	ctx, a := testContext(t), api(t, s)
	var polls []<-chan error
	for range 5 {
		polls = append(polls, poll(ctx, a, "q"))
	}
	awaitPolls(t, s, 5)
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	for _, p := range polls {
		if err := <-p; err != nil {
			t.Errorf("a poll ended with %v", err)
		}
	}
	if err := s.Stop(ctx); err != nil {
		t.Errorf("the second Stop: %v", err)
	}
}

// What was started goes on after a restart, and waits for whom it waited.
func TestRestartGoesOn(t *testing.T) {
	o := inFolder(t.TempDir())
	ctx := testContext(t)
	s := launch(t, o)
	_, err := sdk(t, s).ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "w", TaskQueue: "greetings"}, greet, "again")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}

	c := sdk(t, launch(t, o))
	w := worker.New(c, "greetings", worker.Options{})
	w.RegisterWorkflow(greet)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	var text string
	if err := c.GetWorkflow(ctx, "w", "").Get(ctx, &text); err != nil || text != "Hello, again" {
		t.Errorf("got %q, error %v", text, err)
	}
}

// A start that fails says which flag helps and leaves nothing running: the
// folder is free for the next.
func TestFailedStartLeavesNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	o := inFolder(t.TempDir())
	for flag, set := range map[string]func(*config.Config, int){
		"--port":         func(c *config.Config, p int) { c.Port = p },
		"--http-port":    func(c *config.Config, p int) { c.HTTPPort = p },
		"--metrics-port": func(c *config.Config, p int) { c.MetricsPort = p },
		"--ui-port":      func(c *config.Config, p int) { c.Port, c.UIPort, c.Headless = 0, p, false },
	} {
		c := *o.Config
		set(&c, taken.Addr().(*net.TCPAddr).Port)
		s, err := Start(testContext(t), Options{Config: &c})
		if err == nil {
			t.Errorf("%s: the port is taken and the server runs", flag)
			_ = s.Stop(context.Background())
			continue
		}
		if !strings.Contains(err.Error(), flag) || !strings.Contains(err.Error(), "in use") {
			t.Errorf("%s: the error does not help: %v", flag, err)
		}
		if left := ours(t); left != "" {
			t.Errorf("%s: left running:\n%s", flag, left)
		}
	}
	launch(t, o)
}

// ours are the stacks of goroutines, other than the test's own, that run code of
// this module, once they have had time to end.
func ours(t *testing.T) (left string) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	for {
		left = ""
		var all bytes.Buffer
		if err := pprof.Lookup("goroutine").WriteTo(&all, 2); err != nil {
			t.Fatal(err)
		}
		for stack := range strings.SplitSeq(all.String(), "\n\n") {
			if strings.Contains(stack, "perdure/perdure/") && !strings.Contains(stack, "testing.tRunner") {
				left += stack + "\n\n"
			}
		}
		if left == "" {
			return ""
		}
		select {
		case <-deadline.C:
			return left
		case <-time.After(5 * time.Millisecond): // a goroutine's end gives no signal
		}
	}
}

// A folder serves one server at a time; the second start says who has it.
func TestFolderInUse(t *testing.T) {
	o := inFolder(t.TempDir())
	launch(t, o)
	_, err := Start(testContext(t), o)
	if err == nil || !strings.Contains(err.Error(), "in use by process") || !strings.Contains(err.Error(), filepath.Base(o.Config.Data)) {
		t.Errorf("the error does not say who has the folder: %v", err)
	}
}

// Every mistake in a configuration is told at once, and nothing is touched.
func TestBadConfiguration(t *testing.T) {
	o := inFolder(filepath.Join(t.TempDir(), "data"))
	o.Config.Shards, o.Config.LogLevel = 0, "loud"
	_, err := Start(testContext(t), o)
	if err == nil || !strings.Contains(err.Error(), "shards") || !strings.Contains(err.Error(), "log-level") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(o.Config.Data); !os.IsNotExist(err) {
		t.Errorf("the folder was made: %v", err)
	}
}

// A store that cannot go on ends the server: Done tells, Err says what to do,
// callers hear that they may retry, and Stop does not hang.
func TestFatalStore(t *testing.T) {
	c := config.Embedded()
	t.Chdir(t.TempDir())
	c.Data = "some-folder"
	disk := memstore.New(memstore.Options{})
	s, err := Start(testContext(t), Options{Config: &c, store: disk})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Err(); err != nil {
		t.Fatalf("a healthy server: %v", err)
	}
	disk.Fail(errors.New("sync of the log: input/output error"))
	select {
	case <-s.Done():
	case <-time.After(patience):
		t.Fatal("Done is not closed")
	}
	_, err = api(t, s).StartWorkflowExecution(testContext(t), startOf("w"))
	if status.Code(err) != codes.Unavailable {
		t.Errorf("a start on a failed store: %v", err)
	}
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "some-folder") || !strings.Contains(err.Error(), "start again") {
		t.Errorf("Err does not help: %v", err)
	}
	_ = s.Stop(testContext(t)) // reports what could not be written; it ends
}

func startOf(id string) *workflowservice.StartWorkflowExecutionRequest {
	return &workflowservice.StartWorkflowExecutionRequest{
		Namespace: "default", WorkflowId: id, RequestId: "request-" + id, Identity: "test",
		WorkflowType: &commonpb.WorkflowType{Name: "Order"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "orders"},
	}
}
