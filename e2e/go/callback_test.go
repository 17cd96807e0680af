//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/nexus-rpc/sdk-go/nexus"
	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	updatepb "go.temporal.io/api/update/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/e2e/harness"
)

// Completion callbacks, told over real HTTP (spec workflow.md 1.11). SDKs have no
// call of their own that attaches them, so requests are made as theirs would be.

// told is one request a receiver was sent.
type told struct {
	path, state, token, requestID, body string
	header                              http.Header
}

// waiter is an HTTP server that takes completions, as a Nexus caller would.
type waiter struct {
	url  string
	told chan told
	mu   sync.Mutex
	// answers are the statuses of the next requests by path; then 200.
	answers map[string][]int
	// hold, if set, keeps requests unanswered until it is closed.
	hold chan struct{}
}

func newWaiter(t *testing.T) *waiter {
	w := &waiter{told: make(chan told, 100), answers: map[string][]int{}}
	s := httptest.NewServer(w)
	w.url = s.URL
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return w
}

func (w *waiter) ServeHTTP(resp http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	status := http.StatusOK
	if list := w.answers[r.URL.Path]; len(list) > 0 {
		status, w.answers[r.URL.Path] = list[0], list[1:]
	}
	hold := w.hold
	w.mu.Unlock()
	w.told <- told{r.URL.Path, r.Header.Get("Nexus-Operation-State"), r.Header.Get("Temporal-Callback-Token"),
		r.Header.Get("Nexus-Request-Id"), string(body), r.Header}
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}
	resp.WriteHeader(status)
}

// next is the next request.
func (w *waiter) next(ctx context.Context, t *testing.T) told {
	t.Helper()
	select {
	case got := <-w.told:
		return got
	case <-ctx.Done():
		t.Fatal("no completion came")
	}
	return told{}
}

func (w *waiter) callback(path string) []*commonpb.Callback {
	return []*commonpb.Callback{{Variant: &commonpb.Callback_Nexus_{Nexus: &commonpb.Callback_Nexus{
		Url: w.url + path, Header: map[string]string{"Temporal-Callback-Token": "token of " + path}}}}}
}

// beginWaited is begin on a server of the test's own that may call receivers here.
func beginWaited(t *testing.T, register func(worker.Registry)) (context.Context, *suite, *waiter) {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), perTest)
	t.Cleanup(cancel)
	w := newWaiter(t)
	s := &suite{T: t, server: harness.Start(t, "--callback-address", "http://127.0.0.1:*"), queue: t.Name()}
	s.client = dial(t, s.server.GRPC())
	s.worker = s.work(register, worker.Options{})
	return ctx, s, w
}

func (s *suite) startWaited(ctx context.Context, id, kind string, change func(*workflowservice.StartWorkflowExecutionRequest)) *workflowservice.StartWorkflowExecutionResponse {
	s.Helper()
	req := &workflowservice.StartWorkflowExecutionRequest{
		Namespace: "default", WorkflowId: id, RequestId: "request of " + id,
		WorkflowType: &commonpb.WorkflowType{Name: kind}, TaskQueue: &taskqueuepb.TaskQueue{Name: s.queue},
	}
	change(req)
	resp, err := s.client.WorkflowService().StartWorkflowExecution(ctx, req)
	if err != nil {
		s.Fatal(err)
	}
	return resp
}

// callbacksUntil waits until what is known of a workflow's callbacks is as wanted.
func (s *suite) callbacksUntil(ctx context.Context, id string, wanted ...enumspb.CallbackState) []*workflowpb.CallbackInfo {
	s.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		d, err := s.client.DescribeWorkflowExecution(ctx, id, "")
		if err != nil {
			s.Fatal(err)
		}
		list := d.GetCallbacks()
		same := len(list) == len(wanted)
		for i := 0; same && i < len(wanted); i++ {
			same = list[i].GetState() == wanted[i]
		}
		if same {
			return list
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.Fatalf("the callbacks were last seen as %v", list)
		}
	}
}

// endings are a workflow that ends as it is asked to.
func endings(ctx workflow.Context, how string) (string, error) {
	switch how {
	case "fail":
		return "", temporal.NewApplicationError("broken", "Kaputt")
	case "wait":
		return "", workflow.Sleep(ctx, time.Hour)
	case "go on":
		return "", workflow.NewContinueAsNewError(ctx, "endings", "well")
	}
	return "done " + how, nil
}

func input(t *testing.T, v any) *commonpb.Payloads {
	t.Helper()
	p, err := converter.GetDefaultDataConverter().ToPayloads(v)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Receivers are told of each way to end, in the form of the Nexus protocol.
func TestCallbackIsToldHowAWorkflowEnded(t *testing.T) {
	ctx, s, w := beginWaited(t, func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(endings, workflow.RegisterOptions{Name: "endings"})
	})
	begin := func(how string) string {
		id := t.Name() + "/" + how
		s.startWaited(ctx, id, "endings", func(r *workflowservice.StartWorkflowExecutionRequest) {
			r.Input, r.CompletionCallbacks = input(t, how), w.callback("/"+how)
		})
		return id
	}
	failureOf := func(got told) (f nexus.Failure) {
		t.Helper()
		if err := json.Unmarshal([]byte(got.body), &f); err != nil || f.Metadata["type"] != "temporal.api.failure.v1.Failure" {
			t.Errorf("body %q: %v", got.body, err)
		}
		return f
	}

	id := begin("well")
	got := w.next(ctx, t)
	if got.path != "/well" || got.state != "succeeded" || got.token != "token of /well" || got.body != `"done well"` ||
		got.header.Get("Content-Type") != "application/json" || got.requestID == "" {
		t.Errorf("told %+v", got)
	}
	for _, name := range []string{"Nexus-Operation-Start-Time", "Nexus-Operation-Close-Time", "Nexus-Link"} {
		if got.header.Get(name) == "" {
			t.Errorf("%s is missing", name)
		}
	}
	list := s.callbacksUntil(ctx, id, enumspb.CALLBACK_STATE_SUCCEEDED)
	if c := list[0]; c.GetAttempt() != 1 || c.GetRequestId() != got.requestID || c.GetTrigger().GetWorkflowClosed() == nil ||
		c.GetCallback().GetNexus().GetHeader()["temporal-callback-token"] == "" {
		t.Errorf("shown as %v", c)
	}

	begin("fail")
	if got = w.next(ctx, t); got.state != "failed" || failureOf(got).Message != "broken" {
		t.Errorf("told %+v", got)
	}

	id = begin("wait")
	s.callbacksUntil(ctx, id, enumspb.CALLBACK_STATE_STANDBY)
	if err := s.client.CancelWorkflow(ctx, id, ""); err != nil {
		t.Fatal(err)
	}
	if got = w.next(ctx, t); got.path != "/wait" || got.state != "canceled" {
		t.Errorf("told %+v", got)
	}
	failureOf(got)

	// Of a chain that goes on only the end is told.
	begin("go on")
	if got = w.next(ctx, t); got.path != "/go on" || got.state != "succeeded" || got.body != `"done well"` {
		t.Errorf("told %+v", got)
	}
}

// A receiver in trouble is asked again; one that says no is not.
func TestCallbackIsTriedAgain(t *testing.T) {
	ctx, s, w := beginWaited(t, func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(endings, workflow.RegisterOptions{Name: "endings"})
	})
	w.answers["/troubled"] = []int{http.StatusServiceUnavailable, http.StatusInternalServerError}
	w.answers["/gone"] = []int{http.StatusNotFound}
	s.startWaited(ctx, t.Name(), "endings", func(r *workflowservice.StartWorkflowExecutionRequest) {
		r.Input = input(t, "well")
		r.CompletionCallbacks = append(w.callback("/troubled"), w.callback("/gone")...)
	})
	requests := map[string]map[string]int{"/troubled": {}, "/gone": {}}
	for range 4 {
		got := w.next(ctx, t)
		requests[got.path][got.requestID]++
	}
	list := s.callbacksUntil(ctx, t.Name(), enumspb.CALLBACK_STATE_SUCCEEDED, enumspb.CALLBACK_STATE_FAILED)
	if list[0].GetAttempt() != 3 || requests["/troubled"][list[0].GetRequestId()] != 3 {
		t.Errorf("troubled: %v, asked %v", list[0], requests)
	}
	if c := list[1]; c.GetAttempt() != 1 || c.GetLastAttemptFailure().GetNexusHandlerFailureInfo().GetType() != "NOT_FOUND" {
		t.Errorf("gone: %v", c)
	}
}

// A start that finds the workflow running attaches its callback, once.
func TestCallbackIsAttachedToARunningWorkflow(t *testing.T) {
	ctx, s, w := beginWaited(t, func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(endings, workflow.RegisterOptions{Name: "endings"})
	})
	first := s.startWaited(ctx, t.Name(), "endings", func(r *workflowservice.StartWorkflowExecutionRequest) { r.Input = input(t, "wait") })
	for range 2 {
		second := s.startWaited(ctx, t.Name(), "endings", func(r *workflowservice.StartWorkflowExecutionRequest) {
			r.RequestId, r.CompletionCallbacks = "another", w.callback("/second")
			r.WorkflowIdConflictPolicy = enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
			r.OnConflictOptions = &workflowpb.OnConflictOptions{AttachRequestId: true, AttachCompletionCallbacks: true, AttachLinks: true}
		})
		if ref := second.GetLink().GetWorkflowEvent().GetRequestIdRef(); second.GetStarted() || second.GetRunId() != first.GetRunId() ||
			ref.GetRequestId() != "another" || ref.GetEventType() != enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED {
			t.Errorf("answered %v", second)
		}
	}
	d, err := s.client.DescribeWorkflowExecution(ctx, t.Name(), "")
	if err != nil || len(d.GetCallbacks()) != 1 ||
		d.GetWorkflowExtendedInfo().GetRequestIdInfos()["another"].GetEventType() != enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED {
		t.Errorf("shown as %v, %v", d, err)
	}
	if err := s.client.TerminateWorkflow(ctx, t.Name(), "", "enough"); err != nil {
		t.Fatal(err)
	}
	if got := w.next(ctx, t); got.path != "/second" || got.state != "failed" {
		t.Errorf("told %+v", got)
	}
}

// The callback of an update is told of its outcome while the workflow goes on.
func TestCallbackIsToldOfAnUpdate(t *testing.T) {
	ctx, s, w := beginWaited(t, func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
			err := workflow.SetUpdateHandler(ctx, "double", func(ctx workflow.Context, n int) (int, error) {
				if n < 0 {
					return 0, errors.New("negative")
				}
				return 2 * n, nil
			})
			if err != nil {
				return err
			}
			return workflow.Sleep(ctx, time.Hour)
		}, workflow.RegisterOptions{Name: "updated"})
	})
	s.startWaited(ctx, t.Name(), "updated", func(*workflowservice.StartWorkflowExecutionRequest) {})
	for path, n := range map[string]int{"/well": 21, "/badly": -1} {
		_, err := s.client.WorkflowService().UpdateWorkflowExecution(ctx, &workflowservice.UpdateWorkflowExecutionRequest{
			Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: t.Name()},
			WaitPolicy: &updatepb.WaitPolicy{LifecycleStage: enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED},
			Request: &updatepb.Request{
				Meta: &updatepb.Meta{UpdateId: path}, Input: &updatepb.Input{Name: "double", Args: input(t, n)},
				RequestId: "request of " + path, CompletionCallbacks: w.callback(path),
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		got := w.next(ctx, t)
		if n > 0 && (got.state != "succeeded" || got.body != "42") || n < 0 && got.state != "failed" || got.path != path {
			t.Errorf("told %+v", got)
		}
	}
	list := s.callbacksUntil(ctx, t.Name(), enumspb.CALLBACK_STATE_SUCCEEDED, enumspb.CALLBACK_STATE_SUCCEEDED)
	if list[0].GetTrigger().GetUpdateWorkflowExecutionCompleted().GetUpdateId() == "" {
		t.Errorf("shown as %v", list)
	}
}

// AX-53: the callback of an activity that stands alone.
func TestCallbackIsToldOfAStandaloneActivity(t *testing.T) {
	ctx, s, w := beginWaited(t, alone(func(context.Context) (string, error) { return "charged", nil }))
	_, err := s.client.WorkflowService().StartActivityExecution(ctx, &workflowservice.StartActivityExecutionRequest{
		Namespace: "default", ActivityId: t.Name(), RequestId: "request", ActivityType: &commonpb.ActivityType{Name: "act"},
		TaskQueue: &taskqueuepb.TaskQueue{Name: s.queue}, StartToCloseTimeout: durationpb.New(time.Minute),
		CompletionCallbacks: w.callback("/alone"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.next(ctx, t); got.path != "/alone" || got.state != "succeeded" || got.body != `"charged"` || got.token != "token of /alone" {
		t.Errorf("told %+v", got)
	}
	var last []*activitypb.CallbackInfo
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		d, err := s.client.WorkflowService().DescribeActivityExecution(ctx, &workflowservice.DescribeActivityExecutionRequest{Namespace: "default", ActivityId: t.Name()})
		if err != nil {
			t.Fatalf("%v; last seen as %v", err, last)
		}
		if last = d.GetCallbacks(); len(last) == 1 && last[0].GetInfo().GetState() == enumspb.CALLBACK_STATE_SUCCEEDED {
			break
		}
	}
}

// The server dies while a receiver has the completion and has not answered. It is
// told again, with the id by which it knows that it has been told.
func TestCallbackOutlivesTheServer(t *testing.T) {
	ctx, s, w := beginWaited(t, func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(endings, workflow.RegisterOptions{Name: "endings"})
	})
	w.hold = make(chan struct{})
	s.startWaited(ctx, t.Name(), "endings", func(r *workflowservice.StartWorkflowExecutionRequest) {
		r.Input, r.CompletionCallbacks = input(t, "well"), w.callback("/cb")
	})
	first := w.next(ctx, t)
	s.server.Kill()
	w.mu.Lock()
	close(w.hold)
	w.hold = nil
	w.mu.Unlock()
	if err := s.server.Restart(); err != nil {
		t.Fatal(err)
	}
	second := w.next(ctx, t)
	if second.requestID != first.requestID || second.body != first.body || second.token != first.token || second.state != "succeeded" {
		t.Errorf("told %+v, and before %+v", second, first)
	}
	s.callbacksUntil(ctx, t.Name(), enumspb.CALLBACK_STATE_SUCCEEDED)
}
