package searchattr

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
)

const (
	metaEncoding = "encoding"
	metaType     = "type"
	jsonPlain    = "json/plain"
)

// Unset reports whether a payload stands for "no value": its data is empty,
// null or [], whatever the encoding (SA-32).
func Unset(p *commonpb.Payload) bool {
	data := p.GetData()
	return len(data) == 0 || string(data) == "null" || string(data) == "[]"
}

// Decode reads a value of the given type: a string (Text, Keyword), int64,
// float64, bool, time.Time or []string; nil when the payload is unset. The type
// the payload itself claims is ignored (SA-30). For a scalar an array of one
// element counts as that element (SA-33).
func Decode(p *commonpb.Payload, t enumspb.IndexedValueType) (any, error) {
	if Unset(p) {
		return nil, nil
	}
	data := p.GetData()
	if enc := string(p.GetMetadata()[metaEncoding]); enc != jsonPlain {
		return nil, fmt.Errorf("encoding %q is not %s", enc, jsonPlain)
	}
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("not UTF-8")
	}
	if t == keywordList {
		if values, ok := plainStrings(data); ok {
			return values, nil
		}
		var list []*string
		if err := json.Unmarshal(data, &list); err != nil {
			return nil, err
		}
		values := make([]string, len(list))
		for i, v := range list {
			if v == nil {
				return nil, fmt.Errorf("null in a list")
			}
			values[i] = *v
		}
		return values, nil
	}
	data, err := soleElement(data)
	if err != nil {
		return nil, err
	}
	return scalar(data, t)
}

// plainStrings reads a list of strings as nearly all of them are written: without
// white space, and with nothing that is escaped. ok is false for all else, good or
// bad. The server decodes a list of its own making with every row of the index.
func plainStrings(data []byte) (values []string, ok bool) {
	if len(data) < 2 || data[0] != '[' {
		return nil, false
	}
	for rest := data[1:]; ; rest = rest[1:] {
		if len(rest) == 0 || rest[0] != '"' {
			return nil, false
		}
		rest = rest[1:]
		end := bytes.IndexFunc(rest, func(r rune) bool { return r == '"' || r == '\\' || r < ' ' })
		if end < 0 || rest[end] != '"' {
			return nil, false
		}
		values, rest = append(values, string(rest[:end])), rest[end+1:]
		switch {
		case string(rest) == "]":
			return values, true
		case len(rest) == 0 || rest[0] != ',':
			return nil, false
		}
	}
}

// soleElement unwraps an array of one element.
func soleElement(data []byte) ([]byte, error) {
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '[' {
		return data, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, fmt.Errorf("%d values for one", len(list))
	}
	return list[0], nil
}

func scalar(data []byte, t enumspb.IndexedValueType) (any, error) {
	if string(bytes.TrimSpace(data)) == "null" { // would decode as zero
		return nil, fmt.Errorf("null in a list")
	}
	switch t {
	case text, keyword:
		return unmarshal[string](data)
	case integer:
		return unmarshal[int64](data)
	case double:
		return unmarshal[float64](data)
	case boolean:
		return unmarshal[bool](data)
	case datetime:
		s, err := unmarshal[string](data)
		if err != nil {
			return nil, err
		}
		at, err := time.Parse(time.RFC3339Nano, s.(string))
		if err != nil {
			return nil, err
		}
		return at.UTC(), nil
	}
	return nil, fmt.Errorf("unknown type %d", t)
}

func unmarshal[V any](data []byte) (any, error) {
	var v V
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, err
	}
	return v, nil
}

// Encode is the payload of a value as Decode returns it, with its type.
func Encode(value any, t enumspb.IndexedValueType) *commonpb.Payload {
	if at, ok := value.(time.Time); ok {
		value = at.UTC().Format(time.RFC3339Nano)
	}
	data, err := json.Marshal(value)
	if err != nil {
		// Only a float that is no number gets here; it is no value then.
		data = []byte("null")
	}
	return &commonpb.Payload{
		Metadata: map[string][]byte{metaEncoding: []byte(jsonPlain), metaType: []byte(TypeName(t))},
		Data:     data,
	}
}
