package visibility

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/perdure/perdure/store"
)

// file is one opened SQLite file.
type file struct {
	writer *writer
	// readers answer queries, several at once.
	readers *sql.DB
	// complete: every execution there is has been fed in; lists may be answered.
	complete atomic.Bool
	// verified: all of it was found whole when it was opened. Never changes.
	verified bool
	// damaged is set by whoever notices; the indexer then replaces the file.
	damaged atomic.Bool

	closeOnce sync.Once
}

// openFile opens the index at path, or makes an empty one. It fails with
// errDamaged when what is there is not a whole index of this release.
func openFile(path string, readers int, verifyBytes int64) (*file, error) {
	_, err := os.Stat(path)
	absent := errors.Is(err, fs.ErrNotExist)
	if err != nil && !absent {
		return nil, err
	}
	// synchronous(NORMAL) with WAL: a commit is atomic and ordered but not
	// synced. See writer.sync. The log may grow to 32 MB before it is copied back:
	// at the default of 4 MB a fifth of the CPU goes into copying the same pages
	// again and again.
	if !absent {
		if err := checkWAL(path); err != nil {
			return nil, err
		}
	}
	c, err := openConn(path, "journal_mode(WAL)", "synchronous(NORMAL)", "cache_size(-16000)", "wal_autocheckpoint(8000)")
	if err != nil {
		return nil, asDamage(err)
	}
	f := new(file)
	if err := f.prepare(c, path, absent, readers, verifyBytes); err != nil {
		return nil, errors.Join(asDamage(err), c.close())
	}
	return f, nil
}

// asDamage wraps errDamaged round what SQLite calls corrupt, and round what an
// index that is whole never makes it say when it is opened.
func asDamage(err error) error {
	if (isDamage(err) || isOdd(err)) && !errors.Is(err, errDamaged) {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	return err
}

func (f *file) prepare(c *conn, path string, absent bool, readers int, verifyBytes int64) (err error) {
	if absent {
		err = create(c)
	} else if err = recognise(c); err == nil && sizeOf(path) <= verifyBytes {
		err = verify(context.Background(), c, nil)
	}
	f.verified = absent || sizeOf(path) <= verifyBytes
	if err != nil {
		return err
	}
	state, err := c.number("SELECT complete FROM state")
	if err != nil {
		return err
	}
	f.complete.Store(state == complete)
	if f.writer, err = newWriter(c); err != nil {
		return err
	}
	if err := f.writer.written.open(c, path); err != nil {
		return err
	}
	name, err := dataSource(path, "query_only(1)", "cache_size(-8000)")
	if err != nil {
		return err
	}
	if f.readers, err = sql.Open("sqlite", name); err != nil {
		return err
	}
	f.readers.SetMaxOpenConns(readers)
	f.readers.SetMaxIdleConns(readers)
	return nil
}

func create(c *conn) error {
	if err := c.exec("BEGIN IMMEDIATE;" + schema + statistics); err != nil {
		return err
	}
	return c.exec("PRAGMA application_id=" + strconv.Itoa(applicationID) + "; PRAGMA user_version=" + strconv.Itoa(schemaVersion) + "; COMMIT")
}

// recognise makes sure that the file is ours and of this release.
func recognise(c *conn) error {
	id, err := c.number("PRAGMA application_id")
	if err != nil {
		return err
	}
	version, err := c.number("PRAGMA user_version")
	if err != nil {
		return err
	}
	if id != applicationID || version != schemaVersion {
		return fmt.Errorf("%w: application id %#x version %d, want %#x version %d", errDamaged, id, version, applicationID, schemaVersion)
	}
	return sameSchema(c)
}

// close may be called again; it then does nothing.
func (f *file) close() (err error) {
	f.closeOnce.Do(func() { err = errors.Join(f.readers.Close(), f.writer.close()) })
	return err
}

// setAside renames a damaged file, for whoever wants to look at it; the one
// before it is overwritten.
func setAside(path string) error {
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Rename(path, path+".damaged"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// slotPositions are how far the index got in each slot, by its number; 0 where
// nothing came from. nil: nothing came at all.
type slotPositions []uint64

func (p *slotPositions) note(slot store.Slot, sequence uint64) {
	if *p == nil {
		*p = make(slotPositions, store.Slots+1) // and the one of the system
	}
	(*p)[slot] = max((*p)[slot], sequence)
}

func (p *slotPositions) merge(other slotPositions) {
	for slot, sequence := range other {
		p.note(store.Slot(slot), sequence)
	}
}
