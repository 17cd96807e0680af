package frontend

import (
	"errors"
	"testing"

	commandpb "go.temporal.io/api/command/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// "Unknown namespace in child/cancel/signal commands: the RPC fails with
// NamespaceNotFound and nothing changes" (workflow.md 3.8); a known one is left
// to the core.
func TestCommandsThatNameANamespace(t *testing.T) {
	commands := map[string]func(ns string) *commandpb.Command{
		"start child": func(ns string) *commandpb.Command {
			return &commandpb.Command{Attributes: &commandpb.Command_StartChildWorkflowExecutionCommandAttributes{
				StartChildWorkflowExecutionCommandAttributes: &commandpb.StartChildWorkflowExecutionCommandAttributes{Namespace: ns}}}
		},
		"signal": func(ns string) *commandpb.Command {
			return &commandpb.Command{Attributes: &commandpb.Command_SignalExternalWorkflowExecutionCommandAttributes{
				SignalExternalWorkflowExecutionCommandAttributes: &commandpb.SignalExternalWorkflowExecutionCommandAttributes{Namespace: ns}}}
		},
		"cancel": func(ns string) *commandpb.Command {
			return &commandpb.Command{Attributes: &commandpb.Command_RequestCancelExternalWorkflowExecutionCommandAttributes{
				RequestCancelExternalWorkflowExecutionCommandAttributes: &commandpb.RequestCancelExternalWorkflowExecutionCommandAttributes{Namespace: ns}}}
		},
	}
	for name, command := range commands {
		for ns, known := range map[string]bool{"": true, "ns": true, "other": true, "nowhere": false} {
			e := newEdge(t)
			e.executions.do = func(engine.ID, string, engine.Input) (any, error) { return &workflow.TaskCompleted{}, nil }
			_, err := e.api.RespondWorkflowTaskCompleted(t.Context(), &workflowservice.RespondWorkflowTaskCompletedRequest{
				TaskToken: sealWorkflowToken(sampleWorkflowToken), Commands: []*commandpb.Command{command(ns)}})
			var missing *serviceerror.NamespaceNotFound
			if known && err != nil || !known && !errors.As(serviceerror.FromStatus(serviceerror.ToStatus(err)), &missing) {
				t.Errorf("%s in %q: %v", name, ns, err)
			}
			if reached := len(e.executions.inputs()) > 0; reached != known {
				t.Errorf("%s in %q: reached the core: %v", name, ns, reached)
			}
		}
	}
}
