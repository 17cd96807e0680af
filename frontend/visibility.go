package frontend

import (
	"context"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	filterpb "go.temporal.io/api/filter/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/perdure/perdure/visibility"
)

func (f *Frontend) list(ctx context.Context, query string, size int32, token []byte) ([]*workflowpb.WorkflowExecutionInfo, []byte, error) {
	page, err := f.visibility.List(ctx, visibility.ListRequest{
		Namespace: namespaceOf(ctx), Query: query, PageSize: int(size), Token: token,
	})
	if err != nil {
		return nil, nil, err
	}
	return page.Executions, page.Token, nil
}

// ListWorkflowExecutions is visibility.md 2.
func (f *Frontend) ListWorkflowExecutions(ctx context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	rows, next, err := f.list(ctx, r.GetQuery(), r.GetPageSize(), r.GetNextPageToken())
	if err != nil {
		return nil, err
	}
	return &workflowservice.ListWorkflowExecutionsResponse{Executions: rows, NextPageToken: next}, nil
}

// ScanWorkflowExecutions is ListWorkflowExecutions by its old name.
func (f *Frontend) ScanWorkflowExecutions(ctx context.Context, r *workflowservice.ScanWorkflowExecutionsRequest) (*workflowservice.ScanWorkflowExecutionsResponse, error) {
	rows, next, err := f.list(ctx, r.GetQuery(), r.GetPageSize(), r.GetNextPageToken())
	if err != nil {
		return nil, err
	}
	//lint:ignore SA1019 clients still call it
	return &workflowservice.ScanWorkflowExecutionsResponse{Executions: rows, NextPageToken: next}, nil
}

// CountWorkflowExecutions is visibility.md 2.4.
func (f *Frontend) CountWorkflowExecutions(ctx context.Context, r *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error) {
	count, err := f.visibility.Count(ctx, visibility.CountRequest{Namespace: namespaceOf(ctx), Query: r.GetQuery()})
	if err != nil {
		return nil, err
	}
	resp := &workflowservice.CountWorkflowExecutionsResponse{Count: count.Total}
	for _, g := range count.Groups {
		resp.Groups = append(resp.Groups, &workflowservice.CountWorkflowExecutionsResponse_AggregationGroup{
			GroupValues: []*commonpb.Payload{g.Value}, Count: g.Count,
		})
	}
	return resp, nil
}

// ListArchivedWorkflowExecutions: there is no archive (V-60, V-61).
func (f *Frontend) ListArchivedWorkflowExecutions(_ context.Context, r *workflowservice.ListArchivedWorkflowExecutionsRequest) (*workflowservice.ListArchivedWorkflowExecutionsResponse, error) {
	const maxArchivedPage = 10000
	if r.GetPageSize() > maxArchivedPage {
		return nil, invalidf("PageSize is larger than allowed %d.", maxArchivedPage)
	}
	return nil, invalid("Cluster is not configured for visibility archival.")
}

// ListOpenWorkflowExecutions lists by the filters of old (V-6).
func (f *Frontend) ListOpenWorkflowExecutions(ctx context.Context, r *workflowservice.ListOpenWorkflowExecutionsRequest) (*workflowservice.ListOpenWorkflowExecutionsResponse, error) {
	if err := checkTimes(r.GetStartTimeFilter()); err != nil {
		return nil, err
	}
	q := conditions{"(ExecutionStatus = 'Running' OR ExecutionStatus = 'Paused')"}
	q.between("StartTime", r.GetStartTimeFilter())
	q.named(r.GetExecutionFilter(), r.GetTypeFilter())
	rows, next, err := f.list(ctx, q.String(), r.GetMaximumPageSize(), r.GetNextPageToken())
	if err != nil {
		return nil, err
	}
	return &workflowservice.ListOpenWorkflowExecutionsResponse{Executions: rows, NextPageToken: next}, nil
}

// ListClosedWorkflowExecutions lists by the filters of old (V-6).
func (f *Frontend) ListClosedWorkflowExecutions(ctx context.Context, r *workflowservice.ListClosedWorkflowExecutionsRequest) (*workflowservice.ListClosedWorkflowExecutionsResponse, error) {
	if err := checkTimes(r.GetStartTimeFilter()); err != nil {
		return nil, err
	}
	var q conditions
	switch status := r.GetStatusFilter(); {
	case status == nil:
		q = conditions{"ExecutionStatus != 'Running'", "ExecutionStatus != 'Paused'"}
	case status.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED, status.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return nil, invalid("StatusFilter must be specified and must be not Running.")
	default:
		q = conditions{"ExecutionStatus = " + quoted(status.GetStatus().String())}
	}
	q.between("CloseTime", r.GetStartTimeFilter())
	q.named(r.GetExecutionFilter(), r.GetTypeFilter())
	rows, next, err := f.list(ctx, q.String(), r.GetMaximumPageSize(), r.GetNextPageToken())
	if err != nil {
		return nil, err
	}
	return &workflowservice.ListClosedWorkflowExecutionsResponse{Executions: rows, NextPageToken: next}, nil
}

func checkTimes(t *filterpb.StartTimeFilter) error {
	from, to := t.GetEarliestTime(), t.GetLatestTime()
	if from != nil && to != nil && from.AsTime().After(to.AsTime()) {
		return invalid("EarliestTime in StartTimeFilter should not be larger than LatestTime.")
	}
	return nil
}

// conditions of a list query, all of which must hold.
type conditions []string

func (c conditions) String() string { return strings.Join(c, " AND ") }

func (c *conditions) between(attribute string, t *filterpb.StartTimeFilter) {
	c.compare(attribute, ">=", t.GetEarliestTime())
	c.compare(attribute, "<=", t.GetLatestTime())
}

func (c *conditions) compare(attribute, operator string, t *timestamppb.Timestamp) {
	if t != nil {
		*c = append(*c, attribute+" "+operator+" "+quoted(t.AsTime().Format(time.RFC3339Nano)))
	}
}

func (c *conditions) named(e *filterpb.WorkflowExecutionFilter, t *filterpb.WorkflowTypeFilter) {
	for _, equal := range []struct{ attribute, value string }{
		{"WorkflowId", e.GetWorkflowId()}, {"RunId", e.GetRunId()}, {"WorkflowType", t.GetName()},
	} {
		if equal.value != "" {
			*c = append(*c, equal.attribute+" = "+quoted(equal.value))
		}
	}
}

// quoted is a string literal of the query language.
func quoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
