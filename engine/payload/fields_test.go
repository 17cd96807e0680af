package payload

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	commonpb "go.temporal.io/api/common/v1"
)

// The bytes are the library's, whatever is in the payloads.
func FuzzFields(f *testing.F) {
	add := func(fields map[string]*commonpb.Payload) {
		b, err := slow.Marshal(&commonpb.SearchAttributes{IndexedFields: fields})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	later := &commonpb.Payload{Data: []byte("x")}
	later.ProtoReflect().SetUnknown(protowire.AppendString(protowire.AppendTag(nil, 99, protowire.BytesType), "of a later release"))
	many := map[string]*commonpb.Payload{}
	for i := range 3 * fewKeys {
		many[string(rune('z'-i))] = &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain"), "type": []byte("Int")}, Data: []byte{byte(i)}}
	}
	add(nil)
	add(map[string]*commonpb.Payload{"": {}})
	add(map[string]*commonpb.Payload{"a": {Metadata: map[string][]byte{"": nil, "b": {}}}, "ü": {Data: bytes.Repeat([]byte{1}, 300)}})
	add(map[string]*commonpb.Payload{"later": later, "external": {ExternalPayloads: []*commonpb.Payload_ExternalPayloadDetails{{SizeBytes: 7}}}})
	add(many)
	f.Fuzz(func(t *testing.T, b []byte) {
		sa := new(commonpb.SearchAttributes)
		if proto.Unmarshal(b, sa) != nil || !Plain(sa) {
			return
		}
		want, err := slow.Marshal(sa)
		if err != nil {
			t.Fatal(err)
		}
		got := AppendFields([]byte("before"), sa.GetIndexedFields())
		if !bytes.Equal(got, append([]byte("before"), want...)) {
			t.Errorf("appended\n%x, want\n%x", got, want)
		}
		if n := SizeFields(sa.GetIndexedFields()); n != len(want) {
			t.Errorf("size %d, want %d", n, len(want))
		}
		all := &commonpb.Payloads{Payloads: slices.Collect(maps.Values(sa.GetIndexedFields()))}
		if n, want := SizeAll(all), slow.Size(all); n != want {
			t.Errorf("size of all %d, want %d", n, want)
		}
	})
}

func TestSizeAll(t *testing.T) {
	later := &commonpb.Payloads{Payloads: []*commonpb.Payload{nil, {Data: []byte("x")}}}
	later.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 7))
	for _, list := range []*commonpb.Payloads{nil, {}, later} {
		if n := SizeAll(list); n != proto.Size(list) {
			t.Errorf("size %d, want %d", n, proto.Size(list))
		}
	}
}

// A payload that is not there is an empty one, as it is for the library.
func TestNoPayload(t *testing.T) {
	fields := map[string]*commonpb.Payload{"gone": nil}
	want, err := slow.Marshal(&commonpb.Memo{Fields: fields})
	if err != nil {
		t.Fatal(err)
	}
	if got := AppendFields(nil, fields); !bytes.Equal(got, want) || SizeFields(fields) != len(want) {
		t.Errorf("%d bytes: %x, want %x", SizeFields(fields), got, want)
	}
	later := new(commonpb.Payloads)
	later.ProtoReflect().SetUnknown(protowire.AppendString(protowire.AppendTag(nil, 99, protowire.BytesType), "of a later release"))
	for _, all := range []*commonpb.Payloads{nil, {}, {Payloads: []*commonpb.Payload{nil, {}}}, later} {
		if n, want := SizeAll(all), slow.Size(all); n != want {
			t.Errorf("size of %v is %d, want %d", all, n, want)
		}
	}
}

func BenchmarkAppendFields(b *testing.B) {
	fields := map[string]*commonpb.Payload{"BuildIds": {
		Metadata: map[string][]byte{"encoding": []byte("json/plain"), "type": []byte("KeywordList")},
		Data:     []byte(`["unversioned","unversioned:a-build"]`),
	}}
	b.ReportAllocs()
	for b.Loop() {
		AppendFields(make([]byte, 0, SizeFields(fields)), fields)
	}
}
