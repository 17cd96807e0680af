package registry

import (
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/store/memstore"
)

const (
	kindInt     = enumspb.INDEXED_VALUE_TYPE_INT
	kindKeyword = enumspb.INDEXED_VALUE_TYPE_KEYWORD
)

type kinds = map[string]enumspb.IndexedValueType

// TestSearchAttributes shows adding, listing and removing, and that fields are
// used again (SA-22) and last over a restart.
func TestSearchAttributes(t *testing.T) {
	driver := memstore.New(memstore.Options{})
	r := open(t, options(driver))
	add := func(kinds kinds) {
		t.Helper()
		if err := r.AddSearchAttributes(t.Context(), "default", kinds); err != nil {
			t.Fatal(err)
		}
	}
	add(kinds{"A": kindKeyword, "My Attr": kindInt})
	add(kinds{"A": kindInt, "B": kindKeyword}) // A stays a Keyword (SA-14)
	list, err := r.ListSearchAttributes("default")
	if err != nil {
		t.Fatal(err)
	}
	if c := list.CustomAttributes; len(c) != 3 || c["A"] != kindKeyword || c["B"] != kindKeyword || c["My Attr"] != kindInt {
		t.Errorf("custom %v", c)
	}
	if s := list.SystemAttributes; s["WorkflowId"] != kindKeyword || s["TemporalChangeVersion"] != enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST {
		t.Errorf("system %v", s)
	}
	if err := r.RemoveSearchAttributes(t.Context(), "default", []string{"A", "unknown"}); err != nil {
		t.Fatal(err)
	}
	add(kinds{"C": kindKeyword})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = open(t, options(driver))
	got, err := r.Describe("default", "")
	if err != nil {
		t.Fatal(err)
	}
	for field, alias := range map[string]string{"Keyword01": "C", "Keyword02": "B", "Int01": "My Attr"} {
		if got.Config.CustomSearchAttributeAliases[field] != alias {
			t.Errorf("aliases %v", got.Config.CustomSearchAttributeAliases)
		}
	}
	if all := r.AllSearchAttributes(); all["C"] != kindKeyword || all["RunId"] != kindKeyword {
		t.Errorf("all %v", all)
	}
}

// TestSearchAttributeRefusals quotes SA-10 to SA-12 and SA-20.
func TestSearchAttributeRefusals(t *testing.T) {
	r := fresh(t)
	for _, row := range []struct {
		namespace string
		kinds     kinds
		text      string
	}{
		{"", kinds{"A": kindInt}, "Namespace is not set on request."},
		{"default", nil, "SearchAttributes are not set on request."},
		{"default", kinds{"WorkflowId": kindInt}, "Search attribute WorkflowId is reserved by system."},
		{"default", kinds{"TemporalMine": kindInt}, "Search attribute TemporalMine is reserved by system."},
		{"default", kinds{"A": 99}, "Unknown search attribute type: 99."},
		{"default", kinds{"A": 0}, "Unknown search attribute type: 0."},
	} {
		refused(t, r.AddSearchAttributes(t.Context(), row.namespace, row.kinds), engine.KindInvalidArgument, row.text)
	}
	refused(t, r.AddSearchAttributes(t.Context(), "nowhere", kinds{"A": kindInt}), engine.KindNamespaceNotFound, "Namespace nowhere is not found.")
	refused(t, r.RemoveSearchAttributes(t.Context(), "default", []string{"RunId"}), engine.KindInvalidArgument, "Unable to remove non-custom search attributes: RunId.")
	refused(t, r.RemoveSearchAttributes(t.Context(), "", []string{"A"}), engine.KindInvalidArgument, "Namespace is not set on request.")
	refused(t, r.RemoveSearchAttributes(t.Context(), "default", nil), engine.KindInvalidArgument, "SearchAttributes are not set on request.")
}

// TestAliases is NS-9.
func TestAliases(t *testing.T) {
	r := fresh(t)
	alias := func(aliases map[string]string) error {
		_, err := r.Update(t.Context(), &workflowservice.UpdateNamespaceRequest{
			Namespace: "default", Config: &namespacepb.NamespaceConfig{CustomSearchAttributeAliases: aliases},
		})
		return err
	}
	if err := alias(map[string]string{"Int01": "A", "Keyword12": "B"}); err != nil {
		t.Fatal(err)
	}
	if err := alias(map[string]string{"Int01": "A"}); err != nil {
		t.Errorf("the same alias again: %v", err)
	}
	refused(t, alias(map[string]string{"Int01": "X"}), engine.KindInvalidArgument, "Custom search attribute field name already allocated.")
	refused(t, alias(map[string]string{"Int02": "A"}), engine.KindInvalidArgument, "Custom search attribute A already exists.")
	refused(t, alias(map[string]string{"Strange01": "X"}), engine.KindInvalidArgument, "Search attribute field Strange01 is not defined.")
	if err := alias(map[string]string{"Int01": ""}); err != nil {
		t.Fatal(err)
	}
	if got := r.ByName("default").SearchAttributes; len(got) != 1 || got["B"] != kindKeyword {
		t.Errorf("left: %v", got)
	}
}

// TestKindOfField shows that a field is read back by type whatever
// follows.
func TestKindOfField(t *testing.T) {
	for field, want := range map[string]string{
		"Keyword01": "Keyword", "KeywordList03": "KeywordList", "Int117": "Int",
		"Keyword": "", "Keyword1": "", "Keyword00": "", "01": "", "": "", "Foo01": "", "Unspecified01": "",
	} {
		kind, ok := kindOfField(field)
		if ok != (want != "") || ok && kind.String() != want {
			t.Errorf("%q: %s, %t", field, kind, ok)
		}
	}
}

// TestManyAttributes shows that there is no quota (a deliberate difference from
// SA-13).
func TestManyAttributes(t *testing.T) {
	r := fresh(t)
	many := kinds{}
	for i := range 200 {
		many[strings.Repeat("k", i+1)] = kindKeyword
	}
	if err := r.AddSearchAttributes(t.Context(), "default", many); err != nil {
		t.Fatal(err)
	}
	if n := len(r.ByName("default").SearchAttributes); n != 200 {
		t.Errorf("%d attributes", n)
	}
}

// TestRegistrationIsUsableAtOnce is NS-5.
func TestRegistrationIsUsableAtOnce(t *testing.T) {
	r := fresh(t)
	id, err := r.Register(t.Context(), &workflowservice.RegisterNamespaceRequest{Namespace: "n1", WorkflowExecutionRetentionPeriod: durationpb.New(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	ns, err := r.Usable("n1", true)
	if err != nil || ns.ID != id || ns.Retention != time.Hour {
		t.Errorf("%+v, %v", ns, err)
	}
}
