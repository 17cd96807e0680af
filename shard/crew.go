package shard

import (
	"sync"
	"sync/atomic"
)

// maxSpare is how many goroutines of a crew wait for work at most. A burst of
// reads may take a hundred; afterwards most go home.
const maxSpare = 16

// crew runs work on goroutines that stay for more. A shard's loop comes to rest
// and is woken again thousands of times a second, and so are the reads beside
// it; on a new goroutine each time the stack had to grow anew, which took 3 % of
// the CPU under load.
//
// There are never more goroutines than works were under way at once (the loops,
// and Options.MaxLoads reads for each), and maxSpare without work.
type crew struct {
	spare atomic.Int64
	work  chan func() // only ever received from by those who wait
	ended chan struct{}
	once  sync.Once
}

func newCrew() *crew { return &crew{work: make(chan func()), ended: make(chan struct{})} }

// spawn has the work done beside the caller, also after the end.
func (c *crew) spawn(work func()) {
	select {
	case c.work <- work:
	default: // all are busy
		go c.serve(work)
	}
}

func (c *crew) serve(work func()) {
	for {
		work()
		if c.spare.Add(1) > maxSpare {
			c.spare.Add(-1)
			return
		}
		select {
		case work = <-c.work:
			c.spare.Add(-1)
		case <-c.ended:
			return
		}
	}
}

// end sends everyone home who is waiting, and the others when they are done.
func (c *crew) end() { c.once.Do(func() { close(c.ended) }) }
