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
// order of the kind's one field list, which serves both ways.

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
	buf     []byte
	reading bool
	broken  bool
}

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
	*s, f.buf = string(f.buf[size:size+int(n)]), f.buf[size+int(n):]
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

// sealToken writes a token whose fields are walked by list.
func sealToken(kind tokenKind, list func(*tokenFields)) []byte {
	f := tokenFields{buf: append(make([]byte, 0, 160), tokenFormat, byte(kind))}
	list(&f)
	return binary.BigEndian.AppendUint32(f.buf, crc32.Checksum(f.buf, castagnoli))
}

// openToken reads a token; it reports false for anything but what sealToken
// wrote for that kind.
func openToken(kind tokenKind, token []byte, list func(*tokenFields)) bool {
	const frame = 2 + crc32.Size
	if len(token) < frame {
		return false
	}
	body, sum := token[:len(token)-crc32.Size], token[len(token)-crc32.Size:]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(sum) {
		return false
	}
	if body[0] != tokenFormat || tokenKind(body[1]) != kind {
		return false
	}
	f := tokenFields{buf: body[2:], reading: true}
	list(&f)
	return !f.broken && len(f.buf) == 0
}

func workflowTokenFields(t *workflow.TaskToken) func(*tokenFields) {
	return func(f *tokenFields) {
		f.run(&t.Run)
		f.integer(&t.ScheduledEventID)
		f.integer(&t.StartedEventID)
		f.small(&t.Attempt)
		f.integer(&t.Stamp)
	}
}

func activityTokenFields(t *workflow.ActivityToken) func(*tokenFields) {
	return func(f *tokenFields) {
		f.run(&t.Run)
		f.integer(&t.ScheduledEventID)
		f.text(&t.ActivityID)
		f.small(&t.Attempt)
		f.integer(&t.Stamp)
	}
}

func attemptTokenFields(t *standalone.Token) func(*tokenFields) {
	return func(f *tokenFields) {
		f.run(&t.Run)
		f.small(&t.Attempt)
		f.integer(&t.Stamp)
	}
}

// queryToken identifies one delivery of a query to a worker.
type queryToken struct {
	NamespaceID string
	QueryID     string
}

func queryTokenFields(t *queryToken) func(*tokenFields) {
	return func(f *tokenFields) {
		f.text(&t.NamespaceID)
		f.text(&t.QueryID)
	}
}

func sealWorkflowToken(t workflow.TaskToken) []byte {
	return sealToken(tokenWorkflowTask, workflowTokenFields(&t))
}

func sealActivityToken(t workflow.ActivityToken) []byte {
	return sealToken(tokenActivityTask, activityTokenFields(&t))
}

func sealAttemptToken(t standalone.Token) []byte {
	return sealToken(tokenAttempt, attemptTokenFields(&t))
}

func sealQueryToken(t queryToken) []byte {
	return sealToken(tokenQueryTask, queryTokenFields(&t))
}

var (
	errNoToken      = invalid("Task token not set on request.")
	errGarbageToken = invalid("Error deserializing task token.")
	errForeignToken = invalid("Operation requested with a token from a different namespace.")
)

func openWorkflowToken(b []byte) (t workflow.TaskToken, err error) {
	return t, openTaskToken(tokenWorkflowTask, b, workflowTokenFields(&t))
}

func openActivityToken(b []byte) (t workflow.ActivityToken, err error) {
	return t, openTaskToken(tokenActivityTask, b, activityTokenFields(&t))
}

func openAttemptToken(b []byte) (t standalone.Token, err error) {
	err = openTaskToken(tokenAttempt, b, attemptTokenFields(&t))
	if err == nil && t.Run.Archetype != engine.ArchetypeActivity {
		err = errGarbageToken
	}
	return t, err
}

func openQueryToken(b []byte) (t queryToken, err error) {
	return t, openTaskToken(tokenQueryTask, b, queryTokenFields(&t))
}

func openTaskToken(kind tokenKind, b []byte, list func(*tokenFields)) error {
	switch {
	case len(b) == 0:
		return errNoToken
	case !openToken(kind, b, list):
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
	var w workflow.TaskToken
	if openToken(tokenWorkflowTask, b, workflowTokenFields(&w)) {
		return w.Run.NamespaceID, nil
	}
	var a workflow.ActivityToken
	if openToken(tokenActivityTask, b, activityTokenFields(&a)) {
		return a.Run.NamespaceID, nil
	}
	var s standalone.Token
	if openToken(tokenAttempt, b, attemptTokenFields(&s)) {
		return s.Run.NamespaceID, nil
	}
	var q queryToken
	if openToken(tokenQueryTask, b, queryTokenFields(&q)) {
		return q.NamespaceID, nil
	}
	return "", errGarbageToken
}
