package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/perdure/perdure/config"
)

// These tests run the real command: this test binary, told by the environment
// to be perdure.
const beThePerdure = "TEST_RUNS_PERDURE"

func TestMain(m *testing.M) {
	if os.Getenv(beThePerdure) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// patience bounds a process that would otherwise hang.
const patience = time.Minute

// perdure prepares a run of the command in an empty folder.
func perdure(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{beThePerdure + "=1", "HOME=" + cmd.Dir, "PATH=" + os.Getenv("PATH")}
	return cmd
}

// fails runs a command that must end with exit code 1 and one line of complaint.
func fails(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	exit, ok := err.(*exec.ExitError)
	if !ok || exit.ExitCode() != 1 {
		t.Errorf("%v: ended with %v, want exit code 1", cmd.Args[1:], err)
	}
	if text := stderr.String(); strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "Error: ") {
		t.Errorf("%v: want one line of complaint, got:\n%s", cmd.Args[1:], text)
	}
	return stderr.String()
}

// process is a server that has said that it is ready.
type process struct {
	*testing.T
	cmd     *exec.Cmd
	stderr  bytes.Buffer
	address string
	lines   []string
	ended   chan error
}

// serveOn runs a server on the folder, gRPC on a free port and no other.
func serveOn(t *testing.T, folder string, args ...string) *process {
	t.Helper()
	args = append([]string{"server", "--data", folder, "--port", "0", "--http-port", "-1", "--metrics-port", "-1", "--headless"}, args...)
	r := &process{T: t, cmd: perdure(t, args...), ended: make(chan error, 1)}
	r.cmd.Stderr = &r.stderr
	out, err := r.cmd.StdoutPipe()
	if err == nil {
		err = r.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			r.lines = append(r.lines, lines.Text())
			if f := strings.Fields(lines.Text()); len(f) == 2 && f[0] == "gRPC" {
				r.address = f[1]
			}
			if strings.HasPrefix(lines.Text(), "Ready") {
				ready <- true
			}
		}
		r.ended <- r.cmd.Wait()
	}()
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	select {
	case <-ready:
	case err := <-r.ended:
		t.Fatalf("the server ended before it was ready: %v\n%s", err, r.stderr.String())
	}
	return r
}

func (r *process) stop() {
	r.Helper()
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	if err := <-r.ended; err != nil {
		r.Errorf("after SIGTERM the server ended with %v\n%s", err, r.stderr.String())
	}
}

func (r *process) api() workflowservice.WorkflowServiceClient {
	r.Helper()
	conn, err := grpc.NewClient(r.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = conn.Close() })
	return workflowservice.NewWorkflowServiceClient(conn)
}

func TestVersion(t *testing.T) {
	out, err := perdure(t, "version").Output()
	if err != nil || !strings.HasPrefix(string(out), "perdure ") || len(strings.Fields(string(out))) < 2 {
		t.Errorf("printed %q, error %v", out, err)
	}
}

// A setting comes from the default, the file, the environment or a flag; each
// wins over those before it, and --print-config shows what came of it.
func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "perdure.yaml")
	text := "port: 1001\nhttp-port: 1002\nui-port: 1003\nnamespace: [from-file]\nsearch-attribute: {Color: Keyword}\nretention: 48h\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := perdure(t, "server", "--print-config", "--config", file,
		"--ui-port", "3003", "--search-attribute", "Size=Int", "-n", "a", "-n", "b")
	cmd.Env = append(cmd.Env, "PERDURE_HTTP_PORT=2002", "PERDURE_UI_PORT=2003", "PERDURE_NAMESPACE=from-environment", "PERDURE_CACHE_RUNS=7")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	printed := filepath.Join(t.TempDir(), "printed.yaml")
	if err := os.WriteFile(printed, out, 0o600); err != nil {
		t.Fatal(err)
	}
	var got config.Config
	if err := got.LoadFile(printed); err != nil {
		t.Fatalf("what is printed is not a configuration: %v\n%s", err, out)
	}
	want := config.Default()
	want.Port, want.HTTPPort, want.UIPort = 1001, 2002, 3003 // file, environment, flag
	want.Retention, want.CacheRuns = 48*time.Hour, 7
	want.Namespaces = []string{"a", "b"}
	want.SearchAttributes = map[string]string{"Color": "Keyword", "Size": "Int"} // a repeatable flag adds
	if got.String() != want.String() {
		t.Errorf("in force is\n%s\nwant\n%s", got, want)
	}
	if _, err := os.Stat(filepath.Join(cmd.Dir, "perdure-data")); !os.IsNotExist(err) {
		t.Errorf("printing made a data folder: %v", err)
	}
}

// Mistakes are named, and nothing starts.
func TestMistakes(t *testing.T) {
	for want, args := range map[string][]string{
		"log-level":          {"server", "--log-level", "loud"},
		"--insecure":         {"server", "--ip", "0.0.0.0"},
		"unknown flag":       {"server", "--prot", "1"},
		"unknown command":    {"serve"},
		"no such file":       {"server", "--config", "missing.yaml"},
		"is not of the form": {"server", "--search-attribute", "Color"},
	} {
		cmd := perdure(t, args...)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: error %v, does not say %q:\n%s", args, err, want, out)
		}
	}
}

// A server says where it listens, one line an address; a second start on its
// folder says which process holds it, and disturbs nothing.
func TestSecondStart(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	first := serveOn(t, folder)
	if len(first.lines) != 2 || first.address == "" || !strings.Contains(first.lines[1], folder) {
		t.Errorf("it said %q", first.lines)
	}
	text := fails(t, perdure(t, "server", "--data", folder, "--port", "0", "--http-port", "-1", "--metrics-port", "-1", "--headless"))
	if want := fmt.Sprintf("in use by process %d", first.cmd.Process.Pid); !strings.Contains(text, want) || !strings.Contains(text, folder) {
		t.Errorf("it does not say %q:\n%s", want, text)
	}
	if _, err := first.api().GetSystemInfo(context.Background(), &workflowservice.GetSystemInfoRequest{}); err != nil {
		t.Errorf("the first server: %v", err)
	}
	first.stop()
}

// A port that is taken: one line that names the flag.
func TestPortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := fmt.Sprint(taken.Addr().(*net.TCPAddr).Port)
	text := fails(t, perdure(t, "server", "--port", port, "--http-port", "-1", "--metrics-port", "-1", "--headless"))
	if !strings.Contains(text, "--port") || !strings.Contains(text, port) {
		t.Errorf("it does not say which port and flag:\n%s", text)
	}
}

// SIGTERM ends the process with exit code 0 though polls wait: they end empty,
// long before their time. The next start goes on with what there was.
func TestTermination(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	first := serveOn(t, folder)
	a := first.api()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	start := &workflowservice.StartWorkflowExecutionRequest{Namespace: "default", WorkflowId: "w", RequestId: "r",
		WorkflowType: &commonpb.WorkflowType{Name: "Order"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "orders"}}
	if _, err := a.StartWorkflowExecution(ctx, start); err != nil {
		t.Fatal(err)
	}
	polls := make(chan error, 3)
	for range cap(polls) {
		go func() {
			r, err := a.PollWorkflowTaskQueue(ctx, &workflowservice.PollWorkflowTaskQueueRequest{
				Namespace: "default", TaskQueue: &taskqueuepb.TaskQueue{Name: "others"}})
			if err == nil && len(r.GetTaskToken()) > 0 {
				err = fmt.Errorf("a task from nowhere")
			}
			polls <- err
		}()
	}
	for { // until a poller is known to the queue
		d, err := a.DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{Namespace: "default", TaskQueue: &taskqueuepb.TaskQueue{Name: "others"}, TaskQueueType: 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(d.GetPollers()) > 0 {
			break
		}
	}
	first.stop()
	for range cap(polls) {
		if err := <-polls; err != nil && ctx.Err() != nil {
			t.Errorf("a poll waited for its end: %v", err)
		}
	}

	second := serveOn(t, folder)
	r, err := second.api().DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{
		Namespace: "default", Execution: &commonpb.WorkflowExecution{WorkflowId: "w"}})
	if err != nil || r.GetWorkflowExecutionInfo().GetHistoryLength() < 2 {
		t.Errorf("after a restart: %v, error %v", r, err)
	}
	second.stop()
}

// failing is a server whose store fails, or which cannot stop.
type failing struct {
	done     chan struct{}
	err, end error
}

func (f failing) Done() <-chan struct{}      { return f.done }
func (f failing) Err() error                 { return f.err }
func (f failing) Stop(context.Context) error { return f.end }

// A store that cannot go on ends the process with its own message, whatever the
// stop had to say; without one the stop's counts.
func TestFailedStoreEndsTheProcess(t *testing.T) {
	gone := make(chan struct{})
	close(gone)
	store, stop := errors.New("the store has failed"), errors.New("not still in time")
	if err := untilEnd(context.Background(), failing{done: gone, err: store, end: stop}); err != store {
		t.Errorf("got %v", err)
	}
	signalled, cancel := context.WithCancel(context.Background())
	cancel()
	if err := untilEnd(signalled, failing{end: stop}); err != stop {
		t.Errorf("got %v", err)
	}
	if err := untilEnd(signalled, failing{}); err != nil {
		t.Errorf("got %v", err)
	}
}
