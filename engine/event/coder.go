package event

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/internal/invariant"
)

// coder writes a message from its end to its beginning: when the length of a
// message inside of it is to be written, its content has been, so that nothing is
// sized before or moved after. A description therefore calls for the fields from
// the last to the first. As everywhere in proto3, a field is left out when it is
// zero, and a message when it is nil.
type coder struct {
	// counting: the bytes are only counted.
	counting bool
	// n counts the bytes; they are the last n of b.
	n int
	b []byte
}

// take makes room for n bytes before those written, which are to be put to start.
// It is false when only counting.
func (c *coder) take(n int) bool {
	c.n += n
	if c.counting {
		return false
	}
	if c.n > len(c.b) {
		c.grow(n)
	}
	return true
}

// start is where what is written begins.
func (c *coder) start() []byte { return c.b[len(c.b)-c.n:] }

// minGrowth is how much larger than needed the bytes become when they grow: what
// comes before a large payload.
const minGrowth = 1024

// grow makes b as large as n calls for; the last bytes of n are not written yet.
// Inlined it would keep take from being so.
//
//go:noinline
func (c *coder) grow(last int) {
	b := make([]byte, max(2*len(c.b), c.n+minGrowth))
	written := c.n - last
	copy(b[len(b)-written:], c.b[len(c.b)-written:])
	c.b = b
}

// field is a number with its tag, be it a value or the length of what was written
// before. Nearly always each is one byte.
func (c *coder) field(num protowire.Number, typ protowire.Type, v uint64) {
	tag := protowire.EncodeTag(num, typ)
	if tag|v >= 0x80 {
		c.varint(v)
		c.varint(tag)
		return
	}
	if c.take(2) {
		b := c.start()
		b[0], b[1] = byte(tag), byte(v)
	}
}

func (c *coder) varint(v uint64) {
	if c.take(protowire.SizeVarint(v)) {
		binary.PutUvarint(c.start(), v)
	}
}

func (c *coder) uint(num protowire.Number, v uint64) {
	if v != 0 {
		c.field(num, protowire.VarintType, v)
	}
}

func (c *coder) int(num protowire.Number, v int64) { c.uint(num, uint64(v)) }

func (c *coder) bool(num protowire.Number, v bool) {
	if v {
		c.uint(num, 1)
	}
}

func (c *coder) double(num protowire.Number, v float64) {
	bits := math.Float64bits(v)
	if bits == 0 { // a zero with a sign is written
		return
	}
	if c.take(protowire.SizeFixed64()) {
		binary.LittleEndian.PutUint64(c.start(), bits)
	}
	c.varint(protowire.EncodeTag(num, protowire.Fixed64Type))
}

func (c *coder) str(num protowire.Number, s string) {
	if s != "" {
		c.text(num, s)
	}
}

// text is a string that is there though it may be empty.
func (c *coder) text(num protowire.Number, s string) {
	end := c.n
	if c.take(len(s)) {
		if !utf8.ValidString(s) {
			// The edge refuses it, and the library, too: it could not be read again.
			invariant.Check(false, "text that is not UTF-8: %q", s)
		}
		copy(c.start(), s)
	}
	c.close(num, end)
}

// numbers is a packed list.
func numbers[T ~int32](c *coder, num protowire.Number, list []T) {
	if len(list) == 0 {
		return
	}
	end := c.n
	for i := len(list) - 1; i >= 0; i-- {
		c.varint(uint64(list[i]))
	}
	c.close(num, end)
}

// open begins a message with its end: what a later release of the API has added.
// It returns the place for close.
func (c *coder) open(m proto.Message) (end int) {
	end = c.n
	if later := m.ProtoReflect().GetUnknown(); len(later) > 0 && c.take(len(later)) {
		copy(c.start(), later)
	}
	return end
}

// close ends a field that was written from the end on.
func (c *coder) close(num protowire.Number, end int) {
	c.field(num, protowire.BytesType, uint64(c.n-end))
}

// other is a message left to the library: few runs have it.
func other[M interface {
	comparable
	proto.Message
}](c *coder, num protowire.Number, m M) {
	var none M
	if m != none {
		c.part(num, m)
	}
}

func others[M proto.Message](c *coder, num protowire.Number, list []M) {
	for i := len(list) - 1; i >= 0; i-- {
		c.part(num, list[i])
	}
}

func (c *coder) part(num protowire.Number, m proto.Message) {
	end := c.n
	c.message(m)
	c.close(num, end)
}

// The library writes maps in order, so that equal events have equal bytes. With
// again it does not size what it has sized before.
var (
	library = proto.MarshalOptions{Deterministic: true}
	again   = proto.MarshalOptions{Deterministic: true, UseCachedSize: true}
)

// message has the library code a message, without tag and length.
func (c *coder) message(m proto.Message) {
	if c.counting {
		c.take(library.Size(m))
		return
	}
	size := again.Size(m)
	c.take(size)
	b, err := again.MarshalAppend(c.start()[:0], m)
	if err != nil {
		invariant.Check(false, "a message that cannot be encoded: %v", err)
	}
	filled(b, size)
}

// filled checks that what others wrote has the size they told before.
func filled(b []byte, size int) {
	invariant.Check(len(b) == size, "an event was changed after it was sized")
}
