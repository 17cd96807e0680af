//go:build crash

package crash

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/perdure/perdure/e2e/harness"
)

// diskBytes is the size of the disks that these tests fill.
const diskBytes = 160 << 20

// smallDisk runs a server whose data folder is a disk of its own, which other
// programs can fill. It needs the right to mount one.
func smallDisk(t *testing.T, flags ...string) (*harness.Server, client.Client) {
	t.Helper()
	folder := t.TempDir()
	data := filepath.Join(folder, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, fmt.Sprintf("size=%d", diskBytes)); err != nil {
		t.Skipf("no disk can be mounted here: %v", err)
	}
	server, err := harness.Launch(folder, append(flags, "--headless")...)
	t.Cleanup(func() {
		server.Kill()
		if err := syscall.Unmount(data, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial(client.Options{HostPort: server.GRPC(), Logger: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return server, c
}

// balloon is a file of somebody else's on the disk. It leaves so many bytes free.
func balloon(t *testing.T, server *harness.Server, leave int64) (path string) {
	t.Helper()
	path = filepath.Join(server.Folder, "data", "balloon")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 1<<16)
	for {
		var disk syscall.Statfs_t
		if err := syscall.Statfs(filepath.Dir(path), &disk); err != nil {
			t.Fatal(err)
		}
		free := int64(disk.Bavail) * disk.Bsize
		if free <= leave {
			break
		}
		if _, err := f.Write(chunk[:min(int64(len(chunk)), free-leave)]); errors.Is(err, syscall.ENOSPC) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// startUntil starts workflows of some size until a start fails, and returns the
// runs that were acknowledged and the failure.
func startUntil(t *testing.T, server *harness.Server, series string, most int) (runs map[string]string, failure error) {
	t.Helper()
	runs = map[string]string{}
	// Without the SDK, which would try again what is refused until its time is up.
	conn, err := grpc.NewClient(server.GRPC(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	api := workflowservice.NewWorkflowServiceClient(conn)
	input := &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: make([]byte, 200<<10)}}}
	for i := range most {
		id := fmt.Sprintf("%s-%d", series, i)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		run, err := api.StartWorkflowExecution(ctx, &workflowservice.StartWorkflowExecutionRequest{
			Namespace: "default", WorkflowId: id, RequestId: id, WorkflowType: &commonpb.WorkflowType{Name: "any"},
			TaskQueue: &taskqueuepb.TaskQueue{Name: "nobody"}, Input: input,
		})
		cancel()
		if err != nil {
			return runs, serviceerror.FromStatus(status.Convert(err))
		}
		runs[id] = run.GetRunId()
	}
	return runs, nil
}

// present fails unless every run is there with its input.
func present(t *testing.T, c client.Client, runs map[string]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for id, runID := range runs {
		events := c.GetWorkflowHistory(ctx, id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		ev, err := events.Next()
		if err != nil || len(ev.GetWorkflowExecutionStartedEventAttributes().GetInput().GetPayloads()[0].GetData()) < 200<<10 {
			t.Errorf("%s was acknowledged and is not there: %v", id, err)
		}
	}
}

// TestFilledDisk (I1): somebody else fills the disk below the low-water mark, and
// then empties it again. New work is refused with an error that says why, what
// was acknowledged is there all the time, and nothing is to be done.
func TestFilledDisk(t *testing.T) {
	server, c := smallDisk(t, "--min-free-disk-bytes", fmt.Sprint(32<<20))
	before, err := startUntil(t, server, "before", 20)
	if err != nil {
		t.Fatal(err)
	}
	path := balloon(t, server, 28<<20)
	during, err := startUntil(t, server, "during", 2000)
	var exhausted *serviceerror.ResourceExhausted
	if !errors.As(err, &exhausted) || exhausted.Cause != enumspb.RESOURCE_EXHAUSTED_CAUSE_PERSISTENCE_STORAGE_LIMIT {
		t.Errorf("after %d starts on a full disk: %v", len(during), err)
	}
	present(t, c, before)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if !insist(ctx, func(ctx context.Context) error {
		_, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "after", TaskQueue: "nobody"}, "any")
		return err
	}) {
		t.Error("with room again no start is accepted")
	}
	present(t, c, before)
	present(t, c, during)
	if err := server.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	examine(t, server, "with room again")
}

// TestNoSpaceLeft (I1): the disk is filled but for less than a start takes,
// and the low-water mark is turned off, so that the server's own writes fail
// (ENOSPC). It ends with
// an error that names the folder, and started again with room it has everything
// it acknowledged.
func TestNoSpaceLeft(t *testing.T) {
	server, c := smallDisk(t, "--min-free-disk-bytes", "1")
	before, err := startUntil(t, server, "before", 20)
	if err != nil {
		t.Fatal(err)
	}
	path := balloon(t, server, 100<<10)
	during, err := startUntil(t, server, "during", 2000)
	if err == nil {
		t.Fatalf("%d starts were acknowledged on a disk without room", len(during))
	}
	t.Logf("%d starts were acknowledged before the first failure: %v", len(during), err)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	// It may have ended by itself or not, depending on which write failed.
	server.Kill()
	examine(t, server, "after the disk was full")
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	present(t, c, before)
	present(t, c, during)
	if _, err := startUntil(t, server, "after", 5); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if text, err := os.ReadFile(filepath.Join(server.Folder, "server.log")); err != nil || !strings.Contains(string(text), "no space left on device") {
		t.Errorf("the server did not say why it ended: %v\n%s", err, text)
	}
}
