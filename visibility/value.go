package visibility

import (
	"bytes"
	"database/sql/driver"
	"strings"
	"time"
	"unicode"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine/searchattr"
)

// The metadata of a payload that its value depends on: how it is encoded, and the
// type, which the server keeps there.
const (
	encodingMetadata = "encoding"
	typeMetadata     = "type"
)

// kindsByName are the types by the name in payload metadata.
var kindsByName = func() map[string]enumspb.IndexedValueType {
	kinds := make(map[string]enumspb.IndexedValueType)
	for number := range enumspb.IndexedValueType_name {
		if kind := enumspb.IndexedValueType(number); kind != enumspb.INDEXED_VALUE_TYPE_UNSPECIFIED {
			kinds[searchattr.TypeName(kind)] = kind
		}
	}
	return kinds
}()

// kindOf is the type an attribute is indexed under: the one its payload was
// recorded with, else the one the namespace gives the name now.
func kindOf(namespaces Namespaces, id, name string, payload *commonpb.Payload) (enumspb.IndexedValueType, bool) {
	if kind, ok := kindsByName[string(payload.GetMetadata()[typeMetadata])]; ok {
		return kind, true
	}
	ns := namespaces.ByID(id)
	if ns == nil {
		return 0, false
	}
	return searchattr.TypeOf(ns, name)
}

// indexed returns the values under which a payload is found: one for a scalar,
// one for each element of a list, one for each word of a text. A text without
// words has the empty one, so that it is not taken for absent.
func indexed(payload *commonpb.Payload, kind enumspb.IndexedValueType) []driver.Value {
	value, err := searchattr.Decode(payload, kind)
	if err != nil || value == nil {
		// What was accepted once and cannot be read now stays in the listing and
		// is not found by its value.
		return nil
	}
	switch value := value.(type) {
	case string:
		if kind == enumspb.INDEXED_VALUE_TYPE_TEXT {
			return wordValues(value)
		}
		return []driver.Value{value}
	case []string:
		values := make([]driver.Value, len(value))
		for i, element := range value {
			values[i] = element
		}
		return values
	case time.Time:
		return []driver.Value{value.UnixMicro()}
	case bool:
		return []driver.Value{boolValue(value)}
	}
	return []driver.Value{value}
}

// sameValue reports whether two payloads are indexed alike under one type, as far
// as can be told at a glance.
func sameValue(a, b *commonpb.Payload) bool {
	return a == b || bytes.Equal(a.GetData(), b.GetData()) && bytes.Equal(a.GetMetadata()[encodingMetadata], b.GetMetadata()[encodingMetadata])
}

func boolValue(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func wordValues(text string) []driver.Value {
	found := words(text)
	if len(found) == 0 {
		return []driver.Value{""}
	}
	values := make([]driver.Value, len(found))
	for i, w := range found {
		values[i] = w
	}
	return values
}

// words of a text: runs of letters and digits, case folded (V-18).
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}
