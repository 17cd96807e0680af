package registry

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/errordetails/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	replicationpb "go.temporal.io/api/replication/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
)

// maxCompletionBytes is the largest RespondWorkflowTaskCompleted we announce.
const maxCompletionBytes = 40 << 20

// defaultPage and maxPage bound the answer of List.
const (
	defaultPage = 100
	maxPage     = 1000
)

// Describe answers DescribeNamespace, by name or by id (NS-6).
func (r *Registry) Describe(name, id string) (*workflowservice.DescribeNamespaceResponse, error) {
	e, err := r.present.Load().find(name, id)
	if err != nil {
		return nil, err
	}
	return r.describe(e), nil
}

// find looks a namespace up by name or by id, exactly one of which is given.
func (s *snapshot) find(name, id string) (*entry, error) {
	switch {
	case name != "" && id != "":
		return nil, engine.Invalid("GetNamespace operation failed. Both ID and Name specified in request.")
	case name == "" && id == "":
		return nil, engine.Invalid("Namespace not set on request.")
	case id != "":
		if e := s.byID[id]; e != nil {
			return e, nil
		}
		return nil, notFound(id)
	}
	if e := s.byName[name]; e != nil {
		return e, nil
	}
	return nil, notFound(name)
}

func notFound(name string) error {
	return &engine.Refusal{
		Kind:    engine.KindNamespaceNotFound,
		Message: fmt.Sprintf("Namespace %s is not found.", name),
		Detail:  &errordetails.NamespaceNotFoundFailure{Namespace: name},
	}
}

func (r *Registry) describe(e *entry) *workflowservice.DescribeNamespaceResponse {
	return &workflowservice.DescribeNamespaceResponse{
		NamespaceInfo:     r.describedInfo(e),
		Config:            e.describedConfig(),
		ReplicationConfig: r.replication(),
	}
}

func (r *Registry) describedInfo(e *entry) *namespacepb.NamespaceInfo {
	info := proto.Clone(e.info).(*namespacepb.NamespaceInfo)
	info.Capabilities = proto.Clone(r.options.Capabilities).(*namespacepb.NamespaceInfo_Capabilities)
	info.Limits = &namespacepb.NamespaceInfo_Limits{
		BlobSizeLimitError:                   int64(r.options.Limits.BlobBytes),
		MemoSizeLimitError:                   int64(r.options.Limits.MemoBytes),
		WorkflowTaskCompletionSizeLimitError: maxCompletionBytes,
	}
	info.SupportsSchedules = r.options.SupportsSchedules
	return info
}

func (r *Registry) replication() *replicationpb.NamespaceReplicationConfig {
	return &replicationpb.NamespaceReplicationConfig{
		ActiveClusterName: r.options.ClusterName,
		Clusters:          []*replicationpb.ClusterReplicationConfig{{ClusterName: r.options.ClusterName}},
		State:             enumspb.REPLICATION_STATE_NORMAL,
	}
}

// List answers ListNamespaces: by name, deleted ones only when asked for. The
// page token is the last name of the page before, so that namespaces created
// meanwhile shift nothing.
func (r *Registry) List(req *workflowservice.ListNamespacesRequest) (*workflowservice.ListNamespacesResponse, error) {
	after, err := decodePageToken(req.GetNextPageToken())
	if err != nil {
		return nil, err
	}
	size := int(req.GetPageSize())
	if size <= 0 {
		size = defaultPage
	}
	size = min(size, maxPage)

	present := r.present.Load()
	names := slices.Sorted(maps.Keys(present.byName))
	response := new(workflowservice.ListNamespacesResponse)
	for _, name := range names {
		e := present.byName[name]
		deleted := e.info.GetState() == enumspb.NAMESPACE_STATE_DELETED
		if name <= after || deleted && !req.GetNamespaceFilter().GetIncludeDeleted() {
			continue
		}
		if len(response.Namespaces) == size {
			last := response.Namespaces[size-1].GetNamespaceInfo().GetName()
			response.NextPageToken = []byte(pageTokenPrefix + last)
			break
		}
		response.Namespaces = append(response.Namespaces, r.describe(e))
	}
	return response, nil
}

// pageTokenPrefix tells our tokens from those of other calls.
const pageTokenPrefix = "namespace:"

func decodePageToken(token []byte) (after string, err error) {
	if len(token) == 0 {
		return "", nil
	}
	after, ok := strings.CutPrefix(string(token), pageTokenPrefix)
	if !ok {
		return "", engine.Invalid("Invalid NextPageToken.")
	}
	return after, nil
}

// Usable returns the namespace a request names, or refuses it: unknown, or in a
// state in which it serves no such request. starts is true for requests that
// begin new work (StartWorkflowExecution, SignalWithStart and the like), which a
// deprecated namespace refuses too (service.md 1.5).
func (r *Registry) Usable(name string, starts bool) (*engine.Namespace, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	e := r.present.Load().byName[name]
	if e == nil {
		return nil, notFound(name)
	}
	state := e.info.GetState()
	if state == enumspb.NAMESPACE_STATE_REGISTERED || state == enumspb.NAMESPACE_STATE_DEPRECATED && !starts {
		return e.core, nil
	}
	return nil, invalidState(e, starts)
}

func invalidState(e *entry, starts bool) error {
	allowed := []enumspb.NamespaceState{enumspb.NAMESPACE_STATE_REGISTERED}
	if !starts {
		allowed = append(allowed, enumspb.NAMESPACE_STATE_DEPRECATED)
	}
	names := make([]string, len(allowed))
	for i, state := range allowed {
		names[i] = state.String()
	}
	return &engine.Refusal{
		Kind:    engine.KindFailedPrecondition,
		Message: fmt.Sprintf("Namespace has invalid state: %s. Must be %s.", e.info.GetState(), strings.Join(names, " or ")),
		Detail: &errordetails.NamespaceInvalidStateFailure{
			Namespace: e.name(), State: e.info.GetState(), AllowedStates: allowed,
		},
	}
}
