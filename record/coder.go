package record

import (
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/internal/invariant"
)

// coder carries the fields of a value to bytes or back. A type is described once,
// by a function that names each field with its number:
//
//	func timer(c *coder, t *workflow.Timer) {
//		c.str(1, &t.ID)
//		c.int(2, &t.StartedEventID)
//		c.time(3, &t.FireTime)
//	}
//
// Writing, each call appends the field unless it is zero. Reading, each call takes
// the field off the front of the input if it is there. That needs no look-up
// because fields are named, and so lie, in ascending order: a reader skips what
// has a smaller number than asked for (a field that a later release no longer
// has), and finds a larger one when its own is absent.
//
// We first wrote encoders and decoders apart; every second field added in one was
// forgotten in the other. Reflection, as in package proto, costs five times as
// much per field, and most of our records are a dozen small ones.
type coder struct {
	b       []byte // written so far, or still to be read
	reading bool
	own     string // what ownID leaves out
	err     error  // of reading; the first sticks
}

// next takes the tag of field num off the input and reports whether it was
// there. It skips fields with smaller numbers.
func (c *coder) next(num protowire.Number, want protowire.Type) bool {
	for c.err == nil && len(c.b) > 0 {
		n, typ, size := protowire.ConsumeTag(c.b)
		switch {
		case size < 0:
			c.fail(protowire.ParseError(size))
			return false
		case n > num:
			return false
		case n == num && typ != want:
			c.err = corrupt("field %d has wire type %d, want %d", n, typ, want)
			return false
		case n == num:
			c.b = c.b[size:]
			return true
		}
		c.skip(n, typ, size)
	}
	return false
}

func (c *coder) skip(num protowire.Number, typ protowire.Type, tagSize int) {
	n := protowire.ConsumeFieldValue(num, typ, c.b[tagSize:])
	if n < 0 {
		c.fail(protowire.ParseError(n))
		return
	}
	c.b = c.b[tagSize+n:]
}

// end checks what is left of the input after the last field.
func (c *coder) end() error {
	c.next(protowire.MaxValidNumber, -1)
	if c.err == nil && len(c.b) > 0 {
		c.err = corrupt("%d bytes after the last field", len(c.b))
	}
	return c.err
}

func (c *coder) fail(err error) {
	if c.err == nil {
		c.err = corrupt("%v", err)
	}
}

// uint codes a number as a varint field.
func (c *coder) uint(num protowire.Number, v *uint64) {
	if !c.reading {
		if *v != 0 {
			c.b = protowire.AppendVarint(protowire.AppendTag(c.b, num, protowire.VarintType), *v)
		}
		return
	}
	*v = 0
	if c.next(num, protowire.VarintType) {
		*v = c.varint()
	}
}

// varint takes a bare varint off the input.
func (c *coder) varint() uint64 {
	v, n := protowire.ConsumeVarint(c.b)
	if n < 0 {
		c.fail(protowire.ParseError(n))
		return 0
	}
	c.b = c.b[n:]
	return v
}

// int codes a number that may be negative, but seldom is far below zero.
func (c *coder) int(num protowire.Number, v *int64) {
	u := protowire.EncodeZigZag(*v)
	c.uint(num, &u)
	if c.reading {
		*v = protowire.DecodeZigZag(u)
	}
}

func (c *coder) int32(num protowire.Number, v *int32) { number(c, num, v) }

// number codes the integer types that are narrower than 64 bits, enumerations
// among them. A value that does not fit is corrupt.
func number[T ~int8 | ~uint8 | ~int32](c *coder, num protowire.Number, v *T) {
	wide := int64(*v)
	c.int(num, &wide)
	if c.reading {
		*v = T(wide)
		if int64(*v) != wide {
			c.err = corrupt("field %d: %d does not fit", num, wide)
		}
	}
}

func (c *coder) bool(num protowire.Number, v *bool) {
	u := uint64(0)
	if *v {
		u = 1
	}
	c.uint(num, &u)
	if c.reading {
		*v = u != 0
	}
}

func (c *coder) dur(num protowire.Number, v *time.Duration) { c.int(num, (*int64)(v)) }

func (c *coder) float32(num protowire.Number, v *float32) {
	if !c.reading {
		if *v != 0 {
			c.b = protowire.AppendFixed32(protowire.AppendTag(c.b, num, protowire.Fixed32Type), math.Float32bits(*v))
		}
		return
	}
	*v = 0
	if c.next(num, protowire.Fixed32Type) {
		bits, n := protowire.ConsumeFixed32(c.b)
		if n < 0 {
			c.fail(protowire.ParseError(n))
			return
		}
		c.b = c.b[n:]
		*v = math.Float32frombits(bits)
	}
}

// time codes an instant as seconds and nanoseconds since 1970; one number of
// nanoseconds would end in 2262. Location and monotonic reading are dropped. The
// zero time is absent.
func (c *coder) time(num protowire.Number, v *time.Time) {
	if !c.reading {
		if !v.IsZero() {
			c.b = append(protowire.AppendTag(c.b, num, protowire.BytesType), 0)
			at := len(c.b)
			c.b = protowire.AppendVarint(c.b, protowire.EncodeZigZag(v.Unix()))
			c.b = protowire.AppendVarint(c.b, uint64(v.Nanosecond()))
			c.b[at-1] = byte(len(c.b) - at) // two numbers have 20 bytes at most
		}
		return
	}
	*v = time.Time{}
	if in, ok := c.inner(num); ok {
		seconds := protowire.DecodeZigZag(in.varint())
		nanos := in.varint()
		if in.err != nil || len(in.b) > 0 || nanos > 999_999_999 {
			c.err = corrupt("field %d is no time", num)
			return
		}
		*v = time.Unix(seconds, int64(nanos)).UTC()
	}
}

func (c *coder) str(num protowire.Number, v *string) {
	if !c.reading {
		if *v != "" {
			c.b = protowire.AppendString(protowire.AppendTag(c.b, num, protowire.BytesType), *v)
		}
		return
	}
	*v = ""
	if in, ok := c.inner(num); ok {
		*v = string(in.b)
	}
}

// ownID codes an id that is nearly always the one that the row's name says, and
// is left out then. No id is empty.
func (c *coder) ownID(num protowire.Number, v *string) {
	if c.reading {
		if c.str(num, v); *v == "" {
			*v = c.own
		}
	} else if *v != c.own {
		c.str(num, v)
	}
}

// strs codes a slice of strings, each as a field of its own.
func (c *coder) strs(num protowire.Number, v *[]string) {
	if !c.reading {
		for _, s := range *v {
			c.b = protowire.AppendString(protowire.AppendTag(c.b, num, protowire.BytesType), s)
		}
		return
	}
	*v = nil
	for {
		in, ok := c.inner(num)
		if !ok {
			return
		}
		*v = append(*v, string(in.b))
	}
}

// inner takes a length-delimited field off the input, to be read on its own.
func (c *coder) inner(num protowire.Number) (in coder, ok bool) {
	if !c.next(num, protowire.BytesType) {
		return coder{}, false
	}
	b, n := protowire.ConsumeBytes(c.b)
	if n < 0 {
		c.fail(protowire.ParseError(n))
		return coder{}, false
	}
	c.b = c.b[n:]
	return coder{b: b, reading: true}, true
}

// within appends a length-delimited field whose content write appends. One byte
// is set aside for the length, which nearly always suffices; else the content is
// moved up.
func (c *coder) within(num protowire.Number, write func()) {
	c.b = protowire.AppendTag(c.b, num, protowire.BytesType)
	at := len(c.b)
	c.b = append(c.b, 0)
	write()
	size := len(c.b) - at - 1
	if size < 0x80 {
		c.b[at] = byte(size)
		return
	}
	extra := protowire.SizeVarint(uint64(size)) - 1
	for range extra {
		c.b = append(c.b, 0)
	}
	copy(c.b[at+1+extra:], c.b[at+1:at+1+size])
	protowire.AppendVarint(c.b[:at], uint64(size))
}

// value codes a struct that is part of another, by its own field list. It is
// absent when it encodes to nothing.
func value[T any](c *coder, num protowire.Number, v *T, fields func(*coder, *T)) {
	if !c.reading {
		before := len(c.b)
		c.within(num, func() { fields(c, v) })
		if len(c.b) == before+protowire.SizeTag(num)+1 { // nothing but tag and length
			c.b = c.b[:before]
		}
		return
	}
	*v = *new(T)
	if in, ok := c.inner(num); ok {
		c.read(&in, func(in *coder) { fields(in, v) })
	}
}

// pointer codes a struct that may be missing. Present and empty is not missing.
func pointer[T any](c *coder, num protowire.Number, v **T, fields func(*coder, *T)) {
	if !c.reading {
		if *v != nil {
			c.within(num, func() { fields(c, *v) })
		}
		return
	}
	*v = nil
	if in, ok := c.inner(num); ok {
		*v = new(T)
		c.read(&in, func(in *coder) { fields(in, *v) })
	}
}

func (c *coder) read(in *coder, fields func(*coder)) {
	fields(in)
	if err := in.end(); err != nil && c.err == nil {
		c.err = err
	}
}

// wire is how messages of the API are written: maps in order, so that equal
// states have equal bytes.
var wire = proto.MarshalOptions{Deterministic: true}

// message codes a message of the API, which may be missing.
func message[M any, P interface {
	*M
	proto.Message
}](c *coder, num protowire.Number, v *P) {
	if !c.reading {
		if *v != nil {
			c.appendMessage(num, *v)
		}
		return
	}
	*v = nil
	if in, ok := c.inner(num); ok {
		*v = P(new(M))
		if err := proto.Unmarshal(in.b, *v); err != nil {
			c.fail(err)
		}
	}
}

// appendMessage writes the size first and uses the sizes cached by computing it,
// where within would move the content of nearly every message.
func (c *coder) appendMessage(num protowire.Number, m proto.Message) {
	size := wire.Size(m)
	c.b = protowire.AppendVarint(protowire.AppendTag(c.b, num, protowire.BytesType), uint64(size))
	before := len(c.b)
	opt := wire
	opt.UseCachedSize = true
	b, err := opt.MarshalAppend(c.b, m)
	encoded(err, len(b)-before == size)
	c.b = b
}

// encoded checks that the library wrote what was given. It fails for a string
// that is not UTF-8, which the edge refuses and the core never makes, and for a
// message that somebody changed meanwhile, which nobody may.
func encoded(err error, whole bool) {
	invariant.Check(err == nil && whole, "state that cannot be encoded: %v", err)
}

// list codes a slice whose elements are small numbers. Elements follow one
// another, each as a field of its own.
func list[T ~int32](c *coder, num protowire.Number, v *[]T) {
	if !c.reading {
		for _, e := range *v {
			c.b = protowire.AppendVarint(protowire.AppendTag(c.b, num, protowire.VarintType), protowire.EncodeZigZag(int64(e)))
		}
		return
	}
	*v = nil
	for c.next(num, protowire.VarintType) {
		wide := protowire.DecodeZigZag(c.varint())
		if int64(T(wide)) != wide {
			c.err = corrupt("field %d: %d does not fit", num, wide)
		}
		*v = append(*v, T(wide))
	}
}
