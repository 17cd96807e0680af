package frontend

import (
	"context"
	"strings"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// refusal is a request over the wire and how it must be refused.
type refusal struct {
	name   string
	method string
	req    proto.Message
	code   codes.Code
	text   string
}

const prefix = "/temporal.api.workflowservice.v1.WorkflowService/"

var long = strings.Repeat("x", 1001)

func startRequest(change func(*workflowservice.StartWorkflowExecutionRequest)) *workflowservice.StartWorkflowExecutionRequest {
	r := &workflowservice.StartWorkflowExecutionRequest{
		Namespace: "ns", WorkflowId: "w", WorkflowType: &commonpb.WorkflowType{Name: "t"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "q"},
	}
	change(r)
	return r
}

func blob(size int) *commonpb.Payloads {
	return &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: make([]byte, size)}}}
}

// TestStartIsValidated is the table of workflow.md 1.1, in its order: each row's
// request breaks its rule and every later one that it can.
func TestStartIsValidated(t *testing.T) {
	type start = workflowservice.StartWorkflowExecutionRequest
	negative := durationpb.New(-1)
	rows := []struct {
		name   string
		change func(*start)
		code   codes.Code
		text   string
	}{
		{"no namespace", func(r *start) { r.Namespace = "" }, codes.InvalidArgument, "Namespace is empty."},
		{"a long namespace", func(r *start) { r.Namespace = long }, codes.InvalidArgument, "Namespace length exceeds limit."},
		{"an unknown namespace", func(r *start) { r.Namespace = "nope" }, codes.NotFound, "Namespace nope is not found."},
		{"no id", func(r *start) { r.WorkflowId = "" }, codes.InvalidArgument, "WorkflowId is not set on request."},
		{"a long id", func(r *start) { r.WorkflowId = long }, codes.InvalidArgument, "WorkflowId exceeds maximum allowed length (1001/1000)"},
		{"a bad retry policy", func(r *start) { r.RetryPolicy = &commonpb.RetryPolicy{BackoffCoefficient: 0.5} }, codes.InvalidArgument, "BackoffCoefficient cannot be less than 1 on retry policy."},
		{"delay and cron", func(r *start) { r.WorkflowStartDelay, r.CronSchedule = negative, "x" }, codes.InvalidArgument, "CronSchedule and WorkflowStartDelay may not be used together."},
		{"a negative delay", func(r *start) { r.WorkflowStartDelay = negative }, codes.InvalidArgument, "An invalid WorkflowStartDelaySeconds is set on request. cause: negative duration"},
		{"a bad cron", func(r *start) { r.CronSchedule = "every day" }, codes.InvalidArgument, "invalid CronSchedule."},
		{"a cron that never comes", func(r *start) { r.CronSchedule = "0 0 31 2 *" }, codes.InvalidArgument, "invalid CronSchedule, no time can be found to satisfy the schedule"},
		{"no type", func(r *start) { r.WorkflowType = nil }, codes.InvalidArgument, "WorkflowType is not set on request."},
		{"a long type", func(r *start) { r.WorkflowType.Name = long }, codes.InvalidArgument, "WorkflowType length exceeds limit."},
		{"no queue", func(r *start) { r.TaskQueue = nil }, codes.InvalidArgument, "taskQueue is not set"},
		{"no queue name", func(r *start) { r.TaskQueue.Name = "" }, codes.InvalidArgument, "missing task queue name"},
		{"a reserved queue", func(r *start) { r.TaskQueue.Name = "/_sys/q" }, codes.InvalidArgument, "task queue name cannot start with reserved prefix /_sys/"},
		{"a long queue", func(r *start) { r.TaskQueue.Name = long }, codes.InvalidArgument, "taskQueue length exceeds limit"},
		{"a negative execution timeout", func(r *start) { r.WorkflowExecutionTimeout = negative }, codes.InvalidArgument, "An invalid WorkflowExecutionTimeoutSeconds is set on request. cause: negative duration"},
		{"a negative run timeout", func(r *start) { r.WorkflowRunTimeout = negative }, codes.InvalidArgument, "An invalid WorkflowRunTimeoutSeconds is set on request. cause: negative duration"},
		{"a mixed task timeout", func(r *start) { r.WorkflowTaskTimeout = &durationpb.Duration{Seconds: 1, Nanos: -1} }, codes.InvalidArgument, "An invalid WorkflowTaskTimeoutSeconds is set on request. cause: duration has seconds and nanos with different signs"},
		{"a long request id", func(r *start) { r.RequestId = long }, codes.InvalidArgument, "RequestId length exceeds limit."},
		{"a long identity", func(r *start) { r.Identity = long }, codes.InvalidArgument, "Identity length exceeds limit."},
		{"a reuse policy the API does not know", func(r *start) { r.WorkflowIdReusePolicy = 99 },
			codes.InvalidArgument, "unknown WorkflowIDReusePolicy: 99"},
		{"a conflict policy the API does not know", func(r *start) { r.WorkflowIdConflictPolicy = -5 },
			codes.InvalidArgument, "unknown WorkflowIDConflictPolicy: -5"},
		{"terminate if running with a conflict policy", func(r *start) {
			r.WorkflowIdReusePolicy, r.WorkflowIdConflictPolicy = enumspb.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING, enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL
		}, codes.InvalidArgument, "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING cannot be used together with a WorkflowIDConflictPolicy"},
		{"reject duplicate with terminate existing", func(r *start) {
			r.WorkflowIdReusePolicy, r.WorkflowIdConflictPolicy = enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE, enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
		}, codes.InvalidArgument, "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE cannot be used together with WorkflowIdConflictPolicy WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING"},
		{"callbacks without request id", func(r *start) {
			r.OnConflictOptions = &workflowpb.OnConflictOptions{AttachCompletionCallbacks: true}
		}, codes.InvalidArgument, "attaching request ID is required for attaching completion callbacks"},
		{"an unknown search attribute", func(r *start) {
			r.SearchAttributes = &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{"X": {Data: []byte("1")}}}
		}, codes.InvalidArgument, "Namespace ns has no mapping defined for search attribute X"},
		{"a negative priority", func(r *start) { r.Priority = &commonpb.Priority{PriorityKey: -1} }, codes.InvalidArgument, "priority key can't be negative"},
		{"a long fairness key", func(r *start) { r.Priority = &commonpb.Priority{FairnessKey: long[:65]} }, codes.InvalidArgument, "fairness key length exceeds limit"},
		{"a callback to anywhere", func(r *start) { r.CompletionCallbacks = nexusCallback("https://example.com/x") }, codes.InvalidArgument, "invalid url: url does not match any configured callback address: https://example.com/x"},
		{"a callback by mail", func(r *start) { r.CompletionCallbacks = nexusCallback("mailto:a@b") }, codes.InvalidArgument, "invalid url: unknown scheme: mailto:a@b"},
		{"a callback without host", func(r *start) { r.CompletionCallbacks = nexusCallback("http:///x") }, codes.InvalidArgument, "invalid url: missing host"},
		{"a callback far away", func(r *start) { r.CompletionCallbacks = nexusCallback("https://" + long) }, codes.InvalidArgument, "invalid url: url length longer than max length allowed of 1000"},
		{"a callback of a kind we cannot call", func(r *start) {
			r.CompletionCallbacks = []*commonpb.Callback{{Variant: &commonpb.Callback_Internal_{Internal: &commonpb.Callback_Internal{}}}}
		}, codes.Unimplemented, "unknown callback variant"},
		{"a callback with a large header", func(r *start) {
			r.CompletionCallbacks = nexusCallback("temporal://system")
			r.CompletionCallbacks[0].GetNexus().Header = map[string]string{"a": string(make([]byte, 8192))}
		}, codes.InvalidArgument, "invalid header: header size longer than max allowed size of 8192"},
		{"a callback with a bad link", func(r *start) {
			r.CompletionCallbacks = nexusCallback("temporal://system")
			r.CompletionCallbacks[0].Links = []*commonpb.Link{{}}
		}, codes.InvalidArgument, "unsupported link variant"},
		{"too many links", func(r *start) { r.Links = make([]*commonpb.Link, 11) }, codes.InvalidArgument, "cannot attach more than 10 links per request, got 11"},
		{"an empty link", func(r *start) { r.Links = []*commonpb.Link{{}} }, codes.InvalidArgument, "unsupported link variant"},
		{"a link without namespace", func(r *start) {
			r.Links = []*commonpb.Link{{Variant: &commonpb.Link_WorkflowEvent_{WorkflowEvent: &commonpb.Link_WorkflowEvent{}}}}
		}, codes.InvalidArgument, "workflow event link must not have an empty namespace field"},
		{"a link to half a callback", func(r *start) {
			r.Links = []*commonpb.Link{{Variant: &commonpb.Link_Callback_{Callback: &commonpb.Link_Callback{Namespace: "ns",
				Execution: &commonpb.Execution{BusinessId: "w", RunId: "r"}}}}}
		}, codes.InvalidArgument, "callback link must not have an empty request ID field"},
		{"time skipping", func(r *start) { r.TimeSkippingConfig = &commonpb.TimeSkippingConfig{} }, codes.Unimplemented, "The Time-Skipping feature is not enabled for namespace."},
		{"an override without version", func(r *start) {
			r.VersioningOverride = &workflowpb.VersioningOverride{Override: &workflowpb.VersioningOverride_Pinned{}}
		}, codes.InvalidArgument, "must provide version if override is pinned."},
		{"a large input", func(r *start) { r.Input = blob(2 << 20) }, codes.InvalidArgument, "Blob data size exceeds limit."},
		{"a large memo", func(r *start) {
			r.Memo = &commonpb.Memo{Fields: map[string]*commonpb.Payload{"k": {Data: make([]byte, 2<<20)}}}
		}, codes.InvalidArgument, "Memo size exceeds limit."},
	}
	e := newEdge(t)
	for i, row := range rows {
		check(t, e, refusal{row.name, "StartWorkflowExecution", startRequest(row.change), row.code, row.text})
		// Breaking the last rule too must not change the answer.
		if i+2 < len(rows) { // the last but one and the last together are too large to arrive
			both := startRequest(row.change)
			if both.WorkflowType != nil && both.TaskQueue != nil {
				rowAfter := rows[len(rows)-1]
				rowAfter.change(both)
				check(t, e, refusal{row.name + ", and a large memo", "StartWorkflowExecution", both, row.code, row.text})
			}
		}
	}
	if n := len(e.executions.inputs()); n != 0 {
		t.Errorf("%d bad requests reached the core", n)
	}
}

func nexusCallback(url string) []*commonpb.Callback {
	return []*commonpb.Callback{{Variant: &commonpb.Callback_Nexus_{Nexus: &commonpb.Callback_Nexus{Url: url}}}}
}

func check(t *testing.T, e *edge, c refusal) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), pollWait)
	defer cancel()
	err := e.conn.Invoke(ctx, prefix+c.method, c.req, &commonpb.Payload{}, grpc.StaticMethod())
	st := status.Convert(err)
	if st.Code() != c.code || st.Message() != c.text {
		t.Errorf("%s, %s: %v %q, want %v %q", c.method, c.name, st.Code(), st.Message(), c.code, c.text)
	}
}

// TestRequestsAreValidated: workflow.md 4, 5, 9.4; activity.md 3.3; taskqueue.md 2.
func TestRequestsAreValidated(t *testing.T) {
	w := func(id, run string) *commonpb.WorkflowExecution {
		return &commonpb.WorkflowExecution{WorkflowId: id, RunId: run}
	}
	queue := &taskqueuepb.TaskQueue{Name: "q"}
	garbage := []byte("garbage")
	workflowTok, activityTok := sealWorkflowToken(sampleWorkflowToken), sealActivityToken(sampleActivityToken)
	bad := codes.InvalidArgument
	e := newEdge(t)
	for _, c := range []refusal{
		{"no execution", "SignalWorkflowExecution", &workflowservice.SignalWorkflowExecutionRequest{Namespace: "ns"}, bad, "Execution is not set on request."},
		{"no id", "SignalWorkflowExecution", &workflowservice.SignalWorkflowExecutionRequest{Namespace: "ns", WorkflowExecution: w("", "")}, bad, "WorkflowId is not set on request."},
		{"a run id that is none", "SignalWorkflowExecution", &workflowservice.SignalWorkflowExecutionRequest{Namespace: "ns", WorkflowExecution: w("w", "x")}, bad, "Invalid RunId."},
		{"no signal", "SignalWorkflowExecution", &workflowservice.SignalWorkflowExecutionRequest{Namespace: "ns", WorkflowExecution: w("w", "")}, bad, "SignalName is not set on request."},
		{"a long signal", "SignalWorkflowExecution", &workflowservice.SignalWorkflowExecutionRequest{Namespace: "ns", WorkflowExecution: w("w", ""), SignalName: long}, bad, "SignalName length exceeds limit."},
		{"a large input", "SignalWorkflowExecution", &workflowservice.SignalWorkflowExecutionRequest{Namespace: "ns", WorkflowExecution: w("w", ""), SignalName: "s", Input: blob(2 << 20)}, bad, "Blob data size exceeds limit."},
		{"large details", "TerminateWorkflowExecution", &workflowservice.TerminateWorkflowExecutionRequest{Namespace: "ns", WorkflowExecution: w("w", ""), Details: blob(2 << 20)}, bad, "Blob data size exceeds limit."},
		{"no such workflow", "TerminateWorkflowExecution", &workflowservice.TerminateWorkflowExecutionRequest{Namespace: "ns", WorkflowExecution: w("w", "")}, codes.NotFound, "workflow not found for ID: w"},
		{"no execution", "RequestCancelWorkflowExecution", &workflowservice.RequestCancelWorkflowExecutionRequest{Namespace: "ns"}, bad, "Execution is not set on request."},
		{"no execution", "DeleteWorkflowExecution", &workflowservice.DeleteWorkflowExecutionRequest{Namespace: "ns"}, bad, "Execution is not set on request."},
		{"no execution", "DescribeWorkflowExecution", &workflowservice.DescribeWorkflowExecutionRequest{Namespace: "ns"}, bad, "Execution is not set on request."},
		{"no such workflow", "DescribeWorkflowExecution", &workflowservice.DescribeWorkflowExecutionRequest{Namespace: "ns", Execution: w("w", "")}, codes.NotFound, "workflow not found for ID: w"},
		{"a garbage page", "GetWorkflowExecutionHistory", &workflowservice.GetWorkflowExecutionHistoryRequest{Namespace: "ns", Execution: w("w", ""), NextPageToken: garbage}, bad, "Invalid NextPageToken."},
		{"a garbage page", "GetWorkflowExecutionHistoryReverse", &workflowservice.GetWorkflowExecutionHistoryReverseRequest{Namespace: "ns", Execution: w("w", ""), NextPageToken: garbage}, bad, "Invalid NextPageToken."},
		{"no query", "QueryWorkflow", &workflowservice.QueryWorkflowRequest{Namespace: "ns", Execution: w("w", "")}, bad, "WorkflowQuery is not set on request."},
		{"fail on conflict", "SignalWithStartWorkflowExecution", signalWithStart(enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL), bad, "Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported for this operation."},

		{"no queue", "PollWorkflowTaskQueue", &workflowservice.PollWorkflowTaskQueueRequest{Namespace: "ns"}, bad, "taskQueue is not set"},
		{"a long queue", "PollActivityTaskQueue", &workflowservice.PollActivityTaskQueueRequest{Namespace: "ns", TaskQueue: &taskqueuepb.TaskQueue{Name: long}}, bad, "taskQueue length exceeds limit"},
		{"a long identity", "PollWorkflowTaskQueue", &workflowservice.PollWorkflowTaskQueueRequest{Namespace: "ns", TaskQueue: queue, Identity: long}, bad, "Identity length exceeds limit."},
		{"a bad binary", "PollWorkflowTaskQueue", &workflowservice.PollWorkflowTaskQueueRequest{Namespace: "ns", TaskQueue: queue, BinaryChecksum: "bad"}, bad, "Binary bad already marked as bad deployment."},
		{"sticky and versioned", "PollWorkflowTaskQueue", &workflowservice.PollWorkflowTaskQueueRequest{Namespace: "ns", TaskQueue: &taskqueuepb.TaskQueue{Name: "s", Kind: enumspb.TASK_QUEUE_KIND_STICKY}, WorkerVersionCapabilities: &commonpb.WorkerVersionCapabilities{UseVersioning: true}}, bad, "NormalName must be set on sticky queue when UseVersioning is true or DeploymentOptions are set."},

		{"no token", "RespondWorkflowTaskCompleted", &workflowservice.RespondWorkflowTaskCompletedRequest{Namespace: "ns"}, bad, "Task token not set on request."},
		{"no token, no namespace", "RespondWorkflowTaskFailed", &workflowservice.RespondWorkflowTaskFailedRequest{}, bad, "Task token not set on request."},
		{"garbage", "RespondWorkflowTaskCompleted", &workflowservice.RespondWorkflowTaskCompletedRequest{Namespace: "ns", TaskToken: garbage}, bad, "Error deserializing task token."},
		{"garbage, no namespace", "RespondWorkflowTaskCompleted", &workflowservice.RespondWorkflowTaskCompletedRequest{TaskToken: garbage}, bad, "Error deserializing task token."},
		{"an activity's token", "RespondWorkflowTaskCompleted", &workflowservice.RespondWorkflowTaskCompletedRequest{TaskToken: activityTok}, bad, "Error deserializing task token."},
		{"a foreign token", "RespondWorkflowTaskCompleted", &workflowservice.RespondWorkflowTaskCompletedRequest{Namespace: "other", TaskToken: workflowTok}, bad, "Operation requested with a token from a different namespace."},
		{"pages", "RespondWorkflowTaskCompleted", &workflowservice.RespondWorkflowTaskCompletedRequest{TaskToken: workflowTok, IntermediatePage: true}, codes.FailedPrecondition, "workflow task completion pagination is disabled for this namespace ns"},
		{"garbage", "RespondQueryTaskCompleted", &workflowservice.RespondQueryTaskCompletedRequest{Namespace: "ns", TaskToken: garbage}, bad, "Error deserializing task token."},
		{"a stale token", "RespondQueryTaskCompleted", &workflowservice.RespondQueryTaskCompletedRequest{Namespace: "ns", TaskToken: sealQueryToken(sampleQueryToken)}, codes.NotFound, "query task not found, or already expired"},

		{"no token", "RecordActivityTaskHeartbeat", &workflowservice.RecordActivityTaskHeartbeatRequest{Namespace: "ns"}, bad, "Task token not set on request."},
		{"garbage", "RespondActivityTaskCompleted", &workflowservice.RespondActivityTaskCompletedRequest{Namespace: "ns", TaskToken: garbage}, bad, "Error deserializing task token."},
		{"a foreign token", "RespondActivityTaskCanceled", &workflowservice.RespondActivityTaskCanceledRequest{Namespace: "other", TaskToken: activityTok}, bad, "Operation requested with a token from a different namespace."},
		{"a long identity", "RespondActivityTaskCompleted", &workflowservice.RespondActivityTaskCompletedRequest{TaskToken: activityTok, Identity: long}, bad, "Identity length exceeds limit."},
		{"a failure of another sort", "RespondActivityTaskFailed", &workflowservice.RespondActivityTaskFailedRequest{TaskToken: activityTok, Failure: &failurepb.Failure{}}, bad, "Failure must have ApplicationFailureInfo."},
		{"a bad delay", "RespondActivityTaskFailed", &workflowservice.RespondActivityTaskFailedRequest{TaskToken: activityTok, Failure: &failurepb.Failure{FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{NextRetryDelay: durationpb.New(-1)}}}}, bad, "NextRetryDelay is not a valid duration: negative duration"},
		{"no activity id", "RespondActivityTaskCompletedById", &workflowservice.RespondActivityTaskCompletedByIdRequest{Namespace: "ns", WorkflowId: "w"}, bad, "ActivityId is not set on request."},

		{"stats of a partition", "DescribeTaskQueue", &workflowservice.DescribeTaskQueueRequest{Namespace: "ns", TaskQueue: &taskqueuepb.TaskQueue{Name: "/_sys/q/1"}, ReportStats: true}, bad, "DescribeTaskQueue stats are only supported for the root partition"},
		{"an archive", "ListArchivedWorkflowExecutions", &workflowservice.ListArchivedWorkflowExecutionsRequest{Namespace: "ns"}, bad, "Cluster is not configured for visibility archival."},
		{"an unknown worker", "DescribeWorker", &workflowservice.DescribeWorkerRequest{Namespace: "ns", WorkerInstanceKey: "k"}, codes.NotFound, "Worker k not found"},
		{"a bad worker query", "ListWorkers", &workflowservice.ListWorkersRequest{Namespace: "ns", Query: "Color = 'red'"}, bad, "malformed query: unknown or unsupported worker heartbeat search field: Color"},
		{"a bad worker page", "ListWorkers", &workflowservice.ListWorkersRequest{Namespace: "ns", NextPageToken: garbage}, bad, "invalid next_page_token"},
		{"old versioning", "GetWorkerBuildIdCompatibility", &workflowservice.GetWorkerBuildIdCompatibilityRequest{Namespace: "ns"}, codes.PermissionDenied, "Worker versioning v0.1 (Version Set-based, deprecated) is disabled on this namespace."},
	} {
		check(t, e, c)
	}
}

func signalWithStart(p enumspb.WorkflowIdConflictPolicy) *workflowservice.SignalWithStartWorkflowExecutionRequest {
	return &workflowservice.SignalWithStartWorkflowExecutionRequest{
		Namespace: "ns", WorkflowId: "w", WorkflowType: &commonpb.WorkflowType{Name: "t"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "q"},
		SignalName: "s", WorkflowIdConflictPolicy: p,
	}
}

// Garbage in place of a message must be an error of the caller, not a crash.
func TestGarbageRequests(t *testing.T) {
	e := newEdge(t)
	for _, garbage := range [][]byte{{0xff}, {0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f}, []byte("GET / HTTP/1.1\r\n")} {
		for _, m := range workflowservice.WorkflowService_ServiceDesc.Methods {
			err := e.conn.Invoke(t.Context(), prefix+m.MethodName, garbage, &[]byte{}, grpc.ForceCodec(rawCodec{}))
			if code := status.Code(err); code != codes.Internal && code != codes.InvalidArgument {
				t.Errorf("%s answers garbage with %v", m.MethodName, err)
			}
		}
	}
	// And no message at all must not crash a handler that looks into it.
	for _, m := range workflowservice.WorkflowService_ServiceDesc.Methods {
		err := e.conn.Invoke(t.Context(), prefix+m.MethodName, []byte{}, &[]byte{}, grpc.ForceCodec(rawCodec{}))
		if code := status.Code(err); code == codes.Unavailable || code == codes.Unknown || code == codes.Internal {
			t.Errorf("%s answers an empty request with %v", m.MethodName, err)
		}
	}
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error)      { return v.([]byte), nil }
func (rawCodec) Unmarshal(data []byte, v any) error { *v.(*[]byte) = data; return nil }
func (rawCodec) Name() string                       { return "proto" }

// H-10 to H-12.
func TestHandshake(t *testing.T) {
	e := newEdge(t)
	for _, c := range []struct {
		name, version, supported string
		want                     error
	}{
		{"", "", "", nil},
		{"temporal-go", "", "", nil},
		{"temporal-go", "1.50.0", ">=1.0.0 <2.0.0", nil},
		{"temporal-go", "1.50.0-rc.1+build", "", nil},
		{"somebody-else", "not a version", "", nil},
		{"temporal-ui", "2.54.1", "", nil},
		{"temporal-go", "not a version", "", &serviceerror.InvalidArgument{}},
		{"temporal-go", "2.0.0", "", &serviceerror.ClientVersionNotSupported{}},
		{"", "", ">=2.0.0", &serviceerror.ServerVersionNotSupported{}},
		{"", "", "<1.0.0 || > 3.0.0", &serviceerror.ServerVersionNotSupported{}},
		{"", "", "<1.0.0 || =1.32.0", nil},
		{"", "", "whatever", &serviceerror.InvalidArgument{}},
	} {
		md := metadata.MD{}
		for k, v := range map[string]string{headerClientName: c.name, headerClientVersion: c.version, headerSupportedVersions: c.supported} {
			if v != "" {
				md.Set(k, v)
			}
		}
		_, err := e.api.GetSystemInfo(metadata.NewOutgoingContext(t.Context(), md), &workflowservice.GetSystemInfoRequest{})
		if got, want := typeName(serviceerror.FromStatus(status.Convert(err))), typeName(c.want); got != want {
			t.Errorf("%+v: %s %v, want %s", c, got, err, want)
		}
	}
}

func FuzzVersionRange(f *testing.F) {
	f.Add(">=1.0.0 <2.0.0 || 3.0.0-rc.1")
	f.Fuzz(func(_ *testing.T, s string) {
		if r, ok := parseRange(s); ok {
			r.contains(serverVersion)
		}
	})
}

func FuzzWorkerQuery(f *testing.F) {
	f.Add("TaskQueue = 'q' AND (WorkerStatus != \"Running\" OR StartTime BETWEEN '2024-01-01T00:00:00Z' AND '2025-01-01T00:00:00Z')")
	f.Add("`HostName` NOT STARTS_WITH 'a' OR BuildId IS NOT NULL")
	f.Fuzz(func(_ *testing.T, s string) {
		if keep, err := parseWorkerQuery(s); err == nil {
			keep(nil)
		}
	})
}

// At the bound everything is still taken.
func TestAtTheBounds(t *testing.T) {
	e := newEdge(t)
	e.executions.do = func(engine.ID, string, engine.Input) (any, error) { return &workflow.Started{RunID: "r"}, nil }
	full := long[:1000]
	link := &commonpb.Link{Variant: &commonpb.Link_BatchJob_{BatchJob: &commonpb.Link_BatchJob{JobId: strings.Repeat("x", 3994)}}}
	if n := proto.Size(link); n != e.limits.LinkBytes {
		t.Fatalf("the link has %d bytes", n)
	}
	links := make([]*commonpb.Link, 10)
	for i := range links {
		links[i] = link
	}
	input := blob(2<<20 - 8)
	if n := proto.Size(input); n != e.limits.BlobBytes {
		t.Fatalf("the input has %d bytes", n)
	}
	_, err := e.api.StartWorkflowExecution(t.Context(), startRequest(func(r *workflowservice.StartWorkflowExecutionRequest) {
		r.WorkflowId, r.WorkflowType.Name, r.TaskQueue.Name, r.RequestId, r.Identity = full, full, full, full, full
		r.Priority = &commonpb.Priority{FairnessKey: full[:64]}
		r.Links, r.Input = links, input
		r.RetryPolicy = &commonpb.RetryPolicy{MaximumAttempts: 1, BackoffCoefficient: 0.1} // a single attempt is never checked
	}))
	if err != nil {
		t.Error(err)
	}
	e.executions.do = func(engine.ID, string, engine.Input) (any, error) {
		return &workflowservice.SignalWorkflowExecutionResponse{}, nil
	}
	_, err = e.api.SignalWorkflowExecution(t.Context(), &workflowservice.SignalWorkflowExecutionRequest{
		Namespace: "ns", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: full, RunId: testRun.RunID}, SignalName: full, RequestId: full, Identity: full, Input: input,
	})
	if err != nil {
		t.Error(err)
	}
}
