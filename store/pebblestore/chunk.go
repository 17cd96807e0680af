package pebblestore

import (
	"encoding/binary"
	"hash/crc32"
)

// The layout of Pebble's log and of its list of tables, as package record of
// Pebble documents it.
const (
	blockBytes       = 32 << 10
	listHeaderBytes  = 7  // checksum 4, length 2, encoding 1
	oldHeaderBytes   = 11 // the same, and log number 4
	syncHeaderBytes  = 19 // the same, and sync offset 8
	encodingListFull = 1
	encodingListLast = 4
	encodingOldFull  = 5
	encodingSyncFull = 9
	encodingSyncLast = 12
	batchHeaderBytes = 12 // sequence number 8, count 4
	kindLogData      = 3
)

// The parts of a record.
const (
	partFull = iota
	partFirst
	partMiddle
	partLast
)

// chunkFormat is how chunks are laid out: those of the log with a number, or
// those of a list of tables.
type chunkFormat struct {
	list   bool
	number uint32
}

// span is a chunk as its header describes it; its checksum may be wrong.
type span struct {
	part       int
	start, end int // of the payload
}

// chunk is a piece of a record that checks out.
type chunk struct {
	part    int
	payload []byte
	end     int // offset behind it
}

// span reads the header at an offset; false when there is none of this format.
func (f chunkFormat) span(b []byte, at int) (span, bool) {
	header := listHeaderBytes
	if !f.list {
		header = oldHeaderBytes
	}
	if at < 0 || at+header > len(b) {
		return span{}, false
	}
	encoding := int(b[at+6])
	part := encoding - encodingListFull
	if f.list && (encoding < encodingListFull || encoding > encodingListLast) {
		return span{}, false
	}
	if !f.list {
		if encoding < encodingOldFull || encoding > encodingSyncLast || binary.LittleEndian.Uint32(b[at+7:]) != f.number {
			return span{}, false
		}
		part = encoding - encodingOldFull
		if encoding >= encodingSyncFull {
			header, part = syncHeaderBytes, encoding-encodingSyncFull
		}
	}
	start := at + header
	end := start + int(binary.LittleEndian.Uint16(b[at+4:]))
	blockEnd := at - at%blockBytes + blockBytes
	if end > len(b) || end > blockEnd {
		return span{}, false
	}
	return span{part: part, start: start, end: end}, true
}

// chunk returns the chunk at an offset, if there is one that checks out.
func (f chunkFormat) chunk(b []byte, at int) (chunk, bool) {
	s, ok := f.span(b, at)
	if !ok || binary.LittleEndian.Uint32(b[at:]) != cookedCRC(b[at+6:s.end]) {
		return chunk{}, false
	}
	return chunk{part: s.part, payload: b[s.start:s.end], end: s.end}, true
}

// cookedCRC is the checksum of Pebble's chunks.
func cookedCRC(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + crcSalt
}

// uncooked is the CRC that a chunk's checksum was made of.
func uncooked(sum uint32) uint32 {
	c := sum - crcSalt
	return c<<15 | c>>17
}

const crcSalt = 0xa282ead8

// oneBitOff reports whether the chunk at an offset, which does not check out,
// does so with a single bit flipped: then it has rotted, and was not torn.
//
// A write that a power cut has torn leaves zeros, old bytes or nothing. That one
// bit explains such a place happens by chance, once in 2^32 / (8 * its bytes)
// times: once in 16,000 for the longest chunk, and then the folder is refused
// although nothing acknowledged is missing.
func (f chunkFormat) oneBitOff(b []byte, at int) bool {
	from := at - at%blockBytes
	if at < 0 || from >= len(b) {
		return false
	}
	block, at := append([]byte(nil), b[from:min(len(b), from+blockBytes)]...), at-from
	// The header says what the checksum covers, so each of its bits is tried.
	for i := at; i < min(at+syncHeaderBytes, len(block)); i++ {
		for bit := range 8 {
			block[i] ^= 1 << bit
			_, ok := f.chunk(block, at)
			block[i] ^= 1 << bit
			if ok {
				return true
			}
		}
	}
	s, ok := f.span(block, at)
	return ok && bodyOneBitOff(block[at+6:s.end], binary.LittleEndian.Uint32(block[at:]))
}

// bodyOneBitOff reports whether one bit of body explains why its checksum is
// not the one stored.
//
// A CRC is linear: what a bit does to it depends on the bit's place alone. From
// the last byte to the first, a bit does to the sum what it would have done one
// byte later, pushed through one more byte of zeros.
func bodyOneBitOff(body []byte, stored uint32) bool {
	difference := uncooked(stored) ^ crc32.Checksum(body, castagnoli)
	var effect [8]uint32
	for bit := range effect {
		effect[bit] = castagnoli[1<<bit]
	}
	for range body {
		for bit := range effect {
			if effect[bit] == difference {
				return true
			}
			effect[bit] = castagnoli[effect[bit]&0xff] ^ effect[bit]>>8
		}
	}
	return false
}
