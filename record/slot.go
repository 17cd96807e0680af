package record

import (
	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/store"
)

// SlotOf is the slot an execution lives in, with all its runs. It is part of the
// format and never changes: FNV-1a (64 bit) over namespace id, a zero byte, the
// archetype and the id, then two xor-shift multiplications, modulo store.Slots.
//
// FNV alone will not do: its low bits depend on the low bits of the input only,
// and ids that count upwards would crowd a few slots. The multiplications (those
// of MurmurHash3's 64-bit finaliser) spread them.
func SlotOf(id engine.ID) store.Slot {
	h := namespaceOf(id.NamespaceID).hash
	h *= prime // the zero byte
	h = (h ^ uint64(id.Archetype)) * prime
	for i := range len(id.Name) {
		h = (h ^ uint64(id.Name[i])) * prime
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return store.Slot(h % store.Slots)
}

// The numbers of FNV-1a.
const (
	offset = 14695981039346656037
	prime  = 1099511628211
)

// hashOf begins SlotOf's hash.
func hashOf(namespaceID string) uint64 {
	h := uint64(offset)
	for i := range len(namespaceID) {
		h = (h ^ uint64(namespaceID[i])) * prime
	}
	return h
}
