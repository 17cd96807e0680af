package registry

import (
	"context"
	"errors"
	"fmt"

	namespacepb "go.temporal.io/api/namespace/v1"

	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// Kinds of rows in the system slot.
const (
	rowNamespace = "namespace" // name: namespace id; NamespaceInfo and NamespaceConfig
	rowCluster   = "cluster"   // name: "identity"; text 1 is the cluster id
)

// textClusterID is the field of the cluster's row that holds its id.
const textClusterID = 1

func namespaceKey(id string) store.Key { return record.MetaKey(store.SystemSlot, rowNamespace, id) }
func clusterKey() store.Key            { return record.MetaKey(store.SystemSlot, rowCluster, "identity") }

// load reads everything the registry keeps.
func load(ctx context.Context, shard store.Shard) (present *snapshot, clusterID string, err error) {
	present = &snapshot{byID: map[string]*entry{}, byName: map[string]*entry{}}
	var bad error
	from, to := record.MetaRows(store.SystemSlot, rowNamespace)
	err = shard.Scan(ctx, from, to, func(row store.Entry) bool {
		var e *entry
		if e, bad = decodeEntry(row.Value); bad != nil {
			bad = fmt.Errorf("namespace row %x: %w", row.Key.Name, bad)
			return false
		}
		present.byID[e.id()] = e.seal()
		present.byName[e.name()] = e
		return true
	})
	if err := errors.Join(err, bad); err != nil {
		return nil, "", err
	}
	clusterID, err = loadClusterID(ctx, shard)
	return present, clusterID, err
}

func loadClusterID(ctx context.Context, shard store.Shard) (string, error) {
	value, err := shard.Get(ctx, clusterKey())
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("cluster id: %w", err)
	}
	texts, err := record.DecodeMeta(value)
	if err != nil {
		return "", fmt.Errorf("cluster id: %w", err)
	}
	return texts[textClusterID], nil
}

func encodeClusterID(id string) []byte {
	return record.EncodeMeta(map[int]string{textClusterID: id})
}

// encodeEntry stores the config as the API shows it: the aliases say all there
// is to know of the custom search attributes, since a field's name begins with
// its type.
func encodeEntry(e *entry) []byte {
	return record.EncodeMeta(nil, e.info, e.describedConfig())
}

func decodeEntry(value []byte) (*entry, error) {
	e := &entry{info: &namespacepb.NamespaceInfo{}, config: &namespacepb.NamespaceConfig{}, attributes: map[string]attribute{}}
	if _, err := record.DecodeMeta(value, e.info, e.config); err != nil {
		return nil, err
	}
	if e.id() == "" || e.name() == "" {
		return nil, fmt.Errorf("a namespace without id or name: %w", store.ErrCorrupt)
	}
	for field, name := range e.config.GetCustomSearchAttributeAliases() {
		kind, ok := kindOfField(field)
		if !ok {
			return nil, fmt.Errorf("search attribute %q in field %q: %w", name, field, store.ErrCorrupt)
		}
		e.attributes[name] = attribute{kind: kind, field: field}
	}
	e.config.CustomSearchAttributeAliases = nil
	return e, nil
}
