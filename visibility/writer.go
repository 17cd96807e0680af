package visibility

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
)

// writer puts rows into a file. It belongs to the indexer's goroutine.
type writer struct {
	conn *conn
	// statements, prepared once.
	update, find, remove, removeValues, namespace, field, position *stmt
	// runs and values put many rows in at once.
	runs, values inserts

	// namespaces and fields are the numbers that stand for names in the file.
	// Forgotten when a transaction fails: it may have made some of them.
	namespaces map[string]int64
	fields     map[fieldKey]int64
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

func newWriter(c *conn) (*writer, error) {
	w := &writer{conn: c}
	w.forget()
	for _, s := range []struct {
		into *(*stmt)
		text string
	}{
		{&w.update, updateRun}, {&w.find, findRun}, {&w.remove, deleteRun}, {&w.removeValues, deleteValues},
		{&w.namespace, insertNamespace}, {&w.field, insertField}, {&w.position, setPosition},
		{&w.runs.one, insertRuns(1)}, {&w.runs.many, insertRuns(rowsAtOnce)},
		{&w.values.one, insertValues(1)}, {&w.values.many, insertValues(rowsAtOnce)},
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
	w.fields = make(map[fieldKey]int64)
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
	for _, s := range []*stmt{w.update, w.find, w.remove, w.removeValues, w.namespace, w.field, w.position,
		w.runs.one, w.runs.many, w.values.one, w.values.many} {
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

func (w *writer) namespaceID(uuid string) (int64, error) {
	return known(w.namespaces, uuid, w.namespace, uuid)
}

func (w *writer) fieldID(key fieldKey) (int64, error) {
	return known(w.fields, key, w.field, key.namespace, key.name, int64(key.kind))
}

// known returns the number that stands for a name, making one when there is
// none.
func known[K comparable](cache map[K]int64, key K, insert *stmt, args ...driver.Value) (int64, error) {
	if id, ok := cache[key]; ok {
		return id, nil
	}
	id, ok, err := insert.number(args...)
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, fmt.Errorf("%w: no number for %v", errDamaged, key)
	}
	cache[key] = id
	return id, nil
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
		for _, slot := range slices.Sorted(maps.Keys(positions)) {
			if err := w.position.exec(int64(slot), int64(positions[slot])); err != nil {
				return err
			}
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
