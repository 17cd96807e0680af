package visibility

import (
	"database/sql/driver"
	"errors"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
)

// writer puts rows into a file. It belongs to the indexer's goroutine.
type writer struct {
	conn *conn
	// statements, prepared once.
	update, find, remove, removeValues, namespace, field *stmt
	// These put many rows in at once.
	plainRuns, runs, values, positions inserts

	// namespaces and fields are the numbers that stand for names in the file.
	// Forgotten when a transaction fails: it may have made some of them.
	namespaces map[string]int64
	fields     map[fieldKey]*field
	// open has the rows of runs that were put in and are open, by run id: most of
	// those that change did so a moment ago. Bounded, and a hint only: what is not
	// here is looked up. Likewise forgotten, since ids are given out again.
	open map[string]int64

	// written counts what it has done.
	written written
}

type fieldKey struct {
	namespace int64
	name      string
	kind      enumspb.IndexedValueType
}

// field is an attribute in the file.
type field struct {
	id int64
	// last is the payload a run had here, and values what that is found by: most
	// runs have the same as the one before.
	last   *commonpb.Payload
	values []driver.Value
}

func newWriter(c *conn) (*writer, error) {
	w := &writer{conn: c}
	w.forget()
	for _, s := range []struct {
		into *(*stmt)
		text string
	}{
		{&w.update, updateRun}, {&w.find, findRun}, {&w.remove, deleteRun}, {&w.removeValues, deleteValues},
		{&w.namespace, insertNamespace}, {&w.field, insertField},
		{&w.plainRuns.one, insertPlainRuns(1)}, {&w.plainRuns.many, insertPlainRuns(rowsAtOnce)},
		{&w.runs.one, insertRuns(1)}, {&w.runs.many, insertRuns(rowsAtOnce)},
		{&w.values.one, insertValues(1)}, {&w.values.many, insertValues(rowsAtOnce)},
		{&w.positions.one, setPositions(1)}, {&w.positions.many, setPositions(rowsAtOnce)},
	} {
		prepared, err := c.prepare(s.text)
		if err != nil {
			return nil, errors.Join(err, w.closeStatements())
		}
		*s.into = prepared
	}
	return w, nil
}

func (w *writer) forget() {
	w.namespaces = make(map[string]int64)
	w.fields = make(map[fieldKey]*field)
	w.open = make(map[string]int64)
}

// maxOpen bounds writer.open: about 2 MB.
const maxOpen = 16_384

// note remembers the row of a run that may change again.
func (w *writer) note(r *engine.VisibilityRecord, id int64) {
	if closed(r.Status) {
		delete(w.open, r.Run.RunID)
		return
	}
	if len(w.open) >= maxOpen {
		clear(w.open)
	}
	w.open[r.Run.RunID] = id
}

func (w *writer) closeStatements() (err error) {
	for _, s := range []*stmt{w.update, w.find, w.remove, w.removeValues, w.namespace, w.field,
		w.plainRuns.one, w.plainRuns.many, w.runs.one, w.runs.many, w.values.one, w.values.many, w.positions.one, w.positions.many} {
		if s != nil {
			err = errors.Join(err, s.close())
		}
	}
	return err
}

func (w *writer) close() error {
	w.written.close()
	return errors.Join(w.closeStatements(), w.conn.close())
}

// transaction runs body in one; all of it happens or nothing.
func (w *writer) transaction(body func() error) error {
	if err := w.conn.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := body()
	if err == nil {
		if err = w.conn.exec("COMMIT"); err == nil {
			w.written.committed(w.conn)
			return nil
		}
	}
	w.forget()
	// SQLite may have rolled back by itself; that is fine.
	_ = w.conn.exec("ROLLBACK")
	return err
}

// namespaceID returns the number that stands for a namespace, making one when
// there is none.
func (w *writer) namespaceID(uuid string) (int64, error) {
	if id, ok := w.namespaces[uuid]; ok {
		return id, nil
	}
	id, err := numberOf(w.namespace, uuid)
	if err == nil {
		w.namespaces[uuid] = id
	}
	return id, err
}

// fieldWith returns the field with the values that the payload is found by,
// making one when there is none. nil if the payload has no such values.
func (w *writer) fieldWith(key fieldKey, p *commonpb.Payload) (*field, error) {
	f := w.fields[key]
	if f != nil && sameValue(f.last, p) {
		return f, nil
	}
	values := indexed(p, key.kind)
	if len(values) == 0 {
		return nil, nil
	}
	if f == nil {
		id, err := numberOf(w.field, key.namespace, key.name, int64(key.kind))
		if err != nil {
			return nil, err
		}
		f = &field{id: id}
		w.fields[key] = f
	}
	f.last, f.values = p, values
	return f, nil
}

// numberOf is the number that a statement puts a name in under, or has for it.
func numberOf(insert *stmt, args ...driver.Value) (int64, error) {
	id, ok, err := insert.number(args...)
	if err == nil && !ok {
		err = fmt.Errorf("%w: no number for %v", errDamaged, args)
	}
	return id, err
}

// sync puts everything written so far on stable storage, together with how far
// that is and whether the index is complete. In WAL mode a commit under
// synchronous=FULL syncs the whole log, so the commits before it become durable
// with it: one sync a second instead of one a batch. The count makes sure that
// there is something to commit; SQLite leaves out a write that changes nothing,
// and the sync with it.
func (w *writer) sync(positions slotPositions, complete bool) error {
	if err := w.conn.exec("PRAGMA synchronous=FULL"); err != nil {
		return err
	}
	err := w.transaction(func() error {
		w.positions.begin()
		for slot, sequence := range positions {
			if sequence == 0 {
				continue
			}
			if err := w.positions.add(int64(slot), int64(sequence)); err != nil {
				return err
			}
		}
		if err := w.positions.finish(positionColumns); err != nil {
			return err
		}
		if complete {
			if err := w.conn.exec(setComplete); err != nil {
				return err
			}
		}
		return w.conn.exec(countSync)
	})
	if err == nil {
		w.written.syncs.Add(1)
	}
	return errors.Join(err, w.conn.exec("PRAGMA synchronous=NORMAL"))
}
