package pebblestore

import (
	"errors"
	"fmt"
	"os"

	"github.com/cockroachdb/pebble/v2"
)

// Checkpoint makes a data folder of its own at target, which must not exist,
// with everything that was durable when the call began. The server keeps
// running meanwhile. On the same disk tables are linked, not copied, so it takes
// little time and space; to be a backup the folder must then be copied to another disk.
//
// A server started on the folder goes on from there. After a failure the
// target is incomplete: the database in it gets its name last.
func (d *Driver) Checkpoint(target string) error {
	if err := d.begin(); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	defer d.reads.Done()
	fs := d.opt.FS
	switch _, err := fs.Stat(target); {
	case err == nil:
		return fmt.Errorf("checkpoint: folder %s exists", target)
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := fs.MkdirAll(target, 0o750); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	fresh := fs.PathJoin(target, dbName+".new")
	err := d.fault.call(func() error { return mapError(d.db.Checkpoint(fresh, pebble.WithFlushedWAL())) })
	if err == nil {
		err = publish(fs, target, fresh, fs.PathJoin(target, dbName))
	}
	if err != nil {
		return fmt.Errorf("checkpoint to %s: %w", target, err)
	}
	return nil
}
