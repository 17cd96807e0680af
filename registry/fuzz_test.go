package registry

import (
	"testing"

	namespacepb "go.temporal.io/api/namespace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/record"
)

// A stored namespace is read back or refused, also behind a good checksum.
func FuzzStoredNamespace(f *testing.F) {
	info, _ := proto.Marshal(&namespacepb.NamespaceInfo{Id: "id", Name: "n"})
	config, _ := proto.Marshal(&namespacepb.NamespaceConfig{CustomSearchAttributeAliases: map[string]string{"Keyword01": "Color"}})
	f.Add(info, config)
	f.Add(info, []byte{})
	f.Fuzz(func(t *testing.T, info, config []byte) {
		_, _ = decodeEntry(info)
		i, c := &namespacepb.NamespaceInfo{}, &namespacepb.NamespaceConfig{}
		if proto.Unmarshal(info, i) != nil || proto.Unmarshal(config, c) != nil {
			return
		}
		e, err := decodeEntry(record.EncodeMeta(nil, i, c))
		if err != nil {
			return
		}
		e.seal()
		if again, err := decodeEntry(encodeEntry(e)); err != nil || again.id() != e.id() || again.name() != e.name() || len(again.attributes) != len(e.attributes) {
			t.Errorf("a stored namespace does not come back: %v", err)
		}
	})
}

// A page token of the list of namespaces comes from outside.
func FuzzPageToken(f *testing.F) {
	f.Add([]byte(pageTokenPrefix + "n"))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = decodePageToken(b) })
}
