package shard

import (
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/store"
)

// batch is what one commit makes durable, and what is to be done then. While it
// is open steps add to it; sealed, it is on its way to the disk.
type batch struct {
	no    uint64
	began time.Time
	rows  store.Batch
	steps int
	// grown estimates the bytes the dirty runs will add when sealed.
	grown int

	runs    []*held  // dirty: written when sealed
	entries []*entry // whose pointer to the current run has changed
	// seen is how far the runs are as this batch makes them durable.
	seen []seen

	feed      []FeedEntry
	replies   []hearer
	handovers []handover
	offers    offers
	letters   []*letter
	// deliveries are tries to call completion callbacks.
	deliveries []*engine.Delivery
}

// handover is a task started for a poller that is reserved.
type handover struct {
	reservation uint64
	run         *held
	started     any
}

// seen is how far a run has come in a batch.
type seen struct {
	h      *held
	closed bool
}

func newBatch(no uint64) *batch { return &batch{no: no} }

// nextBatch is an empty batch, in the room of one that was performed if there is
// one: their lists were a third of what the loop allocates under load.
func (s *shard) nextBatch(no uint64) *batch {
	n := len(s.spare)
	if n == 0 {
		return newBatch(no)
	}
	b := s.spare[n-1]
	s.spare, b.no = s.spare[:n-1], no
	return b
}

// maxSpareRows is how many rows a batch may have had whose room is kept: what an
// unusual one has taken is let go.
const maxSpareRows = 2000

// recycle keeps the room of a batch that was performed. The store has given the
// rows back, and nobody else keeps any of the lists.
func (s *shard) recycle(b *batch) {
	if len(b.rows.Ops) > maxSpareRows {
		return
	}
	clear(b.offers.at)
	clear(b.offers.dropped)
	*b = batch{
		rows: store.Batch{Ops: emptied(b.rows.Ops)},
		runs: emptied(b.runs), entries: emptied(b.entries), seen: emptied(b.seen),
		feed: emptied(b.feed), replies: emptied(b.replies), handovers: emptied(b.handovers),
		offers: offers{
			made: emptied(b.offers.made), at: b.offers.at,
			withdrawn: emptied(b.offers.withdrawn), dropped: b.offers.dropped,
		},
		letters: emptied(b.letters), deliveries: emptied(b.deliveries),
	}
	s.spare = append(s.spare, b)
}

// emptied is the room of a list, which holds on to nothing.
func emptied[E any](list []E) []E {
	clear(list)
	return list[:0]
}

// worth reports whether the batch has anything to commit.
func (b *batch) worth() bool {
	return len(b.runs) > 0 || len(b.entries) > 0 || !b.rows.Empty() || len(b.replies) > 0
}

// size is what the batch will weigh, about.
func (b *batch) size() int { return b.rows.SizeBytes + b.grown }

// touch makes the open batch write the run.
func (s *shard) touch(h *held) {
	if !h.dirty {
		h.dirty = true
		s.open.runs = append(s.open.runs, h)
	}
	h.lastBatch = s.open.no
	h.entry.lastBatch = s.open.no
}

// after calls f once the batch is durable, with nil, or with what went wrong.
func (s *shard) after(no uint64, f func(fault error)) {
	s.tellAfter(no, hearing(f))
}

// tellAfter is after for whoever waits.
func (s *shard) tellAfter(no uint64, h hearer) {
	if no <= s.durable {
		h.hear(s, nil)
		return
	}
	b := s.batchOf(no)
	b.replies = append(b.replies, h)
}

// batchOf is the batch of that number, which is not durable.
func (s *shard) batchOf(no uint64) *batch {
	for _, flying := range s.flying {
		if flying.no == no {
			return flying
		}
	}
	return s.open
}

// hearer waits for a batch to be durable: a request that has its reply, a watcher
// that has read what it waited for, or any function. (A function for each reply
// was an object for each step.)
type hearer interface {
	// hear is called then with nil, or with what went wrong.
	hear(s *shard, fault error)
}

func (r *request) hear(s *shard, fault error) {
	if fault != nil {
		s.finish(r, nil, fault)
		return
	}
	s.finish(r, r.reply, r.err)
}

func (w *watcher) hear(_ *shard, fault error) { w.tell(fault) }

type hearing func(fault error)

func (f hearing) hear(_ *shard, fault error) { f(fault) }
