package searchattr

import (
	"maps"
	"slices"

	commonpb "go.temporal.io/api/common/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/payload"
)

// Check refuses attributes a user may not set, with the API's texts (SA-35). It
// is the check of requests and of workflow commands alike. The error is an
// *engine.Refusal of KindInvalidArgument.
func Check(ns *engine.Namespace, limits *engine.Limits, sa *commonpb.SearchAttributes) error {
	fields := sa.GetIndexedFields()
	if len(fields) == 0 {
		return CheckTotal(limits, sa)
	}
	if n := len(fields); n > limits.SearchAttributeKeys {
		return engine.Invalid("number of search attributes %d exceeds limit %d", n, limits.SearchAttributeKeys)
	}
	var few [8]string // names that need no object of their own
	names := few[:0]
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := checkOne(ns, limits, name, fields[name]); err != nil {
			return err
		}
	}
	return CheckTotal(limits, sa)
}

func checkOne(ns *engine.Namespace, limits *engine.Limits, name string, value *commonpb.Payload) error {
	if name == "" {
		return engine.Invalid("search attribute %s is not defined", name)
	}
	t, known := TypeOf(ns, name)
	switch {
	case !known:
		return engine.Invalid("Namespace %s has no mapping defined for search attribute %s", ns.Name, name)
	case !settable(name):
		return engine.Invalid("%s attribute can't be set in SearchAttributes", name)
	}
	if _, err := Decode(value, t); err != nil {
		return engine.Invalid("invalid value for search attribute %s of type %s: %s", name, TypeName(t), cut(value.GetData()))
	}
	if n := len(value.GetData()); n > limits.SearchAttributeBytes {
		return engine.Invalid("search attribute %s value size %d exceeds size limit %d", name, n, limits.SearchAttributeBytes)
	}
	return nil
}

// cut keeps a refusal readable when the bad value is large or is no text.
func cut(data []byte) string {
	const most = 256
	if len(data) > most {
		data = data[:most]
	}
	return string([]rune(string(data)))
}

// CheckTotal refuses attributes that are too large together; it is also the
// check of what a merge yields.
func CheckTotal(limits *engine.Limits, sa *commonpb.SearchAttributes) error {
	if n := payload.Size(sa, sa.GetIndexedFields()); n > limits.SearchAttributesBytes {
		return engine.Invalid("total size of search attributes %d exceeds size limit %d", n, limits.SearchAttributesBytes)
	}
	return nil
}

// Merge is base with delta's keys replaced, or removed where delta's value is
// unset (SA-32). Neither is changed. Nil when nothing is left.
func Merge(base, delta *commonpb.SearchAttributes) *commonpb.SearchAttributes {
	fields := mergeFields(base.GetIndexedFields(), delta.GetIndexedFields())
	if fields == nil {
		return nil
	}
	return &commonpb.SearchAttributes{IndexedFields: fields}
}

// MergeMemo is Merge for memos.
func MergeMemo(base, delta *commonpb.Memo) *commonpb.Memo {
	fields := mergeFields(base.GetFields(), delta.GetFields())
	if fields == nil {
		return nil
	}
	return &commonpb.Memo{Fields: fields}
}

func mergeFields(base, delta map[string]*commonpb.Payload) map[string]*commonpb.Payload {
	if len(base)+len(delta) == 0 {
		return nil
	}
	merged := make(map[string]*commonpb.Payload, len(base)+len(delta))
	maps.Copy(merged, base)
	maps.Copy(merged, delta)
	maps.DeleteFunc(merged, func(_ string, p *commonpb.Payload) bool { return Unset(p) })
	if len(merged) == 0 {
		return nil
	}
	return merged
}

// WithTypes is what the server records and returns of attributes it was sent:
// unset values dropped, and each payload's metadata naming the registered type
// (SA-30). sa is not changed. Nil when nothing is left.
func WithTypes(ns *engine.Namespace, sa *commonpb.SearchAttributes) *commonpb.SearchAttributes {
	return typed(ns, Merge(nil, sa))
}

// TypedDelta is WithTypes for an upsert: unset values stay, since they remove
// their keys.
func TypedDelta(ns *engine.Namespace, sa *commonpb.SearchAttributes) *commonpb.SearchAttributes {
	if len(sa.GetIndexedFields()) == 0 {
		return nil
	}
	return typed(ns, &commonpb.SearchAttributes{IndexedFields: maps.Clone(sa.GetIndexedFields())})
}

// typed replaces the payloads of a map it owns.
func typed(ns *engine.Namespace, sa *commonpb.SearchAttributes) *commonpb.SearchAttributes {
	for name, p := range sa.GetIndexedFields() {
		t, ok := TypeOf(ns, name)
		if !ok || string(p.GetMetadata()[metaType]) == TypeName(t) {
			continue
		}
		meta := maps.Clone(p.GetMetadata())
		if meta == nil {
			meta = map[string][]byte{}
		}
		meta[metaType] = []byte(TypeName(t))
		sa.IndexedFields[name] = &commonpb.Payload{Metadata: meta, Data: p.GetData(), ExternalPayloads: p.GetExternalPayloads()}
	}
	return sa
}

// Upsert is sa with one attribute that the server itself sets. sa is not changed.
func Upsert(sa *commonpb.SearchAttributes, name string, value any) *commonpb.SearchAttributes {
	t, _ := TypeOf(&engine.Namespace{}, name)
	return Merge(sa, &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{name: Encode(value, t)}})
}
