package bench

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
)

// The bench's own clients and workers, unchanged, run every closed scenario on
// the null server, and each workflow costs the commits its scenario is worth.
func TestFloorRunsEveryClosedScenario(t *testing.T) {
	type commits struct {
		each int
		open int // of each open run that the calls go to
	}
	want := map[string]commits{
		"empty": {each: 2}, "activity1": {each: 4}, "activity10": {each: 22}, "fanout100": {each: 103},
		"signal": {each: 4}, "standalone": {each: 2}, "query": {each: 0, open: 2}, "update": {each: 1, open: 2},
		sdkScenario: {each: 4},
	}
	for name, play := range scenarios {
		if play.one == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			const count = 20
			b, log := onNull(t, name)
			if play.prepare != nil {
				if err := play.prepare(t.Context(), b); err != nil {
					t.Fatal(err)
				}
			}
			latencies, err := b.drive(t.Context(), "run", count)
			if err != nil {
				t.Fatal(err)
			}
			if latencies.len() != count {
				t.Errorf("%d workflows measured, want %d", latencies.len(), count)
			}
			open := len(b.free)
			b.close()
			if want := want[name].each*count + want[name].open*open; log.commits != want {
				t.Errorf("%d commits for %d workflows and %d open ones, want %d", log.commits, count, open, want)
			}
			if log.syncs > log.commits {
				t.Errorf("%d syncs for %d commits", log.syncs, log.commits)
			}
		})
	}
}

// What is synced is the history, byte for byte, and the server forgets a run
// whose result was read.
func TestFloorWritesTheHistory(t *testing.T) {
	b, log := onNull(t, "activity1")
	if _, err := b.drive(t.Context(), "run", 1); err != nil {
		t.Fatal(err)
	}
	_, err := b.api.GetWorkflowExecutionHistory(t.Context(), &workflowservice.GetWorkflowExecutionHistoryRequest{})
	if status.Code(err) != codes.NotFound {
		t.Errorf("reading an unknown run: %v, want NotFound", err)
	}
	b.close()

	bytes, err := os.ReadFile(log.file.Name())
	if err != nil {
		t.Fatal(err)
	}
	var h historypb.History
	if err := proto.Unmarshal(bytes, &h); err != nil {
		t.Fatal(err)
	}
	want := []enumspb.EventType{
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
		enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
		enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED, enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
		enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
	}
	if len(h.Events) != len(want) {
		t.Fatalf("%d events on disk, want %d", len(h.Events), len(want))
	}
	for i, ev := range h.Events {
		if ev.EventType != want[i] {
			t.Errorf("event %d is %s, want %s", i+1, ev.EventType, want[i])
		}
	}
}

// Answers to tasks that nobody has are refused, not crashes.
func TestFloorRefusesUnknownTasks(t *testing.T) {
	b, _ := onNull(t, "empty")
	defer b.close()
	for _, token := range [][]byte{nil, {1, 2, 3}, make([]byte, 8)} {
		_, err := b.api.RespondWorkflowTaskCompleted(t.Context(), &workflowservice.RespondWorkflowTaskCompletedRequest{TaskToken: token})
		if status.Code(err) != codes.NotFound {
			t.Errorf("token %v: %v, want NotFound", token, err)
		}
	}
}

// Appends that meet share a sync, and none is lost.
func TestNullLogGroupsCommits(t *testing.T) {
	log, err := openNullLog(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 100 {
		group.Go(func() {
			if err := log.append([]byte("0123456789")); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	log.close()
	if log.commits != 100 || log.syncs > 100 {
		t.Errorf("%d commits in %d syncs, want 100 in at most as many", log.commits, log.syncs)
	}
	if s, err := os.Stat(log.file.Name()); err != nil || s.Size() != 1000 {
		t.Errorf("the file is %v, %v; want 1000 bytes", s, err)
	}
	if err := log.append([]byte("late")); err == nil {
		t.Error("a closed log takes more")
	}
}

// onNull is a bench on a null server in this process.
func onNull(t *testing.T, name string) (*bench, *nullLog) {
	t.Helper()
	log, err := openNullLog(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	address, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- serveNull(ctx, log, nil, func(a string) { address <- a })
	}()
	o := Options{Scenario: name, Concurrency: 4}.withDefaults()
	b, err := open(ctx, o, scenarios[name], func(context.Context, Options) (*process, error) {
		return &process{address: <-address}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	client := b.close
	b.close = func() {
		once.Do(func() {
			client()
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			log.close()
		})
	}
	t.Cleanup(b.close)
	return b, log
}
