// Package payload knows the wire form of payloads: what inputs, search attributes
// and memos consist of.
//
// The protobuf library reads Go maps by reflection, entry by entry. A workflow
// has its attributes sized and written half a dozen times, and that took 6 % of
// all allocations of a short one.
package payload

import (
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	commonpb "go.temporal.io/api/common/v1"

	"github.com/perdure/perdure/internal/invariant"
)

// The numbers of the fields that are written here. fieldsField is the one field of
// both SearchAttributes and Memo.
const (
	fieldsField   protowire.Number = 1
	keyField      protowire.Number = 1
	valueField    protowire.Number = 2
	metadataField protowire.Number = 1
	dataField     protowire.Number = 2
)

// tagSize is the size of the tag of every field here.
const tagSize = 1

// fewKeys is how many keys are put in order without an allocation.
const fewKeys = 8

// slow is for what is seldom or new to us: the library knows all of it. Maps are
// written in order, so that equal payloads have equal bytes.
var slow = proto.MarshalOptions{Deterministic: true}

// Size is the encoded size in bytes of a message whose one field are these
// payloads; that of nil is 0.
func Size(m proto.Message, fields map[string]*commonpb.Payload) int {
	if !Plain(m) {
		return slow.Size(m)
	}
	return SizeFields(fields)
}

// SizeFields is the size in bytes of what AppendFields appends.
func SizeFields(fields map[string]*commonpb.Payload) int {
	n := 0
	for key, p := range fields {
		n += tagSize + protowire.SizeBytes(entrySize(key, SizeOne(p)))
	}
	return n
}

// AppendFields appends the payloads as SearchAttributes or Memo are encoded, in
// the order of their names: the bytes that the library writes deterministically.
func AppendFields(b []byte, fields map[string]*commonpb.Payload) []byte {
	var few [fewKeys]string
	for _, key := range order(few[:0], fields) {
		p := fields[key]
		n := SizeOne(p)
		b = appendHead(b, fieldsField, entrySize(key, n))
		b = appendHead(appendKey(b, key), valueField, n)
		b = AppendOne(b, p)
	}
	return b
}

// Plain reports whether a message is all in its fields: nothing in it that a later
// release of the API has added.
func Plain(m proto.Message) bool { return len(m.ProtoReflect().GetUnknown()) == 0 }

// simple reports whether SizeOne and AppendOne know all that the payload has.
func simple(p *commonpb.Payload) bool {
	return len(p.GetExternalPayloads()) == 0 && Plain(p)
}

// SizeAll is the encoded size in bytes of a list of payloads; that of nil is 0.
func SizeAll(list *commonpb.Payloads) int {
	if !Plain(list) {
		return slow.Size(list)
	}
	n := 0
	for _, p := range list.GetPayloads() {
		n += tagSize + protowire.SizeBytes(SizeOne(p))
	}
	return n
}

// SizeOne is the encoded size of one payload in bytes.
func SizeOne(p *commonpb.Payload) int {
	if !simple(p) {
		return slow.Size(p)
	}
	n := 0
	for key, value := range p.GetMetadata() {
		n += tagSize + protowire.SizeBytes(entrySize(key, len(value)))
	}
	if len(p.GetData()) > 0 {
		n += tagSize + protowire.SizeBytes(len(p.GetData()))
	}
	return n
}

// AppendOne appends one payload, without a name.
func AppendOne(b []byte, p *commonpb.Payload) []byte {
	if !simple(p) {
		b, err := slow.MarshalAppend(b, p)
		invariant.Check(err == nil, "a payload that cannot be encoded: %v", err)
		return b
	}
	var few [fewKeys]string
	for _, key := range order(few[:0], p.GetMetadata()) {
		value := p.GetMetadata()[key]
		b = appendHead(b, metadataField, entrySize(key, len(value)))
		b = append(appendHead(appendKey(b, key), valueField, len(value)), value...)
	}
	if len(p.GetData()) > 0 {
		b = append(appendHead(b, dataField, len(p.GetData())), p.GetData()...)
	}
	return b
}

// entrySize is the size of an entry of a map. Both its fields are there even when
// they are empty.
func entrySize(key string, valueBytes int) int {
	return 2*tagSize + protowire.SizeBytes(len(key)) + protowire.SizeBytes(valueBytes)
}

func appendKey(b []byte, key string) []byte {
	if !utf8.ValidString(key) {
		// The edge refuses it, and the library, too: it could not be read again.
		invariant.Check(false, "a name that is not UTF-8: %q", key)
	}
	return append(appendHead(b, keyField, len(key)), key...)
}

// appendHead appends tag and length of a field.
func appendHead(b []byte, num protowire.Number, n int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.BytesType), uint64(n))
}

// order appends the keys in order.
func order[V any](keys []string, m map[string]V) []string {
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
