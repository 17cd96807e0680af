package shard

import (
	"github.com/perdure/perdure/engine"
)

// fuse starts tasks that were just made for pollers that wait for them, in the
// very batch that makes them. It saves a commit for each, and the row.
func (s *shard) fuse(h *held, offers []engine.Task) {
	for i := range offers {
		t := &offers[i]
		at, stands := s.open.offers.at[keyOf(t)]
		if h.run == nil || !stands || s.open.offers.made[at].queue.ahead() {
			continue
		}
		poller, reservation, ok := s.opt.Matcher.Reserve(s, *t)
		if !ok {
			continue
		}
		reply, ok := s.startFused(h, t, poller)
		if !ok {
			s.opt.Matcher.Release(reservation)
			continue
		}
		s.open.handovers = append(s.open.handovers, handover{reservation, h, reply})
	}
}

func (s *shard) startFused(h *held, t *engine.Task, poller engine.Poller) (reply any, ok bool) {
	in := machineOf(h.key.Archetype).start(t, poller)
	if len(h.run.missing(in)) > 0 {
		return nil, false
	}
	res, err := s.core(h.key.ID, h.run, in)
	if err != nil {
		return nil, false
	}
	if w := h.workflowExecution(); w != nil {
		w.joinStarted(res.changed)
	}
	s.absorb(h.entry, h, &res)
	if _, stands := s.open.offers.at[keyOf(t)]; stands {
		s.withdraw(t)
	}
	s.queriesAfter(h, in, res.reply)
	return res.reply, true
}
