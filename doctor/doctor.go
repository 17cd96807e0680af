package doctor

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/pebblestore"
)

// Options of Examine.
type Options struct {
	// Data is the server's data folder: that of its --data.
	Data string
}

// Examine looks at everything in the folder. The error says why that was not
// possible: the folder is in use, or there is none. What is wrong with its
// content is in the report, and no error.
func Examine(ctx context.Context, o Options) (*Report, error) {
	r := &Report{Folder: o.Data, Rows: map[string]int{}, Counts: map[string]int{}, Findings: []Finding{}}
	defer r.order()
	st, err := pebblestore.Inspect(pebblestore.Options{Dir: filepath.Join(o.Data, "store")})
	switch {
	case errors.Is(err, pebblestore.ErrInUse):
		return nil, fmt.Errorf("stop the server first: %w", err)
	case errors.Is(err, pebblestore.ErrNoDatabase), errors.Is(err, pebblestore.ErrNewerFormat):
		return nil, err
	case err != nil:
		r.find("store-unreadable", filepath.Join(o.Data, "store"), "%v", err)
		return r, nil
	}
	e := &examiner{ctx: ctx, store: st, report: r, options: o, namespaces: map[string]string{}}
	return r, errors.Join(e.all(), st.Close())
}

// examiner is one examination under way.
type examiner struct {
	ctx     context.Context
	store   *pebblestore.Inspection
	report  *Report
	options Options

	namespaces map[string]string // names by id
	renamed    bool              // no row may have a name of format 1 any more
	index      *index            // nil when there is none to compare with
}

func (e *examiner) all() error {
	for _, part := range []func() error{e.files, e.meta, e.openIndex, e.slots, e.closeIndex} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// files checks what the store itself is made of.
func (e *examiner) files() error {
	r := e.report
	r.Format = e.store.Version
	epoch, err := e.store.Epoch()
	if err != nil {
		r.find("epoch-damaged", "store", "%v", err)
	}
	r.Epoch = epoch
	err = e.store.Tables(e.ctx, func(t pebblestore.Table) {
		r.Tables++
		if t.Err != nil {
			r.find("table-damaged", t.Name, "%v; it holds rows from %s to %s", t.Err, place(t.From), place(t.To))
		}
	})
	if err != nil {
		return err
	}
	unknown, err := e.store.Rows(e.ctx, store.FamilyMeta+1)
	if unknown > 0 {
		r.find("unknown-rows", "store", "%d rows of families above %d", unknown, store.FamilyMeta)
	}
	return e.unreadable(err, "families above %d", store.FamilyMeta)
}

// slots goes through all executions.
func (e *examiner) slots() error {
	for slot := range e.occupied(store.FamilyCurrent, store.FamilyFeed) {
		if err := e.slot(slot); err != nil {
			return err
		}
	}
	return nil
}

// occupied are the slots in which some of the families have rows. Where that
// cannot be told of one family, the others know: what has state has history too.
func (e *examiner) occupied(from, to store.Family) iter.Seq[store.Slot] {
	has := [store.Slots + 1]bool{}
	for family := from; family <= to; family++ {
		slots, err := e.store.Occupied(family)
		if err != nil {
			e.report.find("rows-unreadable", families[family-1].name, "%v", err)
		}
		for _, slot := range slots {
			has[min(slot, store.SystemSlot)] = true
		}
	}
	return func(yield func(store.Slot) bool) {
		for slot := range store.SystemSlot + 1 {
			if has[slot] && !yield(slot) {
				return
			}
		}
	}
}

// unreadable makes a finding of a failed scan; what ended the examination is
// returned.
func (e *examiner) unreadable(err error, format string, args ...any) error {
	if err == nil || e.ctx.Err() != nil {
		return e.ctx.Err()
	}
	e.report.find("rows-unreadable", fmt.Sprintf(format, args...), "%v", err)
	return nil
}

// families by the names the report uses.
var families = []struct {
	family store.Family
	name   string
}{
	{store.FamilyCurrent, "current"}, {store.FamilyState, "state"}, {store.FamilyHistory, "history"}, {store.FamilyDeadline, "deadlines"},
	{store.FamilyTask, "tasks"}, {store.FamilyOutbox, "messages"}, {store.FamilyFeed, "feed"}, {store.FamilyMeta, "meta"},
}

// scan visits the rows of a family in a slot, and counts them.
func (e *examiner) scan(family store.Family, slot store.Slot, visit func(store.Entry)) error {
	name := families[family-1].name
	from, to := record.Family(family, store.SlotRange{From: slot, To: slot + 1})
	err := e.store.Scan(e.ctx, from, to, func(row store.Entry) bool {
		e.report.Rows[name]++
		visit(row)
		return true
	})
	return e.unreadable(err, "%s of slot %d", name, slot)
}

// bad makes a finding of a key or value that does not decode.
func (e *examiner) bad(err error, where string) {
	check := "value-damaged"
	if errors.Is(err, record.ErrLater) {
		check = "later-release"
	}
	e.report.find(check, where, "%v", err)
}

// place is a key as an operator sees it.
func place(k store.Key) string {
	if k.Family < 1 || int(k.Family) > len(families) {
		return fmt.Sprintf("family %d of slot %d", k.Family, k.Slot)
	}
	return fmt.Sprintf("%s of slot %d", families[k.Family-1].name, k.Slot)
}

// row is a key in full, for a row that is all there is to go by.
func row(k store.Key) string { return fmt.Sprintf("%s, row %x", place(k), k.Name) }

// name is a run as an operator would look for it.
func (e *examiner) name(run engine.RunKey) string {
	kind := "workflow"
	if run.Archetype == engine.ArchetypeActivity {
		kind = "activity"
	}
	if run.ID == (engine.ID{}) {
		return fmt.Sprintf("run %s of an unknown execution", run.RunID)
	}
	namespace, ok := e.namespaces[run.NamespaceID]
	if !ok {
		namespace = run.NamespaceID
	}
	if run.RunID == "" {
		return fmt.Sprintf("%s %q in namespace %q", kind, run.Name, namespace)
	}
	return fmt.Sprintf("%s %q, run %s, in namespace %q", kind, run.Name, run.RunID, namespace)
}
