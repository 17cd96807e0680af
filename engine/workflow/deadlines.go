package workflow

// deadlines finds the earliest deadline of a run in constant time. It is not
// stored: it is rebuilt from the parts when a run is loaded.
type deadlines struct{}

// applied takes note of what a change did to the deadlines.
func (*deadlines) applied(*Run, *Change) {}
