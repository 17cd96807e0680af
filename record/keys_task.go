package record

import (
	"encoding/binary"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/store"
)

// defaultPriority is what a task without a priority counts as.
const defaultPriority = 3

// TaskKey names the backlog row of an offer. It is a function of the task alone,
// so that the row of an offer that became void is deleted without a look-up. Its
// slot is that of the execution. Within a queue rows sort by priority, fairness
// pass, order time; the rest makes them unique.
//
// The pass is zero until a queue's home assigns passes; the place is reserved so
// that rows need not move then.
func TaskKey(t *engine.Task) store.Key {
	size := queueSize(t.Queue) + 1 + 8 + timeSize + nameSize(t.Run) + 16
	name := appendQueue(make([]byte, 0, size), t.Queue)
	priority := t.Priority
	if priority == 0 {
		priority = defaultPriority
	}
	name = append(name, byte(priority))
	name = appendInt(name, 0) // pass
	name = appendTime(name, t.Order)
	name = appendRun(name, t.Run)
	name = appendInt(name, t.EventID)
	name = appendInt(name, t.Stamp)
	return store.Key{Family: store.FamilyTask, Slot: SlotOf(t.Run.ID), Name: name}
}

// ParseTaskKey is the inverse of TaskKey as far as a name goes: the fairness key
// and weight are in the value only, and a priority of zero comes back as 3.
func ParseTaskKey(key store.Key) (*engine.Task, error) {
	r := expect(key, store.FamilyTask)
	t := &engine.Task{Queue: r.queue()}
	t.Priority = int32(r.byte())
	r.int() // pass
	t.Order = r.time()
	t.Run = r.run()
	t.EventID = r.int()
	t.Stamp = r.int()
	return t, r.end(key)
}

// TaskRows bounds the backlog of a queue in one slot, in the order it is to be
// handed out, for Scan.
func TaskRows(slot store.Slot, queue engine.TaskQueue) (from, to store.Key) {
	return rows(store.FamilyTask, slot, appendQueue(make([]byte, 0, queueSize(queue)), queue))
}

func queueSize(q engine.TaskQueue) int {
	return idSize(q.NamespaceID) + len(q.Name) + len(q.NormalName) + 6
}

func appendQueue(b []byte, q engine.TaskQueue) []byte {
	b = append(b, namespaceOf(q.NamespaceID).name...)
	sticky := byte(0)
	if q.Sticky {
		sticky = 1
	}
	b = append(b, byte(q.Type), sticky)
	b = appendString(b, q.Name)
	return appendString(b, q.NormalName)
}

func (r *nameReader) queue() (q engine.TaskQueue) {
	q.NamespaceID = r.id()
	q.Type = enumspb.TaskQueueType(r.byte())
	sticky := r.byte()
	r.bad = r.bad || sticky > 1
	q.Sticky = sticky == 1
	q.Name = r.string()
	q.NormalName = r.string()
	return q
}

// The changes in outbox and feed are numbered in each slot. The numbers only
// grow, also across a restart that finds the family empty, because the epoch
// makes their upper half: the index ignores what it has seen.

// FirstSequence is the first number the owner of an epoch uses in each of its
// slots: four thousand million an epoch are more than a slot lives to use.
func FirstSequence(epoch uint64) uint64 { return epoch<<32 | 1 }

// OutboxKey names a message to another execution, sent from the slot.
func OutboxKey(slot store.Slot, sequence uint64) store.Key {
	return sequenceKey(store.FamilyOutbox, slot, sequence)
}

// ParseOutboxKey is the inverse of OutboxKey.
func ParseOutboxKey(key store.Key) (slot store.Slot, sequence uint64, err error) {
	return parseSequenceKey(store.FamilyOutbox, key)
}

// FeedKey names the row that says that a run has changed since the visibility
// index last had it. Its value is FeedValue: the change is read from the run's
// state when the index needs it again. Only of a run that is gone it is the last
// change itself, as EncodeVisibility makes it.
func FeedKey(key engine.RunKey) store.Key {
	return store.Key{Family: store.FamilyFeed, Slot: SlotOf(key.ID), Name: appendRun(make([]byte, 0, nameSize(key)), key)}
}

// NumberedFeedKey names a change of the index as releases wrote it that kept
// each as a row of its own, with the change itself as the value. They are read
// and removed, and not written any more.
func NumberedFeedKey(slot store.Slot, sequence uint64) store.Key {
	return sequenceKey(store.FamilyFeed, slot, sequence)
}

// ParseFeedKey takes either apart: the run, or, of a numbered row, the sequence,
// which is never 0.
func ParseFeedKey(key store.Key) (run engine.RunKey, sequence uint64, err error) {
	const sequenceBytes = 8 // a run's name is longer
	if len(key.Name) == sequenceBytes {
		_, sequence, err = parseSequenceKey(store.FamilyFeed, key)
		if err == nil && sequence == 0 {
			err = corrupt("sequence 0 in the feed of slot %d", key.Slot)
		}
		return run, sequence, err
	}
	r := expect(key, store.FamilyFeed)
	run = r.run()
	return run, 0, r.end(key)
}

func sequenceKey(family store.Family, slot store.Slot, sequence uint64) store.Key {
	return store.Key{Family: family, Slot: slot, Name: binary.BigEndian.AppendUint64(nil, sequence)}
}

func parseSequenceKey(family store.Family, key store.Key) (store.Slot, uint64, error) {
	r := expect(key, family)
	sequence := r.uint64()
	return key.Slot, sequence, r.end(key)
}

// MetaKey names a value that belongs to no execution: namespaces and the like in
// store.SystemSlot, a shard's own notes in its slots. Rows of one kind lie
// together.
func MetaKey(slot store.Slot, kind, name string) store.Key {
	b := make([]byte, 0, len(kind)+len(name)+4)
	return store.Key{Family: store.FamilyMeta, Slot: slot, Name: appendString(appendString(b, kind), name)}
}

// ParseMetaKey is the inverse of MetaKey.
func ParseMetaKey(key store.Key) (kind, name string, err error) {
	r := expect(key, store.FamilyMeta)
	kind, name = r.string(), r.string()
	return kind, name, r.end(key)
}

// MetaRows bounds the values of one kind in a slot, for Scan.
func MetaRows(slot store.Slot, kind string) (from, to store.Key) {
	return rows(store.FamilyMeta, slot, appendString(nil, kind))
}
