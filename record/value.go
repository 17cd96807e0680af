package record

import (
	"fmt"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
)

// scratch are coders whose bytes are used again: a value is built in one and
// copied out at its exact size. Growing each value on its own from 128 bytes
// cost three allocations and twice the bytes for the part that every step writes.
var scratch = sync.Pool{New: func() any { return &coder{b: make([]byte, 0, 1024)} }}

// maxScratch bounds what a coder keeps for later.
const maxScratch = 64 << 10

// encode is the value of a record with the fields.
func encode[T any](k kind, v *T, fields func(*coder, *T)) []byte {
	return appendValue(nil, k, v, fields)
}

// appendValue appends the value of a record with the fields.
func appendValue[T any](b []byte, k kind, v *T, fields func(*coder, *T)) []byte {
	c := scratch.Get().(*coder)
	c.b, c.own = seal(c.b[:0], k), ""
	fields(c, v)
	c.b = closeSeal(c.b)
	b = append(b, c.b...)
	if cap(c.b) <= maxScratch {
		scratch.Put(c)
	}
	return b
}

// decode is the inverse of encode.
func decode[T any](k kind, value []byte, fields func(*coder, *T)) (*T, error) {
	content, err := unseal(value, k)
	if err != nil {
		return nil, err
	}
	c := coder{b: content, reading: true}
	v := new(T)
	fields(&c, v)
	if err := c.end(); err != nil {
		return nil, fmt.Errorf("record of kind %d: %w", k, err)
	}
	return v, nil
}

// encodeMessage is the value of a record that is one message of the API.
func encodeMessage(k kind, m proto.Message) []byte {
	size := wire.Size(m)
	b := seal(make([]byte, 0, size+headSize+tailSize), k)
	opt := wire
	opt.UseCachedSize = true
	b, err := opt.MarshalAppend(b, m)
	encoded(err, len(b) == size+headSize)
	return closeSeal(b)
}

// decodeMessage is the inverse of encodeMessage.
func decodeMessage(k kind, value []byte, m proto.Message) error {
	content, err := unseal(value, k)
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(content, m); err != nil {
		return corrupt("record of kind %d: %v", k, err)
	}
	return nil
}

// EncodeCurrent is the value under CurrentKey.
func EncodeCurrent(p *Current) []byte { return encode(kindCurrent, p, currentFields) }

// DecodeCurrent is the inverse of EncodeCurrent.
func DecodeCurrent(value []byte) (*Current, error) { return decode(kindCurrent, value, currentFields) }

// EncodeTask is the value under TaskKey.
func EncodeTask(t *engine.Task) []byte { return encode(kindTask, t, offerFields) }

// DecodeTask is the inverse of EncodeTask.
func DecodeTask(value []byte) (*engine.Task, error) { return decode(kindTask, value, offerFields) }

// EncodeMessage is the value under OutboxKey. Message.Event is left out.
func EncodeMessage(m *engine.Message) []byte { return encode(kindMessage, m, messageFields) }

// DecodeMessage is the inverse of EncodeMessage.
func DecodeMessage(value []byte) (*engine.Message, error) {
	return decode(kindMessage, value, messageFields)
}

// EncodeVisibility is the value under NumberedFeedKey, and under FeedKey for a
// run that is gone.
func EncodeVisibility(v *engine.VisibilityRecord) []byte {
	return encode(kindVisibility, v, visibilityFields)
}

// DecodeVisibility is the inverse of EncodeVisibility.
func DecodeVisibility(value []byte) (*engine.VisibilityRecord, error) {
	return decode(kindVisibility, value, visibilityFields)
}

// DeadlineValue is the value under DeadlineKey: the name says it all.
var DeadlineValue = []byte{}

// FeedValue is the value under FeedKey: what has changed is in the run's state.
var FeedValue = []byte{}

// metaMessages is the field number of the first message of a meta value; its
// texts come before.
const metaMessages = 16

// EncodeMeta is the value under MetaKey: texts by field number (1 to 15, never
// used for something else later), and messages of the API, nil ones left out.
func EncodeMeta(texts map[int]string, messages ...proto.Message) []byte {
	c := coder{b: seal(nil, kindMeta)}
	for num := 1; num < metaMessages; num++ {
		text := texts[num]
		c.str(protowire.Number(num), &text)
	}
	for i, m := range messages {
		if m != nil && m.ProtoReflect().IsValid() {
			c.appendMessage(protowire.Number(metaMessages+i), m)
		}
	}
	return closeSeal(c.b)
}

// DecodeMeta is the inverse of EncodeMeta. It reads into the messages given,
// which must be empty; one that was left out stays so.
func DecodeMeta(value []byte, messages ...proto.Message) (texts map[int]string, err error) {
	content, err := unseal(value, kindMeta)
	if err != nil {
		return nil, err
	}
	c := coder{b: content, reading: true}
	texts = make(map[int]string)
	for num := 1; num < metaMessages; num++ {
		var text string
		if c.str(protowire.Number(num), &text); text != "" {
			texts[num] = text
		}
	}
	for i, m := range messages {
		if in, ok := c.inner(protowire.Number(metaMessages + i)); ok {
			if err := proto.Unmarshal(in.b, m); err != nil {
				c.fail(err)
			}
		}
	}
	if err := c.end(); err != nil {
		return nil, fmt.Errorf("meta value: %w", err)
	}
	return texts, nil
}
