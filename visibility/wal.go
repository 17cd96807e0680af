package visibility

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
)

// SQLite reads its write-ahead log up to the first frame whose checksum does not
// hold, and forgets the rest: that is right after a crash, and loses rows that
// were synced and acknowledged when a frame has rotted. So the log is read before
// SQLite opens it. A bad frame is taken for damage when frames of the same
// generation lie behind it, or when one bit explains it; else it is the last
// write before a crash, which was never acknowledged. Taking the one for the
// other costs an index that is built anew.

// The layout of the log: https://www.sqlite.org/fileformat2.html#walformat
const (
	walHeaderBytes = 32
	walFrameBytes  = 24 // the header of a frame; a page follows
	walMagic       = 0x377f0682
)

// walSum is the log's running checksum.
type walSum [2]uint32

// walLog is a log as it lies in its file.
type walLog struct {
	bytes []byte
	order binary.ByteOrder // of the words that are summed up
	page  int              // size of a page
}

// checkWAL returns errDamaged if the log beside the index at path has rotted.
func checkWAL(path string) error {
	content, err := os.ReadFile(path + "-wal")
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(content) < walHeaderBytes {
		return nil
	}
	if err != nil {
		return err
	}
	l, sum, ok := openWAL(content)
	if !ok {
		return fmt.Errorf("%w: the header of its log", errDamaged)
	}
	n := l.frames()
	for i := range n {
		next, ok := l.frame(i, sum)
		if !ok {
			if l.damagedAt(i, sum) {
				return fmt.Errorf("%w: frame %d of %d of its log", errDamaged, i, n)
			}
			return nil
		}
		sum = next
	}
	return nil
}

// openWAL checks the log's header.
func openWAL(content []byte) (l walLog, sum walSum, ok bool) {
	magic := binary.BigEndian.Uint32(content)
	l = walLog{bytes: content, order: binary.LittleEndian, page: int(binary.BigEndian.Uint32(content[8:]))}
	if magic&1 == 1 {
		l.order = binary.BigEndian
	}
	sum = l.add(walSum{}, content[:24])
	ok = magic&^1 == walMagic && sum == storedSum(content[24:]) && l.page >= 512 && l.page <= 1<<16
	return l, sum, ok
}

func storedSum(b []byte) walSum {
	return walSum{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}
}

func (l walLog) frames() int { return (len(l.bytes) - walHeaderBytes) / (walFrameBytes + l.page) }

// at is frame i with its header.
func (l walLog) at(i int) []byte {
	from := walHeaderBytes + i*(walFrameBytes+l.page)
	return l.bytes[from : from+walFrameBytes+l.page]
}

// frame checks frame i; sum is that of all before it.
func (l walLog) frame(i int, sum walSum) (walSum, bool) {
	f := l.at(i)
	sum = l.add(l.add(sum, f[:8]), f[walFrameBytes:])
	return sum, l.current(f) && sum == storedSum(f[16:])
}

// current reports whether a frame is of the log's present generation.
func (l walLog) current(frame []byte) bool { return l.saltBits(frame) == 0 }

// saltBits is in how many bits the salt of a frame is not the log's.
func (l walLog) saltBits(frame []byte) int {
	return bits.OnesCount64(binary.BigEndian.Uint64(frame[8:]) ^ binary.BigEndian.Uint64(l.bytes[16:]))
}

// damagedAt reports whether frame i, which does not check out, was whole once.
func (l walLog) damagedAt(i int, sum walSum) bool {
	for behind := i + 1; behind < l.frames(); behind++ {
		if l.current(l.at(behind)) {
			return true
		}
	}
	f := l.at(i)
	if l.saltBits(f) > 1 {
		return false // of an earlier generation
	}
	for at := range f {
		for bit := range 8 {
			f[at] ^= 1 << bit
			_, ok := l.frame(i, sum)
			f[at] ^= 1 << bit
			if ok {
				return true
			}
		}
	}
	return false
}

// add sums up words in pairs.
func (l walLog) add(s walSum, b []byte) walSum {
	for ; len(b) >= 8; b = b[8:] {
		s[0] += l.order.Uint32(b) + s[1]
		s[1] += l.order.Uint32(b[4:]) + s[0]
	}
	return s
}
