package bench

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// This file has the scenario of lists and counts of many executions.

const (
	// customer is the search attribute that executions have, and customers how many
	// values it takes.
	customer  = "BenchCustomer"
	customers = 1_000
	// listPage is a page of the web UI.
	listPage = 100
)

// List is what lists and counts cost with so many executions in the index.
type List struct {
	Executions int64 `json:"executions"`
	// IndexMiB is the size of the index's files, IndexBytesEach the share of an
	// execution; 0 for a server that was not started by the run.
	IndexMiB       float64      `json:"index_mib"`
	IndexBytesEach float64      `json:"index_bytes_per_execution"`
	Queries        []ListedCost `json:"queries"`
}

// ListedCost is what a query costs, asked one at a time.
type ListedCost struct {
	Name  string `json:"name"`
	Query string `json:"query"`
	// Rows of the page, or the number that was counted.
	Rows      int64        `json:"rows"`
	Latency   Distribution `json:"latency"`
	CPUMicros float64      `json:"server_cpu_us"`
}

// listed is a query and whether it counts.
type listed struct {
	name, query string
	counts      bool
}

// listQueries are what people and programs ask, the commonest first. %[1]s is the
// prefix of the run's ids, %[2]s a moment in the middle of its starts.
var listQueries = []listed{
	{name: "all, newest first", query: ""},
	{name: "open", query: "ExecutionStatus = 'Running'"},
	{name: "of a type, closed", query: "WorkflowType = 'list' AND ExecutionStatus = 'Completed'"},
	{name: "by id", query: "WorkflowId = '%[1]s-7'"},
	{name: "by the beginning of the id", query: "WorkflowId STARTS_WITH '%[1]s-77'"},
	{name: "of a customer", query: customer + " = 'customer-7'"},
	{name: "of a customer, open", query: customer + " = 'customer-7' AND ExecutionStatus = 'Running'"},
	{name: "closed after a moment", query: "ExecutionStatus = 'Completed' AND StartTime > '%[2]s'"},
	{name: "count of all", query: "", counts: true},
	{name: "count of a customer", query: customer + " = 'customer-7'", counts: true},
	{name: "count by status", query: "GROUP BY ExecutionStatus", counts: true},
}

// lists starts Count executions, every other of which ends at once, and asks about
// them.
func lists(ctx context.Context, benches ...*bench) (*Report, error) {
	b := benches[0]
	_, err := operatorservice.NewOperatorServiceClient(b.conn).AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: b.Namespace, SearchAttributes: map[string]enumspb.IndexedValueType{customer: enumspb.INDEXED_VALUE_TYPE_KEYWORD}})
	if err != nil && status.Code(err) != codes.AlreadyExists {
		return nil, fmt.Errorf("register a search attribute: %w", err)
	}
	before, err := b.server.usage()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := b.startMany(ctx, b.Count, func(string, string) {}); err != nil {
		return nil, err
	}
	took := time.Since(began)
	after, err := b.server.usage()
	if err != nil {
		return nil, err
	}
	report := b.report(took, before, after)
	l := &List{}
	report.List = l
	for _, q := range listQueries {
		q.query = fill(q.query, b.prefix, began.Add(took/2))
		cost, err := b.ask(ctx, q)
		if err != nil {
			return nil, err
		}
		l.Queries = append(l.Queries, cost)
	}
	return report, l.size(ctx, b)
}

// fill puts in what depends on the run.
func fill(query, prefix string, middle time.Time) string {
	return strings.NewReplacer("%[1]s", prefix, "%[2]s", middle.UTC().Format(time.RFC3339Nano)).Replace(query)
}

// ask puts a query often enough to tell what it costs.
func (b *bench) ask(ctx context.Context, q listed) (c ListedCost, err error) {
	c = ListedCost{Name: q.name, Query: q.query}
	if c.Rows, err = b.askOnce(ctx, q); err != nil { // not measured: the index catches up
		return c, err
	}
	before, err := b.server.usage()
	if err != nil {
		return c, err
	}
	var calls samples
	for range b.asks {
		called := time.Now()
		if _, err := b.askOnce(ctx, q); err != nil {
			return c, err
		}
		calls.add(time.Since(called))
	}
	after, err := b.server.usage()
	c.Latency = calls.distribution()
	c.CPUMicros = float64((after.cpu - before.cpu).Microseconds()) / float64(b.asks)
	return c, err
}

func (b *bench) askOnce(ctx context.Context, q listed) (rows int64, err error) {
	if q.counts {
		reply, err := b.api.CountWorkflowExecutions(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: b.Namespace, Query: q.query})
		if err != nil {
			return 0, fmt.Errorf("count %q: %w", q.query, err)
		}
		return reply.GetCount(), nil
	}
	reply, err := b.api.ListWorkflowExecutions(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: b.Namespace, Query: q.query, PageSize: listPage})
	if err != nil {
		return 0, fmt.Errorf("list %q: %w", q.query, err)
	}
	return int64(len(reply.GetExecutions())), nil
}

// size asks how much there is in the index.
func (l *List) size(ctx context.Context, b *bench) (err error) {
	if l.Executions, err = b.askOnce(ctx, listed{counts: true}); err != nil {
		return err
	}
	figures, err := b.server.counters(ctx)
	if err != nil {
		return err
	}
	l.IndexMiB = figures[gaugeIndexDisk] / (1 << 20)
	l.IndexBytesEach = figures[gaugeIndexDisk] / float64(max(l.Executions, 1))
	return nil
}

// closeEveryOther closes the executions with an even number.
func closeEveryOther(_ *bench, t *task) []*commandpb.Command {
	if numberOf(t.GetWorkflowExecution().GetWorkflowId())%2 == 0 {
		return []*commandpb.Command{complete()}
	}
	return nil
}

// customerOf is the search attribute that an execution is started with.
func customerOf(id string) *commonpb.SearchAttributes {
	return &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{customer: {
		Metadata: map[string][]byte{"encoding": []byte("json/plain")},
		Data:     fmt.Appendf(nil, `"customer-%d"`, numberOf(id)%customers),
	}}}
}

func (l *List) print(line func(name, format string, args ...any)) {
	line("executions", "%d in the index, %.0f MiB, %.0f bytes each", l.Executions, l.IndexMiB, l.IndexBytesEach)
	for _, q := range l.Queries {
		line(q.Name, "%d; %s; server CPU %.0f us", q.Rows, q.Latency, q.CPUMicros)
	}
}
