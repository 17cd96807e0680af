package pebblestore

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/perdure/perdure/store"
)

// fault is the end of the database in this process: set once, never taken back.
type fault struct {
	once sync.Once
	gone chan struct{} // closed by set
	err  error         // valid once gone is closed
}

func (f *fault) set(err error) {
	f.once.Do(func() {
		f.err = err
		close(f.gone)
	})
}

// get returns the reason, or nil.
func (f *fault) get() error {
	select {
	case <-f.gone:
		return f.err
	default:
		return nil
	}
}

// call runs work that Pebble may never return from, on a goroutine of its own.
// When the database ends meanwhile the goroutine is left behind; the process is
// about to stop. A panic, which is how Pebble ends a write to a log that has
// failed before, counts as the end as well.
func (f *fault) call(work func() error) error {
	if err := f.get(); err != nil {
		return fmt.Errorf("%w: %w", store.ErrClosed, err)
	}
	done := make(chan error, 1)
	go func() { done <- f.catch(work) }()
	select {
	case err := <-done:
		return err
	case <-f.gone:
		if errors.Is(f.err, store.ErrCorrupt) {
			return f.err
		}
		return fmt.Errorf("%w: %w", store.ErrUnknown, f.err)
	}
}

// catch runs work and makes a panic in it a fault.
func (f *fault) catch(work func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			f.set(fmt.Errorf("pebble: %v", r))
			err = fmt.Errorf("%w: %w", store.ErrUnknown, f.err)
		}
	}()
	return work()
}

// logger is what Pebble logs to.
type logger struct {
	log   *slog.Logger
	fault *fault
}

var _ pebble.Logger = (*logger)(nil)

func (l *logger) Infof(format string, args ...any) { l.log.Debug(fmt.Sprintf(format, args...)) }

func (l *logger) Errorf(format string, args ...any) { l.log.Error(fmt.Sprintf(format, args...)) }

// Fatalf ends the database and does not return: Pebble would go on as if the
// write that failed had been done. The goroutine stays where it is, with the
// locks it holds, until the process ends.
func (l *logger) Fatalf(format string, args ...any) {
	l.fault.set(fmt.Errorf(format, args...))
	select {}
}
