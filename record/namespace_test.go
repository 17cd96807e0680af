package record

import (
	"bytes"
	"hash/fnv"
	"testing"

	"github.com/perdure/perdure/engine"
)

// Namespaces that take turns in one place, and ids that are none: what is
// remembered of one never stands for another.
func TestNamespaces(t *testing.T) {
	ids := []string{"", "a", sampleID.NamespaceID, "32049b68-7872-4094-8e63-d0dd59896a84",
		"00000000-7872-4094-8e63-d0dd59896a83", "another 83", "with\x00a zero 83"}
	for range 3 {
		for _, id := range ids {
			h := fnv.New64a()
			h.Write([]byte(id)) //nolint:errcheck // never fails
			if got := namespaceOf(id); got.id != id || got.hash != h.Sum64() || !bytes.Equal(got.name, appendID(nil, id)) {
				t.Errorf("of %q it has %+v", id, got)
			}
			other := engine.ID{NamespaceID: id, Archetype: engine.ArchetypeWorkflow, Name: "order-7"}
			back, err := ParseCurrentKey(CurrentKey(other))
			if err != nil || back != other {
				t.Errorf("%v came back as %v, %v", other, back, err)
			}
		}
	}
	if namespaceOf(ids[2]) != namespaceOf(string([]byte(ids[2]))) {
		t.Error("the namespace asked for last is not remembered")
	}
}
