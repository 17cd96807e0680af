package testsignal_test

import (
	"testing"

	"github.com/perdure/perdure/internal/testsignal"
)

// What is emitted after Init is waited for in order; before Init it is ignored.
func TestSignal(t *testing.T) {
	var s testsignal.Signal[int]
	s.Emit(0)
	s.Init()
	go func() {
		for i := range 5 {
			s.Emit(i + 1)
		}
	}()
	if v := s.Wait(t); v != 1 {
		t.Errorf("first value %d, want 1", v)
	}
	if v := s.WaitUntil(t, func(v int) bool { return v >= 4 }); v != 4 {
		t.Errorf("got %d, want 4", v)
	}
}

// A signal nobody reads never blocks the code.
func TestEmitNeverBlocks(t *testing.T) {
	var s testsignal.Signal[struct{}]
	s.Init()
	for range 5000 {
		s.Emit(struct{}{})
	}
}
