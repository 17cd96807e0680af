//go:build e2e

package limits

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	querypb "go.temporal.io/api/query/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	idBytes   = 1000
	blobBytes = 2 << 20
)

// bound is a field with a bound. send makes a call with the field at n.
type bound struct {
	field string
	most  int
	send  func(ctx context.Context, n int) error
	// past is what the refusal of one past the bound says.
	past string
	// atBound is the code of the call at the bound: OK, or what another part of
	// the request brings about.
	atBound codes.Code
}

// Every bounded field of a request is taken at its bound and refused one past
// it (spec/workflow.md 0.2, 1.1, 4; spec/activity.md 3; spec/taskqueue.md 1).
func TestBounds(t *testing.T) {
	ctx, running := started(t)
	var all []bound
	all = append(all, startBounds()...)
	all = append(all, targetBounds(running)...)
	all = append(all, pollBounds()...)
	all = append(all, namespaceBounds()...)
	for _, b := range all {
		t.Run(b.field, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
			defer cancel()
			refused(t, "at the bound", b.send(ctx, b.most), b.atBound, "")
			refused(t, "one past it", b.send(ctx, b.most+1), codes.InvalidArgument, b.past)
		})
	}
}

// payloads is a message of exactly n bytes.
func payloads(n int) *commonpb.Payloads {
	p := &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: make([]byte, n)}}}
	p.Payloads[0].Data = p.Payloads[0].Data[:n-(proto.Size(p)-n)]
	for proto.Size(p) < n { // a length prefix may have become shorter
		p.Payloads[0].Data = append(p.Payloads[0].Data, 0)
	}
	return p
}

// memo is a message of exactly n bytes.
func memo(n int) *commonpb.Memo {
	p := &commonpb.Payload{Data: make([]byte, n)}
	m := &commonpb.Memo{Fields: map[string]*commonpb.Payload{"m": p}}
	p.Data = p.Data[:n-(proto.Size(m)-n)]
	for proto.Size(m) < n {
		p.Data = append(p.Data, 0)
	}
	return m
}

// link is a message of exactly n bytes.
func link(n int) *commonpb.Link {
	e := &commonpb.Link_WorkflowEvent{Namespace: "n", WorkflowId: strings.Repeat("w", n-20), RunId: "r"}
	l := &commonpb.Link{Variant: &commonpb.Link_WorkflowEvent_{WorkflowEvent: e}}
	for proto.Size(l) < n {
		e.WorkflowId += "w"
	}
	return l
}

func links(n int) (all []*commonpb.Link) {
	for range n {
		all = append(all, link(100))
	}
	return all
}

// starter is a field of both calls that start a workflow.
type starter struct {
	field string
	most  int
	set   func(r *workflowservice.StartWorkflowExecutionRequest, n int)
	past  string
}

var starters = []starter{
	{"workflow id", idBytes, func(r *workflowservice.StartWorkflowExecutionRequest, n int) { r.WorkflowId = long(n) }, "WorkflowId exceeds maximum allowed length (1001/1000)"},
	{"workflow type", idBytes, func(r *workflowservice.StartWorkflowExecutionRequest, n int) { r.WorkflowType.Name = long(n) }, "WorkflowType length exceeds limit."},
	{"task queue", idBytes, func(r *workflowservice.StartWorkflowExecutionRequest, n int) { r.TaskQueue.Name = long(n) }, "taskQueue length exceeds limit"},
	{"request id", idBytes, func(r *workflowservice.StartWorkflowExecutionRequest, n int) { r.RequestId = long(n) }, "RequestId length exceeds limit."},
	{"identity", idBytes, func(r *workflowservice.StartWorkflowExecutionRequest, n int) { r.Identity = long(n) }, "Identity length exceeds limit."},
	{"input", blobBytes, func(r *workflowservice.StartWorkflowExecutionRequest, n int) { r.Input = payloads(n) }, "Blob data size exceeds limit."},
	{"memo", blobBytes, func(r *workflowservice.StartWorkflowExecutionRequest, n int) { r.Memo = memo(n) }, "Memo size exceeds limit."},
	{"links", 10, func(r *workflowservice.StartWorkflowExecutionRequest, n int) { r.Links = links(n) }, "cannot attach more than 10 links per request, got 11"},
	{"link size", 4000, func(r *workflowservice.StartWorkflowExecutionRequest, n int) { r.Links = []*commonpb.Link{link(n)} }, "link exceeds allowed size of 4000, got 4001"},
	{"fairness key", 64, func(r *workflowservice.StartWorkflowExecutionRequest, n int) {
		r.Priority = &commonpb.Priority{FairnessKey: strings.Repeat("f", n)}
	}, "fairness key length exceeds limit"},
	{"search attribute value", 2048, func(r *workflowservice.StartWorkflowExecutionRequest, n int) {
		r.SearchAttributes = attributes(map[string]int{"A00": n})
	}, "search attribute A00 value size 2049 exceeds size limit 2048"},
	{"search attributes in total", 40960, func(r *workflowservice.StartWorkflowExecutionRequest, n int) {
		r.SearchAttributes = attributesOf(n)
	}, "total size of search attributes 40961 exceeds size limit 40960"},
}

func startBounds() (all []bound) {
	for _, s := range starters {
		all = append(all,
			bound{field: "start: " + s.field, most: s.most, past: s.past, send: func(ctx context.Context, n int) error {
				r := startOf(unique())
				s.set(r, n)
				_, err := api.StartWorkflowExecution(ctx, r)
				return err
			}},
			bound{field: "signal with start: " + s.field, most: s.most, past: s.past, send: func(ctx context.Context, n int) error {
				r := startOf(unique())
				s.set(r, n)
				_, err := api.SignalWithStartWorkflowExecution(ctx, signalWithStart(r))
				return err
			}})
	}
	return append(all,
		bound{field: "signal with start: signal name", most: idBytes, past: "SignalName length exceeds limit.", send: func(ctx context.Context, n int) error {
			r := signalWithStart(startOf(unique()))
			r.SignalName = long(n)
			_, err := api.SignalWithStartWorkflowExecution(ctx, r)
			return err
		}},
		bound{field: "signal with start: signal input", most: blobBytes, past: "Blob data size exceeds limit.", send: func(ctx context.Context, n int) error {
			r := signalWithStart(startOf(unique()))
			r.SignalInput = payloads(n)
			_, err := api.SignalWithStartWorkflowExecution(ctx, r)
			return err
		}},
		// Unknown names, so the call at the bound is refused for that.
		bound{field: "start: number of search attributes", most: 100, atBound: codes.InvalidArgument, past: "number of search attributes 101 exceeds limit 100", send: func(ctx context.Context, n int) error {
			sizes := map[string]int{}
			for i := range n {
				sizes[fmt.Sprintf("U%03d", i)] = 3
			}
			r := startOf(unique())
			r.SearchAttributes = attributes(sizes)
			_, err := api.StartWorkflowExecution(ctx, r)
			return err
		}},
		// Callbacks are not built, and no address is allowed: at the bound the
		// call is refused for that.
		bound{field: "start: callback URL", most: 1000, atBound: codes.InvalidArgument, past: "url length longer than max length allowed of 1000", send: func(ctx context.Context, n int) error {
			const head = "http://example.com/"
			return startWithCallback(ctx, &commonpb.Callback_Nexus{Url: head + strings.Repeat("x", n-len(head))})
		}},
		bound{field: "start: callback header", most: 8192, past: "header size longer than max allowed size of 8192", send: func(ctx context.Context, n int) error {
			return startWithCallback(ctx, &commonpb.Callback_Nexus{Url: "temporal://system", Header: map[string]string{"k": strings.Repeat("v", n-1)}})
		}},
	)
}

func startWithCallback(ctx context.Context, n *commonpb.Callback_Nexus) error {
	r := startOf(unique())
	r.CompletionCallbacks = []*commonpb.Callback{{Variant: &commonpb.Callback_Nexus_{Nexus: n}}}
	_, err := api.StartWorkflowExecution(ctx, r)
	return err
}

func signalWithStart(r *workflowservice.StartWorkflowExecutionRequest) *workflowservice.SignalWithStartWorkflowExecutionRequest {
	return &workflowservice.SignalWithStartWorkflowExecutionRequest{
		Namespace: r.Namespace, WorkflowId: r.WorkflowId, WorkflowType: r.WorkflowType, TaskQueue: r.TaskQueue, Input: r.Input,
		Identity: r.Identity, RequestId: r.RequestId, SignalName: "s", Memo: r.Memo, SearchAttributes: r.SearchAttributes,
		Links: r.Links, Priority: r.Priority, RetryPolicy: r.RetryPolicy, CronSchedule: r.CronSchedule,
	}
}

// attributes are text values of so many bytes, quotes included.
func attributes(sizes map[string]int) *commonpb.SearchAttributes {
	sa := &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{}}
	for name, n := range sizes {
		sa.IndexedFields[name] = &commonpb.Payload{
			Metadata: map[string][]byte{"encoding": []byte("json/plain")},
			Data:     []byte(`"` + strings.Repeat("x", n-2) + `"`),
		}
	}
	return sa
}

// attributesOf are attributes of exactly n bytes in all, each well below its own bound.
func attributesOf(n int) *commonpb.SearchAttributes {
	sizes := map[string]int{}
	for i := range textAttributes {
		sizes[fmt.Sprintf("A%02d", i)] = 1500
	}
	for i := 0; proto.Size(attributes(sizes)) != n; i++ {
		name := fmt.Sprintf("A%02d", i)
		sizes[name] = min(2000, sizes[name]+n-proto.Size(attributes(sizes)))
	}
	return attributes(sizes)
}

func targetBounds(running string) []bound {
	ok := func(_ any, err error) error { return err }
	return []bound{
		{"signal: workflow id", idBytes, func(ctx context.Context, n int) error {
			return ok(api.SignalWorkflowExecution(ctx, &workflowservice.SignalWorkflowExecutionRequest{Namespace: namespace, WorkflowExecution: execution(long(n)), SignalName: "s"}))
		}, "WorkflowId exceeds maximum allowed length (1001/1000)", codes.NotFound},
		{"signal: name", idBytes, func(ctx context.Context, n int) error {
			return ok(api.SignalWorkflowExecution(ctx, &workflowservice.SignalWorkflowExecutionRequest{Namespace: namespace, WorkflowExecution: execution(running), SignalName: long(n)}))
		}, "SignalName length exceeds limit.", codes.OK},
		{"signal: request id", idBytes, func(ctx context.Context, n int) error {
			return ok(api.SignalWorkflowExecution(ctx, &workflowservice.SignalWorkflowExecutionRequest{Namespace: namespace, WorkflowExecution: execution(running), SignalName: "s", RequestId: long(n)}))
		}, "RequestId length exceeds limit.", codes.OK},
		{"signal: identity", idBytes, func(ctx context.Context, n int) error {
			return ok(api.SignalWorkflowExecution(ctx, &workflowservice.SignalWorkflowExecutionRequest{Namespace: namespace, WorkflowExecution: execution(running), SignalName: "s", Identity: long(n)}))
		}, "Identity length exceeds limit.", codes.OK},
		{"signal: input", blobBytes, func(ctx context.Context, n int) error {
			return ok(api.SignalWorkflowExecution(ctx, &workflowservice.SignalWorkflowExecutionRequest{Namespace: namespace, WorkflowExecution: execution(running), SignalName: "s", Input: payloads(n)}))
		}, "Blob data size exceeds limit.", codes.OK},
		{"signal: links", 10, func(ctx context.Context, n int) error {
			return ok(api.SignalWorkflowExecution(ctx, &workflowservice.SignalWorkflowExecutionRequest{Namespace: namespace, WorkflowExecution: execution(running), SignalName: "s", Links: links(n)}))
		}, "cannot attach more than 10 links", codes.OK},
		{"cancel: workflow id", idBytes, func(ctx context.Context, n int) error {
			return ok(api.RequestCancelWorkflowExecution(ctx, &workflowservice.RequestCancelWorkflowExecutionRequest{Namespace: namespace, WorkflowExecution: execution(long(n))}))
		}, "WorkflowId exceeds", codes.NotFound},
		{"cancel: request id", idBytes, func(ctx context.Context, n int) error {
			return ok(api.RequestCancelWorkflowExecution(ctx, &workflowservice.RequestCancelWorkflowExecutionRequest{Namespace: namespace, WorkflowExecution: execution(running), RequestId: long(n)}))
		}, "RequestId length exceeds limit.", codes.OK},
		{"cancel: identity", idBytes, func(ctx context.Context, n int) error {
			return ok(api.RequestCancelWorkflowExecution(ctx, &workflowservice.RequestCancelWorkflowExecutionRequest{Namespace: namespace, WorkflowExecution: execution(running), Identity: long(n)}))
		}, "Identity length exceeds limit.", codes.OK},
		{"cancel: links", 10, func(ctx context.Context, n int) error {
			return ok(api.RequestCancelWorkflowExecution(ctx, &workflowservice.RequestCancelWorkflowExecutionRequest{Namespace: namespace, WorkflowExecution: execution(running), Links: links(n)}))
		}, "cannot attach more than 10 links", codes.OK},
		{"terminate: workflow id", idBytes, func(ctx context.Context, n int) error {
			return ok(api.TerminateWorkflowExecution(ctx, &workflowservice.TerminateWorkflowExecutionRequest{Namespace: namespace, WorkflowExecution: execution(long(n))}))
		}, "WorkflowId exceeds", codes.NotFound},
		{"terminate: identity", idBytes, func(ctx context.Context, n int) error {
			return ok(api.TerminateWorkflowExecution(ctx, &workflowservice.TerminateWorkflowExecutionRequest{Namespace: namespace, WorkflowExecution: execution("nobody"), Identity: long(n)}))
		}, "Identity length exceeds limit.", codes.NotFound},
		{"terminate: details", blobBytes, func(ctx context.Context, n int) error {
			return ok(api.TerminateWorkflowExecution(ctx, &workflowservice.TerminateWorkflowExecutionRequest{Namespace: namespace, WorkflowExecution: execution("nobody"), Details: payloads(n)}))
		}, "Blob data size exceeds limit.", codes.NotFound},
		{"delete: workflow id", idBytes, func(ctx context.Context, n int) error {
			return ok(api.DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{Namespace: namespace, WorkflowExecution: execution(long(n))}))
		}, "WorkflowId exceeds", codes.NotFound},
		{"describe: workflow id", idBytes, func(ctx context.Context, n int) error {
			return ok(api.DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{Namespace: namespace, Execution: execution(long(n))}))
		}, "WorkflowId exceeds", codes.NotFound},
		{"history: workflow id", idBytes, func(ctx context.Context, n int) error {
			return ok(api.GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{Namespace: namespace, Execution: execution(long(n))}))
		}, "WorkflowId exceeds", codes.NotFound},
		{"reverse history: workflow id", idBytes, func(ctx context.Context, n int) error {
			return ok(api.GetWorkflowExecutionHistoryReverse(ctx, &workflowservice.GetWorkflowExecutionHistoryReverseRequest{Namespace: namespace, Execution: execution(long(n))}))
		}, "WorkflowId exceeds", codes.NotFound},
		{"reset sticky: workflow id", idBytes, func(ctx context.Context, n int) error {
			return ok(api.ResetStickyTaskQueue(ctx, &workflowservice.ResetStickyTaskQueueRequest{Namespace: namespace, Execution: execution(long(n))}))
		}, "WorkflowId exceeds", codes.NotFound},
		{"query: workflow id", idBytes, func(ctx context.Context, n int) error {
			return ok(api.QueryWorkflow(ctx, &workflowservice.QueryWorkflowRequest{Namespace: namespace, Execution: execution(long(n)), Query: &querypb.WorkflowQuery{QueryType: "q"}}))
		}, "WorkflowId exceeds", codes.NotFound},
		{"query: arguments", blobBytes, func(ctx context.Context, n int) error {
			return ok(api.QueryWorkflow(ctx, &workflowservice.QueryWorkflowRequest{Namespace: namespace, Execution: execution("nobody"), Query: &querypb.WorkflowQuery{QueryType: "q", QueryArgs: payloads(n)}}))
		}, "Blob data size exceeds limit.", codes.NotFound},
		{"complete by id: activity id", idBytes, func(ctx context.Context, n int) error {
			return ok(api.RespondActivityTaskCompletedById(ctx, &workflowservice.RespondActivityTaskCompletedByIdRequest{Namespace: namespace, WorkflowId: running, ActivityId: long(n)}))
		}, "ActivityId length exceeds limit.", codes.NotFound},
		{"fail by id: workflow id", idBytes, func(ctx context.Context, n int) error {
			return ok(api.RespondActivityTaskFailedById(ctx, &workflowservice.RespondActivityTaskFailedByIdRequest{Namespace: namespace, WorkflowId: long(n), ActivityId: "a"}))
		}, "WorkflowId exceeds", codes.NotFound},
		{"cancel by id: identity", idBytes, func(ctx context.Context, n int) error {
			return ok(api.RespondActivityTaskCanceledById(ctx, &workflowservice.RespondActivityTaskCanceledByIdRequest{Namespace: namespace, WorkflowId: running, ActivityId: "a", Identity: long(n)}))
		}, "Identity length exceeds limit.", codes.NotFound},
		{"heartbeat by id: activity id", idBytes, func(ctx context.Context, n int) error {
			return ok(api.RecordActivityTaskHeartbeatById(ctx, &workflowservice.RecordActivityTaskHeartbeatByIdRequest{Namespace: namespace, WorkflowId: running, ActivityId: long(n)}))
		}, "ActivityId length exceeds limit.", codes.NotFound},
	}
}

// pollBounds send polls whose time is nearly up, so that those that are taken
// end at once, empty.
func pollBounds() []bound {
	soon := func(ctx context.Context, call func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(ctx, 2500*time.Millisecond)
		defer cancel()
		return call(ctx)
	}
	workflowPoll := func(set func(r *workflowservice.PollWorkflowTaskQueueRequest, n int)) func(context.Context, int) error {
		return func(ctx context.Context, n int) error {
			r := &workflowservice.PollWorkflowTaskQueueRequest{Namespace: namespace, TaskQueue: queueNamed(unique())}
			set(r, n)
			return soon(ctx, func(ctx context.Context) error { _, err := api.PollWorkflowTaskQueue(ctx, r); return err })
		}
	}
	activityPoll := func(set func(r *workflowservice.PollActivityTaskQueueRequest, n int)) func(context.Context, int) error {
		return func(ctx context.Context, n int) error {
			r := &workflowservice.PollActivityTaskQueueRequest{Namespace: namespace, TaskQueue: queueNamed(unique())}
			set(r, n)
			return soon(ctx, func(ctx context.Context) error { _, err := api.PollActivityTaskQueue(ctx, r); return err })
		}
	}
	return []bound{
		{"workflow poll: task queue", idBytes, workflowPoll(func(r *workflowservice.PollWorkflowTaskQueueRequest, n int) { r.TaskQueue.Name = long(n) }), "taskQueue length exceeds limit", codes.OK},
		{"workflow poll: normal name", idBytes, workflowPoll(func(r *workflowservice.PollWorkflowTaskQueueRequest, n int) {
			r.TaskQueue = &taskqueuepb.TaskQueue{Name: unique(), Kind: enumspb.TASK_QUEUE_KIND_STICKY, NormalName: long(n)}
		}), "taskQueue length exceeds limit", codes.OK},
		{"workflow poll: identity", idBytes, workflowPoll(func(r *workflowservice.PollWorkflowTaskQueueRequest, n int) { r.Identity = long(n) }), "Identity length exceeds limit.", codes.OK},
		{"activity poll: task queue", idBytes, activityPoll(func(r *workflowservice.PollActivityTaskQueueRequest, n int) { r.TaskQueue.Name = long(n) }), "taskQueue length exceeds limit", codes.OK},
		{"activity poll: identity", idBytes, activityPoll(func(r *workflowservice.PollActivityTaskQueueRequest, n int) { r.Identity = long(n) }), "Identity length exceeds limit.", codes.OK},
	}
}

func namespaceBounds() []bound {
	register := func(ctx context.Context, name string, keep time.Duration) error {
		_, err := api.RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(keep)})
		return err
	}
	return []bound{
		{"any call: namespace", idBytes, func(ctx context.Context, n int) error {
			_, err := api.ListWorkflowExecutions(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: long(n)})
			return err
		}, "Namespace length exceeds limit.", codes.NotFound},
		{"register: namespace", idBytes, func(ctx context.Context, n int) error { return register(ctx, long(n), 24*time.Hour) }, "Namespace length exceeds limit.", codes.OK},
		{"register: retention, in seconds below an hour", 0, func(ctx context.Context, n int) error {
			return register(ctx, unique(), time.Hour-time.Duration(n)*time.Second)
		}, "A valid retention period is not set on request.", codes.OK},
	}
}

// Page sizes beyond the bound are cut to it and never refused (spec/workflow.md
// 2.4, spec/visibility.md V-2); negative ones count as none.
func TestPageSizes(t *testing.T) {
	ctx, id := started(t)
	for _, n := range []int32{-1, 0, 1, 256, 257, 1000, 1001, 1 << 30} {
		h, err := api.GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{Namespace: namespace, Execution: execution(id), MaximumPageSize: n})
		if err != nil || len(h.GetHistory().GetEvents()) < 1 {
			t.Errorf("history by pages of %d: %v, error %v", n, h, err)
		}
		l, err := api.ListWorkflowExecutions(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: namespace, PageSize: n, Query: "WorkflowId = '" + id + "'"})
		if err != nil || len(l.GetExecutions()) != 1 {
			t.Errorf("list by pages of %d: %d rows, error %v", n, len(l.GetExecutions()), err)
		}
	}
	_, err := api.ListArchivedWorkflowExecutions(ctx, &workflowservice.ListArchivedWorkflowExecutionsRequest{Namespace: namespace, PageSize: 10001})
	refused(t, "archived page", err, codes.InvalidArgument, "PageSize is larger than allowed 10000.")
}

// Durations: negative ones and malformed ones are refused with the field's
// name, and one beyond a century is cut to it (spec/workflow.md 0.1).
func TestDurations(t *testing.T) {
	ctx := testContext(t)
	fields := map[string]func(*workflowservice.StartWorkflowExecutionRequest, *durationpb.Duration){
		"WorkflowExecutionTimeoutSeconds": func(r *workflowservice.StartWorkflowExecutionRequest, d *durationpb.Duration) {
			r.WorkflowExecutionTimeout = d
		},
		"WorkflowRunTimeoutSeconds": func(r *workflowservice.StartWorkflowExecutionRequest, d *durationpb.Duration) {
			r.WorkflowRunTimeout = d
		},
		"WorkflowTaskTimeoutSeconds": func(r *workflowservice.StartWorkflowExecutionRequest, d *durationpb.Duration) {
			r.WorkflowTaskTimeout = d
		},
		"WorkflowStartDelaySeconds": func(r *workflowservice.StartWorkflowExecutionRequest, d *durationpb.Duration) {
			r.WorkflowStartDelay = d
		},
	}
	for name, set := range fields {
		for d, cause := range map[*durationpb.Duration]string{
			{Seconds: -1}:            "negative duration",
			{Nanos: -1}:              "negative duration",
			{Seconds: 1, Nanos: -1}:  "duration has seconds and nanos with different signs",
			{Seconds: 1, Nanos: 1e9}: "duration has out-of-range nanos",
		} {
			r := startOf(unique())
			set(r, d)
			_, err := api.StartWorkflowExecution(ctx, r)
			refused(t, fmt.Sprintf("%s %v", name, d), err, codes.InvalidArgument, "An invalid "+name+" is set on request. cause: "+cause)
		}
		for _, seconds := range []int64{100*365*24*3600 - 1, 100 * 365 * 24 * 3600, 100*365*24*3600 + 1, 1 << 62} {
			r := startOf(unique())
			set(r, &durationpb.Duration{Seconds: seconds})
			if _, err := api.StartWorkflowExecution(ctx, r); err != nil {
				t.Errorf("%s of %d seconds: %v", name, seconds, err)
			}
		}
	}
}

// Retry policies and priorities that mean nothing (spec/workflow.md 1.2, 1.1 row 18).
func TestPolicies(t *testing.T) {
	ctx := testContext(t)
	for text, p := range map[string]*commonpb.RetryPolicy{
		"invalid InitialInterval set on retry policy: negative duration": {InitialInterval: durationpb.New(-1)},
		"BackoffCoefficient cannot be less than 1 on retry policy.":      {BackoffCoefficient: 0.99},
		"invalid MaximumInterval set on retry policy: negative duration": {MaximumInterval: durationpb.New(-1)},
		"MaximumInterval cannot be less than InitialInterval":            {InitialInterval: durationpb.New(2), MaximumInterval: durationpb.New(1)},
		"MaximumAttempts cannot be negative on retry policy.":            {MaximumAttempts: -1},
		"Invalid timeout type value: Never.":                             {NonRetryableErrorTypes: []string{"TemporalTimeout:Never"}},
	} {
		r := startOf(unique())
		r.RetryPolicy = p
		_, err := api.StartWorkflowExecution(ctx, r)
		refused(t, text, err, codes.InvalidArgument, text)
	}
	for text, p := range map[string]*commonpb.Priority{
		"priority key can't be negative": {PriorityKey: -1},
		"must be greater than zero":      {FairnessWeight: -0.1},
	} {
		r := startOf(unique())
		r.Priority = p
		_, err := api.StartWorkflowExecution(ctx, r)
		refused(t, text, err, codes.InvalidArgument, text)
	}
}

// What a worker reports and is too large becomes a failure of the activity, or
// is cut: the worker could do nothing about an error (spec/activity.md AT-80 to
// AT-86, AT-123). At the bound it is taken.
func TestActivityBlobs(t *testing.T) {
	once := func(a *commandpb.ScheduleActivityTaskCommandAttributes) {
		a.RetryPolicy = &commonpb.RetryPolicy{MaximumAttempts: 1}
	}
	completed, failed := enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED
	failure := func(n int) *failurepb.Failure {
		f := &failurepb.Failure{FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{}}}
		f.Message = strings.Repeat("m", n-proto.Size(f)-4)
		for proto.Size(f) < n {
			f.Message += "m"
		}
		return f
	}
	for _, c := range []struct {
		name string
		send func(ctx context.Context, token []byte, n int) error
		// end is the activity's last event at the bound; past it, ActivityTaskFailed.
		end  enumspb.EventType
		past string
	}{
		{"result", func(ctx context.Context, token []byte, n int) error {
			_, err := api.RespondActivityTaskCompleted(ctx, &workflowservice.RespondActivityTaskCompletedRequest{Namespace: namespace, TaskToken: token, Result: payloads(n)})
			return err
		}, completed, "Complete result exceeds size limit."},
		{"failure", func(ctx context.Context, token []byte, n int) error {
			_, err := api.RespondActivityTaskFailed(ctx, &workflowservice.RespondActivityTaskFailedRequest{Namespace: namespace, TaskToken: token, Failure: failure(n)})
			return err
		}, failed, "Failure exceeds size limit."},
		{"heartbeat details", func(ctx context.Context, token []byte, n int) error {
			_, err := api.RecordActivityTaskHeartbeat(ctx, &workflowservice.RecordActivityTaskHeartbeatRequest{Namespace: namespace, TaskToken: token, Details: payloads(n)})
			return err
		}, enumspb.EVENT_TYPE_UNSPECIFIED, "Heartbeat details exceed size limit."},
	} {
		for past := range 2 {
			ctx, id, task := activityOf(t, once)
			if err := c.send(ctx, task.GetTaskToken(), blobBytes+past); err != nil {
				t.Errorf("%s, %d past its bound: %v", c.name, past, err)
			}
			h, err := api.GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{Namespace: namespace, Execution: execution(id)})
			if err != nil {
				t.Fatal(err)
			}
			var end enumspb.EventType
			text := ""
			for _, e := range h.GetHistory().GetEvents() {
				if e.GetEventType() == completed || e.GetEventType() == failed {
					end, text = e.GetEventType(), e.GetActivityTaskFailedEventAttributes().GetFailure().GetMessage()
				}
			}
			if past == 0 && (end != c.end || text == c.past) || past == 1 && (end != failed || text != c.past) {
				t.Errorf("%s, %d past its bound: ended as %v, %q", c.name, past, end, cut(text))
			}
		}
	}
}
