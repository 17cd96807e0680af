package record

import (
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/store"
)

// CurrentKey names the pointer to the newest run of an execution.
func CurrentKey(id engine.ID) store.Key {
	name := appendExecution(make([]byte, 0, executionSize(id)), id)
	return store.Key{Family: store.FamilyCurrent, Slot: SlotOf(id), Name: name}
}

// ParseCurrentKey is the inverse of CurrentKey.
func ParseCurrentKey(key store.Key) (engine.ID, error) {
	r := expect(key, store.FamilyCurrent)
	id := r.execution()
	return id, r.end(key)
}

// BeginKey names the part that a run begins with, the only one that is named by
// the execution too: these rows say which runs there are, and whose they are.
// Panics on an archetype that is none: that is a bug.
func BeginKey(key engine.RunKey) store.Key {
	switch key.Archetype {
	case engine.ArchetypeWorkflow:
		return StateKey{Run: key, Part: PartStart}.Key()
	case engine.ArchetypeActivity:
		return StateKey{Run: key, Part: PartAloneStart}.Key()
	}
	panic("record: no such archetype")
}

// BeginRowsIn bounds the parts that the runs of a namespace begin with, in a
// slot, for Scan.
func BeginRowsIn(slot store.Slot, namespaceID string) (from, to store.Key) {
	return rows(store.FamilyState, slot, appendID(nil, namespaceID))
}

// BeginRowsOf bounds the parts that the runs of an execution begin with, for
// Scan.
func BeginRowsOf(id engine.ID) (from, to store.Key) {
	return rows(store.FamilyState, SlotOf(id), appendExecution(nil, id))
}

// BeginRows bounds the parts that all runs of a slot begin with, for Scan. They
// lie before all other parts.
func BeginRows(slot store.Slot) (from, to store.Key) {
	return store.Key{Family: store.FamilyState, Slot: slot},
		store.Key{Family: store.FamilyState, Slot: slot, Name: []byte{ownText}}
}

// StateRows bounds the state parts of a run but for the one it begins with, for
// Scan.
func StateRows(key engine.RunKey) (from, to store.Key) {
	return rows(store.FamilyState, SlotOf(key.ID), appendOwn(make([]byte, 0, idSize(key.RunID)), key.RunID))
}

// HistoryKey names the history batch of a run that begins with the event.
func HistoryKey(key engine.RunKey, firstEventID int64) store.Key {
	name := appendHistoryName(make([]byte, 0, idSize(key.RunID)+8), key.RunID, firstEventID)
	return store.Key{Family: store.FamilyHistory, Slot: SlotOf(key.ID), Name: name}
}

func appendHistoryName(b []byte, runID string, firstEventID int64) []byte {
	return appendInt(appendOwn(b, runID), firstEventID)
}

// ParseHistoryKey is the inverse of HistoryKey. Of the run it finds the run id
// alone; BeginKey's row says whose it is. From a name of format 1 it finds all.
func ParseHistoryKey(key store.Key) (run engine.RunKey, firstEventID int64, err error) {
	r := expect(key, store.FamilyHistory)
	run, _ = r.owner()
	firstEventID = r.int()
	return run, firstEventID, r.end(key)
}

// HistoryRows bounds the batches of a run that begin with an event in [from,
// to), for Scan. A batch that begins before from and holds it is not among
// them: readers start at the first event id of a batch, which tokens carry.
func HistoryRows(key engine.RunKey, from, to int64) (lower, upper store.Key) {
	return HistoryKey(key, from), HistoryKey(key, to)
}

// DeadlineKey names the row that says when to look at a run.
func DeadlineKey(due time.Time, key engine.RunKey) store.Key {
	name := appendRun(appendTime(make([]byte, 0, timeSize+nameSize(key)), due), key)
	return store.Key{Family: store.FamilyDeadline, Slot: SlotOf(key.ID), Name: name}
}

// ParseDeadlineKey is the inverse of DeadlineKey. The row's value is empty.
func ParseDeadlineKey(key store.Key) (due time.Time, run engine.RunKey, err error) {
	r := expect(key, store.FamilyDeadline)
	due = r.time()
	run = r.run()
	return due, run, r.end(key)
}

// DeadlineRows bounds the deadlines of one slot that are due in [from, to), for
// Scan. The family lies slot by slot: a shard that looks for what is due soon
// asks for each of its slots.
func DeadlineRows(slot store.Slot, from, to time.Time) (lower, upper store.Key) {
	return store.Key{Family: store.FamilyDeadline, Slot: slot, Name: appendTime(nil, from)},
		store.Key{Family: store.FamilyDeadline, Slot: slot, Name: appendTime(nil, to)}
}
