package frontend

import (
	"context"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/visibility"
)

// ListActivityExecutions is AX-25.
func (f *Frontend) ListActivityExecutions(ctx context.Context, r *workflowservice.ListActivityExecutionsRequest) (*workflowservice.ListActivityExecutionsResponse, error) {
	page, err := f.visibility.List(ctx, visibility.ListRequest{
		Namespace: namespaceOf(ctx), Archetype: engine.ArchetypeActivity,
		Query: r.GetQuery(), PageSize: int(r.GetPageSize()), Token: r.GetNextPageToken(),
	})
	if err != nil {
		return nil, err
	}
	return &workflowservice.ListActivityExecutionsResponse{Executions: page.Activities, NextPageToken: page.Token}, nil
}

// CountActivityExecutions is AX-25.
func (f *Frontend) CountActivityExecutions(ctx context.Context, r *workflowservice.CountActivityExecutionsRequest) (*workflowservice.CountActivityExecutionsResponse, error) {
	count, err := f.visibility.Count(ctx, visibility.CountRequest{
		Namespace: namespaceOf(ctx), Archetype: engine.ArchetypeActivity, Query: r.GetQuery(),
	})
	if err != nil {
		return nil, err
	}
	resp := &workflowservice.CountActivityExecutionsResponse{Count: count.Total}
	for _, g := range count.Groups {
		resp.Groups = append(resp.Groups, &workflowservice.CountActivityExecutionsResponse_AggregationGroup{
			GroupValues: []*commonpb.Payload{g.Value}, Count: g.Count,
		})
	}
	return resp, nil
}
