package visibility

import (
	"context"
	"sync"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/internal/clock"
	"github.com/perdure/perdure/shard"
)

// pending is what was appended and is not written yet.
type pending struct {
	options Options
	// wake asks the loop for a turn. One token is enough: a turn takes all there
	// is, and a second token while one waits says nothing new.
	wake chan struct{}

	mu struct {
		sync.Mutex
		// records to write, the latest of each run, in order of arrival.
		records []*engine.VisibilityRecord
		// places of the runs in records.
		places map[engine.RunKey]int
		// positions that are reached when records are written.
		positions slotPositions
		// appended and written count entries ever. Invariant: written <= appended.
		appended, written uint64
		// progress is closed, and replaced, when written has grown.
		progress chan struct{}
		// gathering: a timer will wake the loop.
		gathering clock.Timer
		ended     bool
		// removed are the runs deleted while the index is being built anew, so
		// that the source, which may have read them before, does not bring them
		// back. nil at other times.
		removed map[engine.RunKey]struct{}
	}
}

func (p *pending) init(options Options) {
	p.options = options
	p.wake = make(chan struct{}, 1)
	p.mu.places = make(map[engine.RunKey]int)
	p.mu.positions = nil
	p.mu.progress = make(chan struct{})
}

// kick asks for a turn of the loop, now.
func (p *pending) kick() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *pending) append(entries []shard.FeedEntry) {
	if len(entries) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.ended {
		return
	}
	for _, e := range entries {
		p.place(e.Record)
		p.mu.positions.note(e.Slot, e.Seq)
		if e.Record.Deleted && p.mu.removed != nil {
			p.mu.removed[e.Record.Run] = struct{}{}
		}
	}
	p.mu.appended += uint64(len(entries))
	switch {
	case len(p.mu.records) >= min(maxGathered, p.options.MaxPending):
		p.kick()
	case p.mu.gathering == nil:
		p.mu.gathering = p.options.Clock.AfterFunc(p.options.Gather, p.kick)
	}
}

// place puts a record in, over an older one of its run.
func (p *pending) place(r *engine.VisibilityRecord) {
	if i, ok := p.mu.places[r.Run]; ok {
		if present := p.mu.records[i]; r.Deleted || r.Version > present.Version && !present.Deleted {
			p.mu.records[i] = r
		}
		return
	}
	p.mu.places[r.Run] = len(p.mu.records)
	p.mu.records = append(p.mu.records, r)
}

// maxRestored bounds what waits to be written while the source is read: enough
// for the next transactions, and little memory.
const maxRestored = 5 * maxBatch

// restore puts a record in that comes from the source: the feed knows better.
// It waits while too much is pending.
func (p *pending) restore(ctx context.Context, r *engine.VisibilityRecord) error {
	for {
		p.mu.Lock()
		if len(p.mu.records) < min(maxRestored, p.options.MaxPending) {
			if _, gone := p.mu.removed[r.Run]; !gone {
				p.place(r)
				p.mu.appended++
			}
			if len(p.mu.records) >= maxBatch {
				p.kick()
			}
			p.mu.Unlock()
			return nil
		}
		progress := p.mu.progress
		p.mu.Unlock()
		p.kick()
		select {
		case <-progress:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// batch is what one turn writes.
type batch struct {
	records   []*engine.VisibilityRecord
	positions slotPositions
	appended  uint64
}

// take hands all that is pending to the caller.
func (p *pending) take() batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.gathering != nil {
		p.mu.gathering.Stop()
		p.mu.gathering = nil
	}
	b := batch{records: p.mu.records, positions: p.mu.positions, appended: p.mu.appended}
	// As large as these were: under load the next are, and shards wait while they
	// grow.
	p.mu.records = make([]*engine.VisibilityRecord, 0, len(b.records))
	p.mu.places = make(map[engine.RunKey]int, len(b.records))
	p.mu.positions = nil
	return b
}

// putBack returns what could not be written, under what has come since.
func (p *pending) putBack(b batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	newer := p.mu.records
	p.mu.records = b.records
	p.mu.places = make(map[engine.RunKey]int, len(b.records)+len(newer))
	for i, r := range b.records {
		p.mu.places[r.Run] = i
	}
	for _, r := range newer {
		p.place(r)
	}
	p.mu.positions.merge(b.positions)
}

// wrote says that everything appended up to the mark is in the index.
func (p *pending) wrote(mark uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.written = max(p.mu.written, mark)
	close(p.mu.progress)
	p.mu.progress = make(chan struct{})
}

// remember begins, or ends, to remember deleted runs.
func (p *pending) remember(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.removed = nil
	if on {
		p.mu.removed = make(map[engine.RunKey]struct{})
		for _, r := range p.mu.records {
			if r.Deleted {
				p.mu.removed[r.Run] = struct{}{}
			}
		}
	}
}

func (p *pending) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.mu.records)
}

func (p *pending) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.ended = true
	if p.mu.gathering != nil {
		p.mu.gathering.Stop()
	}
}

// flush waits until everything appended so far is written.
func (p *pending) flush(ctx context.Context) error {
	p.mu.Lock()
	mark := p.mu.appended
	p.mu.Unlock()
	return p.wait(ctx, "visibility index is behind, please retry", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.mu.written >= mark
	})
}

// wait returns when the condition holds, which is tried whenever the index made
// progress. After MaxWait it refuses with the sentence.
func (p *pending) wait(ctx context.Context, otherwise string, holds func() bool) error {
	progress := p.progress()
	if holds() {
		return nil
	}
	late := make(chan struct{})
	timer := p.options.Clock.AfterFunc(p.options.MaxWait, func() { close(late) })
	defer timer.Stop()
	for {
		p.kick()
		select {
		case <-progress:
		case <-late:
			return engine.Refuse(engine.KindUnavailable, "%s", otherwise)
		case <-ctx.Done():
			return ctx.Err()
		}
		// Taken before the condition is tried: progress made in between is seen.
		progress = p.progress()
		if holds() {
			return nil
		}
	}
}

func (p *pending) progress() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.progress
}
