//go:build e2e

package limits

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// responders are the calls that bring a task's outcome, by what they answer.
func responders(kind string) map[string]func(ctx context.Context, ns string, token []byte) error {
	workflow := map[string]func(ctx context.Context, ns string, token []byte) error{
		"RespondWorkflowTaskCompleted": func(ctx context.Context, ns string, token []byte) error {
			_, err := api.RespondWorkflowTaskCompleted(ctx, &workflowservice.RespondWorkflowTaskCompletedRequest{Namespace: ns, TaskToken: token})
			return err
		},
		"RespondWorkflowTaskFailed": func(ctx context.Context, ns string, token []byte) error {
			_, err := api.RespondWorkflowTaskFailed(ctx, &workflowservice.RespondWorkflowTaskFailedRequest{Namespace: ns, TaskToken: token})
			return err
		},
	}
	activity := map[string]func(ctx context.Context, ns string, token []byte) error{
		"RecordActivityTaskHeartbeat": func(ctx context.Context, ns string, token []byte) error {
			_, err := api.RecordActivityTaskHeartbeat(ctx, &workflowservice.RecordActivityTaskHeartbeatRequest{Namespace: ns, TaskToken: token})
			return err
		},
		"RespondActivityTaskCompleted": func(ctx context.Context, ns string, token []byte) error {
			_, err := api.RespondActivityTaskCompleted(ctx, &workflowservice.RespondActivityTaskCompletedRequest{Namespace: ns, TaskToken: token})
			return err
		},
		"RespondActivityTaskFailed": func(ctx context.Context, ns string, token []byte) error {
			_, err := api.RespondActivityTaskFailed(ctx, &workflowservice.RespondActivityTaskFailedRequest{Namespace: ns, TaskToken: token})
			return err
		},
		"RespondActivityTaskCanceled": func(ctx context.Context, ns string, token []byte) error {
			_, err := api.RespondActivityTaskCanceled(ctx, &workflowservice.RespondActivityTaskCanceledRequest{Namespace: ns, TaskToken: token})
			return err
		},
	}
	query := map[string]func(ctx context.Context, ns string, token []byte) error{
		"RespondQueryTaskCompleted": func(ctx context.Context, ns string, token []byte) error {
			_, err := api.RespondQueryTaskCompleted(ctx, &workflowservice.RespondQueryTaskCompletedRequest{Namespace: ns, TaskToken: token})
			return err
		},
	}
	return map[string]map[string]func(ctx context.Context, ns string, token []byte) error{"workflow": workflow, "activity": activity, "query": query}[kind]
}

// damaged are tokens that were never given out: none, junk, a good one cut,
// lengthened, or with one bit turned, at every byte.
func damaged(good []byte) (all [][]byte) {
	all = append(all, []byte{0}, []byte("garbage"), bytes.Repeat([]byte{0xff}, 300), append(bytes.Clone(good), 0))
	junk := rand.NewChaCha8([32]byte{1})
	for n := 1; n < 200; n += 17 {
		b := make([]byte, n)
		_, _ = junk.Read(b)
		all = append(all, b)
	}
	for i := range good {
		turned := bytes.Clone(good)
		turned[i] ^= 1 << (i % 8)
		all = append(all, good[:i], turned)
	}
	return all
}

// Tokens that are none, of another kind or of another namespace are told apart
// with the texts of spec/service.md 1.5, and none of that harms the task: its
// own token still answers it, with the namespace or without.
func TestTaskTokens(t *testing.T) {
	ctx, id := started(t)
	workflow := taskOf(t, ctx, id).GetTaskToken()
	_, _, a := activityOf(t, nil)
	activity := a.GetTaskToken()
	for kind, good := range map[string][]byte{"workflow": workflow, "activity": activity, "query": activity} {
		for name, respond := range responders(kind) {
			refused(t, name+" without a token", respond(ctx, namespace, nil), codes.InvalidArgument, "Task token not set on request.")
			for _, bad := range damaged(good) {
				text := "Error deserializing task token."
				if len(bad) == 0 {
					text = "Task token not set on request."
				}
				refused(t, name, respond(ctx, namespace, bad), codes.InvalidArgument, text)
				refused(t, name+" without a namespace", respond(ctx, "", bad), codes.InvalidArgument, text)
			}
			if kind == "query" {
				continue // its token is not to be had here
			}
			refused(t, name+" with a token of another namespace", respond(ctx, "other", good), codes.InvalidArgument,
				"Operation requested with a token from a different namespace.")
		}
	}
	for _, other := range []string{"activity", "query"} {
		for name, respond := range responders(other) {
			refused(t, name+" with a workflow task's token", respond(ctx, namespace, workflow), codes.InvalidArgument, "Error deserializing task token.")
		}
	}
	if err := complete(ctx, workflow); err != nil {
		t.Errorf("the workflow task's own token: %v", err)
	}
	refused(t, "the same again", complete(ctx, workflow), codes.NotFound, "")
	if _, err := api.RespondActivityTaskCompleted(ctx, &workflowservice.RespondActivityTaskCompletedRequest{TaskToken: activity}); err != nil {
		t.Errorf("the activity's own token: %v", err)
	}
	_, err := api.RespondActivityTaskCompleted(ctx, &workflowservice.RespondActivityTaskCompletedRequest{Namespace: namespace, TaskToken: activity})
	refused(t, "the same again", err, codes.NotFound, "")
}

// Page tokens of histories and lists are checked like any other input: damaged
// ones, those of another call, of another run and of another workflow.
func TestPageTokens(t *testing.T) {
	ctx, id := started(t)
	if err := complete(ctx, taskOf(t, ctx, id).GetTaskToken(), startTimer("t")); err != nil {
		t.Fatal(err)
	}
	_, other := started(t)
	forward := func(id string, token []byte) ([]byte, error) {
		r, err := api.GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{Namespace: namespace, Execution: execution(id), MaximumPageSize: 1, NextPageToken: token})
		return r.GetNextPageToken(), err
	}
	reverse := func(id string, token []byte) ([]byte, error) {
		r, err := api.GetWorkflowExecutionHistoryReverse(ctx, &workflowservice.GetWorkflowExecutionHistoryReverseRequest{Namespace: namespace, Execution: execution(id), MaximumPageSize: 1, NextPageToken: token})
		return r.GetNextPageToken(), err
	}
	const text = "Invalid NextPageToken."
	tokens := map[string][]byte{}
	for name, read := range map[string]func(string, []byte) ([]byte, error){"forward": forward, "reverse": reverse} {
		good, err := read(id, nil)
		if err != nil || len(good) == 0 {
			t.Fatalf("%s: no token, error %v", name, err)
		}
		tokens[name] = good
		for _, bad := range damaged(good) {
			if len(bad) == 0 {
				continue // the first page
			}
			_, err := read(id, bad)
			refused(t, name, err, codes.InvalidArgument, text)
		}
		_, err = read(other, good)
		refused(t, name+", of another workflow", err, codes.InvalidArgument, text)
		if _, err := read(id, good); err != nil {
			t.Errorf("%s, its own: %v", name, err)
		}
	}
	_, err := forward(id, tokens["reverse"])
	refused(t, "a token of the other direction", err, codes.InvalidArgument, text)
	wrongRun := execution(id)
	wrongRun.RunId = "00000000-0000-0000-0000-000000000001"
	_, err = api.GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{Namespace: namespace, Execution: wrongRun, NextPageToken: tokens["forward"]})
	refused(t, "a token of another run", err, codes.InvalidArgument, "RunId in the request does not match the NextPageToken.")

	list, err := api.ListWorkflowExecutions(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: namespace, PageSize: 1})
	if err != nil || len(list.GetNextPageToken()) == 0 {
		t.Fatalf("the list has no further page: %v", err)
	}
	names, err := api.ListNamespaces(ctx, &workflowservice.ListNamespacesRequest{PageSize: 1})
	if err != nil || len(names.GetNextPageToken()) == 0 {
		t.Fatalf("the namespaces have no further page: %v", err)
	}
	for _, bad := range damaged(list.GetNextPageToken()) {
		_, err := api.ListWorkflowExecutions(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: namespace, PageSize: 1, NextPageToken: bad})
		harmless(t, "list of executions", err)
	}
	for _, bad := range damaged(names.GetNextPageToken()) {
		_, err := api.ListNamespaces(ctx, &workflowservice.ListNamespacesRequest{PageSize: 1, NextPageToken: bad})
		harmless(t, "list of namespaces", err)
	}
}

// harmless accepts what a position that may by chance be a sound one brings.
func harmless(t *testing.T, what string, err error) {
	t.Helper()
	if code := status.Code(err); code != codes.OK && code != codes.InvalidArgument {
		t.Errorf("%s: %v", what, err)
	}
}
