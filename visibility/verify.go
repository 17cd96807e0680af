package visibility

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
)

// What a list shows is covered by a row's checksum and checked when it is read.
// That does not help a row that is not found because the entry of an index has
// rotted, nor a condition on a column that is not shown. So a file is verified as
// a whole when it is opened: SQLite compares every entry of an index with its
// row, and columns that are in no index are compared with the details, which the
// checksum covers.

// maxVerifyBytes bounds what is verified before the first list is answered, at
// about 10 ms a megabyte. A larger index is verified beside its work, a little
// later: what fell due while the server was down goes first. Until that is done
// its rows are checked as they are listed.
const maxVerifyBytes = 32 << 20

// sizeOf is that of the file and its log.
func sizeOf(path string) (total int64) {
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(path + suffix); err == nil {
			total += info.Size()
		}
	}
	return total
}

// verifyBeside verifies a file that was too large to be verified when it was
// opened. The channel is closed when it is done, which ctx's end hastens.
func (x *Index) verifyBeside(ctx context.Context, f *file) <-chan struct{} {
	done := make(chan struct{})
	if f.verified {
		close(done)
		return done
	}
	go func() {
		defer close(done)
		if x.rest(ctx, x.options.verifyAfter); ctx.Err() != nil {
			return
		}
		c, err := openConn(x.options.Path, "query_only(1)")
		if err == nil {
			err = errors.Join(verify(ctx, c, func(worked time.Duration) { x.rest(ctx, 3*worked) }), c.close())
		}
		if isDamage(err) {
			x.options.Log.Error("visibility index", "doing", "verify", "error", err)
			f.damaged.Store(true)
			x.feed.kick()
		} else if err != nil && ctx.Err() == nil {
			x.options.Log.Warn("visibility index cannot be verified", "error", err)
		}
	}()
	return done
}

// rest waits that long, or until ctx ends.
func (x *Index) rest(ctx context.Context, d time.Duration) {
	over := make(chan struct{})
	timer := x.options.Clock.AfterFunc(d, func() { close(over) })
	defer timer.Stop()
	select {
	case <-over:
	case <-ctx.Done():
	}
}

// verifiedAtOnce is how many rows are read in one go: a reader keeps SQLite from
// beginning its log anew.
const verifiedAtOnce = 2000

// verify reads the whole file and returns errDamaged with the first thing that
// is wrong. Between two pieces of work it calls rest, if there is one, with what
// the last took.
func verify(ctx context.Context, c *conn, rest func(worked time.Duration)) error {
	said, err := c.text(ctx, "PRAGMA integrity_check(1)")
	if err != nil {
		return err
	}
	if said != "ok" {
		return fmt.Errorf("%w: %s", errDamaged, said)
	}
	for last, n := int64(0), verifiedAtOnce; n == verifiedAtOnce; {
		began := time.Now()
		n = 0
		err := c.each(ctx, fmt.Sprintf(verifiedRows, last, verifiedAtOnce), func(v []driver.Value) error {
			n++
			last, _ = v[len(v)-1].(int64) // SQLite has a number there and nothing else
			return verifyRow(v)
		})
		if err != nil {
			return err
		}
		if rest != nil {
			rest(time.Since(began))
		}
	}
	return nil
}

// verifiedRows are some behind an id, as verifyRow takes them, with their ids.
const verifiedRows = `SELECT archetype, run_id, workflow_id, close, start, status, version, details, checksum, task_queue, execution, duration,
 history_length, history_size, transitions, parent_run_id, root_run_id, id FROM run WHERE id > %d ORDER BY id LIMIT %d`

// verifyRow checks a row of the query above.
func verifyRow(v []driver.Value) error {
	l, archetype, sum, err := listedOf(v)
	if err != nil {
		return err
	}
	if int64(checksum(nil, l)) != sum {
		return fmt.Errorf("%w: row of run %s: its checksum does not match", errDamaged, l.runID)
	}
	want, err := unlisted(archetype, l.details)
	if err != nil {
		return fmt.Errorf("%w: row of run %s: %w", errDamaged, l.runID, err)
	}
	const first = 9 // task_queue
	if !slices.Equal(v[first:first+len(want)], want) {
		return fmt.Errorf("%w: row of run %s: its columns do not match its details", errDamaged, l.runID)
	}
	return nil
}

func listedOf(v []driver.Value) (l listed, archetype engine.Archetype, sum int64, err error) {
	var workflowID string
	var kind int64
	for i, into := range []any{&kind, &l.runID, &workflowID, &l.close, &l.start, &l.status, &l.version, &l.details, &sum} {
		ok := false
		switch into := into.(type) {
		case *int64:
			*into, ok = v[i].(int64)
		case *string:
			*into, ok = v[i].(string)
		case *[]byte:
			*into, ok = v[i].([]byte)
		}
		if !ok {
			return l, 0, 0, fmt.Errorf("%w: a %T in column %d of a row", errDamaged, v[i], i)
		}
	}
	return l, engine.Archetype(kind), sum, nil
}

// unlisted are the columns that neither the checksum nor an index covers, from
// the details: task queue, execution time, duration, history length and size,
// transitions, the run ids of parent and root.
func unlisted(archetype engine.Archetype, details []byte) ([]driver.Value, error) {
	if archetype == engine.ArchetypeActivity {
		var info activitypb.ActivityExecutionListInfo
		if err := proto.Unmarshal(details, &info); err != nil {
			return nil, err
		}
		return activityUnlisted(&info), nil
	}
	var info workflowpb.WorkflowExecutionInfo
	if err := proto.Unmarshal(details, &info); err != nil {
		return nil, err
	}
	v := []driver.Value{info.TaskQueue, info.ExecutionTime.AsTime().UnixMicro(), nil, nil, nil, nil, nil, nil}
	if closed(info.Status) {
		v[2], v[3], v[4], v[5] = int64(info.ExecutionDuration.AsDuration()), info.HistoryLength, info.HistorySizeBytes, info.StateTransitionCount
	}
	if info.ParentExecution != nil {
		v[6] = info.ParentExecution.RunId
	}
	if root := info.RootExecution; root.GetRunId() != info.Execution.GetRunId() {
		v[7] = root.GetRunId()
	}
	return v, nil
}

// sameSchema returns errDamaged unless the file's tables and indexes are those
// of this release, to the letter.
func sameSchema(c *conn) error {
	want := slices.Clone(statisticsTables)
	for _, statement := range strings.Split(schema, ";\n") {
		if text := strings.TrimSpace(statement); strings.HasPrefix(text, "CREATE") {
			want = append(want, text)
		}
	}
	var got []string
	err := c.each(context.Background(), "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL", func(v []driver.Value) error {
		text, _ := v[0].(string)
		got = append(got, text)
		return nil
	})
	if err != nil {
		return err
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		return fmt.Errorf("%w: its tables are not those of this release", errDamaged)
	}
	return nil
}

// each calls visit with every row of a query; the values are its own.
func (c *conn) each(ctx context.Context, text string, visit func([]driver.Value) error) (err error) {
	s, err := c.prepare(text)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	rows, err := s.raw.(driver.StmtQueryContext).QueryContext(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for {
		values := make([]driver.Value, len(rows.Columns()))
		if err := rows.Next(values); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := visit(values); err != nil {
			return err
		}
	}
}

// text returns the first column of the first row of a query.
func (c *conn) text(ctx context.Context, query string) (found string, err error) {
	err = c.each(ctx, query, func(v []driver.Value) error {
		if text, ok := v[0].(string); ok && found == "" {
			found = text
		}
		return nil
	})
	return found, err
}

func activityUnlisted(info *activitypb.ActivityExecutionListInfo) []driver.Value {
	v := []driver.Value{info.TaskQueue, info.ExecutionTime.AsTime().UnixMicro(), nil, nil, nil, nil, nil, nil}
	if info.CloseTime != nil {
		v[2], v[3], v[4], v[5] = int64(info.ExecutionDuration.AsDuration()), int64(0), info.StateSizeBytes, info.StateTransitionCount
	}
	return v
}
