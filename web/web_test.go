package web

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
)

// fakeAPI is as much of the API as the tests call.
type fakeAPI struct {
	workflowservice.UnimplementedWorkflowServiceServer
	operatorservice.UnimplementedOperatorServiceServer
	terminated chan string
}

func (f *fakeAPI) ListWorkflowExecutions(_ context.Context, req *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	if req.GetQuery() == "bad" {
		return nil, serviceerror.ToStatus(serviceerror.NewInvalidArgument("invalid query: bad")).Err()
	}
	return &workflowservice.ListWorkflowExecutionsResponse{Executions: []*workflowpb.WorkflowExecutionInfo{
		{Execution: &commonpb.WorkflowExecution{WorkflowId: "of " + req.GetNamespace() + ": " + req.GetQuery()}},
	}}, nil
}

func (f *fakeAPI) TerminateWorkflowExecution(_ context.Context, req *workflowservice.TerminateWorkflowExecutionRequest) (*workflowservice.TerminateWorkflowExecutionResponse, error) {
	f.terminated <- req.GetWorkflowExecution().GetWorkflowId()
	return &workflowservice.TerminateWorkflowExecutionResponse{}, nil
}

func startFake(t *testing.T) (*fakeAPI, *Server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fake, g := &fakeAPI{terminated: make(chan string, 1)}, grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(g, fake)
	operatorservice.RegisterOperatorServiceServer(g, fake)
	go func() { _ = g.Serve(l) }()
	t.Cleanup(g.Stop)
	s, err := Start(t.Context(), Options{Target: l.Addr().String(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return fake, s
}

func get(t *testing.T, address string) (status int, body string) {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, read(t, response)
}

func read(t *testing.T, response *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestPages shows that any path of the application gives its page, and that the
// scripts the page names are there.
func TestPages(t *testing.T) {
	_, s := startFake(t)
	for _, path := range []string{"/", "/namespaces/default/workflows", "/namespaces/default/workflows/w%2F1/r/history"} {
		status, body := get(t, s.URL()+path)
		if status != http.StatusOK || !strings.Contains(body, "<html") {
			t.Errorf("%s: %d %.100s", path, status, body)
		}
	}
	_, page := get(t, s.URL()+"/")
	scripts := regexp.MustCompile(`/_app/immutable/[^"']+\.js`).FindAllString(page, -1)
	if len(scripts) == 0 {
		t.Fatalf("no scripts in %.500s", page)
	}
	for _, script := range scripts {
		if status, body := get(t, s.URL()+script); status != http.StatusOK || len(body) == 0 {
			t.Errorf("%s: %d", script, status)
		}
	}
	if status, _ := get(t, s.URL()+"/healthz"); status != http.StatusOK {
		t.Errorf("health: %d", status)
	}
}

// TestCalls shows that calls reach the API, and that its errors come back in the
// form the UI reads.
func TestCalls(t *testing.T) {
	_, s := startFake(t)
	if status, body := get(t, s.URL()+"/api/v1/settings"); status != http.StatusOK || !strings.Contains(body, `"DefaultNamespace":"default"`) || strings.Contains(body, `"Enabled":true`) {
		t.Errorf("settings: %d %s", status, body)
	}
	list := s.URL() + "/api/v1/namespaces/n1/workflows?query="
	if status, body := get(t, list+url.QueryEscape("`A`='b c'")); status != http.StatusOK || !strings.Contains(body, "of n1: `A`='b c'") {
		t.Errorf("list: %d %s", status, body)
	}
	if status, body := get(t, list+"bad"); status != http.StatusBadRequest || !strings.Contains(body, "invalid query: bad") {
		t.Errorf("bad query: %d %s", status, body)
	}
	// What the API does not have must be JSON too; the UI falls back on the code.
	if status, body := get(t, s.URL()+"/api/v1/namespaces/n1/schedule-count"); status != http.StatusNotImplemented || !strings.Contains(body, `"code"`) {
		t.Errorf("unimplemented: %d %s", status, body)
	}
}

// TestForeignPagesCannotAct shows that a change needs the token that only the
// UI's own pages can read.
func TestForeignPagesCannotAct(t *testing.T) {
	fake, s := startFake(t)
	post := func(change func(*http.Request)) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/api/v1/namespaces/n1/workflows/w1/terminate", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		change(req)
		response, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		read(t, response)
		return response.StatusCode
	}
	if status := post(func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }); status < 400 {
		t.Errorf("from a foreign page: %d", status)
	}
	if status := post(func(*http.Request) {}); status < 400 {
		t.Errorf("without a token: %d", status)
	}
	response, err := http.Get(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	read(t, response)
	status := post(func(r *http.Request) {
		for _, c := range response.Cookies() {
			r.AddCookie(c)
			if c.Name == "_csrf" {
				r.Header.Set("X-CSRF-Token", c.Value)
			}
		}
	})
	if status != http.StatusOK || len(fake.terminated) != 1 {
		t.Errorf("with the token: %d, %d terminated", status, len(fake.terminated))
	}
}

// TestPortTaken shows that a taken port is an error and not the end of the
// process.
func TestPortTaken(t *testing.T) {
	_, s := startFake(t)
	at, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(at.Port())
	if err != nil {
		t.Fatal(err)
	}
	if second, err := Start(t.Context(), Options{Target: "127.0.0.1:1", Port: port}); err == nil {
		t.Errorf("a second server on %s", second.URL())
	}
}

// TestStopTwice shows that Stop may be called again, and that the port is closed.
func TestStopTwice(t *testing.T) {
	_, s := startFake(t)
	for range 2 {
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if response, err := http.Get(s.URL()); err == nil {
		_ = response.Body.Close()
		t.Error("the port is still open")
	}
}
