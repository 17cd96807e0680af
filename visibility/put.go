package visibility

import (
	"database/sql/driver"
	"fmt"
	"slices"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/searchattr"
)

// rowsAtOnce is how many rows a statement puts in where there are many: what a
// statement costs apart from its rows is a third of the cost of one row. Of 64 a
// row costs no less.
const rowsAtOnce = 32

// inserts puts rows into one table: many at a time as long as there are so many.
type inserts struct{ one, many *stmt }

// add notes a row of a table with so many columns, and puts in what was noted when
// it is enough.
func (in inserts) add(columns ...driver.Value) error {
	in.many.add(columns...)
	if len(in.many.args) < rowsAtOnce*len(columns) {
		return nil
	}
	_, _, err := in.many.run()
	in.many.begin()
	return err
}

// begin forgets what a failed transaction has left.
func (in inserts) begin() { in.many.begin() }

// finish puts in what is left of rows with so many columns.
func (in inserts) finish(columns int) error {
	for rest := in.many.args; len(rest) > 0; rest = rest[columns:] {
		in.one.begin()
		for _, value := range rest[:columns] {
			in.one.add(value.Value)
		}
		if _, _, err := in.one.run(); err != nil {
			return err
		}
	}
	return nil
}

// put writes records, one transaction for all of them; no two are of one run.
// They are in the file but not on stable storage afterwards.
//
// Most runs are new to the index: their rows are put in many at a time, without
// looking whether one is there. Where fewer came in than were put in, some were
// there, and each is looked up. So rows that are known to be there are kept apart
// and changed one by one: a single one had all of its statement's looked up.
func (w *writer) put(records []*engine.VisibilityRecord, namespaces Namespaces) error {
	err := w.transaction(func() error {
		p := putting{writer: w, namespaces: namespaces}
		w.values.begin()
		for _, r := range records {
			if err := p.add(r); err != nil {
				return fmt.Errorf("index run %s: %w", r.Run.RunID, err)
			}
		}
		return p.finish()
	})
	if err == nil {
		w.written.rows.Add(uint64(len(records)))
	}
	return err
}

// putting is a put under way.
type putting struct {
	*writer
	namespaces Namespaces
	// records whose rows are still to be put in.
	records []*engine.VisibilityRecord
	rows    []row
	// details of the rows, one behind the other. Used again when no row is left.
	details []byte
}

func (p *putting) add(r *engine.VisibilityRecord) error {
	namespace, err := p.namespaceID(r.Run.NamespaceID)
	if err != nil {
		return err
	}
	if r.Deleted {
		return p.delete(namespace, r)
	}
	if len(p.rows) == 0 {
		p.details = p.details[:0]
	}
	var made, behind row
	if n := len(p.rows); n > 0 {
		behind = p.rows[n-1]
	}
	if made, p.details, err = makeRow(p.details, &behind, namespace, r); err != nil {
		return err
	}
	if id, there := p.open[r.Run.RunID]; there {
		if changed, err := p.change(id, r, &made); err != nil || changed {
			return err
		}
	}
	p.records, p.rows = append(p.records, r), append(p.rows, made)
	if len(p.rows) < rowsAtOnce {
		return nil
	}
	return p.putRows(rowsAtOnce)
}

func (p *putting) finish() error {
	for len(p.rows) > 0 {
		if err := p.putRows(1); err != nil {
			return err
		}
	}
	return p.values.finish(valueColumns)
}

// putRows puts the first n rows in: one, or as many as a statement takes.
func (p *putting) putRows(n int) error {
	runs, columns := p.plainRuns, plainColumns
	for i := range n {
		if !p.rows[i].plain() {
			runs, columns = p.runs, len(row{})
		}
	}
	insert := runs.one
	if n == rowsAtOnce {
		insert = runs.many
	}
	insert.begin()
	for i := range n {
		insert.add(p.rows[i][:columns]...)
	}
	last, inserted, err := insert.run()
	if err != nil {
		return err
	}
	// Ids are given in turn.
	next := last - inserted + 1
	for i, r := range p.records[:n] {
		id := next + int64(i)
		if inserted < int64(n) {
			present, err := p.renew(&p.rows[i], next, last)
			if err != nil {
				return err
			}
			if id = present; id == 0 {
				continue
			}
		}
		p.note(r, id)
		if err := p.addValues(id, r, p.rows[i][rowNamespace].(int64)); err != nil {
			return err
		}
	}
	p.records, p.rows = append(p.records[:0], p.records[n:]...), append(p.rows[:0], p.rows[n:]...)
	return nil
}

// renew finds the row of a run; from to last are the ids of those that have just
// come in. One that was there before gets the new content, unless it is newer:
// then the result is 0.
func (p *putting) renew(r *row, from, last int64) (id int64, err error) {
	id, found, err := p.find.number(r[rowRunID], r[rowNamespace], r[rowArchetype], r[rowWorkflowID])
	switch {
	case err != nil:
		return 0, err
	case !found:
		return 0, fmt.Errorf("%w: no row of run %v", errDamaged, r[rowRunID])
	case id >= from && id <= last:
		return id, nil
	}
	changed, err := p.replace(id, r)
	if err != nil || !changed {
		return 0, err
	}
	return id, nil
}

// change gives a row that is there new content; false if that has to be looked into.
func (p *putting) change(id int64, r *engine.VisibilityRecord, made *row) (bool, error) {
	changed, err := p.replace(id, made)
	if err != nil || !changed {
		return false, err
	}
	p.note(r, id)
	return true, p.addValues(id, r, made[rowNamespace].(int64))
}

// replace replaces the content of a row by one that is newer, without values.
func (p *putting) replace(id int64, r *row) (bool, error) {
	p.update.begin()
	p.update.add(r[:]...)
	p.update.add(id)
	if _, changed, err := p.update.run(); err != nil || changed == 0 {
		return false, err
	}
	return true, p.removeValues.exec(id)
}

func (w *writer) delete(namespace int64, r *engine.VisibilityRecord) error {
	id, found, err := w.find.number(r.Run.RunID, namespace, int64(r.Run.Archetype), r.Run.Name)
	if err != nil || !found {
		return err
	}
	delete(w.open, r.Run.RunID)
	if err := w.removeValues.exec(id); err != nil {
		return err
	}
	return w.remove.exec(id)
}

// fewAttributes is how many attributes of a run are put in order without an object.
const fewAttributes = 8

// addValues notes the values under which a run is found.
func (p *putting) addValues(id int64, r *engine.VisibilityRecord, namespace int64) error {
	attributes := r.SearchAttributes.GetIndexedFields()
	var few [fewAttributes]string
	names := few[:0]
	for name := range attributes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		kind, ok := kindOf(p.namespaces, r.Run.NamespaceID, name, attributes[name])
		if !ok || name == searchattr.Division { // a column of its own
			continue
		}
		f, err := p.fieldWith(fieldKey{namespace: namespace, name: name, kind: kind}, attributes[name])
		if err != nil {
			return err
		}
		if f == nil {
			continue
		}
		for _, value := range f.values {
			if err := p.values.add(id, f.id, value); err != nil {
				return err
			}
		}
	}
	return nil
}
