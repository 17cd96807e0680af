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
		notes
		// running: the loop has been spawned and has not come to rest.
		running bool
		closed  bool
	}
}

// notes are what was left in an inbox.
type notes struct {
	reports []func()
	inputs  []*request
}

// maxSpareNotes is how long a list may have become whose room is kept.
const maxSpareNotes = 1000

// emptied is the room of notes that have been looked at.
func (n notes) emptied() notes {
	if cap(n.reports) > maxSpareNotes || cap(n.inputs) > maxSpareNotes {
		return notes{}
	}
	return notes{emptied(n.reports), emptied(n.inputs)}
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

// take hands all reports to the loop, and up to most inputs. What comes next is
// put into the room of spare.
func (b *inbox) take(most int, spare notes) notes {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.mu.notes
	b.mu.notes = spare
	if n := len(all.inputs); n > most {
		all.inputs, b.mu.inputs = all.inputs[:most:most], all.inputs[most:]
	}
	return all
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
