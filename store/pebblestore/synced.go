package pebblestore

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"

	"github.com/perdure/perdure/store"
)

// A log that was cut, emptied or deleted looks torn by a crash (tail.go): there is
// nothing behind the gap that could tell. So a file beside the logs says how far the
// newest one had been synced. It is written when the store is closed, and about
// once a second while the log grows; it is not synced itself, which costs next to
// nothing and is enough: it claims only what was on the disk before, and when it is
// lost, or older than the log, it claims less.

// syncedName is the file, in the database's folder.
const syncedName = "SYNCED"

// position is a place in a log.
type position struct {
	log    wal.NumWAL
	length int64 // bytes from the start that are synced
}

// line is the content of the file: always as long, so that it can be overwritten
// in place, and with a checksum, since that may be cut off half-way.
func (p position) line() string {
	text := fmt.Sprintf("log %020d synced to %020d", uint64(p.log), p.length)
	return fmt.Sprintf("%s check %08x\n", text, crc32.Checksum([]byte(text), castagnoli))
}

// parsePosition is the inverse of line; ok is false for everything else.
func parsePosition(content []byte) (p position, ok bool) {
	var number uint64
	var check uint32
	if _, err := fmt.Sscanf(string(content), "log %d synced to %d check %x\n", &number, &p.length, &check); err != nil {
		return position{}, false
	}
	p.log = wal.NumWAL(number)
	if p.line() != string(content) {
		return position{}, false
	}
	return p, true
}

// readSynced is the position that the file claims; the zero position if there is
// no file or it cannot be relied on.
func readSynced(fs vfs.FS, dir string) (position, error) {
	content, err := readFile(fs, fs.PathJoin(dir, syncedName))
	if errors.Is(err, os.ErrNotExist) {
		return position{}, nil
	}
	if err != nil {
		return position{}, fmt.Errorf("read %s: %w", syncedName, err)
	}
	p, _ := parsePosition(content) // or none
	return p, nil
}

// checkSynced returns store.ErrCorrupt if the newest log, whose chunks are whole up
// to an offset, is less than the file claims. Its trailer may be missing: that is
// shorter than any chunk, and no batch.
func checkSynced(claimed position, newest wal.NumWAL, whole int) error {
	const advice = "acknowledged batches are lost; restore from a checkpoint, or, to go on without them, remove the file " + syncedName
	switch {
	case newest < claimed.log:
		return fmt.Errorf("log %s is gone: %w: %s", claimed.log, store.ErrCorrupt, advice)
	case newest == claimed.log && int64(whole) < claimed.length-oldHeaderBytes:
		return fmt.Errorf("log %s is whole up to byte %d and had been synced up to byte %d: %w: %s",
			claimed.log, whole, claimed.length, store.ErrCorrupt, advice)
	}
	return nil
}

// syncedFile keeps the file up to date.
type syncedFile struct {
	every time.Duration // negative: only at the end

	mu struct {
		sync.Mutex
		newest position
		timer  *time.Timer // set while there is something to write
	}
	// out is what is written to, apart from mu: a slow write holds no sync up.
	out struct {
		sync.Mutex
		file    vfs.File // nil: there is none, and nothing is claimed
		written position
	}
}

// begin opens the file. What it says holds until a log is synced.
func (s *syncedFile) begin(fs vfs.FS, dir string) error {
	f, err := fs.OpenReadWrite(fs.PathJoin(dir, syncedName), vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("open %s: %w", syncedName, err)
	}
	s.out.Lock()
	defer s.out.Unlock()
	s.out.file = f
	return nil
}

// synced notes that a log is on the disk up to the length.
func (s *syncedFile) synced(p position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.log < s.mu.newest.log {
		return // one that has been replaced, and is being closed
	}
	s.mu.newest = p
	if s.mu.timer == nil && s.every >= 0 {
		s.mu.timer = time.AfterFunc(s.every, s.look)
	}
}

// look brings the file up to date. That it fails is no matter: then the file claims
// less than it could, or nothing.
func (s *syncedFile) look() {
	s.out.Lock()
	defer s.out.Unlock()
	s.mu.Lock()
	s.mu.timer = nil
	newest := s.mu.newest
	s.mu.Unlock()
	if s.out.file == nil || newest == s.out.written {
		return
	}
	if _, err := s.out.file.WriteAt([]byte(newest.line()), 0); err == nil {
		s.out.written = newest
	}
}

// end writes the last position and closes the file.
func (s *syncedFile) end() error {
	s.look()
	s.out.Lock()
	defer s.out.Unlock()
	if s.out.file == nil {
		return nil
	}
	err := s.out.file.Close()
	s.out.file = nil
	return err
}
