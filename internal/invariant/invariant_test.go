package invariant_test

import (
	"testing"

	"github.com/perdure/perdure/internal/invariant"
)

// Check panics with a Broken that carries the message, and only when false.
func TestCheck(t *testing.T) {
	invariant.Check(true, "not shown %d", 1)
	defer func() {
		b, ok := recover().(invariant.Broken)
		if !ok || b.Error() != "invariant broken: two is 3" {
			t.Errorf("recovered %v", b)
		}
	}()
	invariant.Check(false, "two is %d", 3)
}
