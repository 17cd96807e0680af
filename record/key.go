package record

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/store"
)

// Strings in names are escaped so that bytewise order of the encoded form is
// bytewise order of the string, whatever follows: a zero byte becomes 00 ff, the
// end is 00 01. No encoded string is a prefix of another, so a scan over one
// namespace, id or run never strays into a neighbour's rows.
const (
	escape     = 0x00
	escapedNul = 0xff
	terminator = 0x01
)

func appendString(b []byte, s string) []byte {
	for {
		i := strings.IndexByte(s, escape)
		if i < 0 {
			b = append(b, s...)
			return append(b, escape, terminator)
		}
		b = append(b, s[:i]...)
		b = append(b, escape, escapedNul)
		s = s[i+1:]
	}
}

// appendInt encodes a signed number so that order is kept.
func appendInt(b []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(n)^(1<<63))
}

// timeSize is the length of an encoded time: seconds and nanoseconds. A single
// count of nanoseconds would end in the year 2262, which a timeout of three
// centuries passes.
const timeSize = 12

func appendTime(b []byte, t time.Time) []byte {
	b = appendInt(b, t.Unix())
	return binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond()))
}

func appendExecution(b []byte, id engine.ID) []byte {
	b = append(b, namespaceOf(id.NamespaceID).name...)
	b = append(b, byte(id.Archetype))
	return appendString(b, id.Name)
}

func appendRun(b []byte, key engine.RunKey) []byte {
	b = appendExecution(b, key.ID)
	return appendID(b, key.RunID)
}

// nameSize estimates the encoded length of a run key, to allocate once.
func nameSize(key engine.RunKey) int {
	return executionSize(key.ID) + idSize(key.RunID)
}

func executionSize(id engine.ID) int { return idSize(id.NamespaceID) + 1 + len(id.Name) + 2 }

// nameReader takes a name apart. The first mistake sticks; callers look at the
// end.
type nameReader struct {
	rest []byte
	bad  bool
}

func (r *nameReader) string() string {
	var s []byte
	for i := 0; i+1 < len(r.rest); i++ {
		if r.rest[i] != escape {
			continue
		}
		switch r.rest[i+1] {
		case terminator:
			var whole string
			if s == nil {
				whole = string(r.rest[:i])
			} else {
				whole = string(append(s, r.rest[:i]...))
			}
			r.rest = r.rest[i+2:]
			return whole
		case escapedNul:
			s = append(s, r.rest[:i]...)
			s = append(s, 0)
			r.rest = r.rest[i+2:]
			i = -1
		default:
			r.bad = true
			return ""
		}
	}
	r.bad = true
	return ""
}

func (r *nameReader) take(n int) []byte {
	if len(r.rest) < n {
		r.bad = true
		r.rest = nil
		return make([]byte, n)
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *nameReader) byte() byte { return r.take(1)[0] }

func (r *nameReader) uint64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

func (r *nameReader) int() int64 { return int64(r.uint64() ^ 1<<63) }

func (r *nameReader) time() time.Time {
	seconds := r.int()
	nanos := binary.BigEndian.Uint32(r.take(4))
	if nanos >= 1e9 {
		r.bad = true
	}
	return time.Unix(seconds, int64(nanos)).UTC()
}

func (r *nameReader) execution() (id engine.ID) {
	id.NamespaceID = r.id()
	id.Archetype = engine.Archetype(r.byte())
	id.Name = r.string()
	return id
}

func (r *nameReader) run() (key engine.RunKey) {
	key.ID = r.execution()
	key.RunID = r.id()
	return key
}

// end reports what was wrong with the name of key, if anything.
func (r *nameReader) end(key store.Key) error {
	if r.bad || len(r.rest) > 0 {
		return fmt.Errorf("name %x of family %d in slot %d: %w", key.Name, key.Family, key.Slot, store.ErrCorrupt)
	}
	return nil
}

// expect begins to take the name of a key apart that must be of the family.
func expect(key store.Key, family store.Family) nameReader {
	return nameReader{rest: key.Name, bad: key.Family != family}
}

// after is the smallest name behind all those that begin with prefix; nil when
// there is none.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}

// Family bounds the rows of a family in a range of slots, for Scan.
func Family(family store.Family, slots store.SlotRange) (from, to store.Key) {
	return store.Key{Family: family, Slot: slots.From}, store.Key{Family: family, Slot: slots.To}
}

func rows(family store.Family, slot store.Slot, prefix []byte) (from, to store.Key) {
	return store.Key{Family: family, Slot: slot, Name: prefix},
		store.Key{Family: family, Slot: slot, Name: after(prefix)}
}
