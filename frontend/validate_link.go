package frontend

import (
	commonpb "go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
)

// checkLinks is row 20 of workflow.md 1.1.
func checkLinks(links []*commonpb.Link, limits *engine.Limits) error {
	if len(links) > limits.LinksPerRequest {
		return invalidf("cannot attach more than %d links per request, got %d", limits.LinksPerRequest, len(links))
	}
	for _, link := range links {
		if n := proto.Size(link); n > limits.LinkBytes {
			return invalidf("link exceeds allowed size of %d, got %d", limits.LinkBytes, n)
		}
		if err := checkLink(link); err != nil {
			return err
		}
	}
	return nil
}

// linkPart is a field a link must have.
type linkPart struct{ value, text string }

func checkLink(link *commonpb.Link) error {
	parts, known := linkParts(link)
	if !known {
		return invalid("unsupported link variant")
	}
	for _, part := range parts {
		if part.value == "" {
			return invalid(part.text)
		}
	}
	return nil
}

func linkParts(link *commonpb.Link) ([]linkPart, bool) {
	switch v := link.GetVariant().(type) {
	case *commonpb.Link_WorkflowEvent_:
		l := v.WorkflowEvent
		return []linkPart{
			{l.GetNamespace(), "workflow event link must not have an empty namespace field"},
			{l.GetWorkflowId(), "workflow event link must not have an empty workflow ID field"},
			{l.GetRunId(), "workflow event link must not have an empty run ID field"},
		}, true
	case *commonpb.Link_BatchJob_:
		return []linkPart{{v.BatchJob.GetJobId(), "batch job link must not have an empty job ID"}}, true
	case *commonpb.Link_Activity_:
		l := v.Activity
		return []linkPart{
			{l.GetNamespace(), "activity link must not have an empty namespace field"},
			{l.GetActivityId(), "activity link must not have an empty activity ID field"},
			{l.GetRunId(), "activity link must not have an empty run ID field"},
		}, true
	case *commonpb.Link_NexusOperation_:
		l := v.NexusOperation
		return []linkPart{
			{l.GetNamespace(), "nexus operation link must not have an empty namespace field"},
			{l.GetOperationId(), "nexus operation link must not have an empty operation ID field"},
			{l.GetRunId(), "nexus operation link must not have an empty run ID field"},
		}, true
	case *commonpb.Link_Workflow_:
		l := v.Workflow
		return []linkPart{
			{l.GetNamespace(), "workflow link must not have an empty namespace field"},
			{l.GetWorkflowId(), "workflow link must not have an empty workflow ID field"},
			{l.GetRunId(), "workflow link must not have an empty run ID field"},
		}, true
	case *commonpb.Link_Callback_:
		l := v.Callback
		return []linkPart{
			{l.GetNamespace(), "callback link must not have an empty namespace field"},
			{l.GetExecution().GetBusinessId(), "callback link must not have an empty business ID field"},
			{l.GetExecution().GetRunId(), "callback link must not have an empty run ID field"},
			{l.GetRequestId(), "callback link must not have an empty request ID field"},
		}, true
	}
	return nil, false
}
