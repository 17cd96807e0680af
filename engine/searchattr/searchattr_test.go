package searchattr

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
)

var ns = &engine.Namespace{Name: "shop", SearchAttributes: map[string]enumspb.IndexedValueType{
	"Customer": keyword, "Note": text, "Qty": integer, "Price": double, "Paid": boolean, "When": datetime, "Tags": keywordList,
}}

func payloadOf(data string) *commonpb.Payload {
	return &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(data)}
}

func attributes(kv ...string) *commonpb.SearchAttributes {
	sa := &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{}}
	for i := 0; i < len(kv); i += 2 {
		sa.IndexedFields[kv[i]] = payloadOf(kv[i+1])
	}
	return sa
}

// SA-30 to SA-34: the JSON forms, and what is no value of its type.
func TestDecode(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)
	for _, c := range []struct {
		kind enumspb.IndexedValueType
		data string
		want any // nil: unset; error: refused
	}{
		{keyword, `"a"`, "a"}, {text, `"a b"`, "a b"}, {keyword, `["a"]`, "a"}, {keyword, ` [ "a" ] `, "a"},
		{keyword, `["a","b"]`, errBad}, {keyword, `[null]`, errBad}, {keyword, `1`, errBad}, {keyword, "\"\xff\"", errBad},
		{integer, `42`, int64(42)}, {integer, `-9223372036854775808`, int64(-1 << 63)}, {integer, `[7]`, int64(7)},
		{integer, `"42"`, errBad}, {integer, `1.5`, errBad}, {integer, `9223372036854775808`, errBad},
		{double, `1.5`, 1.5}, {double, `3`, 3.0}, {double, `"3"`, errBad},
		{boolean, `true`, true}, {boolean, `"true"`, errBad},
		{datetime, `"2026-03-04T05:06:07.000000008Z"`, at}, {datetime, `"2026-03-04T06:06:07.000000008+01:00"`, at},
		{datetime, `"2026-03-04"`, errBad}, {datetime, `"2026-03-04T05:06:07"`, errBad},
		{keywordList, `["a","b"]`, []string{"a", "b"}}, {keywordList, `"a"`, errBad}, {keywordList, `[1]`, errBad}, {keywordList, `[null]`, errBad},
		{integer, `null`, nil}, {keywordList, `[]`, nil}, {boolean, ``, nil}, {keyword, `{`, errBad},
	} {
		t.Run(fmt.Sprintf("%s %s", TypeName(c.kind), c.data), func(t *testing.T) {
			got, err := Decode(payloadOf(c.data), c.kind)
			if c.want == errBad {
				if err == nil {
					t.Fatalf("accepted as %v", got)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Fatalf("got %v, %v; want %v", got, err, c.want)
			}
			if got == nil {
				return
			}
			again, err := Decode(Encode(got, c.kind), c.kind)
			if err != nil || !reflect.DeepEqual(again, got) {
				t.Errorf("encoded and decoded again: %v, %v", again, err)
			}
		})
	}
}

var errBad = fmt.Errorf("refused")

// The table of messages in visibility.md 1.3.
func TestCheck(t *testing.T) {
	many := attributes()
	for i := range 101 {
		many.IndexedFields[fmt.Sprint("k", i)] = payloadOf(`1`)
	}
	large := attributes()
	wide := &engine.Namespace{Name: "wide", SearchAttributes: map[string]enumspb.IndexedValueType{}}
	for i := range 21 {
		name := fmt.Sprint("K", i)
		wide.SearchAttributes[name] = keyword
		large.IndexedFields[name] = payloadOf(`"` + strings.Repeat("x", 2000) + `"`)
	}
	for _, c := range []struct {
		name string
		ns   *engine.Namespace
		in   *commonpb.SearchAttributes
		want string
	}{
		{"none", ns, nil, ""},
		{"all good", ns, attributes("Customer", `"c"`, "Qty", `1`, "Tags", `["a"]`, "TemporalChangeVersion", `["p-1"]`), ""},
		{"unset is always good", ns, attributes("Qty", `null`), ""},
		{"unknown", ns, attributes("Nope", `1`), "Namespace shop has no mapping defined for search attribute Nope"},
		{"no name", ns, attributes("", `1`), "search attribute  is not defined"},
		{"type mismatch", ns, attributes("Paid", `"true"`), `invalid value for search attribute Paid of type Bool: "true"`},
		{"system", ns, attributes("WorkflowId", `"w"`), "WorkflowId attribute can't be set in SearchAttributes"},
		{"predefined but not settable", ns, attributes("TemporalWorkerDeployment", `"w"`), "TemporalWorkerDeployment attribute can't be set in SearchAttributes"},
		{"too many", ns, many, "number of search attributes 101 exceeds limit 100"},
		{"one too large", ns, attributes("Customer", `"`+strings.Repeat("x", 2047)+`"`), "search attribute Customer value size 2049 exceeds size limit 2048"},
		{"one at the bound", ns, attributes("Customer", `"`+strings.Repeat("x", 2046)+`"`), ""},
		{"too large together", wide, large, "total size of search attributes 42830 exceeds size limit 40960"},
		{"the first by name is reported", ns, attributes("Zed", `1`, "Abe", `1`), "Namespace shop has no mapping defined for search attribute Abe"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Check(c.ns, engine.DefaultLimits(), c.in)
			got := ""
			if err != nil {
				got = err.Error()
				if engine.KindOf(err) != engine.KindInvalidArgument {
					t.Errorf("kind %v", engine.KindOf(err))
				}
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// Merge by key, an unset value removes; neither argument changes (workflow.md 0.1).
func TestMerge(t *testing.T) {
	base, delta := attributes("A", `1`, "B", `2`), attributes("B", `null`, "C", `3`)
	got := Merge(base, delta)
	if len(got.IndexedFields) != 2 || string(got.IndexedFields["A"].Data) != "1" || string(got.IndexedFields["C"].Data) != "3" {
		t.Errorf("merged to %v", got)
	}
	if len(base.IndexedFields) != 2 || len(delta.IndexedFields) != 2 {
		t.Errorf("an argument was changed")
	}
	if got := Merge(attributes("A", `1`), attributes("A", `[]`)); got != nil {
		t.Errorf("nothing left, got %v", got)
	}
	memo := MergeMemo(&commonpb.Memo{Fields: base.IndexedFields}, &commonpb.Memo{Fields: delta.IndexedFields})
	if len(memo.Fields) != 2 {
		t.Errorf("memo merged to %v", memo)
	}
}

// SA-30: the server adds the registered type, whatever the payload claims.
func TestWithTypes(t *testing.T) {
	in := attributes("Qty", `1`, "Customer", `null`)
	in.IndexedFields["Qty"].Metadata["type"] = []byte("Keyword")
	got := WithTypes(ns, in)
	if len(got.IndexedFields) != 1 || string(got.IndexedFields["Qty"].Metadata["type"]) != "Int" {
		t.Errorf("got %v", got)
	}
	if string(in.IndexedFields["Qty"].Metadata["type"]) != "Keyword" {
		t.Errorf("the argument was changed")
	}
	if delta := TypedDelta(ns, in); len(delta.IndexedFields) != 2 || string(delta.IndexedFields["Customer"].Metadata["type"]) != "Keyword" {
		t.Errorf("delta %v", delta)
	}
	up := Upsert(nil, BuildIDs, []string{"unversioned"})
	if p := up.IndexedFields[BuildIDs]; string(p.Data) != `["unversioned"]` || string(p.Metadata["type"]) != "KeywordList" {
		t.Errorf("upserted %v", up)
	}
}

// SA-3: names a custom attribute may not have.
func TestReserved(t *testing.T) {
	for name, want := range map[string]bool{"WorkflowId": true, "BuildIds": true, "TemporalMine": true, "Memo": true, "NamespaceId": true, "My Attr": false} {
		if Reserved(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
	if n := len(System()); n != 33 {
		t.Errorf("%d system attributes", n)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`"a"`, `[1]`, `null`, `["a","b"]`, `true`, `1e400`, "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for kind := text; kind <= keywordList; kind++ {
			v, err := Decode(&commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: data}, kind)
			if err != nil && v != nil {
				t.Errorf("both %v and %v", v, err)
			}
		}
	})
}

// FuzzPlainStrings: what plainStrings reads is what the library reads, too.
func FuzzPlainStrings(f *testing.F) {
	for _, data := range []string{`["a"]`, `["a","b"]`, `["ä","",","]`, `["a\n"]`, `["a",]`, `[]`, `["a"`, `["a"]]`, `["a",null]`, `[1]`, `["\x7f"]`, `[,"a"]`, "[\"\t\"]"} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		values, ok := plainStrings(data)
		if !ok || !utf8.Valid(data) { // which Decode refuses before
			return
		}
		var want []string
		if err := json.Unmarshal(data, &want); err != nil || !reflect.DeepEqual(values, want) {
			t.Fatalf("%q was read as %q; it is %q (%v)", data, values, want, err)
		}
	})
}
