package visibility

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"

	"modernc.org/sqlite"
)

// conn is a connection used without database/sql, which costs a third of the CPU
// of an insert (80 instead of 57 microseconds a row). It is for one goroutine.
type conn struct {
	raw driver.Conn
}

// The results of SQLite we tell apart.
const (
	sqliteError       = 1
	sqliteReadOnly    = 8
	sqliteCorrupt     = 11
	sqliteTooBig      = 18
	sqliteConstraint  = 19
	sqliteMismatch    = 20
	sqliteFormat      = 24
	sqliteNotADB      = 26
	primaryResultMask = 0xff
)

// isDamage reports whether an error means that the file is not what we wrote.
func isDamage(err error) bool {
	var e *sqlite.Error
	if errors.As(err, &e) {
		code := e.Code() & primaryResultMask
		return code == sqliteCorrupt || code == sqliteNotADB
	}
	return errors.Is(err, errDamaged)
}

// isOdd reports whether SQLite cannot make sense of a file: a statement that does
// not fit its tables, a version it cannot write, a value where none can be.
func isOdd(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & primaryResultMask {
	case sqliteError, sqliteReadOnly, sqliteTooBig, sqliteConstraint, sqliteMismatch, sqliteFormat:
		return true
	}
	return false
}

// errDamaged: what was read is not what was written.
var errDamaged = errors.New("the visibility index is damaged")

// dataSource names the file and what every connection to it is set to. WAL lets
// readers go on while a batch is written. Temporary tables of sorting stay in
// memory.
func dataSource(path string, pragmas ...string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("path of the visibility index: %w", err)
	}
	query := url.Values{"_pragma": append([]string{"busy_timeout(10000)", "temp_store(MEMORY)"}, pragmas...)}
	return "file:" + (&url.URL{Path: filepath.ToSlash(absolute)}).EscapedPath() + "?" + query.Encode(), nil
}

func openConn(path string, pragmas ...string) (*conn, error) {
	name, err := dataSource(path, pragmas...)
	if err != nil {
		return nil, err
	}
	return openNamed(name)
}

// openNamed opens a data source.
func openNamed(name string) (*conn, error) {
	raw, err := (&sqlite.Driver{}).Open(name)
	if err != nil {
		return nil, err
	}
	return &conn{raw: raw}, nil
}

func (c *conn) close() error { return c.raw.Close() }

// exec runs statements without arguments.
func (c *conn) exec(text string) error {
	_, err := c.raw.(driver.ExecerContext).ExecContext(context.Background(), text, nil)
	return err
}

func (c *conn) prepare(text string) (*stmt, error) {
	raw, err := c.raw.Prepare(text)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", text, err)
	}
	return &stmt{raw: raw}, nil
}

// number returns the first column of the first row of a query, 0 without one.
func (c *conn) number(text string) (int64, error) {
	s, err := c.prepare(text)
	if err != nil {
		return 0, err
	}
	defer func() { _ = s.close() }()
	n, _, err := s.number()
	return n, err
}

// stmt is a prepared statement.
type stmt struct {
	raw  driver.Stmt
	args []driver.NamedValue // kept to allocate once
}

func (s *stmt) close() error { return s.raw.Close() }

func (s *stmt) named(args []driver.Value) []driver.NamedValue {
	s.begin()
	s.add(args...)
	return s.args
}

func (s *stmt) exec(args ...driver.Value) error {
	_, err := s.raw.(driver.StmtExecContext).ExecContext(context.Background(), s.named(args))
	return err
}

// begin, add and run are exec for many arguments. run also returns the id of the
// last row put in, ever, and how many rows were changed.
func (s *stmt) begin() { s.args = s.args[:0] }

func (s *stmt) add(args ...driver.Value) {
	for _, value := range args {
		s.args = append(s.args, driver.NamedValue{Ordinal: len(s.args) + 1, Value: value})
	}
}

func (s *stmt) run() (last, changed int64, err error) {
	result, err := s.raw.(driver.StmtExecContext).ExecContext(context.Background(), s.args)
	if err != nil {
		return 0, 0, err
	}
	last, err = result.LastInsertId()
	if err == nil {
		changed, err = result.RowsAffected()
	}
	return last, changed, err
}

// number returns the first column of the first row; ok is false without a row.
func (s *stmt) number(args ...driver.Value) (n int64, ok bool, err error) {
	rows, err := s.raw.(driver.StmtQueryContext).QueryContext(context.Background(), s.named(args))
	if err != nil {
		return 0, false, err
	}
	defer func() {
		if closeErr := rows.Close(); err == nil {
			err = closeErr
		}
	}()
	first := make([]driver.Value, len(rows.Columns()))
	switch err := rows.Next(first); {
	case errors.Is(err, io.EOF):
		return 0, false, nil
	case err != nil:
		return 0, false, err
	}
	n, ok = first[0].(int64)
	if !ok {
		return 0, false, fmt.Errorf("%w: a %T where a number belongs", errDamaged, first[0])
	}
	return n, true, nil
}
