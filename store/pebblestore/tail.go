package pebblestore

import (
	"bytes"
	"encoding/binary"
	"fmt"

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
// The last batches have nothing behind them that knew of their acknowledgement.
// Four things tell their damage from a tear nevertheless:
//
//   - A file beside the logs says how far the newest had been synced, about a
//     second ago, or when the store was closed (synced.go).
//   - After a clean stop the log ends with a trailer: whatever lies before it
//     was whole.
//   - A second after the last batch of a burst a mark is written for itself
//     (idle.go), so that a quiet server's batches are all marked.
//   - A single flipped bit is recognised by what it does to the checksum
//     (chunk.go).
//
// What cannot be told: damage of more than a bit to batches acknowledged in the
// last second before a crash, or their loss, found by the very next start. They look
// torn and are dropped. To know better, the acknowledgement would have to be written to a
// second place before it is given, which costs another sync for each.

// markVersion begins a mark:
//
//	version (1 byte) | sequence number of the last acknowledged batch (8 bytes, little-endian)
const markVersion = 1

const markBytes = 1 + 8

func encodeMark(acknowledged uint64) []byte {
	return binary.LittleEndian.AppendUint64([]byte{markVersion}, acknowledged)
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
	claimed, err := readSynced(fs, dir)
	if err != nil {
		return err
	}
	if newest == "" {
		return checkSynced(claimed, 0, 0)
	}
	log, err := readWhole(fs, fs.PathJoin(dir, newest))
	if err != nil {
		return fmt.Errorf("read log %s: %w", newest, err)
	}
	p, damaged := tailDamage(log, uint32(number))
	if damaged {
		return fmt.Errorf("log %s at byte %d: %w: acknowledged batches lie behind a damaged place; restore from a checkpoint",
			newest, p.end, store.ErrCorrupt)
	}
	return checkSynced(claimed, number, p.bad)
}

// tailDamage returns what of the log checks out, and whether acknowledged batches
// were lost behind it.
func tailDamage(log []byte, number uint32) (p prefix, damaged bool) {
	format := chunkFormat{number: number}
	p = goodPrefix(log, number)
	if p.clean {
		return p, false
	}
	if format.oneBitOff(log, p.bad) || closedBehind(log, p.bad, number) {
		return p, true
	}
	// With no good record in this log a mark may be of a batch in the log
	// before. The first intact record behind the bad place, and what a mark
	// says of it, is then what there is to go by.
	lost := p.lastGood + 1
	for at := p.end; at < len(log); {
		c, ok := format.chunk(log, at)
		if !ok {
			at++
			continue
		}
		if seq, mark, ok := c.mark(); ok {
			if lost == 1 {
				lost = seq
			}
			if mark >= lost {
				return p, true
			}
		}
		at = c.end
	}
	return p, false
}

// prefix is what of a log checks out from its start.
type prefix struct {
	end      int    // behind the last record that is whole
	bad      int    // where the first chunk that does not check out begins
	lastGood uint64 // sequence number of the last whole record
	clean    bool   // the log ends there, or was ended there on purpose
}

// goodPrefix follows the records from the start.
func goodPrefix(log []byte, number uint32) (p prefix) {
	format := chunkFormat{number: number}
	at, seq, open := 0, uint64(0), false
	for {
		at = skipPadding(log, at)
		if at >= len(log) {
			p.bad, p.clean = at, !open
			return p
		}
		c, ok := format.chunk(log, at)
		starts := ok && (c.part == partFull || c.part == partFirst)
		if !ok || starts == open {
			p.bad, p.clean = at, !open && endsHere(log, at, number)
			return p
		}
		if starts && len(c.payload) >= batchHeaderBytes {
			seq = binary.LittleEndian.Uint64(c.payload)
		}
		at = c.end
		if open = c.part == partFirst || c.part == partMiddle; !open {
			p.end, p.lastGood = at, seq
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

// closedBehind reports whether the writer closed the log behind a bad place: at
// the end of the file, or right behind the chunk that is bad. What lies before a
// trailer was whole once, and synced with it.
func closedBehind(log []byte, bad int, number uint32) bool {
	if trailerAt(log, len(log)-oldHeaderBytes, number) {
		return true
	}
	s, ok := chunkFormat{number: number}.span(log, bad)
	return ok && trailerAt(log, skipPadding(log, s.end), number)
}

// trailerAt reports whether the trailer is at the offset, in full.
func trailerAt(log []byte, at int, number uint32) bool {
	return at >= 0 && endsHere(log, at, number) && len(bytes.Trim(log[at:at+6], "\x00")) == 0
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
