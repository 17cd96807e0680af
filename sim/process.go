package main

import (
	"context"
	"errors"
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
	dead    bool
	driver  *memstore.Driver
	matcher *matching.Matcher
	host    *shard.Host
	// onDeath are told when it crashes: callers whose answers will not come.
	onDeath []func()
}

// boot starts the server on the disk there is.
func (w *world) boot() {
	w.lives++
	p := &process{world: w}
	p.driver = memstore.Open(w.image, memstore.Options{
		Spawn:      p.spawn,
		After:      func(d time.Duration, f func()) { w.after(d, p.living(f)) },
		Chance:     w.chance,
		EarlyReads: w.faults.earlyReads,
		Faults:     memstore.Faults{Commit: w.commitFault, Read: w.readFault},
	})
	p.matcher = matching.New(matching.Options{
		Clock:       processClock{p},
		Spawn:       p.spawn,
		Jitter:      func(most time.Duration) time.Duration { return w.between(0, most) },
		Window:      1 + w.chance.IntN(8), // small, so that its edges are seen
		PollTimeout: 2 * time.Hour,        // the pollers say themselves how long they wait
		Log:         w.log(),
	})
	shards := 1 + w.chance.IntN(3)
	host, err := shard.Open(context.Background(), shard.Options{
		Driver:     p.driver,
		Matcher:    p.matcher,
		Namespaces: namespaces{w.retention},
		Feed:       p,
		Deliverer:  p,
		Shards:     shards,
		Clock:      processClock{p},
		Spawn:      p.spawn,
		Seed:       w.seed16,
		CacheRuns:  1 + w.chance.IntN(30),
		IdleAfter:  w.between(100*time.Millisecond, 30*time.Second),
		Window:     1 + w.chance.IntN(8),
		Horizon:    w.horizon(),
		MaxHorizon: 5 + w.chance.IntN(100),
		Log:        w.log(),
	})
	if err != nil {
		w.broken("the server does not start on the disk a crash has left: %v", err)
	}
	p.host = host
	w.process, w.image = p, nil
	w.say("the server starts, life %d, %d shards", w.lives, shards)
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
	broken := memstore.Broken{}
	if w.lying != nil {
		broken = w.lying(w)
	}
	w.image = p.driver.CrashBroken(broken)
	w.check()
	for _, f := range p.onDeath {
		f()
	}
}

// stop ends the server as an operator does. It must come to rest in a while, and
// then forget nothing at all: not even what a crash may forget (I1).
func (w *world) stop() {
	p := w.process
	if p.driver.Full() {
		return // it would wait for room
	}
	w.say("the server is asked to stop")
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
	delay := w.between(0, 100*time.Microsecond)
	if w.strikes(faultSlowWork) {
		delay = w.between(time.Millisecond, 100*time.Millisecond)
	}
	w.after(delay, p.living(work))
}

var (
	errDown = errors.New("the server is down")
	errLost = errors.New("no answer")
)

// call sends something to the server and brings the answer back, unless one of
// the two is lost on the way. done is called once.
func (w *world) call(send func(p *process, answer func(reply any, err error)), done func(reply any, err error)) {
	w.after(w.latency(), func() {
		p := w.process
		if p == nil || w.strikes(faultLostRequest) {
			w.after(w.between(10*time.Millisecond, time.Second), func() { done(nil, errDown) })
			return
		}
		over := false
		once := func(reply any, err error) {
			if over {
				return
			}
			over = true
			if err == nil && w.strikes(faultLostReply) {
				reply, err = nil, errLost
				w.trouble = w.now // a workflow task may have been in it
			}
			w.after(w.latency(), func() { done(reply, err) })
		}
		p.onDeath = append(p.onDeath, func() { once(nil, errLost) })
		send(p, once)
	})
}

func (w *world) latency() time.Duration { return w.between(50*time.Microsecond, 3*time.Millisecond) }

// submit sends an input. What the server answers is audited where it leaves the
// server: whether the answer arrives makes no difference to the promise.
func (w *world) submit(id engine.ID, runID string, in engine.Input, done func(reply any, err error)) {
	w.call(func(p *process, answer func(any, error)) {
		p.host.Submit(id, runID, in, func(reply any, err error) {
			if p.dead {
				w.broken("a dead process answers %T", in)
			}
			w.auditor.answered(id, runID, in, reply, err)
			answer(reply, err)
		})
	}, done)
}

// unclear reports whether a call may or may not have had its effect, so that a
// client asks again.
func unclear(err error) bool {
	if errors.Is(err, errDown) || errors.Is(err, errLost) {
		return true
	}
	switch engine.KindOf(err) {
	case 0, engine.KindUnavailable, engine.KindBusyWorkflow, engine.KindConcurrentLimit:
		return err != nil
	}
	return false
}

// Append implements shard.Feed: an index that has everything at once, and says
// so a little later.
func (p *process) Append(entries []shard.FeedEntry) {
	w := p.world
	var positions []shard.FeedPosition
	for _, e := range entries {
		w.auditor.indexed(e.Record)
		positions = append(positions, shard.FeedPosition{Slot: e.Slot, Seq: e.Seq})
	}
	w.after(w.between(0, 500*time.Millisecond), p.living(func() { p.host.FeedDone(positions) }))
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
