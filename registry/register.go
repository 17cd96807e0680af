package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/errordetails/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	replicationpb "go.temporal.io/api/replication/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/store"
)

// Register creates a namespace (NS-1 to NS-5) and returns its id. It can be used
// as soon as Register returns.
func (r *Registry) Register(ctx context.Context, req *workflowservice.RegisterNamespaceRequest) (id string, err error) {
	if err := r.checkRegister(req, minRetention); err != nil {
		return "", err
	}
	e, err := r.change(ctx, func(present *snapshot) (*entry, error) {
		if present.byName[req.GetNamespace()] != nil {
			return nil, alreadyExists(req.GetNamespace())
		}
		return r.newEntry(r.options.NewID(), req), nil
	})
	if err != nil {
		return "", err
	}
	return e.id(), nil
}

func (r *Registry) checkRegister(req *workflowservice.RegisterNamespaceRequest, least time.Duration) error {
	if err := checkName(req.GetNamespace()); err != nil {
		return err
	}
	if req.GetIsGlobalNamespace() {
		return engine.Invalid("Cannot register global namespace when not enabled")
	}
	if err := checkRetention(req.GetWorkflowExecutionRetentionPeriod(), least); err != nil {
		return err
	}
	return r.checkClusters(req.GetActiveClusterName(), req.GetClusters())
}

func checkName(name string) error {
	switch {
	case name == "":
		return engine.Invalid("Namespace not set on request.")
	case len(name) > maxNameBytes:
		return engine.Invalid("Namespace length exceeds limit.")
	}
	return nil
}

func checkRetention(retention *durationpb.Duration, least time.Duration) error {
	if retention == nil || !retention.IsValid() || retention.AsDuration() < least {
		return engine.Invalid("A valid retention period is not set on request.")
	}
	return nil
}

// checkClusters: a local namespace lives in this cluster and no other (NS-4).
func (r *Registry) checkClusters(active string, clusters []*replicationpb.ClusterReplicationConfig) error {
	current := r.options.ClusterName
	if active != "" && active != current {
		return engine.Invalid("Invalid local namespace active cluster")
	}
	for _, c := range clusters {
		if c.GetClusterName() != current {
			return engine.Invalid("Invalid cluster name: %s", c.GetClusterName())
		}
	}
	if len(clusters) > 1 {
		return engine.Invalid("Invalid local namespace clusters")
	}
	return nil
}

func alreadyExists(name string) error {
	return &engine.Refusal{
		Kind:    engine.KindAlreadyExists,
		Message: fmt.Sprintf("Namespace %q already exists", name),
		Detail:  &errordetails.NamespaceAlreadyExistsFailure{},
	}
}

func (r *Registry) newEntry(id string, req *workflowservice.RegisterNamespaceRequest) *entry {
	return &entry{
		info: &namespacepb.NamespaceInfo{
			Id:          id,
			Name:        req.GetNamespace(),
			State:       enumspb.NAMESPACE_STATE_REGISTERED,
			Description: req.GetDescription(),
			OwnerEmail:  req.GetOwnerEmail(),
			Data:        req.GetData(),
		},
		config: &namespacepb.NamespaceConfig{
			WorkflowExecutionRetentionTtl: req.GetWorkflowExecutionRetentionPeriod(),
			BadBinaries:                   &namespacepb.BadBinaries{},
			// The cluster has no archival, so it stays off whatever was asked (NS-12).
			HistoryArchivalState:    enumspb.ARCHIVAL_STATE_DISABLED,
			VisibilityArchivalState: enumspb.ARCHIVAL_STATE_DISABLED,
		},
		attributes: map[string]attribute{},
	}
}

// bootstrap creates what must exist. Each step is idempotent, so a start that
// was cut off is completed by the next.
func (r *Registry) bootstrap(ctx context.Context) error {
	if r.clusterID == "" {
		id := r.options.NewID()
		batch := new(store.Batch)
		batch.Put(clusterKey(), encodeClusterID(id))
		if err := r.commit(ctx, batch); err != nil {
			return fmt.Errorf("store the cluster id: %w", err)
		}
		r.clusterID = id
	}
	if err := r.ensure(ctx, systemNamespaceID, &workflowservice.RegisterNamespaceRequest{
		Namespace:                        SystemNamespace,
		Description:                      "Temporal internal system namespace",
		OwnerEmail:                       "temporal-core@temporal.io",
		WorkflowExecutionRetentionPeriod: durationpb.New(systemRetention),
	}); err != nil {
		return err
	}
	for _, name := range append([]string{DefaultNamespace}, r.options.Namespaces...) {
		if err := r.ensureUserNamespace(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (r *Registry) ensureUserNamespace(ctx context.Context, name string) error {
	if err := r.ensure(ctx, r.options.NewID(), &workflowservice.RegisterNamespaceRequest{
		Namespace:                        name,
		WorkflowExecutionRetentionPeriod: durationpb.New(r.options.Retention),
	}); err != nil {
		return err
	}
	if len(r.options.SearchAttributes) == 0 {
		return nil
	}
	if err := r.AddSearchAttributes(ctx, name, r.options.SearchAttributes); err != nil {
		return fmt.Errorf("search attributes of namespace %q: %w", name, err)
	}
	return nil
}

func (r *Registry) ensure(ctx context.Context, id string, req *workflowservice.RegisterNamespaceRequest) error {
	if err := r.checkRegister(req, minOwnRetention); err != nil {
		return fmt.Errorf("namespace %q: %w", req.GetNamespace(), err)
	}
	_, err := r.change(ctx, func(present *snapshot) (*entry, error) {
		if present.byName[req.GetNamespace()] != nil {
			return nil, alreadyExists(req.GetNamespace())
		}
		return r.newEntry(id, req), nil
	})
	var refusal *engine.Refusal
	if errors.As(err, &refusal) && refusal.Kind == engine.KindAlreadyExists {
		return nil
	}
	return err
}
