package registry

import (
	"context"
	"maps"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/perdure/perdure/engine"
)

// Update merges a request into a namespace (NS-7 to NS-12).
func (r *Registry) Update(ctx context.Context, req *workflowservice.UpdateNamespaceRequest) (*workflowservice.UpdateNamespaceResponse, error) {
	if err := checkName(req.GetNamespace()); err != nil {
		return nil, err
	}
	if req.GetPromoteNamespace() {
		return nil, engine.Invalid("global namespace is not enabled on this cluster, cannot update global namespace or promote local namespace: %s", req.GetNamespace())
	}
	e, err := r.change(ctx, func(present *snapshot) (*entry, error) {
		old, err := present.find(req.GetNamespace(), "")
		if err != nil {
			return nil, err
		}
		next := old.clone()
		return next, r.merge(next, req)
	})
	if err != nil {
		return nil, err
	}
	return &workflowservice.UpdateNamespaceResponse{
		NamespaceInfo:     r.describedInfo(e),
		Config:            e.describedConfig(),
		ReplicationConfig: r.replication(),
	}, nil
}

// Deprecate answers DeprecateNamespace: no new executions, those there go on.
func (r *Registry) Deprecate(ctx context.Context, name string) error {
	_, err := r.Update(ctx, &workflowservice.UpdateNamespaceRequest{
		Namespace:  name,
		UpdateInfo: &namespacepb.UpdateNamespaceInfo{State: enumspb.NAMESPACE_STATE_DEPRECATED},
	})
	return err
}

func (r *Registry) merge(next *entry, req *workflowservice.UpdateNamespaceRequest) error {
	if err := r.checkReplication(req); err != nil {
		return err
	}
	if err := mergeInfo(next.info, req.GetUpdateInfo()); err != nil {
		return err
	}
	if err := r.mergeConfig(next, req.GetConfig()); err != nil {
		return err
	}
	return deleteBadBinary(next.config, req.GetDeleteBadBinary())
}

// checkReplication allows a replication config that says what is so already,
// alone (NS-11) or with other changes as long as it does not name the active
// cluster.
func (r *Registry) checkReplication(req *workflowservice.UpdateNamespaceRequest) error {
	replication := req.GetReplicationConfig()
	if replication == nil {
		return nil
	}
	if err := r.checkClusters(replication.GetActiveClusterName(), replication.GetClusters()); err != nil {
		return err
	}
	if replication.GetActiveClusterName() == "" {
		return nil
	}
	if req.GetUpdateInfo() != nil || req.GetConfig() != nil || req.GetDeleteBadBinary() != "" {
		return engine.Invalid("Cannot set active cluster to current cluster when other parameters are set.")
	}
	return engine.Invalid("global namespace is not enabled on this cluster, cannot update global namespace or promote local namespace: %s", req.GetNamespace())
}

func mergeInfo(info *namespacepb.NamespaceInfo, update *namespacepb.UpdateNamespaceInfo) error {
	if update == nil {
		return nil
	}
	if d := update.GetDescription(); d != "" {
		info.Description = d
	}
	if o := update.GetOwnerEmail(); o != "" {
		info.OwnerEmail = o
	}
	if len(update.GetData()) > 0 {
		if info.Data == nil {
			info.Data = map[string]string{}
		}
		maps.Copy(info.Data, update.GetData())
	}
	return changeState(info, update.GetState())
}

// changeState is NS-8.
func changeState(info *namespacepb.NamespaceInfo, to enumspb.NamespaceState) error {
	const (
		registered = enumspb.NAMESPACE_STATE_REGISTERED
		deprecated = enumspb.NAMESPACE_STATE_DEPRECATED
		deleted    = enumspb.NAMESPACE_STATE_DELETED
	)
	from := info.GetState()
	switch {
	case to == enumspb.NAMESPACE_STATE_UNSPECIFIED || to == from:
	case from == registered && to == deprecated, from != deleted && to == deleted:
		info.State = to
	default:
		return engine.Invalid("Invalid namespace state update.")
	}
	return nil
}

func (r *Registry) mergeConfig(next *entry, update *namespacepb.NamespaceConfig) error {
	if update == nil {
		return nil
	}
	if retention := update.GetWorkflowExecutionRetentionTtl(); retention != nil {
		if err := checkRetention(retention, minRetention); err != nil {
			return err
		}
		next.config.WorkflowExecutionRetentionTtl = retention
	}
	if err := r.mergeBadBinaries(next.config, update.GetBadBinaries()); err != nil {
		return err
	}
	return mergeAliases(next.attributes, update.GetCustomSearchAttributeAliases())
}

func (r *Registry) mergeBadBinaries(config *namespacepb.NamespaceConfig, update *namespacepb.BadBinaries) error {
	if len(update.GetBinaries()) == 0 {
		return nil
	}
	if config.BadBinaries == nil {
		config.BadBinaries = &namespacepb.BadBinaries{}
	}
	if config.BadBinaries.Binaries == nil {
		config.BadBinaries.Binaries = map[string]*namespacepb.BadBinaryInfo{}
	}
	for checksum, binary := range update.GetBinaries() {
		config.BadBinaries.Binaries[checksum] = &namespacepb.BadBinaryInfo{
			Reason: binary.GetReason(), Operator: binary.GetOperator(), CreateTime: timestamppb.New(r.options.Now()),
		}
	}
	if len(config.BadBinaries.Binaries) > maxBadBinaries {
		return engine.Invalid("Total resetBinaries cannot exceed the max limit: %d", maxBadBinaries)
	}
	return nil
}

func deleteBadBinary(config *namespacepb.NamespaceConfig, checksum string) error {
	if checksum == "" {
		return nil
	}
	if _, ok := config.GetBadBinaries().GetBinaries()[checksum]; !ok {
		return engine.Invalid("Bad binary checksum %s doesn't exists.", checksum)
	}
	delete(config.BadBinaries.Binaries, checksum)
	return nil
}

// mergeAliases is NS-9: field to alias, an empty alias removes.
func mergeAliases(attributes map[string]attribute, update map[string]string) error {
	for _, field := range slices.Sorted(maps.Keys(update)) {
		if err := mergeAlias(attributes, field, update[field]); err != nil {
			return err
		}
	}
	return nil
}

func mergeAlias(attributes map[string]attribute, field, alias string) error {
	kind, ok := kindOfField(field)
	if !ok {
		return engine.Invalid("Search attribute field %s is not defined.", field)
	}
	holder := aliasOf(attributes, field)
	switch {
	case alias == "":
		delete(attributes, holder)
	case holder == alias:
	case holder != "":
		return engine.Invalid("Custom search attribute field name already allocated.")
	default:
		if err := checkAttributeName(alias); err != nil {
			return err
		}
		if _, taken := attributes[alias]; taken {
			return engine.Invalid("Custom search attribute %s already exists.", alias)
		}
		attributes[alias] = attribute{kind: kind, field: field}
	}
	return nil
}
