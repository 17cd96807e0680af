// Package invariant stops the program's present business when something that
// cannot be false is. A broken invariant is a bug of ours, never the caller's
// mistake and never the world's: those are refusals and faults.
package invariant

import "fmt"

// Broken is what Check panics with. The shard loop recovers it, drops the
// uncommitted batch and sets the execution aside.
type Broken struct{ Message string }

// Error implements error, so that a recovered Broken can be logged and wrapped.
func (b Broken) Error() string { return "invariant broken: " + b.Message }

// Check panics with Broken unless ok. The arguments are formatted only then;
// still, keep them cheap to evaluate on a hot path.
func Check(ok bool, format string, args ...any) {
	if !ok {
		panic(Broken{Message: fmt.Sprintf(format, args...)})
	}
}
