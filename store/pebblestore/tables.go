package pebblestore

import (
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"

	"github.com/perdure/perdure/store"
)

// The list of tables (Pebble's MANIFEST) is a log of changes, each synced before
// anything depends on it. Pebble reads it up to the first record that does not
// check out, whatever lies behind: a damaged middle would lose the tables, and
// the deletion of logs, that the rest of the list speaks of, silently. So we read
// it first, as we do with the log of batches. A record that does not check out
// is the torn last one of a crash, which nothing depends on, unless another is
// intact behind it or one bit explains it.

// checkTables reads the list of tables in force and returns store.ErrCorrupt if
// it is damaged.
func checkTables(fs vfs.FS, dir string) error {
	name, err := atomicfs.ReadMarker(fs, dir, "manifest")
	if err != nil {
		return fmt.Errorf("find the list of tables: %w", err)
	}
	if name == "" {
		return fmt.Errorf("%w: %s names no list of tables; restore from a checkpoint", store.ErrCorrupt, dir)
	}
	list, err := readWhole(fs, fs.PathJoin(dir, name))
	if err != nil {
		return fmt.Errorf("read the list of tables %s: %w", name, err)
	}
	if at, damaged := listDamage(list); damaged {
		return fmt.Errorf("list of tables %s at byte %d: %w: it was whole once; restore from a checkpoint", name, at, store.ErrCorrupt)
	}
	return nil
}

// listDamage returns where a list of tables stops checking out, and whether
// changes in force were lost there.
func listDamage(list []byte) (offset int, damaged bool) {
	format := chunkFormat{list: true}
	at, open := 0, false
	for at < len(list) {
		if left := blockBytes - at%blockBytes; left < listHeaderBytes {
			at += left // padding, which Pebble does not read
			continue
		}
		c, ok := format.chunk(list, at)
		if starts := c.part == partFull || c.part == partFirst; !ok || starts == open {
			break
		}
		at, open = c.end, c.part == partFirst || c.part == partMiddle
	}
	if at == 0 {
		return 0, true // the first record is synced before the list is put in force
	}
	if at >= len(list) {
		return at, false
	}
	if format.oneBitOff(list, at) {
		return at, true
	}
	for behind := at + 1; behind < len(list); behind++ {
		if c, ok := format.chunk(list, behind); ok && (c.part == partFull || c.part == partFirst) {
			return at, true
		}
	}
	return at, false
}

func readWhole(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(f)
	return content, errors.Join(err, f.Close())
}
