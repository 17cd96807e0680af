package server

import (
	"log/slog"
	"sync/atomic"

	"github.com/perdure/perdure/engine"
)

// What a caller with new work hears while the server is short of something.
var (
	errLowDisk = engine.Refuse(engine.KindStorageFull, "the server's disk is nearly full: new work is refused so that what runs can "+
		"be finished; free space on the disk of its data folder, or lower --min-free-disk-bytes")
	errBehind = engine.Refuse(engine.KindOverloaded, "the visibility index is far behind: new work is refused until it has caught up, please retry later")
)

// pressure decides whether new work is welcome (I11). What already runs is
// served in any case: to finish is what relieves.
type pressure struct {
	store interface{ Full() bool }
	index interface{ Overloaded() bool }
	log   *slog.Logger

	// refused is whether the last answer was no, so that the log tells of the
	// changes only.
	refused atomic.Bool
}

// check is cheap; it is called for every start and signal.
func (p *pressure) check() error {
	refusal := p.refusal()
	if refusal == nil {
		if p.refused.CompareAndSwap(true, false) {
			p.log.Warn("new work is accepted again")
		}
		return nil
	}
	if p.refused.CompareAndSwap(false, true) {
		p.log.Warn("new work is refused", "why", refusal.Message)
	}
	return refusal
}

func (p *pressure) refusal() *engine.Refusal {
	switch {
	case p.store.Full():
		return errLowDisk
	case p.index.Overloaded():
		return errBehind
	}
	return nil
}
