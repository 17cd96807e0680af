package doctor

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/perdure/perdure/store"
)

// A run that is in the index and not in the store is lost if the index is newer
// than the store, and else may have been removed since the index was as it is.
func TestRunsMissingFromTheStore(t *testing.T) {
	healthy := newPatient(t)
	for want, epoch := range map[string]uint64{"index-ahead": 1, "index-differs": 1 << 20} {
		t.Run(want, func(t *testing.T) {
			p := healthy.copied(t)
			p.operate(func(p *patient) {
				slot := p.rows(store.FamilyState, "waiting\x00\x01")[0].Key.Slot
				for family := store.FamilyCurrent; family <= store.FamilyFeed; family++ {
					from, to := raw(store.Key{Family: family, Slot: slot}), raw(store.Key{Family: family, Slot: slot + 1})
					p.must(p.db.DeleteRange(from, to, nil))
				}
				value := binary.BigEndian.AppendUint64([]byte{1}, epoch)
				sum := crc32.Checksum(value, crc32.MakeTable(crc32.Castagnoli))
				p.put(store.Key{Slot: store.SystemSlot, Name: []byte("epoch")}, binary.BigEndian.AppendUint32(value, sum))
			})
			r, err := Examine(t.Context(), Options{Data: p.dir})
			p.must(err)
			if len(r.Findings) != 1 || r.Counts[want] != 1 {
				t.Errorf("found %v", r.Findings)
			}
		})
	}
}
