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
	formatName = "FORMAT" // one line: formatLine
	ownerName  = "OWNER"  // process id of whoever holds, or last held, the lock
	dbName     = "store"  // Pebble's own files
)

// FormatVersion is the version of the folder's layout, keys and driver rows. It
// grows with any change that an older server would misread.
const FormatVersion = 1

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

// checkFormat returns the format version of the folder, 0 if it has none. It
// only reads.
func checkFormat(fs vfs.FS, dir string) (int, error) {
	content, err := readFile(fs, fs.PathJoin(dir, formatName))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the format of data folder %s: %w", dir, err)
	}
	version, err := parseFormat(content)
	if err != nil {
		return 0, fmt.Errorf("data folder %s: %w", dir, err)
	}
	if version > FormatVersion {
		return 0, fmt.Errorf("data folder %s: %w: it has %d, known is %d", dir, ErrNewerFormat, version, FormatVersion)
	}
	return version, nil
}

// claim makes the folder ours: it checks the format before anything is touched,
// takes the lock, and leaves our process id beside it.
func claim(o Options) (*pebble.Lock, error) {
	if _, err := checkFormat(o.FS, o.Dir); err != nil {
		return nil, err
	}
	db := o.FS.PathJoin(o.Dir, dbName)
	if err := o.FS.MkdirAll(db, 0o750); err != nil {
		return nil, fmt.Errorf("create data folder %s: %w", o.Dir, err)
	}
	lock, err := pebble.LockDirectory(db, o.FS)
	if err != nil {
		return nil, inUse(o, err)
	}
	if err := settle(o, db); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
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

// settle writes the owner, and the format of a folder that is new.
func settle(o Options, db string) error {
	version, err := checkFormat(o.FS, o.Dir) // again: now nobody else can change it
	if err != nil {
		return err
	}
	if version == 0 {
		if err := checkNew(o, db); err != nil {
			return err
		}
		if err := writeFile(o.FS, o.Dir, formatName, formatLine(FormatVersion)); err != nil {
			return fmt.Errorf("write the format of data folder %s: %w", o.Dir, err)
		}
		// The folder itself must outlive a power cut as well.
		if err := syncDir(o.FS, o.FS.PathDir(o.Dir)); err != nil {
			return fmt.Errorf("sync the parent of data folder %s: %w", o.Dir, err)
		}
	}
	if err := writeFile(o.FS, o.Dir, ownerName, strconv.Itoa(o.ProcessID)+"\n"); err != nil {
		return fmt.Errorf("write the owner of data folder %s: %w", o.Dir, err)
	}
	return nil
}

// checkNew refuses a folder without a format that has a database all the same:
// its format file was lost, and guessing one could destroy it.
func checkNew(o Options, db string) error {
	names, err := o.FS.List(db)
	if err != nil {
		return fmt.Errorf("list %s: %w", db, err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, "MANIFEST-") {
			return fmt.Errorf("data folder %s has a database but no file %s; it is not touched", o.Dir, formatName)
		}
	}
	return nil
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
