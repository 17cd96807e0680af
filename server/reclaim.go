package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/perdure/perdure/registry"
)

// reclaim removes the executions of deleted namespaces, and then what is left
// of the namespaces themselves (NS-14). The mark of deletion is durable and
// goes last, so a restart takes up where this stopped. While nothing is to be
// reclaimed its goroutine waits for a deletion and costs nothing (I12).
type reclaim struct {
	names *registry.Registry
	runs  runDeleter
	log   *slog.Logger

	// wake asks for a look. One token is enough: a look sees all there is.
	wake   chan struct{}
	cancel context.CancelFunc
	ended  chan struct{}
}

// runDeleter is *shard.Host.
type runDeleter interface {
	DeleteRuns(ctx context.Context, namespaceID string) (found int, err error)
}

func newReclaim(names *registry.Registry, runs runDeleter, log *slog.Logger) *reclaim {
	return &reclaim{names: names, runs: runs, log: log, wake: make(chan struct{}, 1), ended: make(chan struct{})}
}

// Pauses between two passes over the same namespace: a terminated run is
// forgotten in a step of its own, and a fault should pass.
const (
	passPause  = 200 * time.Millisecond
	faultPause = 10 * time.Second
)

func (r *reclaim) start() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.kick() // for those that an earlier process has left
	go func() {
		defer close(r.ended)
		r.loop(ctx)
	}()
}

// stop ends the work between two bounded pieces of it.
func (r *reclaim) stop(ctx context.Context) error {
	r.cancel()
	select {
	case <-r.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// kick says that a namespace may have been deleted.
func (r *reclaim) kick() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *reclaim) loop(ctx context.Context) {
	var again <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-again:
		}
		again = nil
		if pause := r.pass(ctx); pause > 0 {
			again = time.After(pause)
		}
	}
}

// pass works on every deleted namespace once and says when to come again; zero
// when nothing is left.
func (r *reclaim) pass(ctx context.Context) (pause time.Duration) {
	for _, ns := range r.names.Deleted() {
		found, err := r.runs.DeleteRuns(ctx, ns.ID)
		if err == nil && found == 0 {
			err = r.names.Purge(ctx, ns.ID)
		}
		switch {
		case ctx.Err() != nil:
			return 0
		case err != nil:
			r.log.Error("reclaim a deleted namespace", "namespace", ns.Name, "id", ns.ID, "error", err)
			pause = max(pause, faultPause)
		case found > 0:
			pause = max(pause, passPause)
		default:
			r.log.Info("a deleted namespace is reclaimed", "namespace", ns.Name, "id", ns.ID)
		}
	}
	return pause
}

// deleter is the registry as the edge sees it: a deletion sets reclaim to work.
type deleter struct {
	*registry.Registry
	reclaim *reclaim
}

// Delete is registry.Registry's.
func (d deleter) Delete(ctx context.Context, name, id string) (string, error) {
	deleted, err := d.Registry.Delete(ctx, name, id)
	if err == nil {
		d.reclaim.kick()
	}
	return deleted, err
}
