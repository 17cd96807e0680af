package frontend

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
)

// Tokens are what we hand to callers to be given back: for a task, a query, the
// next page of a list. To them they are opaque bytes. To us they are input from
// outside, so each carries a format version, its kind and a checksum, and
// reading one can only succeed or say no.
//
//	version(1) kind(1) fields... crc32c(4)
//
// The fields are strings (length, bytes) and integers (zig-zag varint) in the
// order of the kind's one walk, which serves both ways.

// tokenFormat is the version of the layout. A token of another version is
// refused: the caller's task is handed out again, its list begun again.
const tokenFormat = 1

// tokenKind keeps a token of one sort from being taken for another.
type tokenKind byte

const (
	tokenWorkflowTask tokenKind = 1
	tokenActivityTask tokenKind = 2
	tokenQueryTask    tokenKind = 3
	tokenHistoryPage  tokenKind = 4
	tokenReversePage  tokenKind = 5
	tokenNamePage     tokenKind = 6 // a list ordered by name
	// tokenAttempt is a task token too: of an activity that stands alone.
	tokenAttempt      tokenKind = 7
	tokenActivityWait tokenKind = 8 // a description to be waited on
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// tokenFields walks the fields of a token, writing them or reading them.
type tokenFields struct {
	// buf is what has been written, or what is still to be read.
	buf []byte
	// whole is all that was to be read. The texts that are read are parts of it: one
	// object for all of them.
	whole   string
	reading bool
	broken  bool
}

// writeToken begins a token; seal ends it.
func writeToken(kind tokenKind) tokenFields {
	return tokenFields{buf: append(make([]byte, 0, 160), tokenFormat, byte(kind))}
}

func (f *tokenFields) seal() []byte {
	return binary.BigEndian.AppendUint32(f.buf, crc32.Checksum(f.buf, castagnoli))
}

// readToken begins to read a token. Anything but what was sealed with that kind
// reads as broken; complete tells when all fields have been read.
func readToken(kind tokenKind, token []byte) tokenFields {
	const frame = 2 + crc32.Size
	broken := tokenFields{reading: true, broken: true}
	if len(token) < frame || token[0] != tokenFormat || tokenKind(token[1]) != kind {
		return broken
	}
	body, sum := token[:len(token)-crc32.Size], token[len(token)-crc32.Size:]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(sum) {
		return broken
	}
	return readFields(body[2:])
}

func readFields(b []byte) tokenFields { return tokenFields{buf: b, whole: string(b), reading: true} }

// complete reports whether the fields that were read are those of a token.
func (f *tokenFields) complete() bool { return !f.broken && len(f.buf) == 0 }

func (f *tokenFields) integer(n *int64) {
	if !f.reading {
		f.buf = binary.AppendVarint(f.buf, *n)
		return
	}
	v, size := binary.Varint(f.buf)
	if size <= 0 {
		f.broken = true
		return
	}
	*n, f.buf = v, f.buf[size:]
}

func (f *tokenFields) text(s *string) {
	if !f.reading {
		f.buf = binary.AppendUvarint(f.buf, uint64(len(*s)))
		f.buf = append(f.buf, *s...)
		return
	}
	n, size := binary.Uvarint(f.buf)
	if size <= 0 || n > uint64(len(f.buf)-size) {
		f.broken = true
		f.buf = nil
		return
	}
	from := len(f.whole) - len(f.buf) + size
	*s, f.buf = f.whole[from:from+int(n)], f.buf[size+int(n):]
}

func (f *tokenFields) small(n *int32) {
	v := int64(*n)
	f.integer(&v)
	if f.reading {
		*n = int32(v)
		f.broken = f.broken || int64(*n) != v
	}
}

func (f *tokenFields) flag(b *bool) {
	var v int64
	if *b {
		v = 1
	}
	f.integer(&v)
	if f.reading {
		*b = v == 1
		f.broken = f.broken || v>>1 != 0
	}
}

func (f *tokenFields) run(k *engine.RunKey) {
	f.text(&k.NamespaceID)
	archetype := int64(k.Archetype)
	f.integer(&archetype)
	if f.reading {
		k.Archetype = engine.Archetype(archetype)
		f.broken = f.broken || int64(k.Archetype) != archetype
	}
	f.text(&k.Name)
	f.text(&k.RunID)
}

func (f *tokenFields) workflowTask(t *workflow.TaskToken) {
	f.run(&t.Run)
	f.integer(&t.ScheduledEventID)
	f.integer(&t.StartedEventID)
	f.small(&t.Attempt)
	f.integer(&t.Stamp)
}

func (f *tokenFields) activityTask(t *workflow.ActivityToken) {
	f.run(&t.Run)
	f.integer(&t.ScheduledEventID)
	f.text(&t.ActivityID)
	f.small(&t.Attempt)
	f.integer(&t.Stamp)
}

func (f *tokenFields) attempt(t *standalone.Token) {
	f.run(&t.Run)
	f.small(&t.Attempt)
	f.integer(&t.Stamp)
}

// queryToken identifies one delivery of a query to a worker.
type queryToken struct {
	NamespaceID string
	QueryID     string
}

func (f *tokenFields) query(t *queryToken) {
	f.text(&t.NamespaceID)
	f.text(&t.QueryID)
}

func sealWorkflowToken(t workflow.TaskToken) []byte {
	f := writeToken(tokenWorkflowTask)
	f.workflowTask(&t)
	return f.seal()
}

func sealActivityToken(t workflow.ActivityToken) []byte {
	f := writeToken(tokenActivityTask)
	f.activityTask(&t)
	return f.seal()
}

func sealAttemptToken(t standalone.Token) []byte {
	f := writeToken(tokenAttempt)
	f.attempt(&t)
	return f.seal()
}

func sealQueryToken(t queryToken) []byte {
	f := writeToken(tokenQueryTask)
	f.query(&t)
	return f.seal()
}

var (
	errNoToken      = invalid("Task token not set on request.")
	errGarbageToken = invalid("Error deserializing task token.")
	errForeignToken = invalid("Operation requested with a token from a different namespace.")
)

func openWorkflowToken(b []byte) (t workflow.TaskToken, err error) {
	f := readToken(tokenWorkflowTask, b)
	f.workflowTask(&t)
	return t, f.refusal(b)
}

func openActivityToken(b []byte) (t workflow.ActivityToken, err error) {
	f := readToken(tokenActivityTask, b)
	f.activityTask(&t)
	return t, f.refusal(b)
}

func openAttemptToken(b []byte) (t standalone.Token, err error) {
	f := readToken(tokenAttempt, b)
	f.attempt(&t)
	err = f.refusal(b)
	if err == nil && t.Run.Archetype != engine.ArchetypeActivity {
		err = errGarbageToken
	}
	return t, err
}

func openQueryToken(b []byte) (t queryToken, err error) {
	f := readToken(tokenQueryTask, b)
	f.query(&t)
	return t, f.refusal(b)
}

// refusal is what is said of a task token when its fields have been read; nil if
// it is good.
func (f *tokenFields) refusal(token []byte) error {
	switch {
	case len(token) == 0:
		return errNoToken
	case !f.complete():
		return errGarbageToken
	}
	return nil
}

// tokenNamespace is the namespace id in a task token of any kind, for requests
// that leave their namespace empty (service.md 1.5).
func tokenNamespace(b []byte) (string, error) {
	if len(b) == 0 {
		return "", errNoToken
	}
	if t, err := openWorkflowToken(b); err == nil {
		return t.Run.NamespaceID, nil
	}
	if t, err := openActivityToken(b); err == nil {
		return t.Run.NamespaceID, nil
	}
	if t, err := openAttemptToken(b); err == nil {
		return t.Run.NamespaceID, nil
	}
	if t, err := openQueryToken(b); err == nil {
		return t.NamespaceID, nil
	}
	return "", errGarbageToken
}
