// Package record turns the state of executions into stored bytes and back. It is
// the only place that knows both: the core does not know that bytes exist, nor
// the store that workflows do.
//
// # Keys
//
// A name (store.Key.Name) is a sequence of fixed-size numbers in big-endian
// order, of ids (16 bytes for a UUID, see uuid.go) and of strings, each escaped and
// ended so that comparing names bytewise compares them field by field and no name
// is a prefix of another's continuation (see key.go). The names in each family:
//
//	current   execution
//	state     execution, run id, part; of the part that the run begins with
//	          run id, part, key in part; of the others
//	history   run id, first event id of the batch
//	deadline  due time, execution, run id
//	task      queue, priority, pass, order time, execution, run id, event id, stamp
//	outbox    sequence
//	feed      sequence
//	meta      kind, name
//
// where execution is (namespace id, archetype, id). The slot of everything that
// belongs to an execution is SlotOf its id. A task row can be named from the
// engine.Task alone, so dropping an offer needs no look-up.
//
// # Values
//
// A value is an envelope: format version, kind of record, content, and a CRC-32C
// of all before it. The content is encoded as protocol-buffer fields in ascending
// order by a coder: one list of fields for each type serves both directions, so
// that writing and reading cannot diverge. A test fills every field of every
// struct of the state and fails, with its name, for one that was forgotten.
// Decoders take any bytes: they never panic, and what is not a record of the
// expected kind is an error that wraps store.ErrCorrupt.
//
// History rows are different: their content is an encoded historypb.History
// behind a table of the events' sizes, so that batches can be sent as they lie
// and one event can be cut out without decoding the rest.
//
// The format is described in docs/format/records.md; golden files in testdata
// show it.
package record
