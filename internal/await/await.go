// Package await is how a call waits for an answer: a goroutine blocks, and a
// caller of a simulation, which is a coroutine, hands control back to it. So the
// calls that wait run in the simulator as they are.
package await

import "context"

// Coroutine is the context of a caller that is not a goroutine but a coroutine
// of a simulation.
type Coroutine interface {
	context.Context
	// Until returns when ready is true, or when the context is done.
	Until(ready func() bool)
}

// Value is the next value of ch, or the cause of ctx's end if that comes first. A
// channel that ends a coroutine's waiting is sent to, never closed.
func Value[T any](ctx context.Context, ch <-chan T) (v T, err error) {
	if c, ok := ctx.(Coroutine); ok {
		c.Until(func() bool { return len(ch) > 0 })
		return now(ctx, ch)
	}
	done := ctx.Done()
	if done == nil { // it cannot end: no select, which costs as much again
		return <-ch, nil
	}
	select {
	case v = <-ch:
		return v, nil
	case <-done:
		return v, context.Cause(ctx)
	}
}

// now is Value of a coroutine that need not wait any more. It does not leave to
// chance which of the two has happened: a simulation is repeated exactly.
func now[T any](ctx context.Context, ch <-chan T) (v T, err error) {
	select {
	case v = <-ch:
		return v, nil
	default:
		return v, context.Cause(ctx)
	}
}

// Either is Value for two channels: it waits for the first of their values, and
// isA says whose it is.
func Either[A, B any](ctx context.Context, chA <-chan A, chB <-chan B) (a A, b B, isA bool, err error) {
	if c, ok := ctx.(Coroutine); ok {
		c.Until(func() bool { return len(chA) > 0 || len(chB) > 0 })
		if len(chA) > 0 {
			return <-chA, b, true, nil
		}
		b, err = now(ctx, chB)
		return a, b, false, err
	}
	select {
	case a = <-chA:
		return a, b, true, nil
	case b = <-chB:
		return a, b, false, nil
	case <-ctx.Done():
		return a, b, false, context.Cause(ctx)
	}
}
