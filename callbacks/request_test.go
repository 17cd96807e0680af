package callbacks

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nexus-rpc/sdk-go/nexus"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/callback"
)

func payload(data string, meta ...string) *commonpb.Payload {
	p := &commonpb.Payload{Data: []byte(data), Metadata: map[string][]byte{}}
	for i := 0; i < len(meta); i += 2 {
		p.Metadata[meta[i]] = []byte(meta[i+1])
	}
	return p
}

// The table of spec/schedule-batch-nexus.md 3.3.
func TestAPayloadAsContent(t *testing.T) {
	whole := func(p *commonpb.Payload) string {
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	odd := payload("x", "encoding", "binary/encrypted")
	extra := payload("1", "encoding", "json/plain", "mine", "too")
	away := payload("", "encoding", "json/plain")
	away.ExternalPayloads = []*commonpb.Payload_ExternalPayloadDetails{{SizeBytes: 1}}
	for _, row := range []struct {
		name      string
		p         *commonpb.Payload
		typ, body string
	}{
		{"none", nil, "", ""},
		{"null", payload("", "encoding", "binary/null"), "", ""},
		{"JSON", payload(`"a"`, "encoding", "json/plain"), "application/json", `"a"`},
		{"bytes", payload("a\x00", "encoding", "binary/plain"), "application/octet-stream", "a\x00"},
		{"a message as JSON", payload("{}", "encoding", "json/protobuf", "messageType", "a.B"),
			`application/json; format=protobuf; message-type="a.B"`, "{}"},
		{"a message", payload("\x08\x01", "encoding", "binary/protobuf", "messageType", "a.B"),
			`application/x-protobuf; message-type="a.B"`, "\x08\x01"},
		{"an encoding of the user's", odd, "application/x-temporal-payload", whole(odd)},
		{"more metadata than a content type can say", extra, "application/x-temporal-payload", whole(extra)},
		{"content that is elsewhere", away, "application/x-temporal-payload", whole(away)},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, err := contentOf(&engine.Completion{Result: row.p})
			if err != nil {
				t.Fatal(err)
			}
			if c.state != nexus.OperationStateSucceeded || c.typ != row.typ || string(c.body) != row.body {
				t.Errorf("got %s %q %q", c.state, c.typ, c.body)
			}
		})
	}
}

// A receiver that knows the API reads a failure back whole; another finds
// message and stack trace where the Nexus protocol has them.
func TestAFailureAsContent(t *testing.T) {
	f := &failurepb.Failure{
		Message: "broken", StackTrace: "at line 1", Source: "GoSDK",
		Cause: &failurepb.Failure{Message: "by that"},
		FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{
			Type: "Kaputt", NonRetryable: true}},
	}
	before := proto.CloneOf(f)
	for canceled, state := range map[bool]nexus.OperationState{false: nexus.OperationStateFailed, true: nexus.OperationStateCanceled} {
		c, err := contentOf(&engine.Completion{Failure: f, Canceled: canceled})
		if err != nil {
			t.Fatal(err)
		}
		var got nexus.Failure
		if err := json.Unmarshal(c.body, &got); err != nil {
			t.Fatal(err)
		}
		if c.state != state || c.typ != "application/json" || got.Message != "broken" || got.StackTrace != "at line 1" ||
			got.Metadata["type"] != "temporal.api.failure.v1.Failure" {
			t.Errorf("got %s %s %+v", c.state, c.typ, got)
		}
		back := &failurepb.Failure{}
		if err := protojson.Unmarshal(got.Details, back); err != nil {
			t.Fatal(err)
		}
		back.Message, back.StackTrace = got.Message, got.StackTrace
		if !proto.Equal(back, f) {
			t.Errorf("read back: %v", back)
		}
	}
	if !proto.Equal(before, f) {
		t.Error("the failure was changed")
	}
}

func delivery(url string, header map[string]string) *engine.Delivery {
	return &engine.Delivery{
		RequestID: "request-1",
		Callback: &commonpb.Callback{Variant: &commonpb.Callback_Nexus_{Nexus: &commonpb.Callback_Nexus{
			Url: url, Header: header}}},
		Timeout:   10 * time.Second,
		StartTime: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC),
		CloseTime: time.Date(2026, 1, 2, 3, 4, 6, 789e6, time.UTC),
		Link: &commonpb.Link{Variant: &commonpb.Link_WorkflowEvent_{WorkflowEvent: &commonpb.Link_WorkflowEvent{
			Namespace: "default", WorkflowId: "a/b", RunId: "r",
			Reference: &commonpb.Link_WorkflowEvent_EventRef{EventRef: &commonpb.Link_WorkflowEvent_EventReference{
				EventId: 1, EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED}},
		}}},
		Completion: &engine.Completion{Result: payload(`"done"`, "encoding", "json/plain")},
	}
}

func TestTheRequestOfACompletion(t *testing.T) {
	d := delivery("https://example.com/cb?a=b", map[string]string{
		"temporal-callback-token": "token", "nexus-operation-token": "op", "authorization": "Bearer x",
		"content-type": "text/evil", "content-length": "1", "host": "evil", "nexus-operation-state": "failed",
	})
	c, err := contentOf(d.Completion)
	if err != nil {
		t.Fatal(err)
	}
	req, err := request(context.Background(), d, c, 1500*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if req.Method != http.MethodPost || req.URL.String() != "https://example.com/cb?a=b" || req.Host != "example.com" || req.ContentLength != 6 {
		t.Errorf("%s %s to %s, %d bytes", req.Method, req.URL, req.Host, req.ContentLength)
	}
	want := map[string]string{
		"Temporal-Callback-Token": "token", "Nexus-Operation-Token": "op", "Authorization": "Bearer x",
		"Content-Type": "application/json", "Nexus-Operation-State": "succeeded", "Nexus-Request-Id": "request-1",
		"Request-Timeout": "1500ms", "User-Agent": "perdure",
		"Nexus-Operation-Start-Time": "Fri, 02 Jan 2026 03:04:05 GMT",
		"Nexus-Operation-Close-Time": "2026-01-02T03:04:06.789Z",
		"Nexus-Link": `<temporal:///namespaces/default/workflows/a%2Fb/r/history?eventID=1&eventType=WorkflowExecutionStarted&referenceType=EventReference>; ` +
			`type="temporal.api.common.v1.Link.WorkflowEvent"`,
	}
	for name, value := range want {
		if got := req.Header.Get(name); got != value {
			t.Errorf("%s: got %q, want %q", name, got, value)
		}
	}
	if len(req.Header) != len(want) {
		t.Errorf("headers: %v", req.Header)
	}
	for name, value := range map[string]string{"a b": "c", "": "c", "a": "b\r\nc: d"} {
		if _, err := request(context.Background(), delivery("https://example.com", map[string]string{name: value}), c, time.Second); err == nil {
			t.Errorf("header %q: %q is sent", name, value)
		}
	}
}

// What is made of each response (N-23, N-53).
func TestWhatAResponseMeans(t *testing.T) {
	handler := func(typ, override string) string {
		return `{"message":"m","metadata":{"type":"nexus.HandlerError"},"details":{"type":"` + typ + `"` + override + `}}`
	}
	for _, row := range []struct {
		name      string
		status    int
		retryable string
		body      string
		want      callback.Verdict
		typ       string
		message   string
	}{
		{"taken", 200, "", "", callback.Accepted, "", ""},
		{"taken without content", 204, "", "", callback.Accepted, "", ""},
		{"a bad request", 400, "", `{"message":"invalid callback token"}`, callback.Refused, "BAD_REQUEST", "invalid callback token"},
		{"no one there", 404, "", "", callback.Refused, "NOT_FOUND", "404 Not Found"},
		{"not allowed", 403, "", "", callback.Refused, "UNAUTHORIZED", ""},
		{"a status the protocol does not know", 418, "", "", callback.Refused, "BAD_REQUEST", ""},
		{"a redirect", 307, "", "", callback.Failed, "INTERNAL", ""},
		{"too many", 429, "", "", callback.Failed, "RESOURCE_EXHAUSTED", ""},
		{"an error of the receiver", 500, "", "<html>", callback.Failed, "INTERNAL", "500 Internal Server Error"},
		{"a gateway without its upstream", 502, "", "", callback.Failed, "INTERNAL", ""},
		{"an upstream that is late", 520, "", "", callback.Failed, "UPSTREAM_TIMEOUT", ""},
		{"not found, but try again", 404, "true", "", callback.Failed, "NOT_FOUND", ""},
		{"broken for good", 500, "false", "", callback.Refused, "INTERNAL", ""},
		{"a handler error counts more than the status", 500, "", handler("NOT_FOUND", ""), callback.Refused, "NOT_FOUND", "m"},
		{"a handler error may be tried again", 400, "", handler("BAD_REQUEST", `,"retryableOverride":true`), callback.Failed, "BAD_REQUEST", "m"},
		{"a handler error is for good", 500, "", handler("INTERNAL", `,"retryableOverride":false`), callback.Refused, "INTERNAL", "m"},
		{"details that cannot be read", 500, "", `{"metadata":{"type":"nexus.HandlerError"},"details":[]}`, callback.Failed, "INTERNAL", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			resp := &http.Response{
				StatusCode: row.status, Status: strconv.Itoa(row.status) + " " + http.StatusText(row.status),
				Header: http.Header{"Content-Type": {"application/json"}},
				Body:   io.NopCloser(strings.NewReader(row.body)),
			}
			if row.retryable != "" {
				resp.Header.Set(headerRetryable, row.retryable)
			}
			a := answerOf(resp)
			if a.Verdict != row.want || a.Failure.GetNexusHandlerFailureInfo().GetType() != row.typ ||
				!strings.HasSuffix(a.Failure.GetMessage(), row.message) {
				t.Errorf("got %d %v", a.Verdict, a.Failure)
			}
		})
	}
}

// What is kept of a receiver's text is bounded, and text.
func TestALongMessageIsCut(t *testing.T) {
	a := rejected(&nexus.HandlerError{Type: nexus.HandlerErrorTypeInternal, Message: strings.Repeat("ü", maxMessageBytes)})
	if n := len(a.Failure.Message); n > maxMessageBytes || n < maxMessageBytes-4 {
		t.Errorf("%d bytes", n)
	}
	if _, err := proto.Marshal(a.Failure); err != nil {
		t.Error(err)
	}
}
