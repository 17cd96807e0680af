package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/matching"
	"github.com/perdure/perdure/shard"
	"github.com/perdure/perdure/store/memstore"
)

// process is one life of the server, from its start to its crash.
type process struct {
	world   *world
	began   time.Time
	dead    bool
	driver  *memstore.Driver
	matcher *matching.Matcher
	host    *shard.Host
	bounds  bounds
	load    load
	// deposed: the shards have another owner, and it does not know. stopping: it
	// was asked to stop.
	deposed, stopping bool
	// onDeath are told when it crashes: callers whose answers will not come.
	onDeath []func()
}

// boot starts the server on the disk there is.
func (w *world) boot() { w.bootOn(w.openDisk()) }

// bootOn starts it on an open database, whoever owns its shards.
func (w *world) bootOn(driver *memstore.Driver) {
	w.lives++
	p := &process{world: w, began: w.now, driver: driver, bounds: drawBounds(w.schedule), load: load{played: w.played}}
	p.matcher = matching.New(matching.Options{
		Clock:       processClock{p},
		Spawn:       p.spawn,
		Jitter:      func(most time.Duration) time.Duration { return w.between(0, most) },
		Window:      1 + w.chance.IntN(8), // small, so that its edges are seen
		PollTimeout: 2 * time.Hour,        // the pollers say themselves how long they wait
		Log:         w.log(),
	})
	host, err := shard.Open(context.Background(), shard.Options{
		Driver:        owned{p.driver, p},
		Matcher:       p.matcher,
		Namespaces:    namespaces{w.retention},
		Feed:          p,
		Deliverer:     p,
		Post:          p,
		Metrics:       &p.load,
		Shards:        p.bounds.shards,
		Limits:        w.limits,
		Clock:         processClock{p},
		Spawn:         p.spawn,
		Seed:          w.seed16,
		CacheRuns:     1 + w.chance.IntN(30),
		IdleAfter:     w.between(100*time.Millisecond, maxIdle),
		MaxPending:    p.bounds.pending,
		MaxFlying:     p.bounds.flying,
		MaxBatchBytes: p.bounds.batchBytes,
		MaxBatchSteps: p.bounds.batchSteps,
		MaxLoads:      1 + w.chance.IntN(8),
		MaxDue:        1 + w.chance.IntN(8),
		Window:        1 + w.chance.IntN(8),
		Horizon:       w.horizon(),
		MaxHorizon:    5 + w.chance.IntN(100),
		MaxPieceBytes: 1 << (8 + w.chance.IntN(12)),
		Log:           w.log(),
	})
	if err != nil {
		w.broken("the server does not start on the disk a crash has left: %v", err)
	}
	p.host = host
	w.process, w.image = p, nil
	w.say("the server starts, life %d, %d shards", w.lives, p.bounds.shards)
	for _, worker := range w.workers {
		worker.connect()
	}
}

// crash ends the server at this very moment. What is in flight to the disk
// survives or not, as chance has it.
func (w *world) crash() {
	p := w.process
	w.say("the server crashes")
	w.trouble = w.now
	p.dead = true
	w.process = nil
	w.endFormer()
	broken := memstore.Broken{}
	if w.lying != nil {
		broken = w.lying(w)
	}
	w.image = p.driver.CrashBroken(broken)
	w.index.crash()
	w.check()
	p.end()
}

// stop ends the server as an operator does. It must come to rest in a while, and
// then forget nothing at all: not even what a crash may forget (I1).
func (w *world) stop() {
	p := w.process
	if p.driver.Full() {
		return // it would wait for room
	}
	w.say("the server is asked to stop")
	p.stopping = true
	calm, asked := w.trouble, w.now
	w.trouble = w.now
	p.matcher.DrainPolls()
	p.host.BeginStop()
	// A shard that failed to open again may be waiting up to ten seconds for its
	// next try when it hears of the stop.
	w.after(12*time.Second, p.living(func() {
		if w.trouble.After(asked) {
			calm = w.now
		}
		w.trouble = w.now
		if p.driver.Full() || p.driver.Err() != nil {
			// It waits for room, and whoever has asked does not wait for ever.
			w.crash()
			w.rise()
			return
		}
		// All is at rest, so that this does not wait; a real second is for the
		// case that it is not.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := p.host.Stop(ctx); err != nil {
			w.broken("the server does not stop: %v", err)
		}
		w.say("the server has stopped")
		w.crash()
		w.auditor.nothingForgotten(calm)
		w.rise()
	}))
}

// living is f as long as the process lives, and nothing afterwards.
func (p *process) living(f func()) func() {
	return func() {
		if !p.dead {
			f()
		}
	}
}

// spawn runs work soon: what in production is a goroutine that may be held up.
func (p *process) spawn(work func()) {
	w := p.world
	delay, slow := w.workDelay()
	w.after(delay, p.living(func() {
		reads := w.reads
		work()
		switch {
		case !slow:
		case w.reads > reads:
			w.faults.counts[faultSlowRead]++
		default:
			w.faults.counts[faultSlowWork]++
		}
	}))
}

// workDelay is how long work waits until somebody does it.
func (w *world) workDelay() (delay time.Duration, slow bool) {
	if w.draws(faultSlowWork) {
		return w.between(time.Millisecond, 100*time.Millisecond), true
	}
	return w.between(0, 100*time.Microsecond), false
}

// namespaces is the one namespace of the world.
type namespaces struct{ retention time.Duration }

// ByID implements shard.Namespaces.
func (n namespaces) ByID(id string) *engine.Namespace {
	if id != namespaceID {
		return nil
	}
	return &engine.Namespace{ID: namespaceID, Name: namespaceName, Retention: n.retention,
		SearchAttributes: searchAttributes}
}

// ByName implements shard.Namespaces.
func (n namespaces) ByName(name string) *engine.Namespace {
	if name != namespaceName {
		return nil
	}
	return n.ByID(namespaceID)
}

// log brings what the server would log into the story.
func (w *world) log() *slog.Logger { return slog.New(storyLog{w}) }

type storyLog struct{ w *world }

// Enabled implements slog.Handler.
func (storyLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle implements slog.Handler.
func (l storyLog) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += fmt.Sprint(" ", a.Key, "=", a.Value)
		return true
	})
	l.w.say("server log: %s", text)
	l.w.auditor.logged(text)
	return nil
}

// WithAttrs implements slog.Handler.
func (l storyLog) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements slog.Handler.
func (l storyLog) WithGroup(string) slog.Handler { return l }
