package shard

import (
	crand "crypto/rand"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/internal/clock"
	"github.com/perdure/perdure/store"
)

// ErrUnavailable answers whoever is caught by a shard that stops or has to open
// its slots again. What was asked for may or may not have happened; asking
// again is right.
var ErrUnavailable = engine.Refuse(engine.KindUnavailable, "the shard is being opened again, please retry")

// ErrBusy answers an input that finds Options.MaxPending others ahead of it.
// Nothing has happened.
var ErrBusy = engine.Refuse(engine.KindConcurrentLimit, "too many requests are waiting, please retry later")

// ErrFull answers an input that the store has no room for. Nothing has happened.
var ErrFull = engine.Refuse(engine.KindStorageFull,
	"the server's disk is full: nothing can be recorded until space is freed on the disk of its data folder")

// Options are what a Host is made of. Driver, Matcher, Namespaces and Feed are
// required.
type Options struct {
	Driver     store.Driver
	Matcher    Matcher
	Namespaces Namespaces
	Feed       Feed
	// Deliverer calls completion callbacks. Defaults to one that refuses to.
	Deliverer Deliverer

	// Post carries messages between executions. Defaults to one that does so at
	// once.
	Post Post

	// Shards is how many loops share the slots. It may differ from one start to
	// the next. Defaults to 4; two for each core are right.
	Shards int
	// Clock defaults to the system's.
	Clock clock.Clock
	// Limits of one execution. Defaults to engine.DefaultLimits.
	Limits *engine.Limits
	// Log takes what an operator should see. Defaults to nowhere.
	Log *slog.Logger
	// Metrics takes measurements. Defaults to nowhere.
	Metrics Metrics
	// Spawn runs work beside the caller. Defaults to a goroutine. A
	// simulator puts the work on its schedule; it must not run inside Spawn.
	Spawn func(work func())
	// Seed draws the seed of a step's fresh ids. Defaults to a strong generator
	// seeded by the operating system. Called from several goroutines.
	Seed func() [16]byte

	// CacheRuns bounds the runs kept in memory by all shards together. Those
	// that have to be there (unsynced, watched) are kept beyond it, and up to
	// twice as many that are in use again and again. Defaults to 20,000, some
	// 100 MB.
	CacheRuns int
	// IdleAfter is when a run that nothing has happened to leaves memory even
	// if there is room. Defaults to 30 s.
	IdleAfter time.Duration
	// MaxPending bounds the inputs and looks from outside that a shard has
	// accepted and not answered; starts have three quarters of it. Defaults to
	// 20,000.
	MaxPending int
	// MaxFlying bounds a shard's batches that are under way to the disk. More
	// than two would only make the batches smaller. Defaults to 2.
	MaxFlying int
	// MaxBatchBytes and MaxBatchSteps bound a batch, give or take the inputs of
	// one turn. Default to 4 MiB and 2,000.
	MaxBatchBytes int
	MaxBatchSteps int
	// MaxLoads bounds a shard's reads under way. Defaults to 64.
	MaxLoads int
	// MaxDue bounds a shard's deadlines being carried out at once. Defaults to
	// 1,000.
	MaxDue int
	// Window is how many tasks of one queue a shard keeps in memory beyond what
	// matching has taken. Defaults to 4,096.
	Window int
	// Horizon is how far ahead deadlines are read into memory, and MaxHorizon
	// how many at once by all shards together. Up to three times as many are in
	// memory, some 350 bytes each, beside those of the runs that are there
	// themselves. Default to 10 minutes and 50,000.
	Horizon    time.Duration
	MaxHorizon int
	// MaxPieceBytes is how much of a history a reset copies with its step, or, of
	// one that has more, in one batch before it. Defaults to 1 MiB.
	MaxPieceBytes int
	// DeferFor is how long a heartbeat's details may wait to be written (I1).
	// Defaults to 3 s.
	DeferFor time.Duration
}

// Metrics takes measurements from the shard loops. Its methods are called
// often, from several goroutines, and must be quick.
type Metrics interface {
	// Step: the core has carried out an input of the named kind.
	Step(kind string, refused bool)
	// Commit: a batch has ended; err is nil when it is durable.
	Commit(rows, sizeBytes int, took time.Duration, err error)
	// Load: a run or its events were read.
	Load(took time.Duration)
	// Late: a deadline was looked at that long after it was due.
	Late(by time.Duration)
	// Loaded: the number of runs in a shard's memory has changed by delta.
	Loaded(delta int)
	// Reopened: a shard has opened its slots again after a fault.
	Reopened()
}

type noMetrics struct{}

func (noMetrics) Step(string, bool)                     {}
func (noMetrics) Commit(int, int, time.Duration, error) {}
func (noMetrics) Load(time.Duration)                    {}
func (noMetrics) Late(time.Duration)                    {}
func (noMetrics) Loaded(int)                            {}
func (noMetrics) Reopened()                             {}

func (o Options) withDefaults() Options {
	setDefault(&o.Shards, 4)
	o.Shards = min(o.Shards, store.Slots)
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Limits == nil {
		o.Limits = engine.DefaultLimits()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = noMetrics{}
	}
	if o.Deliverer == nil {
		o.Deliverer = noDeliverer{}
	}
	if o.Post == nil {
		o.Post = atOnce{}
	}
	if o.Seed == nil {
		o.Seed = strongSeed()
	}
	setDefault(&o.CacheRuns, 20_000)
	setDefault(&o.IdleAfter, 30*time.Second)
	setDefault(&o.MaxPending, 20_000)
	setDefault(&o.MaxFlying, 2)
	setDefault(&o.MaxBatchBytes, 4<<20)
	setDefault(&o.MaxBatchSteps, 2000)
	setDefault(&o.MaxLoads, 64)
	setDefault(&o.MaxDue, 1000)
	setDefault(&o.Window, 4096)
	setDefault(&o.Horizon, 10*time.Minute)
	setDefault(&o.MaxHorizon, 50_000)
	setDefault(&o.MaxPieceBytes, 1<<20)
	setDefault(&o.DeferFor, 3*time.Second)
	return o
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// strongSeed draws from ChaCha8 seeded by the operating system: as good as the
// system's own source, at a fraction of a system call.
func strongSeed() func() [16]byte {
	var seed [32]byte
	_, _ = crand.Read(seed[:]) // never fails
	var mu sync.Mutex
	source := rand.NewChaCha8(seed)
	return func() (s [16]byte) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = source.Read(s[:]) // never fails
		return s
	}
}
