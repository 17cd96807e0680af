package pebblestore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/perdure/perdure/store"
)

// prefixBytes is what precedes a key's name on disk: family and slot.
const prefixBytes = 3

// appendKey appends the bytes of a key: family, slot in big-endian order, name.
// Their bytewise order is the order of store.Key.Compare.
func appendKey(to []byte, k store.Key) []byte {
	to = append(to, byte(k.Family))
	to = binary.BigEndian.AppendUint16(to, uint16(k.Slot))
	return append(to, k.Name...)
}

// parseKey is the reverse of appendKey. The name is part of raw.
func parseKey(raw []byte) (store.Key, error) {
	if len(raw) < prefixBytes {
		return store.Key{}, fmt.Errorf("%w: key of %d bytes", store.ErrCorrupt, len(raw))
	}
	return store.Key{
		Family: store.Family(raw[0]),
		Slot:   store.Slot(binary.BigEndian.Uint16(raw[1:])),
		Name:   raw[prefixBytes:],
	}, nil
}

// epochKey is where the largest epoch given out is kept, in the drivers' own
// family.
var epochKey = appendKey(nil, store.Key{Family: 0, Slot: store.SystemSlot, Name: []byte("epoch")})

// epochVersion is the version of the epoch's value:
//
//	version (1 byte) | epoch (8 bytes, big-endian) | CRC-32C of what precedes (4 bytes, big-endian)
const epochVersion = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encodeEpoch(epoch uint64) []byte {
	b := binary.BigEndian.AppendUint64([]byte{epochVersion}, epoch)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodeEpoch(b []byte) (uint64, error) {
	const size = 1 + 8 + 4
	if len(b) != size || b[0] != epochVersion {
		return 0, fmt.Errorf("epoch: %w: %d bytes", store.ErrCorrupt, len(b))
	}
	if crc32.Checksum(b[:size-4], castagnoli) != binary.BigEndian.Uint32(b[size-4:]) {
		return 0, fmt.Errorf("epoch: %w: its checksum does not match", store.ErrCorrupt)
	}
	return binary.BigEndian.Uint64(b[1:]), nil
}
