package pebblestore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// What lies in the data folder. docs/format/store.md describes it.
const (
	lockName   = "LOCK"   // locked by the process that has the folder open
	ownerName  = "OWNER"  // process id of whoever holds, or last held, the lock
	dbName     = "db"     // the database: Pebble's files and the format
	formatName = "FORMAT" // in the database: one line, formatLine
)

// FormatVersion is the version of the folder's layout, keys and driver rows. It
// grows with any change that an older server would misread. Version 2: rows of a
// run are named by its run id (package record).
const FormatVersion = 2

// ErrNewerFormat: the folder was written by a newer server. It was not touched.
var ErrNewerFormat = errors.New("the data folder has a newer format than this server knows")

// ErrInUse: another process (or this one) has the folder open.
var ErrInUse = errors.New("the data folder is in use")

// formatLine is the content of the format file.
func formatLine(version int) string { return fmt.Sprintf("perdure store %d\n", version) }

// parseFormat returns the version that a format file names.
func parseFormat(content []byte) (int, error) {
	text, ok := strings.CutPrefix(string(content), "perdure store ")
	digits, end := strings.CutSuffix(text, "\n")
	version, err := strconv.Atoi(digits)
	if !ok || !end || err != nil || version < 1 || formatLine(version) != string(content) {
		return 0, fmt.Errorf("not a format file: %.40q", content)
	}
	return version, nil
}

// examine returns the format version of the folder, 0 if it has no database
// yet. It only reads.
func examine(o Options) (int, error) {
	db := o.FS.PathJoin(o.Dir, dbName)
	names, err := o.FS.List(db)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("look into data folder %s: %w", o.Dir, err)
	case len(names) == 0:
		return 0, nil
	}
	content, err := readFile(o.FS, o.FS.PathJoin(db, formatName))
	if errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("data folder %s has a database without a file %s; it is not touched", o.Dir, formatName)
	}
	if err != nil {
		return 0, fmt.Errorf("read the format of data folder %s: %w", o.Dir, err)
	}
	version, err := parseFormat(content)
	if err != nil {
		return 0, fmt.Errorf("data folder %s: %w", o.Dir, err)
	}
	if version > FormatVersion {
		return 0, fmt.Errorf("data folder %s: %w: it has %d, known is %d", o.Dir, ErrNewerFormat, version, FormatVersion)
	}
	return version, nil
}

// claim makes the folder ours: it checks the format before anything is touched,
// takes the lock, and leaves our process id beside it. It returns the lock.
func claim(o Options) (io.Closer, error) {
	if _, err := examine(o); err != nil {
		return nil, err
	}
	if err := o.FS.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("create data folder %s: %w", o.Dir, err)
	}
	lock, err := o.FS.Lock(o.FS.PathJoin(o.Dir, lockName))
	if err != nil {
		return nil, inUse(o, err)
	}
	if err := writeFile(o.FS, o.Dir, ownerName, strconv.Itoa(o.ProcessID)+"\n"); err != nil {
		return nil, errors.Join(fmt.Errorf("write the owner of data folder %s: %w", o.Dir, err), lock.Close())
	}
	return lock, nil
}

// create makes an empty database, so that after a power cut there is a whole
// one or none: it is made under another name and then renamed. Pebble alone
// does not see to that: its first files depend on each other, and a file system
// may keep some of them.
func create(o Options, p *pebble.Options) error {
	fresh, db := o.FS.PathJoin(o.Dir, dbName+".new"), o.FS.PathJoin(o.Dir, dbName)
	if err := o.FS.RemoveAll(fresh); err != nil {
		return err
	}
	empty, err := pebble.Open(fresh, p)
	if err != nil {
		return err
	}
	if err := empty.Close(); err != nil {
		return err
	}
	return publish(o.FS, o.Dir, fresh, db)
}

// publish completes a database under a provisional name with its format and
// gives it its real one, both durably.
func publish(fs vfs.FS, dir, fresh, db string) error {
	if err := writeFile(fs, fresh, formatName, formatLine(FormatVersion)); err != nil {
		return err
	}
	if err := fs.Rename(fresh, db); err != nil {
		return err
	}
	if err := syncDir(fs, dir); err != nil {
		return err
	}
	return syncDir(fs, fs.PathDir(dir)) // the folder itself may be new
}

// inUse says who holds the lock.
func inUse(o Options, cause error) error {
	owner, err := readFile(o.FS, o.FS.PathJoin(o.Dir, ownerName))
	pid := strings.TrimSpace(string(owner))
	if _, bad := strconv.Atoi(pid); err != nil || bad != nil {
		return fmt.Errorf("%w: data folder %s is in use by another process (%w)", ErrInUse, o.Dir, cause)
	}
	return fmt.Errorf("%w: data folder %s is in use by process %s (%w)", ErrInUse, o.Dir, pid, cause)
}

func readFile(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(f, 4096))
	return content, errors.Join(err, f.Close())
}

// writeFile puts a small file in place so that after a power cut it is either
// absent, the old one or the new one, whole.
func writeFile(fs vfs.FS, dir, name, content string) error {
	temp := fs.PathJoin(dir, name+".new")
	f, err := fs.Create(temp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if _, err := f.Write([]byte(content)); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := fs.Rename(temp, fs.PathJoin(dir, name)); err != nil {
		return err
	}
	return syncDir(fs, dir)
}

func syncDir(fs vfs.FS, dir string) error {
	f, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// absolute makes error texts name the folder in full.
func absolute(o Options) Options {
	if o.FS == vfs.Default {
		if full, err := filepath.Abs(o.Dir); err == nil {
			o.Dir = full
		}
	}
	return o
}
