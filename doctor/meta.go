package doctor

import (
	"maps"
	"slices"

	namespacepb "go.temporal.io/api/namespace/v1"

	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// meta reads what belongs to no execution, the namespaces above all.
func (e *examiner) meta() error {
	ids := map[string][]string{} // by name
	for slot := range e.occupied(store.FamilyMeta, store.FamilyMeta) {
		err := e.scan(store.FamilyMeta, slot, func(r store.Entry) {
			kind, id, err := record.ParseMetaKey(r.Key)
			if err != nil {
				e.report.find("key-malformed", row(r.Key), "%v", err)
				return
			}
			if string(r.Key.Name) == string(record.NamesKey().Name) {
				e.renamed = true
			}
			where := kind + " " + id
			info, config := &namespacepb.NamespaceInfo{}, &namespacepb.NamespaceConfig{}
			if kind != "namespace" {
				if _, err := record.DecodeMeta(r.Value); err != nil {
					e.bad(err, where)
				}
				return
			}
			if _, err := record.DecodeMeta(r.Value, info, config); err != nil {
				e.bad(err, where)
				return
			}
			e.report.Namespaces++
			e.namespaces[id] = info.GetName()
			ids[info.GetName()] = append(ids[info.GetName()], id)
			if info.GetId() != id || slot != store.SystemSlot {
				e.report.find("wrong-slot", where, "it is under the name of %s, in slot %d", info.GetId(), slot)
			}
		})
		if err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(ids)) {
		if len(ids[name]) > 1 {
			e.report.find("namespace-twice", "namespace "+name, "its ids are %v", ids[name])
		}
	}
	return nil
}
