package workflow

import (
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
)

// eventLink names an event by its id.
func eventLink(namespace string, key engine.RunKey, eventID int64, t enumspb.EventType) *commonpb.Link {
	x := &struct { // every start is answered with one: one object instead of five
		link      commonpb.Link
		variant   commonpb.Link_WorkflowEvent_
		event     commonpb.Link_WorkflowEvent
		reference commonpb.Link_WorkflowEvent_EventRef
		eventRef  commonpb.Link_WorkflowEvent_EventReference
	}{
		event:    commonpb.Link_WorkflowEvent{Namespace: namespace, WorkflowId: key.Name, RunId: key.RunID},
		eventRef: commonpb.Link_WorkflowEvent_EventReference{EventId: eventID, EventType: t},
	}
	x.reference.EventRef, x.event.Reference = &x.eventRef, &x.reference
	x.variant.WorkflowEvent, x.link.Variant = &x.event, &x.variant
	return &x.link
}

// requestLink names an event by the request that caused it: its id may not be
// known yet, since it is buffered.
func requestLink(run *Run, requestID string, t enumspb.EventType) *commonpb.Link {
	return requestLinkOf(run.Start.NamespaceName, run.Key, requestID, t)
}

func requestLinkOf(namespace string, key engine.RunKey, requestID string, t enumspb.EventType) *commonpb.Link {
	return workflowLink(&commonpb.Link_WorkflowEvent{
		Namespace: namespace, WorkflowId: key.Name, RunId: key.RunID,
		Reference: &commonpb.Link_WorkflowEvent_RequestIdRef{RequestIdRef: &commonpb.Link_WorkflowEvent_RequestIdReference{
			RequestId: requestID, EventType: t}},
	})
}

func workflowLink(e *commonpb.Link_WorkflowEvent) *commonpb.Link {
	return &commonpb.Link{Variant: &commonpb.Link_WorkflowEvent_{WorkflowEvent: e}}
}
