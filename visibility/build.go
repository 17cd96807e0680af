package visibility

import (
	"context"
	"errors"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/store"
)

// build is one attempt to feed every execution in, or the pause before one. A
// nil build is none; its methods may be called.
type build struct {
	cancel context.CancelFunc
	done   chan error
}

// outcome gets the error of the attempt, once. It is nil, and never ready,
// without a build.
func (b *build) outcome() <-chan error {
	if b == nil {
		return nil
	}
	return b.done
}

// wait ends the build.
func (b *build) wait() {
	if b != nil {
		b.cancel()
		<-b.done
	}
}

// errPaused is the outcome of a pause: nothing was fed in.
var errPaused = errors.New("paused")

// build runs the source on a goroutine of its own, because it waits when the
// index cannot keep up. Deletions that come meanwhile are remembered, for the
// source may have read what they delete.
func (x *Index) build(ctx context.Context) *build {
	ctx, cancel := context.WithCancel(ctx)
	b := &build{cancel: cancel, done: make(chan error, 1)}
	if x.source == nil {
		b.done <- nil
		return b
	}
	x.feed.remember(true)
	go func() {
		b.done <- x.source(ctx, func(r *engine.VisibilityRecord) error { return x.feed.restore(ctx, r) })
	}()
	return b
}

// pause is a build that does nothing but wait a little.
func (x *Index) pause(ctx context.Context) *build {
	ctx, cancel := context.WithCancel(ctx)
	b := &build{cancel: cancel, done: make(chan error, 1)}
	over := make(chan struct{})
	timer := x.options.Clock.AfterFunc(time.Second, func() { close(over) })
	go func() {
		defer timer.Stop()
		select {
		case <-over:
		case <-ctx.Done():
		}
		b.done <- errPaused
	}()
	return b
}

// built finishes a build: what it brought is written and synced, and lists may
// be answered. One that failed is begun again. It returns what is to be waited
// for next, nil when the index is whole.
func (x *Index) built(ctx context.Context, err error) *build {
	f := x.file.Load()
	switch {
	case ctx.Err() != nil:
		return nil
	case f.damaged.Load():
		return x.replace(ctx)
	case errors.Is(err, errPaused):
		return x.build(ctx)
	case errors.Is(err, store.ErrClosed): // a stop that has not come this far yet
		return x.pause(ctx)
	case err != nil:
		x.options.Log.Error("build the visibility index, will try again", "error", err)
		return x.pause(ctx)
	}
	if x.turn() {
		x.sync(true)
	}
	if !f.complete.Load() { // a write failed, and said so
		return x.pause(ctx)
	}
	x.feed.remember(false)
	x.feed.wrote(0) // whoever waits for the index to be whole
	return nil
}

// replace sets a damaged file aside and begins to build another.
func (x *Index) replace(ctx context.Context) *build {
	old := x.file.Load()
	x.options.Log.Error("visibility index is damaged, building it anew", "path", x.options.Path)
	if err := old.close(); err != nil {
		x.options.Log.Warn("close the damaged visibility index", "error", err)
	}
	err := setAside(x.options.Path)
	if err == nil {
		var f *file
		if f, err = openFile(x.options.Path, x.options.Readers, x.options.verifyBytes); err == nil {
			x.file.Store(f)
			return x.build(ctx)
		}
	}
	x.options.Log.Error("replace the visibility index, will try again", "path", x.options.Path, "error", err)
	return x.pause(ctx)
}
