package await_test

import (
	"context"
	"errors"
	"testing"

	"github.com/perdure/perdure/internal/await"
)

// coroutine is one whose world does one thing before each question whether it may go on.
type coroutine struct {
	context.Context
	world []func()
}

func (c *coroutine) Until(ready func() bool) {
	for !ready() && c.Err() == nil {
		c.world[0]()
		c.world = c.world[1:]
	}
}

var errOver = errors.New("over")

// What a goroutine and a coroutine hear is the same: the value that came, or why
// the context ended.
func TestValue(t *testing.T) {
	for name, of := range map[string]func(context.Context, ...func()) context.Context{
		"goroutine": func(ctx context.Context, world ...func()) context.Context {
			go func() {
				for _, f := range world {
					f()
				}
			}()
			return ctx
		},
		"coroutine": func(ctx context.Context, world ...func()) context.Context { return &coroutine{ctx, world} },
	} {
		t.Run(name, func(t *testing.T) {
			nothing := func() {}
			ch := make(chan int, 1)
			if v, err := await.Value(of(t.Context(), nothing, func() { ch <- 7 }), ch); v != 7 || err != nil {
				t.Errorf("got %d, %v", v, err)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			if _, err := await.Value(of(ctx, nothing, func() { cancel(errOver) }), ch); !errors.Is(err, errOver) {
				t.Errorf("got %v", err)
			}
			other := make(chan string, 1)
			if v, _, first, err := await.Either(of(t.Context(), func() { ch <- 8 }), ch, other); v != 8 || !first || err != nil {
				t.Errorf("got %d, %v, %v", v, first, err)
			}
			if _, v, first, err := await.Either(of(t.Context(), func() { other <- "x" }), ch, other); v != "x" || first || err != nil {
				t.Errorf("got %q, %v, %v", v, first, err)
			}
			ctx, cancel = context.WithCancelCause(t.Context())
			if _, _, _, err := await.Either(of(ctx, func() { cancel(errOver) }), ch, other); !errors.Is(err, errOver) {
				t.Errorf("got %v", err)
			}
		})
	}
}
