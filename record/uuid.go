package record

import (
	"encoding/hex"

	"github.com/perdure/perdure/engine"
)

// Namespace ids and run ids are nearly always UUIDs, and are in every name. As
// text they were three quarters of it; a name with both is 40 bytes shorter with
// their 16 bytes instead. What is no UUID in its usual form (a run id may be
// anything a client sends, in a key that is only looked up) is kept as text.
const (
	idText = 1 // an escaped string follows
	idUUID = 2 // 16 bytes follow
)

// The rows of a run that are written most, parts of its state and its history,
// are named by its run id alone: no two runs have the same one, and namespace and
// workflow id made up two thirds of these names. The numbers here tell them from
// names that begin with a namespace's id.
const (
	ownText = idText + own // an escaped string follows, which is a run id
	ownUUID = idUUID + own // the 16 bytes of a run id follow
	own     = 2
)

// appendOwn appends a run id where a name begins with it.
func appendOwn(b []byte, runID string) []byte {
	at := len(b)
	b = appendID(b, runID)
	b[at] += own
	return b
}

// owner reads whom a part of a run's state or of its history belongs to: its run
// id is all that the name says, or the execution too, as all names did in format 1.
func (r *nameReader) owner() (run engine.RunKey, alone bool) {
	if len(r.rest) > 0 && (r.rest[0] == ownText || r.rest[0] == ownUUID) {
		run.RunID = r.idAs(r.byte() - own)
		return run, true
	}
	return r.run(), false
}

func appendID(b []byte, id string) []byte {
	var raw [16]byte
	if parseUUID(&raw, id) {
		return append(append(b, idUUID), raw[:]...)
	}
	return appendString(append(b, idText), id)
}

func (r *nameReader) id() string { return r.idAs(r.byte()) }

func (r *nameReader) idAs(kind byte) string {
	switch kind {
	case idUUID:
		return formatUUID(r.take(16))
	case idText:
		id := r.string()
		// One id has one name: text that should have been 16 bytes was not
		// written by us.
		var raw [16]byte
		r.bad = r.bad || parseUUID(&raw, id)
		return id
	}
	r.bad = true
	return ""
}

// uuidText is the length of a UUID in its usual form, and dashes is where that
// has them.
const uuidText = 36

var dashes = [...]int{8, 13, 18, 23}

// parseUUID reads the usual form only: lower case, with dashes. Others would not
// come back as they were.
func parseUUID(raw *[16]byte, s string) bool {
	if len(s) != uuidText {
		return false
	}
	for _, at := range dashes {
		if s[at] != '-' {
			return false
		}
	}
	n := 0
	for i := 0; i < uuidText; i += 2 {
		if s[i] == '-' {
			i++
		}
		high, low := lowerHex[s[i]], lowerHex[s[i+1]]
		if high|low > 0xf {
			return false
		}
		raw[n] = high<<4 | low
		n++
	}
	return true
}

// lowerHex holds the values of the digits, 0xff for everything else.
var lowerHex = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range "0123456789abcdef" {
		t[c] = byte(i)
	}
	return t
}()

// idSize estimates the encoded length of an id, exactly for a UUID; it is the
// same where a name begins with it.
func idSize(id string) int {
	if len(id) == uuidText {
		return 1 + 16
	}
	return len(id) + 3
}

func formatUUID(raw []byte) string {
	var s [uuidText]byte
	at := 0
	for i, size := range [...]int{4, 2, 2, 2, 6} {
		if i > 0 {
			s[at] = '-'
			at++
		}
		at += hex.Encode(s[at:], raw[:size])
		raw = raw[size:]
	}
	return string(s[:])
}
