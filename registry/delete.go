package registry

import (
	"context"
	"fmt"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/store"
)

// Delete marks a namespace deleted and renames it, so that its name is free at
// once (NS-14, NS-15). It is named by name or by id. The answer is the name it
// has from now on. Its executions are still there: Deleted lists it until Purge.
func (r *Registry) Delete(ctx context.Context, name, id string) (deletedName string, err error) {
	e, err := r.change(ctx, func(present *snapshot) (*entry, error) {
		old, err := findToDelete(present, name, id)
		if err != nil {
			return nil, err
		}
		if err := r.checkDelete(old); err != nil {
			return nil, err
		}
		if old.info.GetState() == enumspb.NAMESPACE_STATE_DELETED {
			deletedName = old.name()
			return nil, nil
		}
		next := old.clone()
		next.info.State = enumspb.NAMESPACE_STATE_DELETED
		next.info.Name = freeDeletedName(present, old)
		return next, nil
	})
	if err != nil {
		return "", err
	}
	if e != nil {
		deletedName = e.name()
	}
	return deletedName, nil
}

func findToDelete(present *snapshot, name, id string) (*entry, error) {
	if name != "" && id != "" {
		return nil, engine.Invalid("Only one of namespace name or Id should be set on request.")
	}
	return present.find(name, id)
}

func (r *Registry) checkDelete(e *entry) error {
	switch {
	case e.id() == systemNamespaceID:
		return engine.Refuse(engine.KindFailedPrecondition, "unable to delete system namespace")
	case slices.Contains(r.options.Protected, e.name()):
		return engine.Refuse(engine.KindFailedPrecondition, "namespace %s is protected from deletion", e.name())
	}
	return nil
}

// freeDeletedName is `<name>-deleted-<first 5 of id>`, with more of the id where
// that is taken.
func freeDeletedName(present *snapshot, e *entry) string {
	const letters = 5
	for n := letters; ; n++ {
		name := fmt.Sprintf("%s-deleted-%s", e.name(), e.id()[:min(n, len(e.id()))])
		if present.byName[name] == nil || n > len(e.id()) {
			return name
		}
	}
}

// Deleted returns the namespaces that are marked deleted and whose executions
// are to be removed.
func (r *Registry) Deleted() []*engine.Namespace {
	var deleted []*engine.Namespace
	for _, e := range r.present.Load().byID {
		if e.info.GetState() == enumspb.NAMESPACE_STATE_DELETED {
			deleted = append(deleted, e.core)
		}
	}
	slices.SortFunc(deleted, func(a, b *engine.Namespace) int { return slices.Compare([]byte(a.ID), []byte(b.ID)) })
	return deleted
}

// Purge forgets a deleted namespace, after its executions are gone. Unknown ids
// are ignored; a namespace that is not deleted is refused.
func (r *Registry) Purge(ctx context.Context, id string) error {
	release, err := r.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	present := r.present.Load()
	e := present.byID[id]
	if e == nil {
		return nil
	}
	if e.info.GetState() != enumspb.NAMESPACE_STATE_DELETED {
		return engine.Refuse(engine.KindFailedPrecondition, "namespace %s is not deleted", e.name())
	}
	batch := new(store.Batch)
	batch.Delete(namespaceKey(id))
	if err := r.commit(ctx, batch); err != nil {
		return fmt.Errorf("purge namespace %s: %w", id, err)
	}
	r.present.Store(present.without(id))
	return nil
}
