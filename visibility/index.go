package visibility

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/internal/clock"
	"github.com/perdure/perdure/shard"
)

// Namespaces looks up the attributes a namespace has. The registry provides it.
type Namespaces interface {
	// ByID returns nil for an unknown namespace.
	ByID(id string) *engine.Namespace
}

// Source reads the present record of every run there is, for building the index
// anew, and stops with visit's error. Runs that change meanwhile come through
// the feed as well; the index keeps the newer record.
type Source func(ctx context.Context, visit func(*engine.VisibilityRecord) error) error

// Options of Open.
type Options struct {
	// Path of the file. Defaults to a temporary file that Stop removes.
	Path string
	// Namespaces the executions live in. Required.
	Namespaces Namespaces
	// Gather is how long a change may wait for others before it is written
	// although nobody asked: short workflows then cost one row. Longer saves CPU
	// (a batch dirties fewer pages than the rows one by one) and costs memory.
	// Nobody waits for it: a list has what is pending written first. Defaults to
	// 2 s: most workflows that end at all soon have ended by then.
	Gather time.Duration
	// SyncEvery is how long what is written may stay unacknowledged to the feed.
	// Defaults to 1 s.
	SyncEvery time.Duration
	// MaxWait bounds how long a list waits for the index to catch up before it
	// answers UNAVAILABLE. Defaults to 5 s.
	MaxWait time.Duration
	// MaxPending is how many runs may wait to be written before Overloaded tells
	// the edge to hold new work back. About 1 KB each. Defaults to 100,000.
	MaxPending int
	// Readers is how many queries run at once. Defaults to 4.
	Readers int
	// verifyBytes is how large an index is verified when it is opened, for tests.
	// Defaults to maxVerifyBytes.
	verifyBytes int64
	// verifyAfter is when a larger one is, for tests. Defaults to 10 s.
	verifyAfter time.Duration
	// Clock of the waits. Defaults to clock.System.
	Clock clock.Clock
	// Log gets what no caller is told. Defaults to slog.Default.
	Log *slog.Logger
}

func (o *Options) fill() {
	setDefault(&o.Gather, 2*time.Second)
	setDefault(&o.SyncEvery, time.Second)
	setDefault(&o.MaxWait, 5*time.Second)
	setDefault(&o.MaxPending, 100_000)
	setDefault(&o.Readers, 4)
	setDefault(&o.verifyBytes, maxVerifyBytes)
	setDefault(&o.verifyAfter, 10*time.Second)
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
}

func setDefault[T ~int | ~int64](value *T, to T) {
	if *value <= 0 {
		*value = to
	}
}

// Index lists, counts and searches executions. It implements shard.Feed. All
// methods may be called from any goroutine.
type Index struct {
	options     Options
	acknowledge func([]shard.FeedPosition)
	source      Source
	removeOnEnd string // a temporary folder, or empty

	// file is replaced when it is found damaged. Only the goroutine of loop
	// writes to it.
	file atomic.Pointer[file]

	feed pending

	// unsynced are the positions written but not yet on stable storage. Owned by
	// the goroutine of loop.
	unsynced slotPositions

	lifetime struct {
		sync.Mutex
		started bool
		stop    context.CancelFunc
		ended   chan struct{}
	}
}

// Open opens the index, or makes one. A file that is damaged or of another
// release is set aside. Entries may be appended at once; nothing is written
// before Start.
func Open(options Options) (*Index, error) {
	options.fill()
	x := &Index{options: options}
	x.feed.init(options)
	if err := x.choosePath(); err != nil {
		return nil, err
	}
	opened, err := openFile(x.options.Path, options.Readers, options.verifyBytes)
	if errors.Is(err, errDamaged) {
		options.Log.Warn("visibility index set aside, it will be built anew", "path", x.options.Path, "reason", err)
		if err = setAside(x.options.Path); err == nil {
			opened, err = openFile(x.options.Path, options.Readers, options.verifyBytes)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open the visibility index: %w", err)
	}
	x.file.Store(opened)
	return x, nil
}

func (x *Index) choosePath() error {
	if x.options.Path != "" {
		if err := os.MkdirAll(filepath.Dir(x.options.Path), 0o700); err != nil {
			return fmt.Errorf("folder of the visibility index: %w", err)
		}
		return nil
	}
	folder, err := os.MkdirTemp("", "perdure-visibility-")
	if err != nil {
		return fmt.Errorf("folder of the visibility index: %w", err)
	}
	x.removeOnEnd = folder
	x.options.Path = filepath.Join(folder, "visibility.db")
	return nil
}

// Start begins to write. acknowledge is told, one call at a time, which entries
// are on stable storage and need not come again. source is asked when the index
// must be built anew; nil means that there is nothing to build it from, and an
// empty index counts as whole. Calling it again does nothing.
func (x *Index) Start(acknowledge func([]shard.FeedPosition), source Source) {
	x.lifetime.Lock()
	defer x.lifetime.Unlock()
	if x.lifetime.started {
		return
	}
	x.lifetime.started = true
	x.acknowledge, x.source = acknowledge, source
	ctx, stop := context.WithCancel(context.Background())
	x.lifetime.stop = stop
	x.lifetime.ended = make(chan struct{})
	go func() {
		defer close(x.lifetime.ended)
		verified := x.verifyBeside(ctx, x.file.Load())
		x.loop(ctx)
		<-verified
	}()
}

// Stop writes and syncs what was appended, acknowledges it, and closes the file.
// Calling it again does nothing.
func (x *Index) Stop() error {
	x.lifetime.Lock()
	defer x.lifetime.Unlock()
	if x.lifetime.stop != nil {
		x.lifetime.stop()
		<-x.lifetime.ended
		x.lifetime.stop = nil
	}
	x.feed.end()
	f := x.file.Swap(nil)
	if f == nil {
		return nil
	}
	err := f.close()
	if x.removeOnEnd != "" {
		err = errors.Join(err, os.RemoveAll(x.removeOnEnd))
	}
	return err
}

// Append takes changes of the feed. It does not block.
func (x *Index) Append(entries []shard.FeedEntry) { x.feed.append(entries) }

// Flush returns when everything appended before the call is in the index. It
// waits at most MaxWait and then refuses as unavailable.
func (x *Index) Flush(ctx context.Context) error { return x.feed.flush(ctx) }

// Backlog is how many runs wait to be written.
func (x *Index) Backlog() int { return x.feed.size() }

// Overloaded reports whether the index is so far behind that new work should
// wait (I11).
func (x *Index) Overloaded() bool { return x.feed.size() >= x.options.MaxPending }
