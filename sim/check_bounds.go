package main

import (
	"time"

	"github.com/perdure/perdure/store"
)

// maxIdle is the longest that a run nothing happens to stays in memory.
const maxIdle = 30 * time.Second

// bounds are what a life of the server is told not to exceed (I11). Small ones
// are met often.
type bounds struct {
	shards, pending, flying, batchBytes, batchSteps int
}

func drawBounds(s *schedule) bounds {
	b := bounds{shards: 1 + s.chance.IntN(3), pending: 20_000, flying: 1 + s.chance.IntN(3), batchBytes: 4 << 20, batchSteps: 2000}
	if s.oneIn(4) {
		b.pending = 3 + s.chance.IntN(20)
	}
	if s.oneIn(4) {
		b.batchBytes = 1 << (8 + s.chance.IntN(8))
	}
	if s.oneIn(4) {
		b.batchSteps = 1 + s.chance.IntN(20)
	}
	return b
}

// turnBytes is more than the inputs of one turn add to a batch here.
const turnBytes = 256 << 10

// checkBatch is asked of every batch of a shard, which then has so many under
// way.
func (p *process) checkBatch(flying int, b *store.Batch) {
	p.load.commits++
	if flying > p.bounds.flying {
		p.world.broken("I11: a shard has %d batches under way, %d may be", flying, p.bounds.flying)
	}
	if b.SizeBytes > p.bounds.batchBytes+turnBytes {
		p.world.broken("I11: a batch has %d bytes, %d are the bound", b.SizeBytes, p.bounds.batchBytes)
	}
}

// accepted is asked after an input from outside was handed in.
func (p *process) accepted() {
	if most := p.bounds.shards * p.bounds.pending; p.load.pending > most {
		p.world.broken("I11: %d inputs were accepted and not answered, %d may be", p.load.pending, most)
	}
}

// load is what a process does and holds. It implements shard.Metrics.
type load struct {
	played         played
	steps, commits int
	pending        int // inputs from outside that were not answered
	runs           int // in memory
}

// Step implements shard.Metrics.
func (l *load) Step(kind string, refused bool) {
	l.steps++
	if !refused {
		l.played.input(kind)
	}
}

// Commit implements shard.Metrics.
func (l *load) Commit(int, int, time.Duration, error) {}

// Load implements shard.Metrics.
func (l *load) Load(time.Duration) {}

// Late implements shard.Metrics.
func (l *load) Late(time.Duration) {}

// Loaded implements shard.Metrics.
func (l *load) Loaded(delta int) { l.runs += delta }

// Reopened implements shard.Metrics.
func (l *load) Reopened() {}
