package frontend

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

func newGateway(t *testing.T, e *edge, o HTTPOptions) *httptest.Server {
	t.Helper()
	handler, err := e.HTTPHandler(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func request(t *testing.T, server *httptest.Server, method, path, body string, headers ...string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data), resp.Header
}

// same compares JSON regardless of its spaces.
func same(t *testing.T, got, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(got), &a); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	if string(x) != string(y) {
		t.Errorf("got  %s\nwant %s", x, y)
	}
}

// What is wrong with a body is said by line and column of the body, not of the
// decoder's source.
func TestHTTPSyntaxErrors(t *testing.T) {
	server := newGateway(t, newEdge(t), HTTPOptions{})
	for body, want := range map[string]string{
		`7`:                             "syntax error (line 1:1): unexpected token 7",
		`{"workflowType":7}`:            "syntax error (line 1:17): unexpected token 7",
		`{"input":{"payloads":7}}`:      "syntax error (line 1:22): unexpected token 7",
		`{"workflowType":{"name":[]}}`:  "(line 1:25): invalid value for string type: [",
		`{"workflowType":`:              "unexpected EOF",
		`{"searchAttributes":{"x": 7}}`: "(line 1:22): unknown field \"x\"",
		`{"memo":{"fields":7}}`:         "syntax error (line 1:19): unexpected token 7",
		`{"memo":{"fields":{"a":7}}} x`: "syntax error (line 1:29): invalid value x",
	} {
		code, answer, _ := request(t, server, "POST", "/api/v1/namespaces/ns/workflows/w", body)
		var st struct{ Message string }
		if err := json.Unmarshal([]byte(answer), &st); err != nil {
			t.Fatal(err)
		}
		if code != 400 || !strings.Contains(st.Message, want) || strings.Contains(answer, ".go") {
			t.Errorf("%s: %d %s, want %q", body, code, answer, want)
		}
	}
}

// H-30 to H-34 of service.md 1.6.
func TestHTTP(t *testing.T) {
	e := newEdge(t)
	e.executions.do = func(id engine.ID, _ string, in engine.Input) (any, error) {
		if start, ok := in.(*workflow.StartWorkflow); ok && start.Request.GetWorkflowId() == "w" {
			return &workflow.Started{RunID: "r", Started: true, Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING}, nil
		}
		return nil, engine.NotFound("workflow not found for ID: %s", id.Name)
	}
	server := newGateway(t, e, HTTPOptions{})
	notFound := `{"code":5,"message":"workflow not found for ID: x","details":[{"@type":"type.googleapis.com/temporal.api.errordetails.v1.NotFoundFailure"}]}`
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"system info, with the prefix", "GET", "/api/v1/system-info", "", 200, ""},
		{"system info, without", "GET", "/system-info", "", 200, ""},
		{"a start, payloads in short", "POST", "/api/v1/namespaces/ns/workflows/w", `{"workflowType":{"name":"t"},"task_queue":{"name":"q"},"input":[{"a":1},null],"workflowIdConflictPolicy":"UseExisting"}`, 200,
			`{"runId":"r","started":true,"status":"WORKFLOW_EXECUTION_STATUS_RUNNING"}`},
		{"the path wins over the body", "POST", "/namespaces/ns/workflows/w", `{"workflowId":"other","namespace":"other","workflowType":{"name":"t"},"taskQueue":{"name":"q"}}`, 200,
			`{"runId":"r","started":true,"status":"WORKFLOW_EXECUTION_STATUS_RUNNING"}`},
		{"an error with its detail", "POST", "/api/v1/namespaces/ns/workflows/x/terminate", `{}`, 404, notFound},
		{"defaults are left out", "GET", "/api/v1/namespaces/ns/workflow-count", "", 200, `{}`},
		{"an unknown parameter is ignored", "GET", "/api/v1/namespaces/ns/workflow-count?colour=red", "", 200, `{}`},
		{"an unknown path", "GET", "/api/v1/nothing", "", 404, `{"code":5,"message":"Not Found"}`},
		{"a wrong method", "DELETE", "/api/v1/system-info", "", 501, `{"code":12,"message":"Method Not Allowed"}`},
		{"what is not built", "GET", "/api/v1/namespaces/ns/schedules", "", 501, `{"code":12,"message":"method ListSchedules not implemented"}`},
		{"an unknown namespace", "GET", "/api/v1/namespaces/nope/workflows", "", 404,
			`{"code":5,"message":"Namespace nope is not found.","details":[{"@type":"type.googleapis.com/temporal.api.errordetails.v1.NamespaceNotFoundFailure","namespace":"nope"}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, body, header := request(t, server, c.method, c.path, c.body)
			if code != c.status || header.Get("Content-Type") != "application/json" {
				t.Errorf("%d %s, %s", code, header.Get("Content-Type"), body)
			}
			if c.want != "" {
				same(t, body, c.want)
			}
		})
	}
	code, body, _ := request(t, server, "POST", "/api/v1/namespaces/ns/workflows/w", `{"colour":"red"}`)
	if code != 400 || !strings.Contains(body, `unknown field \"colour\"`) {
		t.Errorf("an unknown field: %d %s", code, body)
	}
	start := e.executions.inputs()[0].(*workflow.StartWorkflow).Request
	if p := start.GetInput().GetPayloads(); len(p) != 2 || string(p[0].GetMetadata()["encoding"]) != "json/plain" || string(p[1].GetMetadata()["encoding"]) != "binary/null" {
		t.Errorf("input %v", p)
	}
}

// Histories are stored bytes until they must be printed, and payloads have two forms.
func TestHTTPHistory(t *testing.T) {
	e := newEdge(t)
	e.withRun().append(started, scheduled)
	server := newGateway(t, e, HTTPOptions{})
	path := "/api/v1/namespaces/ns/workflows/w/history"
	_, body, _ := request(t, server, "GET", path+"?maximumPageSize=10&waitNewEvent=false", "", "Client-Name", "temporal-ui")
	same(t, body, `{"history":{"events":[{"eventId":"1","eventType":"EVENT_TYPE_WORKFLOW_EXECUTION_STARTED"},{"eventId":"2","eventType":"EVENT_TYPE_WORKFLOW_TASK_SCHEDULED"}]}}`)
	if _, body, _ := request(t, server, "GET", path+"?pretty", ""); !strings.Contains(body, "\n  ") {
		t.Errorf("not indented: %s", body)
	}
}

// H-31, H-34: the long form of payloads; hosts; documents.
func TestHTTPVariants(t *testing.T) {
	e := newEdge(t)
	server := newGateway(t, e, HTTPOptions{AllowedHosts: []string{"127.0.0.1"}})
	code, body, _ := request(t, server, "GET", "/api/v1/system-info", "", "Host", "evil.example")
	if code != 403 {
		t.Errorf("a foreign host: %d", code)
	}
	same(t, body, `{"code":7,"message":"Host not allowed"}`)
	long := `{"workflowType":{"name":"t"},"taskQueue":{"name":"q"},"input":{"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"MQ=="}]}}`
	for _, variant := range []struct{ path, accept string }{
		{"?noPayloadShorthand", "*/*"}, {"", "application/json+no-payload-shorthand"}, {"?noPayloadShorthand&pretty", "application/json"},
	} {
		request(t, server, "POST", "/api/v1/namespaces/ns/workflows/w"+variant.path, long, "Accept", variant.accept)
	}
	inputs := e.executions.inputs()
	if len(inputs) != 3 {
		t.Fatalf("%d of 3 starts arrived", len(inputs))
	}
	for _, in := range inputs {
		if p := in.(*workflow.StartWorkflow).Request.GetInput().GetPayloads(); len(p) != 1 || string(p[0].GetData()) != "1" {
			t.Errorf("input %v", p)
		}
	}
	for _, path := range []string{"/swagger.json", "/openapi.yaml"} {
		if code, body, _ := request(t, server, "GET", path, ""); code != 200 || !strings.Contains(body, "openapi") && !strings.Contains(body, "swagger") {
			t.Errorf("%s: %d, %d bytes", path, code, len(body))
		}
	}
	if code, _, _ := request(t, server, "POST", "/api/v1/namespaces/ns/workflows/w", `{"identity":"`+strings.Repeat("x", MaxReceiveBytes)+`"}`); code != 413 {
		t.Errorf("a body beyond the limit: %d", code)
	}
}

// H-31: a payload that is no JSON although it says so is shown in its long form.
func TestJSONOfAPayloadThatIsNone(t *testing.T) {
	for encoding, data := range map[string]string{"json/plain": "{nope", "json/protobuf": "x"} {
		p := &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte(encoding), "messageType": []byte("no.such.Message")}, Data: []byte(data)}
		text, err := jsonFormats["application/json"].Marshal(&commonpb.Memo{Fields: map[string]*commonpb.Payload{"k": p}})
		if err != nil {
			t.Errorf("%s: %v", encoding, err)
			continue
		}
		back := &commonpb.Memo{}
		if err := jsonFormats["application/json"].Unmarshal(text, back); err != nil || !proto.Equal(back.GetFields()["k"], p) {
			t.Errorf("%s: %s comes back as %v, %v", encoding, text, back, err)
		}
	}
}

// Whatever a body holds, the answer is an error of the caller or of the API.
func FuzzHTTPBody(f *testing.F) {
	for _, seed := range []string{`{"workflowType":{"name":"t"},"taskQueue":{"name":"q"},"input":[1,{"a":null}]}`, `[`, `{"input":{"payloads":[{"data":"!"}]}}`, `{"workflowRunTimeout":"1e99s"}`, "\x00"} {
		f.Add([]byte(seed))
	}
	edge := New(Options{Executions: newFakeExecutions(), Queues: newFakeQueues(), Visibility: &fakeVisibility{}, Registry: fakeRegistry{}})
	edge.Serve()
	handler, err := edge.HTTPHandler(HTTPOptions{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("POST", "/api/v1/namespaces/ns/workflows/w", bytes.NewReader(body)))
		if w.Code != 400 && w.Code != 404 && w.Code != 501 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
