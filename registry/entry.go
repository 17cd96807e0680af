package registry

import (
	"maps"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
)

// entry is one namespace. Invariant: immutable once it is in a snapshot;
// changes work on a copy.
type entry struct {
	// info holds name, id, state, description, owner and data. Capabilities and
	// limits are those of the server and added when it is described.
	info *namespacepb.NamespaceInfo
	// config holds retention, archival states and bad binaries. The aliases of
	// search attributes are derived from attributes when it is described.
	config *namespacepb.NamespaceConfig
	// attributes are the custom search attributes by name.
	attributes map[string]attribute

	// core is what the machines see; derived.
	core *engine.Namespace
}

// attribute is a custom search attribute.
type attribute struct {
	kind enumspb.IndexedValueType
	// field is the name of the place the API pretends the value is stored in,
	// such as Keyword01. Unique in the namespace.
	field string
}

func (e *entry) id() string   { return e.info.GetId() }
func (e *entry) name() string { return e.info.GetName() }

// clone returns a copy that may be changed; seal it before it is published.
func (e *entry) clone() *entry {
	return &entry{
		info:       proto.Clone(e.info).(*namespacepb.NamespaceInfo),
		config:     proto.Clone(e.config).(*namespacepb.NamespaceConfig),
		attributes: maps.Clone(e.attributes),
	}
}

// seal derives what readers use.
func (e *entry) seal() *entry {
	core := &engine.Namespace{
		ID:               e.id(),
		Name:             e.name(),
		Retention:        e.config.GetWorkflowExecutionRetentionTtl().AsDuration(),
		SearchAttributes: make(map[string]enumspb.IndexedValueType, len(e.attributes)),
		BadBinaries:      make(map[string]bool, len(e.config.GetBadBinaries().GetBinaries())),
	}
	for name, a := range e.attributes {
		core.SearchAttributes[name] = a.kind
	}
	for checksum := range e.config.GetBadBinaries().GetBinaries() {
		core.BadBinaries[checksum] = true
	}
	e.core = core
	return e
}

// describedConfig is the config as the API shows it: with the aliases.
func (e *entry) describedConfig() *namespacepb.NamespaceConfig {
	config := proto.Clone(e.config).(*namespacepb.NamespaceConfig)
	if config.BadBinaries == nil {
		config.BadBinaries = &namespacepb.BadBinaries{}
	}
	if len(e.attributes) > 0 {
		config.CustomSearchAttributeAliases = make(map[string]string, len(e.attributes))
		for name, a := range e.attributes {
			config.CustomSearchAttributeAliases[a.field] = name
		}
	}
	return config
}

// snapshot is all namespaces at one moment. Invariant: immutable; byID and
// byName hold the same entries.
type snapshot struct {
	byID   map[string]*entry
	byName map[string]*entry
}

// with returns a snapshot in which e replaces the entry of its id.
func (s *snapshot) with(e *entry) *snapshot {
	next := s.without(e.id())
	next.byID[e.id()] = e
	next.byName[e.name()] = e
	return next
}

func (s *snapshot) without(id string) *snapshot {
	next := &snapshot{byID: maps.Clone(s.byID), byName: maps.Clone(s.byName)}
	if old := next.byID[id]; old != nil {
		delete(next.byID, id)
		delete(next.byName, old.name())
	}
	return next
}

const (
	// minRetention is the shortest a namespace may keep closed executions (NS-1).
	minRetention = time.Hour
	// minOwnRetention is the shortest for the namespaces made at the start, which
	// an operator asks for and nobody else.
	minOwnRetention = time.Minute
	// maxBadBinaries a namespace may hold (NS-7).
	maxBadBinaries = 10
	// maxNameBytes is the longest namespace name (service.md 1.5).
	maxNameBytes = 1000
)
