package registry

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/searchattr"
)

// AddSearchAttributes registers custom attributes (SA-10 to SA-17). A name that
// is there already stays as it is, whatever its type.
func (r *Registry) AddSearchAttributes(ctx context.Context, namespace string, attributes map[string]enumspb.IndexedValueType) error {
	if namespace == "" {
		return engine.Invalid("Namespace is not set on request.")
	}
	if len(attributes) == 0 {
		return engine.Invalid("SearchAttributes are not set on request.")
	}
	names := slices.Sorted(maps.Keys(attributes))
	for _, name := range names {
		if err := checkAttributeName(name); err != nil {
			return err
		}
		if !knownKind(attributes[name]) {
			return engine.Invalid("Unknown search attribute type: %d.", attributes[name])
		}
	}
	_, err := r.change(ctx, func(present *snapshot) (*entry, error) {
		e, err := present.find(namespace, "")
		if err != nil {
			return nil, err
		}
		next, changed := e.clone(), false
		for _, name := range names {
			if _, there := next.attributes[name]; !there {
				kind := attributes[name]
				next.attributes[name] = attribute{kind: kind, field: freeField(next.attributes, kind)}
				changed = true
			}
		}
		if !changed {
			return nil, nil
		}
		return next, nil
	})
	return err
}

// RemoveSearchAttributes forgets custom attributes (SA-20 to SA-22). Their
// values stay with the executions but are no longer shown.
func (r *Registry) RemoveSearchAttributes(ctx context.Context, namespace string, names []string) error {
	if namespace == "" {
		return engine.Invalid("Namespace is not set on request.")
	}
	if len(names) == 0 {
		return engine.Invalid("SearchAttributes are not set on request.")
	}
	_, err := r.change(ctx, func(present *snapshot) (*entry, error) {
		e, err := present.find(namespace, "")
		if err != nil {
			return nil, err
		}
		next, changed := e.clone(), false
		for _, name := range names {
			_, custom := next.attributes[name]
			if !custom && searchattr.Reserved(name) {
				return nil, engine.Invalid("Unable to remove non-custom search attributes: %s.", name)
			}
			delete(next.attributes, name)
			changed = changed || custom
		}
		if !changed {
			return nil, nil
		}
		return next, nil
	})
	return err
}

// ListSearchAttributes answers OperatorService.ListSearchAttributes (SA-1).
func (r *Registry) ListSearchAttributes(namespace string) (*operatorservice.ListSearchAttributesResponse, error) {
	if namespace == "" {
		return nil, engine.Invalid("Namespace is not set on request.")
	}
	e, err := r.present.Load().find(namespace, "")
	if err != nil {
		return nil, err
	}
	return &operatorservice.ListSearchAttributesResponse{
		CustomAttributes: maps.Clone(e.core.SearchAttributes),
		SystemAttributes: searchattr.System(),
	}, nil
}

// AllSearchAttributes answers WorkflowService.GetSearchAttributes, which names
// no namespace: every attribute known anywhere (SA-2). Where namespaces differ
// in the type of a name, the namespace first by name decides.
func (r *Registry) AllSearchAttributes() map[string]enumspb.IndexedValueType {
	present := r.present.Load()
	all := searchattr.System()
	for _, name := range slices.Sorted(maps.Keys(present.byName)) {
		for attribute, kind := range present.byName[name].core.SearchAttributes {
			if _, there := all[attribute]; !there {
				all[attribute] = kind
			}
		}
	}
	return all
}

func checkAttributeName(name string) error {
	if name == "" || searchattr.Reserved(name) {
		return engine.Invalid("Search attribute %s is reserved by system.", name)
	}
	return nil
}

func knownKind(kind enumspb.IndexedValueType) bool {
	_, ok := enumspb.IndexedValueType_name[int32(kind)]
	return ok && kind != enumspb.INDEXED_VALUE_TYPE_UNSPECIFIED
}

// freeField is the first field of a type nobody uses: Keyword01, Keyword02, ...
func freeField(attributes map[string]attribute, kind enumspb.IndexedValueType) string {
	for n := 1; ; n++ {
		field := fmt.Sprintf("%s%02d", searchattr.TypeName(kind), n)
		if aliasOf(attributes, field) == "" {
			return field
		}
	}
}

func aliasOf(attributes map[string]attribute, field string) string {
	for name, a := range attributes {
		if a.field == field {
			return name
		}
	}
	return ""
}

// kindOfField reads the type off a field's name.
func kindOfField(field string) (enumspb.IndexedValueType, bool) {
	typeName := strings.TrimRight(field, "0123456789")
	if n, err := strconv.Atoi(field[len(typeName):]); err != nil || n < 1 || len(field)-len(typeName) < 2 {
		return 0, false
	}
	for number := range enumspb.IndexedValueType_name {
		if kind := enumspb.IndexedValueType(number); knownKind(kind) && searchattr.TypeName(kind) == typeName {
			return kind, true
		}
	}
	return 0, false
}
