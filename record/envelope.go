package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/perdure/perdure/store"
)

// formatVersion is the version of every value this release writes. A reader
// refuses a later one: it was written by a later release.
const formatVersion = 1

// kind says what a value holds, so that a value under the wrong key is noticed.
// The numbers are part of the format; those below 64 are state parts.
type kind byte

const (
	kindCurrent    kind = 64
	kindHistory    kind = 65
	kindTask       kind = 66
	kindMessage    kind = 67
	kindVisibility kind = 68
	kindMeta       kind = 69
)

// ErrLater: the value was written by a later release than this one. It is not
// damaged; start that release again.
var ErrLater = errors.New("record of a later release")

// The envelope adds a head of two bytes and a tail of four to a content.
const (
	headSize = 2
	tailSize = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal begins the value of a kind; the content is appended, then close ends it.
func seal(b []byte, k kind) []byte { return append(b, formatVersion, byte(k)) }

// closeSeal ends a value that began with seal.
func closeSeal(b []byte) []byte { return appendSum(b, b) }

// appendSum is closeSeal for a value that has others before it.
func appendSum(b, value []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(value, castagnoli))
}

// unseal checks a value and returns its content, which shares its bytes.
func unseal(value []byte, k kind) ([]byte, error) {
	if len(value) < headSize+tailSize {
		return nil, corrupt("value of %d bytes", len(value))
	}
	body, tail := value[:len(value)-tailSize], value[len(value)-tailSize:]
	if sum := crc32.Checksum(body, castagnoli); sum != binary.LittleEndian.Uint32(tail) {
		return nil, corrupt("checksum %08x, want %08x", sum, binary.LittleEndian.Uint32(tail))
	}
	switch {
	case body[0] == 0:
		return nil, corrupt("format version 0")
	case body[0] > formatVersion:
		return nil, fmt.Errorf("%w: format version %d, this release reads up to %d", ErrLater, body[0], formatVersion)
	}
	if body[1] != byte(k) {
		return nil, corrupt("record of kind %d where %d belongs", body[1], k)
	}
	return body[headSize:], nil
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, store.ErrCorrupt)...)
}
