package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/perdure/perdure/store"
)

// Inspection is a data folder that was opened to be looked at, and locked
// against a server meanwhile. It writes nothing: the log is replayed into memory
// only. (Lock files that are missing are made; they are empty.)
type Inspection struct {
	fs   vfs.FS
	dir  string // of the database
	db   *pebble.DB
	lock io.Closer
	// Version of the folder's format.
	Version int
}

// ErrNoDatabase: there is nothing to inspect in the folder.
var ErrNoDatabase = errors.New("there is no database in the folder")

// Inspect opens the folder of a stopped server. It fails with ErrNoDatabase,
// with ErrInUse while a server has it, with ErrNewerFormat, and with
// store.ErrCorrupt when a server would not start on it either.
func Inspect(o Options) (*Inspection, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = absolute(o.withDefaults())
	version, err := examine(o)
	if err != nil {
		return nil, err
	}
	if version == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNoDatabase, o.Dir)
	}
	lock, err := o.FS.Lock(o.FS.PathJoin(o.Dir, lockName))
	if err != nil {
		return nil, inUse(o, err)
	}
	i := &Inspection{fs: o.FS, dir: o.FS.PathJoin(o.Dir, dbName), lock: lock, Version: version}
	if err := i.open(o); err != nil {
		return nil, errors.Join(fmt.Errorf("inspect data folder %s: %w", o.Dir, err), lock.Close())
	}
	return i, nil
}

func (i *Inspection) open(o Options) error {
	if err := errors.Join(checkTables(i.fs, i.dir), checkTail(i.fs, i.dir)); err != nil {
		return err
	}
	d := &Driver{opt: o, fault: &fault{gone: make(chan struct{})}, guard: &guardFS{}}
	options := d.pebbleOptions(i.fs)
	options.ReadOnly = true
	db, err := pebble.Open(i.dir, options)
	if err != nil {
		return mapError(err)
	}
	i.db = db
	return nil
}

// Close releases the folder.
func (i *Inspection) Close() error { return errors.Join(i.db.Close(), i.lock.Close()) }

// Epoch is the largest that was given out; 0 for none.
func (i *Inspection) Epoch() (uint64, error) {
	value, closer, err := i.db.Get(epochKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, mapError(err)
	}
	epoch, err := decodeEpoch(value)
	return epoch, errors.Join(err, closer.Close())
}

// Scan visits entries as store.Shard does, in any slots and of any family.
func (i *Inspection) Scan(ctx context.Context, from, to store.Key, visit func(store.Entry) bool) error {
	it, err := i.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: appendKey(nil, from), UpperBound: appendKey(nil, to)})
	if err != nil {
		return mapError(err)
	}
	return errors.Join(visitAll(ctx, it, visit), mapError(it.Close()))
}

// Occupied are the slots in which a family has rows; with an error, those that
// were found before it.
func (i *Inspection) Occupied(family store.Family) (slots []store.Slot, err error) {
	it, err := i.db.NewIter(&pebble.IterOptions{LowerBound: []byte{byte(family)}, UpperBound: []byte{byte(family) + 1}})
	if err != nil {
		return nil, mapError(err)
	}
	for valid := it.First(); valid; {
		key, err := parseKey(it.Key())
		if err != nil {
			return slots, errors.Join(err, it.Close())
		}
		slots = append(slots, key.Slot)
		valid = it.SeekGE(appendKey(nil, store.Key{Family: family, Slot: key.Slot + 1}))
	}
	return slots, errors.Join(mapError(it.Error()), it.Close())
}

// Rows is how many rows there are of the families that a server of this release
// does not know.
func (i *Inspection) Rows(ctx context.Context, from store.Family) (n int, err error) {
	to := store.Key{Family: 255, Slot: ^store.Slot(0)}
	err = i.Scan(ctx, store.Key{Family: from}, to, func(store.Entry) bool { n++; return true })
	return n, err
}

// Table is a file of rows.
type Table struct {
	Name      string
	SizeBytes uint64
	// From and To bound its rows.
	From, To store.Key
	// Err says what is damaged; nil when every block of it checks out.
	Err error
}

// Tables reads every table in force and checks all of it.
func (i *Inspection) Tables(ctx context.Context, visit func(Table)) error {
	levels, err := i.db.SSTables()
	if err != nil {
		return mapError(err)
	}
	for _, level := range levels {
		for _, info := range level {
			if err := ctx.Err(); err != nil {
				return err
			}
			t := Table{Name: info.BackingSSTNum.String() + ".sst", SizeBytes: info.Size}
			from, errFrom := parseKey(info.Smallest.UserKey)
			to, errTo := parseKey(info.Largest.UserKey)
			t.From, t.To = from, to
			t.Err = errors.Join(errFrom, errTo, i.checkTable(ctx, t.Name))
			visit(t)
		}
	}
	return nil
}

func (i *Inspection) checkTable(ctx context.Context, name string) error {
	f, err := i.fs.Open(i.fs.PathJoin(i.dir, name))
	if err != nil {
		return err
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	return mapError(validate(ctx, readable))
}

func validate(ctx context.Context, readable objstorage.Readable) error {
	r, err := sstable.NewReader(ctx, readable, sstable.ReaderOptions{})
	if err != nil {
		return errors.Join(err, readable.Close())
	}
	return errors.Join(r.ValidateBlockChecksums(), r.Close())
}
