package visibility

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	activitypb "go.temporal.io/api/activity/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
)

// ErrDamaged: the index is not what was written. It is built anew at the next
// start.
var ErrDamaged = errDamaged

// Examination is the index of a stopped server, opened to be looked at. Nothing
// beside it is changed: one that a killed server left with a log is copied first.
type Examination struct {
	// Complete: every execution had been fed in. Else the next start builds the
	// index anew, and there is nothing to examine.
	Complete bool

	db     *sql.DB
	folder string // of the copy; empty for none
}

// Examine verifies the whole index at path and opens it. It fails with
// fs.ErrNotExist when there is none, and with ErrDamaged.
func Examine(ctx context.Context, path string) (*Examination, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	if err := checkWAL(path); err != nil {
		return nil, err
	}
	e := &Examination{}
	name, err := e.reachable(path)
	if err == nil {
		err = e.open(ctx, name)
	}
	if err != nil {
		return nil, errors.Join(asDamage(err), e.Close())
	}
	return e, nil
}

// reachable returns a data source that reads the index and leaves its folder
// alone.
func (e *Examination) reachable(path string) (string, error) {
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
		if e.folder, err = os.MkdirTemp("", "perdure-doctor-"); err != nil {
			return "", err
		}
		from := os.DirFS(filepath.Dir(path))
		for _, suffix := range []string{"", "-wal"} {
			content, err := fs.ReadFile(from, filepath.Base(path)+suffix)
			if err != nil {
				return "", err
			}
			if err := os.WriteFile(filepath.Join(e.folder, "v.db"+suffix), content, 0o600); err != nil {
				return "", err
			}
		}
		return dataSource(filepath.Join(e.folder, "v.db"))
	}
	absolute, err := filepath.Abs(path)
	return "file:" + (&url.URL{Path: filepath.ToSlash(absolute)}).EscapedPath() + "?mode=ro&immutable=1", err
}

func (e *Examination) open(ctx context.Context, name string) error {
	c, err := openNamed(name)
	if err != nil {
		return err
	}
	state := int64(0)
	if err = recognise(c); err == nil {
		if err = verify(ctx, c, nil); err == nil {
			state, err = c.number("SELECT complete FROM state")
		}
	}
	if err := errors.Join(err, c.close()); err != nil {
		return err
	}
	e.Complete = state == complete
	e.db, err = sql.Open("sqlite", name)
	if err == nil {
		err = e.db.PingContext(ctx)
	}
	return err
}

// Epoch is that of the newest owner of any slots whose changes the index has: the
// upper half of a sequence.
func (e *Examination) Epoch(ctx context.Context) (epoch uint64, err error) {
	var sequence sql.NullInt64
	err = e.db.QueryRowContext(ctx, "SELECT max(sequence) FROM position").Scan(&sequence)
	return uint64(sequence.Int64) >> 32, err //nolint:gosec // sequences are positive
}

// Close gives the index up.
func (e *Examination) Close() (err error) {
	if e.db != nil {
		err = e.db.Close()
	}
	if e.folder != "" {
		err = errors.Join(err, os.RemoveAll(e.folder))
	}
	return err
}

// Entry is a row of the index.
type Entry struct {
	Run     engine.RunKey
	Version int64
	details []byte
}

// Shows reports whether the row says what the record does, whatever their
// versions.
func (r Entry) Shows(record *engine.VisibilityRecord) (bool, error) {
	var got proto.Message = new(workflowpb.WorkflowExecutionInfo)
	if r.Run.Archetype == engine.ArchetypeActivity {
		got = new(activitypb.ActivityExecutionListInfo)
	}
	if err := proto.Unmarshal(r.details, got); err != nil {
		return false, fmt.Errorf("%w: row of run %s: %w", errDamaged, r.Run.RunID, err)
	}
	return proto.Equal(got, details(record)), nil
}

const selectEntry = `SELECT n.uuid, r.archetype, r.workflow_id, r.run_id, r.version, r.details FROM run r JOIN namespace n ON n.id = r.namespace`

// Find returns the row of a run; ok is false when there is none.
func (e *Examination) Find(ctx context.Context, run engine.RunKey) (found Entry, ok bool, err error) {
	err = e.each(ctx, func(r Entry) error { found, ok = r, true; return nil },
		selectEntry+` WHERE r.run_id = ? AND n.uuid = ? AND r.archetype = ? AND r.workflow_id = ?`,
		run.RunID, run.NamespaceID, int64(run.Archetype), run.Name)
	return found, ok, err
}

// Each calls visit with every row, in no order, until it fails.
func (e *Examination) Each(ctx context.Context, visit func(Entry) error) error {
	return e.each(ctx, visit, selectEntry)
}

func (e *Examination) each(ctx context.Context, visit func(Entry) error, query string, args ...any) (err error) {
	rows, err := e.db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r Entry
		if err := rows.Scan(&r.Run.NamespaceID, &r.Run.Archetype, &r.Run.Name, &r.Run.RunID, &r.Version, &r.details); err != nil {
			return err
		}
		if err := visit(r); err != nil {
			return err
		}
	}
	return rows.Err()
}
