package shard

import "sync"

// inbox is where other goroutines leave notes for a shard's loop: inputs from
// outside, which the loop takes at its own pace, and reports (a commit has
// ended, a read is done), which it always takes. Reports are few by
// construction: each answers something the loop has begun. Inputs are bounded
// by whoever puts them in, see shard.submit.
type inbox struct {
	spawn func(work func())
	run   func() // the loop; ends when rest says so

	mu struct {
		sync.Mutex
		reports []func()
		inputs  []*request
		// running: the loop has been spawned and has not come to rest.
		running bool
		closed  bool
	}
}

// report leaves a function to be called by the loop. It is dropped when the
// shard is finished.
func (b *inbox) report(f func()) {
	b.mu.Lock()
	if b.mu.closed {
		b.mu.Unlock()
		return
	}
	b.mu.reports = append(b.mu.reports, f)
	b.wake()
}

// put leaves an input. It reports false when the shard is finished.
func (b *inbox) put(r *request) bool {
	b.mu.Lock()
	if b.mu.closed {
		b.mu.Unlock()
		return false
	}
	b.mu.inputs = append(b.mu.inputs, r)
	b.wake()
	return true
}

// wake spawns the loop if it rests, and gives the lock back.
func (b *inbox) wake() {
	spawn := !b.mu.running
	b.mu.running = true
	b.mu.Unlock()
	if spawn {
		b.spawn(b.run)
	}
}

// take hands all reports to the loop, and up to most inputs.
func (b *inbox) take(most int) (reports []func(), inputs []*request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	reports, b.mu.reports = b.mu.reports, nil
	n := min(most, len(b.mu.inputs))
	inputs = b.mu.inputs[:n:n]
	if b.mu.inputs = b.mu.inputs[n:]; len(b.mu.inputs) == 0 {
		b.mu.inputs = nil
	}
	return reports, inputs
}

// rest lets the loop end, unless something has come in that it can take now:
// a report, or an input if it accepts any. An input it does not accept is
// looked at again when a report comes.
func (b *inbox) rest(accepts bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.mu.reports) > 0 || accepts && len(b.mu.inputs) > 0 {
		return false
	}
	b.mu.running = false
	return true
}

// close refuses whatever comes from now on and hands out the inputs left.
func (b *inbox) close() []*request {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.closed = true
	left := b.mu.inputs
	b.mu.inputs, b.mu.reports = nil, nil
	return left
}
