package shard

// perform does what had to wait until a batch is durable, in this order: the
// visibility index must have the change before its caller can ask for it (I10),
// and whoever asked hears before others are sent to look.
func (s *shard) perform(b *batch) {
	if len(b.feed) > 0 {
		s.opt.Feed.Append(b.feed)
	}
	s.performing = b
	replies, handovers := b.replies, b.handovers
	for len(b.replies) > 0 {
		reply := b.replies[0]
		b.replies = b.replies[1:]
		reply.hear(s, nil)
	}
	for len(b.handovers) > 0 {
		h := b.handovers[0]
		b.handovers = b.handovers[1:]
		h.run.giveHistory(h.started)
		s.opt.Matcher.Deliver(h.reservation, h.started)
	}
	s.performing = nil
	b.replies, b.handovers = replies, handovers // whole again, for recycle
	s.performOffers(b)
	for _, l := range b.letters {
		s.dispatch(l)
	}
	for _, d := range b.deliveries {
		s.callBack(d)
	}
	for _, seen := range b.seen {
		s.settle(b, seen)
	}
	for _, e := range b.entries {
		if e.leaving || len(e.runs) == 0 {
			s.evict(e)
		}
	}
}

// settle does for a run what its batch being durable allows.
func (s *shard) settle(b *batch, seen seen) {
	h := seen.h
	if h.run != nil {
		h.run.durable(b.no)
	}
	awaited := s.wakeWatchers(h)
	s.settleQueries(h)
	switch {
	case seen.closed && awaited:
		// They come back for the state, and then for the last event: peek retires
		// it. Should they not, it goes when it has been idle for long enough.
		h.awaited = true
	case seen.closed:
		s.retire(h)
	case h.entry.leaving:
		s.evict(h.entry)
	}
}
