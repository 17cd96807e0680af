// Package testsignal lets a test wait for what the code does instead of
// sleeping and hoping. The code emits a value at the interesting point; in
// production nobody has initialised the signal and emitting costs one load.
package testsignal

import (
	"sync/atomic"
	"time"
)

// Test is what a signal needs of a *testing.T. Naming it here keeps package
// testing out of the binary.
type Test interface {
	Helper()
	Fatal(args ...any)
}

// Signal is a point in the code that a test may wait for. The zero value
// ignores what is emitted until Init.
type Signal[T any] struct {
	values atomic.Pointer[chan T]
}

// room is how many values may wait to be read. A signal that nobody reads is
// full one day; what is emitted then is dropped, for the code under test must
// not hang because of its test.
const room = 1024

// hang bounds a wait. It only decides how long a broken test takes to say so.
const hang = 30 * time.Second

// Init makes the signal keep what is emitted.
func (s *Signal[T]) Init() {
	values := make(chan T, room)
	s.values.Store(&values)
}

// Emit tells a waiting test. It never blocks.
func (s *Signal[T]) Emit(v T) {
	values := s.values.Load()
	if values == nil {
		return
	}
	select {
	case *values <- v:
	default:
	}
}

// Wait returns the next value emitted, and fails the test when none comes. Call
// it on the test's own goroutine.
func (s *Signal[T]) Wait(t Test) T {
	t.Helper()
	values := s.values.Load()
	if values == nil {
		t.Fatal("the signal was not initialised")
	}
	select {
	case v := <-*values:
		return v
	case <-time.After(hang):
		t.Fatal("the signal was not emitted")
		panic("not reached")
	}
}

// WaitUntil reads values until one satisfies the condition, and returns it.
func (s *Signal[T]) WaitUntil(t Test, condition func(T) bool) T {
	t.Helper()
	for {
		if v := s.Wait(t); condition(v) {
			return v
		}
	}
}
