package pebblestore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"

	"github.com/perdure/perdure/store"
)

// The log after a crash: torn or damaged?
//
// A power cut leaves the end of the log as it likes: the last writes may be
// missing, cut off, or there in part. None of them was acknowledged, and
// recovery rightly stops at the first record that does not check out. Damage
// done later (a bad sector, a stray write) looks the same, but records that
// were acknowledged are lost with it, and stopping there would lose them silently.
//
// Pebble tells the two apart in part. Each chunk of its log says up to which
// offset the log had been synced when it was written, so an intact chunk
// beyond the bad place that promises a later offset proves damage, and Open
// fails. But it looks only at the 32 KiB blocks behind the bad one, and as of
// v2.1 the offset leaves out what was written in whole blocks, so that it lags
// behind after the first bursts. Damage near the end is then taken for a torn
// tail.
//
// So each of our batches carries a mark of its own, in a LogData record that
// only the log sees: the sequence number of the last batch that had been
// acknowledged when this one was written. Before Pebble opens the newest log we
// read it: if it stops checking out somewhere, and any intact record behind
// that place has a mark that lies beyond the last good record, an acknowledged
// batch is damaged, and opening fails with store.ErrCorrupt. (Pebble itself
// demands that every older log ends cleanly.)
//
// What cannot be told: damage to the very last batches, behind which no batch
// was written that knew of their acknowledgement. They look torn and are
// dropped. To know better, the acknowledgement would have to be written to a
// second place before it is given, which costs another sync for each.

// markVersion begins a mark:
//
//	version (1 byte) | sequence number of the last acknowledged batch (8 bytes, little-endian)
const markVersion = 1

const markBytes = 1 + 8

func encodeMark(acknowledged uint64) []byte {
	return binary.LittleEndian.AppendUint64([]byte{markVersion}, acknowledged)
}

// The layout of Pebble's log, as package record of Pebble documents it.
const (
	blockBytes       = 32 << 10
	oldHeaderBytes   = 11 // checksum 4, length 2, encoding 1, log number 4
	syncHeaderBytes  = 19 // the same, and sync offset 8
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

// chunk is a piece of a record that checks out.
type chunk struct {
	part    int
	payload []byte
	end     int // offset behind it
}

// checkTail reads the newest log in the folder and returns store.ErrCorrupt if
// acknowledged batches are damaged.
func checkTail(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return fmt.Errorf("list %s: %w", dir, err)
	}
	var newest string
	var number wal.NumWAL
	for _, name := range names {
		if n, _, ok := wal.ParseLogFilename(name); ok && (newest == "" || n > number) {
			newest, number = name, n
		}
	}
	if newest == "" {
		return nil
	}
	f, err := fs.Open(fs.PathJoin(dir, newest))
	if err != nil {
		return fmt.Errorf("open log %s: %w", newest, err)
	}
	log, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("read log %s: %w", newest, err)
	}
	if offset, damaged := tailDamage(log, uint32(number)); damaged {
		return fmt.Errorf("log %s at byte %d: %w: acknowledged batches lie behind a damaged place; restore from a checkpoint",
			newest, offset, store.ErrCorrupt)
	}
	return nil
}

// tailDamage returns where the log stops checking out, and whether
// acknowledged batches were lost there.
func tailDamage(log []byte, number uint32) (offset int, damaged bool) {
	offset, lastGood, clean := goodPrefix(log, number)
	if clean {
		return offset, false
	}
	// With no good record in this log a mark may be of a batch in the log
	// before. The first intact record behind the bad place, and what a mark
	// says of it, is then what there is to go by.
	lost := lastGood + 1
	for at := offset; at < len(log); {
		c, ok := parseChunk(log, at, number)
		if !ok {
			at++
			continue
		}
		if seq, mark, ok := c.mark(); ok {
			if lost == 1 {
				lost = seq
			}
			if mark >= lost {
				return offset, true
			}
		}
		at = c.end
	}
	return offset, false
}

// goodPrefix follows the records from the start. It returns the offset behind
// the last one that is whole, its sequence number, and whether the log was
// ended on purpose there.
func goodPrefix(log []byte, number uint32) (end int, lastGood uint64, clean bool) {
	at, seq, open := 0, uint64(0), false
	for {
		at = skipPadding(log, at)
		if at >= len(log) {
			return end, lastGood, !open
		}
		c, ok := parseChunk(log, at, number)
		starts := ok && (c.part == partFull || c.part == partFirst)
		if !ok || starts == open {
			return end, lastGood, !open && endsHere(log, at, number)
		}
		if starts && len(c.payload) >= batchHeaderBytes {
			seq = binary.LittleEndian.Uint64(c.payload)
		}
		at = c.end
		if open = c.part == partFirst || c.part == partMiddle; !open {
			end, lastGood = at, seq
		}
	}
}

// skipPadding moves past the zeros that fill a block too short for a header.
func skipPadding(log []byte, at int) int {
	left := blockBytes - at%blockBytes
	if left < syncHeaderBytes && at+left <= len(log) && len(bytes.Trim(log[at:at+left], "\x00")) == 0 {
		return at + left
	}
	return at
}

// endsHere reports whether the writer closed the log here: a header of the next
// log's number.
func endsHere(log []byte, at int, number uint32) bool {
	return at+oldHeaderBytes <= len(log) && log[at+6] == encodingOldFull &&
		binary.LittleEndian.Uint32(log[at+7:]) == number+1
}

// parseChunk returns the chunk at an offset, if there is one of this log that
// checks out.
func parseChunk(log []byte, at int, number uint32) (chunk, bool) {
	if at+oldHeaderBytes > len(log) {
		return chunk{}, false
	}
	encoding := int(log[at+6])
	if encoding < encodingOldFull || encoding > encodingSyncLast || binary.LittleEndian.Uint32(log[at+7:]) != number {
		return chunk{}, false
	}
	header, part := oldHeaderBytes, encoding-encodingOldFull
	if encoding >= encodingSyncFull {
		header, part = syncHeaderBytes, encoding-encodingSyncFull
	}
	start := at + header
	end := start + int(binary.LittleEndian.Uint16(log[at+4:]))
	blockEnd := at - at%blockBytes + blockBytes
	if end > len(log) || end > blockEnd || binary.LittleEndian.Uint32(log[at:]) != cookedCRC(log[at+6:end]) {
		return chunk{}, false
	}
	return chunk{part: part, payload: log[start:end], end: end}, true
}

// cookedCRC is the checksum of Pebble's chunks.
func cookedCRC(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// mark returns the sequence number and the mark of the batch that begins in
// the chunk.
func (c chunk) mark() (seq, mark uint64, ok bool) {
	const begin = batchHeaderBytes + 2 // kind and length precede the mark
	if c.part != partFull && c.part != partFirst || len(c.payload) < begin+markBytes {
		return 0, 0, false
	}
	head := c.payload[batchHeaderBytes:]
	if head[0] != kindLogData || head[1] != markBytes || head[2] != markVersion {
		return 0, 0, false
	}
	return binary.LittleEndian.Uint64(c.payload), binary.LittleEndian.Uint64(head[3:]), true
}
