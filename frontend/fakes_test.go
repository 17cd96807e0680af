package frontend

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	filterpb "go.temporal.io/api/filter/v1"
	historypb "go.temporal.io/api/history/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/operatorservice/v1"
	querypb "go.temporal.io/api/query/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/matching"
	"github.com/perdure/perdure/shard"
	"github.com/perdure/perdure/visibility"
)

// fakeExecutions holds one run in memory and answers inputs by a function.
type fakeExecutions struct {
	do    func(id engine.ID, runID string, in engine.Input) (any, error)
	query func(ctx context.Context) (*workflowservice.QueryWorkflowResponse, error)
	// slowEvent, if set, is called before an event is read.
	slowEvent func()

	mu struct {
		sync.Mutex
		run     *workflow.Run
		alone   *standalone.Run
		batches [][]*historypb.HistoryEvent
		changed chan struct{} // closed and replaced when the run changes
		inputs  []engine.Input
	}
}

func newFakeExecutions() *fakeExecutions {
	f := &fakeExecutions{}
	f.mu.changed = make(chan struct{})
	return f
}

func (f *fakeExecutions) Do(_ context.Context, id engine.ID, runID string, in engine.Input) (any, error) {
	f.mu.Lock()
	f.mu.inputs = append(f.mu.inputs, in)
	f.mu.Unlock()
	if in, ok := in.(standalone.Input); ok {
		return f.doAlone(id, runID, in)
	}
	if f.do == nil {
		return nil, engine.NotFound("workflow not found for ID: %s", id.Name)
	}
	return f.do(id, runID, in)
}

// doAlone lets the real core answer an input about the one standalone activity.
func (f *fakeExecutions) doAlone(id engine.ID, runID string, in standalone.Input) (reply any, err error) {
	env := &engine.Env{Now: time.Unix(1000, 0).UTC(), Fresh: engine.NewFresh([16]byte(uuid.New())), Namespace: testNamespaces[0], Limits: engine.DefaultLimits()}
	f.change(func() {
		run := f.mu.alone
		var res *standalone.Result
		if _, start := in.(*standalone.StartExecution); start {
			res, err = standalone.StepID(env, id, run, in)
		} else if run == nil || run.Key.ID != id || runID != "" && runID != run.Key.RunID {
			err = activity.Unknown(id.Name)
		} else {
			res, err = standalone.Step(env, run, in)
		}
		if err != nil {
			return
		}
		reply = res.Reply
		if res.New != nil {
			f.mu.alone = res.New.Run
		} else if res.Run != nil {
			run.Apply(res.Run)
		}
	})
	return reply, err
}

func (f *fakeExecutions) ViewActivity(_ context.Context, id engine.ID, runID string, read func(*standalone.Run)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if run := f.mu.alone; run == nil || run.Key.ID != id || runID != "" && runID != run.Key.RunID {
		return activity.Unknown(id.Name)
	}
	read(f.mu.alone)
	return nil
}

func (f *fakeExecutions) FollowActivity(ctx context.Context, over <-chan struct{}, key engine.RunKey, enough func(*standalone.Run) bool, read func(*standalone.Run)) error {
	if err := f.ViewActivity(ctx, key.ID, key.RunID, func(*standalone.Run) {}); err != nil {
		return err
	}
	return f.follow(ctx, over, func() bool {
		if f.mu.alone.Open() && !enough(f.mu.alone) {
			return false
		}
		read(f.mu.alone)
		return true
	})
}

// follow looks at each change until look is content.
func (f *fakeExecutions) follow(ctx context.Context, over <-chan struct{}, look func() bool) error {
	for {
		f.mu.Lock()
		content, changed := look(), f.mu.changed
		f.mu.Unlock()
		if content {
			return nil
		}
		select {
		case <-changed:
		case <-over:
			return shard.ErrOver
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *fakeExecutions) inputs() []engine.Input {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]engine.Input(nil), f.mu.inputs...)
}

// change edits the run and wakes who waits for it.
func (f *fakeExecutions) change(edit func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	edit()
	close(f.mu.changed)
	f.mu.changed = make(chan struct{})
}

// append adds a batch of events of the given types to the run.
func (f *fakeExecutions) append(types ...enumspb.EventType) {
	f.change(func() {
		var batch []*historypb.HistoryEvent
		for _, t := range types {
			batch = append(batch, &historypb.HistoryEvent{EventId: f.mu.run.Info.NextEventID, EventType: t})
			f.mu.run.Info.NextEventID++
		}
		f.mu.batches = append(f.mu.batches, batch)
	})
}

func (f *fakeExecutions) View(_ context.Context, id engine.ID, runID string, read func(*workflow.Run)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.run == nil || f.mu.run.Key.ID != id || (runID != "" && runID != f.mu.run.Key.RunID) {
		return engine.NotFound("workflow not found for ID: %s", id.Name)
	}
	read(f.mu.run)
	return nil
}

func (f *fakeExecutions) Follow(ctx context.Context, over <-chan struct{}, _ engine.RunKey, enough func(*workflow.Run) bool, read func(*workflow.Run)) error {
	return f.follow(ctx, over, func() bool {
		if f.mu.run.Open() && !enough(f.mu.run) {
			return false
		}
		read(f.mu.run)
		return true
	})
}

func (f *fakeExecutions) Closing(ctx context.Context, over <-chan struct{}, key engine.RunKey) (c shard.Closed, err error) {
	never := func(*workflow.Run) bool { return false }
	var info *workflow.Info
	read := func(run *workflow.Run) { info = run.Info }
	if err := f.View(ctx, key.ID, key.RunID, read); err != nil {
		return c, err
	}
	if err := f.Follow(ctx, over, key, never, read); err != nil {
		return c, err
	}
	ev, err := f.Event(ctx, key, info.CloseBatchID, info.CloseEventID)
	if err != nil {
		return c, err
	}
	c.NewRunID = info.NewRunID
	c.Event, err = proto.Marshal(&historypb.History{Events: []*historypb.HistoryEvent{ev}})
	return c, err
}

func (f *fakeExecutions) History(_ context.Context, _ engine.RunKey, from, to int64, maxBatches int) (page shard.HistoryPage, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.mu.batches {
		first, last := b[0].EventId, b[len(b)-1].EventId
		if last < from || first > to {
			continue
		}
		if maxBatches--; maxBatches < 0 {
			page.NextEventID = first
			break
		}
		bytes, err := proto.Marshal(&historypb.History{Events: b})
		if err != nil {
			return page, err
		}
		page.Bytes = append(page.Bytes, bytes...)
	}
	return page, nil
}

func (f *fakeExecutions) HistoryReverse(_ context.Context, _ engine.RunKey, from int64, maxBatches int) (events []*historypb.HistoryEvent, next int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.mu.batches) - 1; i >= 0; i-- {
		b := f.mu.batches[i]
		if b[0].EventId > from {
			continue
		}
		if maxBatches--; maxBatches < 0 {
			return events, b[len(b)-1].EventId, nil
		}
		for j := len(b) - 1; j >= 0; j-- {
			events = append(events, b[j])
		}
	}
	return events, 0, nil
}

func (f *fakeExecutions) Event(_ context.Context, _ engine.RunKey, _, eventID int64) (*historypb.HistoryEvent, error) {
	if f.slowEvent != nil {
		f.slowEvent()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.mu.batches {
		for _, e := range b {
			if e.EventId == eventID {
				return e, nil
			}
		}
	}
	return nil, engine.NotFound("no event %d", eventID)
}

func (f *fakeExecutions) Query(ctx context.Context, _ engine.ID, _ string, _ *workflowservice.QueryWorkflowRequest) (*workflowservice.QueryWorkflowResponse, error) {
	return f.query(ctx)
}

func (f *fakeExecutions) AnswerQuery(context.Context, string, *workflowservice.RespondQueryTaskCompletedRequest) error {
	return engine.NotFound("query task not found, or already expired")
}

func (f *fakeExecutions) TaskQueries(workflow.TaskToken) map[string]*querypb.WorkflowQuery {
	return nil
}

// fakeQueues hands out what is put into tasks; a poll with nothing there waits
// until its context ends or the queues drain.
type fakeQueues struct {
	tasks   chan *matching.Handover
	polling chan matching.PollRequest // told of each poll that begins
	drained chan struct{}
	down    []matching.Shutdown
	refuses error // what polls hear instead of waiting
}

func newFakeQueues() *fakeQueues {
	return &fakeQueues{
		tasks: make(chan *matching.Handover, 10), polling: make(chan matching.PollRequest, 100), drained: make(chan struct{}),
	}
}

func (q *fakeQueues) Poll(ctx context.Context, r matching.PollRequest) (*matching.Handover, error) {
	q.polling <- r
	if q.refuses != nil {
		return nil, q.refuses
	}
	select {
	case h := <-q.tasks:
		return h, nil
	case <-q.drained:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (q *fakeQueues) Describe(engine.TaskQueue) matching.Description {
	return matching.Description{TasksPerSecond: 4000, Pollers: []matching.PollerSeen{{
		Poller: engine.Poller{Identity: "w1", BuildID: "b"}, LastAccess: time.Unix(1, 0), TasksPerSecond: 100000,
	}}}
}

func (q *fakeQueues) ShutdownWorker(s matching.Shutdown) { q.down = append(q.down, s) }
func (q *fakeQueues) DrainPolls()                        { close(q.drained) }

// fakeVisibility notes the query it was asked.
type fakeVisibility struct {
	query     string
	size      int
	archetype engine.Archetype
}

func (v *fakeVisibility) List(_ context.Context, r visibility.ListRequest) (*visibility.Page, error) {
	v.query, v.size, v.archetype = r.Query, r.PageSize, r.Archetype
	return &visibility.Page{Executions: []*workflowpb.WorkflowExecutionInfo{{Execution: &commonpb.WorkflowExecution{WorkflowId: "w"}}}}, nil
}

func (v *fakeVisibility) Count(_ context.Context, r visibility.CountRequest) (*visibility.Count, error) {
	v.query, v.archetype = r.Query, r.Archetype
	if r.Query != "GROUP BY ExecutionStatus" {
		return &visibility.Count{}, nil
	}
	return &visibility.Count{Total: 3, Groups: []visibility.Group{{Count: 3}}}, nil
}

// fakeRegistry has two usable namespaces and a deleted one.
type fakeRegistry struct{ Registry }

var testNamespaces = []*engine.Namespace{
	{ID: "ns-id", Name: "ns", BadBinaries: map[string]bool{"bad": true}},
	{ID: "other-id", Name: "other"},
}

func (fakeRegistry) ByID(id string) *engine.Namespace {
	for _, ns := range testNamespaces {
		if ns.ID == id {
			return ns
		}
	}
	return nil
}

func (fakeRegistry) ByName(name string) *engine.Namespace {
	for _, ns := range testNamespaces {
		if ns.Name == name {
			return ns
		}
	}
	return nil
}

func (r fakeRegistry) Usable(name string, _ bool) (*engine.Namespace, error) {
	if ns := r.ByName(name); ns != nil {
		return ns, nil
	}
	return nil, noNamespace(name)
}

func (fakeRegistry) Describe(name, _ string) (*workflowservice.DescribeNamespaceResponse, error) {
	return &workflowservice.DescribeNamespaceResponse{NamespaceInfo: &namespacepb.NamespaceInfo{
		Name: name, Limits: &namespacepb.NamespaceInfo_Limits{BlobSizeLimitError: 1 << 21},
	}}, nil
}

func (fakeRegistry) List(*workflowservice.ListNamespacesRequest) (*workflowservice.ListNamespacesResponse, error) {
	return &workflowservice.ListNamespacesResponse{}, nil
}

func (fakeRegistry) Register(context.Context, *workflowservice.RegisterNamespaceRequest) (string, error) {
	return "new", nil
}

func (fakeRegistry) Update(context.Context, *workflowservice.UpdateNamespaceRequest) (*workflowservice.UpdateNamespaceResponse, error) {
	return &workflowservice.UpdateNamespaceResponse{}, nil
}

func (fakeRegistry) Deprecate(context.Context, string) error { return nil }

func (fakeRegistry) Delete(context.Context, string, string) (string, error) {
	return "x-deleted-y", nil
}

func (fakeRegistry) AddSearchAttributes(context.Context, string, map[string]enumspb.IndexedValueType) error {
	return nil
}

func (fakeRegistry) RemoveSearchAttributes(context.Context, string, []string) error { return nil }

func (fakeRegistry) ListSearchAttributes(string) (*operatorservice.ListSearchAttributesResponse, error) {
	return &operatorservice.ListSearchAttributesResponse{}, nil
}

func (fakeRegistry) AllSearchAttributes() map[string]enumspb.IndexedValueType { return nil }
func (fakeRegistry) ClusterID() string                                        { return "cluster-id" }
func (fakeRegistry) ClusterName() string                                      { return "active" }

// edge is a frontend over fakes, and a client connected to it through a real
// gRPC server.
type edge struct {
	*Frontend
	executions *fakeExecutions
	queues     *fakeQueues
	visibility *fakeVisibility
	conn       *grpc.ClientConn
	api        workflowservice.WorkflowServiceClient
	operator   operatorservice.OperatorServiceClient
	// token is that of a task, for tests that need one.
	token []byte
}

func newEdge(t *testing.T, adjust ...func(*Options)) *edge {
	t.Helper()
	e := &edge{executions: newFakeExecutions(), queues: newFakeQueues(), visibility: &fakeVisibility{}}
	options := Options{
		Executions: e.executions, Queues: e.queues, Visibility: e.visibility, Registry: fakeRegistry{}, Shards: 4,
	}
	for _, a := range adjust {
		a(&options)
	}
	e.Frontend = New(options)
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer(e.ServerOptions()...)
	e.Register(server)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:///edge",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	e.conn = conn
	e.api = workflowservice.NewWorkflowServiceClient(conn)
	e.operator = operatorservice.NewOperatorServiceClient(conn)
	e.Serve()
	return e
}

// testRun is the one run of the fake executions.
var testRun = engine.RunKey{
	ID:    engine.ID{NamespaceID: "ns-id", Archetype: engine.ArchetypeWorkflow, Name: "w"},
	RunID: "11111111-2222-4333-8444-555555555555",
}

// withRun puts an open run without history into the fake executions.
func (e *edge) withRun() *fakeExecutions {
	e.executions.change(func() {
		e.executions.mu.run = &workflow.Run{
			Key:   testRun,
			Start: &workflow.Start{WorkflowType: "t", TaskQueue: "q", StartTime: time.Unix(100, 0)},
			Info:  &workflow.Info{Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, NextEventID: 1},
		}
	})
	return e.executions
}

// close ends the run.
func (f *fakeExecutions) close() {
	f.append(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED)
	f.change(func() {
		info := *f.mu.run.Info
		info.Status = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
		info.CloseEventID, info.CloseBatchID = info.NextEventID-1, info.NextEventID-1
		info.CloseTime = time.Unix(200, 0)
		f.mu.run.Info = &info
	})
}

// withSlowEvent makes reading an event stop until it may go on.
func (f *fakeExecutions) withSlowEvent(reading, goOn chan struct{}) {
	f.slowEvent = func() {
		close(reading)
		<-goOn
	}
}

func typeFilter(name string) *filterpb.WorkflowTypeFilter {
	return &filterpb.WorkflowTypeFilter{Name: name}
}
