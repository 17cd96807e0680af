package server

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/perdure/perdure/store/pebblestore"
)

// Golden folders are what a release has left after a clean stop, in the midst of
// work: testdata/folder-N for format N of the store. They are added to, never
// changed. To make one of a new format, name it here:
//
//	PERDURE_WRITE_FOLDER=folder-2 go test ./server -run TestWriteFolder
const writeFolderEnv = "PERDURE_WRITE_FOLDER"

// longTime passes before a golden folder's timers fire, and its runs are
// forgotten.
const longTime = 50 * 365 * 24 * time.Hour

const goldenQueue = "golden"

// keeper is the workflow that golden folders are full of: at the time of writing
// it has an activity, a child and a timer open, and has answered an update. It
// ends, with all it was given, when it is told to.
func keeper(ctx workflow.Context, name string) (string, error) {
	sum := 0
	err := workflow.SetUpdateHandler(ctx, "add", func(_ workflow.Context, n int) (int, error) { sum += n; return sum, nil })
	if err != nil {
		return "", err
	}
	long := workflow.ActivityOptions{ScheduleToCloseTimeout: longTime, StartToCloseTimeout: longTime, TaskQueue: "golden-by-hand"}
	byHand := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, long), "by hand", name)
	child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: name + "-child"}), echo)
	timerContext, stop := workflow.WithCancel(ctx)
	timer := workflow.NewTimer(timerContext, longTime)
	var fromActivity, fromChild string
	if err := byHand.Get(ctx, &fromActivity); err != nil {
		return "", err
	}
	if err := child.Get(ctx, &fromChild); err != nil {
		return "", err
	}
	stop()
	if err := timer.Get(ctx, nil); !temporal.IsCanceledError(err) {
		return "", errors.New("the timer was not stopped")
	}
	return strings.Join([]string{name, fromActivity, fromChild, string(rune('0' + sum))}, " "), nil
}

// echo ends with what it is signalled.
func echo(ctx workflow.Context) (word string, err error) {
	workflow.GetSignalChannel(ctx, "word").Receive(ctx, &word)
	return word, nil
}

// twice continues as new once.
func twice(ctx workflow.Context, n int) (int, error) {
	if n > 0 {
		return n, nil
	}
	return 0, workflow.NewContinueAsNewError(ctx, twice, n+1)
}

func goldenWorker(t *testing.T, c client.Client) worker.Worker {
	t.Helper()
	w := worker.New(c, goldenQueue, worker.Options{})
	w.RegisterWorkflow(keeper)
	w.RegisterWorkflow(echo)
	w.RegisterWorkflow(twice)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestWriteFolder writes a golden folder, when it is told to.
func TestWriteFolder(t *testing.T) {
	name := os.Getenv(writeFolderEnv)
	if name == "" {
		t.Skip("no golden folder is to be written")
	}
	o := inFolder(t.TempDir())
	o.Config.Retention, o.Config.Shards = longTime, 1
	o.Config.SearchAttributes = map[string]string{"Color": "Keyword"}
	s := launch(t, o)
	c := sdk(t, s)
	ctx := testContext(t)
	w := goldenWorker(t, c)
	options := func(id string) client.StartWorkflowOptions {
		return client.StartWorkflowOptions{ID: id, TaskQueue: goldenQueue, Memo: map[string]any{"note": "a memo of " + id},
			TypedSearchAttributes: temporal.NewSearchAttributes(temporal.NewSearchAttributeKeyKeyword("Color").ValueSet("red"))}
	}
	for _, id := range []string{"started", "untouched"} {
		if _, err := c.ExecuteWorkflow(ctx, options(id), keeper, id); err != nil {
			t.Fatal(err)
		}
		update, err := c.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{WorkflowID: id, UpdateName: "add", Args: []any{3}, WaitForStage: client.WorkflowUpdateStageCompleted})
		if err == nil {
			err = update.Get(ctx, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	run, err := c.ExecuteWorkflow(ctx, options("chain"), twice, 0)
	if err == nil {
		err = run.Get(ctx, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.Stop()
	// A second server finds the first one's log and makes tables of it.
	c.Close()
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	s = launch(t, o)
	c = sdk(t, s)
	// Nobody polls any more: this one's first workflow task waits in the backlog.
	if _, err := c.ExecuteWorkflow(ctx, options("waiting"), keeper, "waiting"); err != nil {
		t.Fatal(err)
	}
	// The first of the two activities is taken and heartbeats.
	if err := c.RecordActivityHeartbeat(ctx, takeByHand(ctx, t, s).TaskToken, "half of it"); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join("testdata", name)
	if err := os.CopyFS(target, os.DirFS(o.Config.Data)); err != nil {
		t.Fatal(err)
	}
	// The index is derived; a release makes its own.
	if err := os.Remove(filepath.Join(target, "visibility.db")); err != nil {
		t.Fatal(err)
	}
}

func takeByHand(ctx context.Context, t *testing.T, s *Server) *workflowservice.PollActivityTaskQueueResponse {
	t.Helper()
	task, err := api(t, s).PollActivityTaskQueue(ctx, &workflowservice.PollActivityTaskQueueRequest{
		Namespace: "default", TaskQueue: &taskqueuepb.TaskQueue{Name: "golden-by-hand"}, Identity: "by hand"})
	if err != nil || len(task.GetTaskToken()) == 0 {
		t.Fatalf("no activity task came: %v", err)
	}
	return task
}

// copyFolder lays a golden folder down where it may be changed.
func copyFolder(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", name))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestUpgrade opens every golden folder with this release: all it holds is there,
// in the state it was left in, and goes on to its end.
func TestUpgrade(t *testing.T) {
	folders, err := filepath.Glob("testdata/folder-*")
	if err != nil || len(folders) != pebblestore.FormatVersion {
		t.Fatalf("there are %d golden folders for %d formats, %v", len(folders), pebblestore.FormatVersion, err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			s := launch(t, inFolder(copyFolder(t, filepath.Base(folder))))
			c := sdk(t, s)
			ctx := testContext(t)
			count, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: "Color = 'red'"})
			if err != nil || count.Count != 5 {
				t.Fatalf("the index counts %d workflows of 5, %v", count.GetCount(), err)
			}
			chain, err := c.DescribeWorkflowExecution(ctx, "chain", "")
			if err != nil || chain.WorkflowExecutionInfo.Status != enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED || len(chain.WorkflowExecutionInfo.Memo.Fields) != 1 {
				t.Fatalf("what was closed: %v, %v", chain, err)
			}
			started, err := c.DescribeWorkflowExecution(ctx, "started", "")
			if err != nil || len(started.PendingActivities) != 1 || len(started.PendingChildren) != 1 {
				t.Fatalf("what was open: %v, %v", started, err)
			}
			var progress string
			pending := started.PendingActivities[0]
			if err := converter.GetDefaultDataConverter().FromPayloads(pending.HeartbeatDetails, &progress); err != nil || progress != "half of it" {
				t.Errorf("the heartbeat said %q, %v", progress, err)
			}
			goOn(ctx, t, s, c)
		})
	}
}

// goOn brings the workflows of a golden folder to their end.
func goOn(ctx context.Context, t *testing.T, s *Server, c client.Client) {
	t.Helper()
	w := goldenWorker(t, c)
	defer w.Stop()
	if err := c.CompleteActivityByID(ctx, "default", "started", "", activityOf(ctx, t, c, "started"), "started's activity", nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		task := takeByHand(ctx, t, s)
		if err := c.CompleteActivity(ctx, task.TaskToken, task.WorkflowExecution.WorkflowId+"'s activity", nil); err != nil {
			t.Fatal(err)
		}
	}
	for id, sum := range map[string]string{"untouched": "3", "started": "3", "waiting": "0"} {
		retry(t, "signal the child of "+id, func() error { return c.SignalWorkflow(ctx, id+"-child", "", "word", "a word") })
		var got string
		if err := c.GetWorkflow(ctx, id, "").Get(ctx, &got); err != nil || got != id+" "+id+"'s activity a word "+sum {
			t.Errorf("%s returned %q, %v", id, got, err)
		}
	}
}

func activityOf(ctx context.Context, t *testing.T, c client.Client, id string) string {
	t.Helper()
	d, err := c.DescribeWorkflowExecution(ctx, id, "")
	if err != nil || len(d.PendingActivities) != 1 {
		t.Fatalf("%s: %v, %v", id, d, err)
	}
	return d.PendingActivities[0].ActivityId
}

// TestNewerFolder: a folder of a format that this release does not know, or with
// values of a later release, is refused with an error that says so, and is left
// as it is to the byte.
func TestNewerFolder(t *testing.T) {
	dir := copyFolder(t, "folder-2")
	format := filepath.Join(dir, "store", "db", "FORMAT")
	if err := os.WriteFile(format, []byte("perdure store 99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, dir)
	_, err := Start(testContext(t), inFolder(dir))
	if !errors.Is(err, pebblestore.ErrNewerFormat) || !strings.Contains(err.Error(), "it has 99, known is 2") {
		t.Errorf("a folder of a newer format: %v", err)
	}
	if after := snapshot(t, dir); after != before {
		t.Errorf("the folder was changed from\n%s\nto\n%s", before, after)
	}
}

// snapshot is every file of a folder, with what is in it.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		b.WriteString(path + "=" + string(content) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
