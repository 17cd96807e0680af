package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	enumspb "go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/store"
)

// Names and ids that are fixed.
const (
	// DefaultNamespace exists from the first start on.
	DefaultNamespace = "default"
	// SystemNamespace is where the server's own work would run; clients expect
	// it to exist.
	SystemNamespace   = "temporal-system"
	systemNamespaceID = "32049b68-7872-4094-8e63-d0dd59896a83"
	// DefaultClusterName is the name of the only cluster there is.
	DefaultClusterName = "active"

	defaultRetention = 24 * time.Hour
	systemRetention  = 7 * 24 * time.Hour
)

// Options of Open.
type Options struct {
	// Driver keeps the rows. The registry opens the system slot on it, and owns
	// that slot until Close. Required.
	Driver store.Driver
	// Retention of the namespaces created at start. Defaults to 24 hours.
	Retention time.Duration
	// Namespaces to create at start besides "default", unless they exist.
	Namespaces []string
	// SearchAttributes to add at start to "default" and to Namespaces, as
	// `--search-attribute Name=Type` asks. Names already there stay as they are.
	SearchAttributes map[string]enumspb.IndexedValueType
	// ClusterName is shown to clients. Defaults to "active".
	ClusterName string
	// Protected namespaces cannot be deleted (NS-15). For an operator who fears
	// for one.
	Protected []string
	// Capabilities are what DescribeNamespace says this server can do. Defaults
	// to Capabilities(Features{}).
	Capabilities *namespacepb.NamespaceInfo_Capabilities
	// SupportsSchedules is what DescribeNamespace says of schedules.
	SupportsSchedules bool
	// Limits shown by DescribeNamespace. Defaults to engine.DefaultLimits.
	Limits *engine.Limits
	// Now is the time, for the marks on bad binaries. Defaults to time.Now.
	Now func() time.Time
	// NewID yields ids of namespaces and of the cluster. Defaults to random
	// UUIDs; the simulator hands in its own.
	NewID func() string
	// Log gets faults that no caller is told of. Defaults to slog.Default.
	Log *slog.Logger
}

func (o *Options) fill() {
	if o.Retention == 0 {
		o.Retention = defaultRetention
	}
	if o.ClusterName == "" {
		o.ClusterName = DefaultClusterName
	}
	if o.Limits == nil {
		o.Limits = engine.DefaultLimits()
	}
	if o.Capabilities == nil {
		o.Capabilities = Capabilities(Features{})
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = uuid.NewString
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
}

// Registry holds the namespaces. All methods may be called from any goroutine;
// those without a context only read memory. It implements shard.Namespaces.
type Registry struct {
	options Options
	// present is what readers see.
	present atomic.Pointer[snapshot]
	// clusterID never changes once Open has returned.
	clusterID string

	// turn holds one token; who has it may use shard and swap present. It is a
	// channel and not a mutex because it is held across the disk.
	turn chan struct{}
	// shard is nil after a failed commit, until the slot has been opened again.
	shard store.Shard
	// closed: no more changes.
	closed bool
}

// Open takes the system slot, reads all namespaces and creates those that must
// exist.
func Open(ctx context.Context, options Options) (*Registry, error) {
	options.fill()
	r := &Registry{options: options, turn: make(chan struct{}, 1)}
	if err := r.reopen(ctx); err != nil {
		return nil, err
	}
	if err := r.bootstrap(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Close gives the system slot up. Reads go on from memory, changes fail.
// Idempotent.
func (r *Registry) Close() error {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	r.closed = true
	if r.shard == nil {
		return nil
	}
	shard := r.shard
	r.shard = nil
	if err := shard.Close(); err != nil {
		return fmt.Errorf("close the system slot: %w", err)
	}
	return nil
}

// ByID returns nil for an unknown namespace. One that is deleted is found until
// it is purged.
func (r *Registry) ByID(id string) *engine.Namespace {
	if e := r.present.Load().byID[id]; e != nil {
		return e.core
	}
	return nil
}

// ByName returns nil for an unknown namespace. A deleted namespace is found by
// the name it was given then.
func (r *Registry) ByName(name string) *engine.Namespace {
	if e := r.present.Load().byName[name]; e != nil {
		return e.core
	}
	return nil
}

// State of the namespace with the id; unspecified when there is none.
func (r *Registry) State(id string) enumspb.NamespaceState {
	if e := r.present.Load().byID[id]; e != nil {
		return e.info.GetState()
	}
	return enumspb.NAMESPACE_STATE_UNSPECIFIED
}

// ClusterID is the UUID of this installation, stable for its store.
func (r *Registry) ClusterID() string { return r.clusterID }

// ClusterName is the name clients are told.
func (r *Registry) ClusterName() string { return r.options.ClusterName }

// change is one turn: decide is given the present snapshot and returns the new
// entry of one namespace, or nil when nothing is to change. The new entry is
// visible once it is durable, which is before change returns.
func (r *Registry) change(ctx context.Context, decide func(*snapshot) (*entry, error)) (*entry, error) {
	release, err := r.takeTurn(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	present := r.present.Load()
	next, err := decide(present)
	if err != nil || next == nil {
		return next, err
	}
	batch := new(store.Batch)
	batch.Put(namespaceKey(next.id()), encodeEntry(next))
	if err := r.commit(ctx, batch); err != nil {
		return nil, fmt.Errorf("store namespace %s: %w", next.id(), err)
	}
	r.present.Store(present.with(next.seal()))
	return next, nil
}

// takeTurn waits for the turn and makes sure there is a shard to write to.
func (r *Registry) takeTurn(ctx context.Context) (release func(), err error) {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a turn to change the namespaces: %w", ctx.Err())
	}
	release = func() { <-r.turn }
	switch {
	case r.closed:
		err = store.ErrClosed
	case r.shard == nil:
		err = r.reopen(ctx)
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// commit waits until the batch is durable, whatever becomes of the caller: a
// change whose outcome nobody saw would leave the snapshot wrong. After a
// failure the slot is opened and read again, because what became of the batch
// may be unknown.
func (r *Registry) commit(ctx context.Context, batch *store.Batch) error {
	done := make(chan error, 1)
	r.shard.Commit(batch, func(err error) { done <- err })
	err := <-done
	if err == nil {
		return nil
	}
	old := r.shard
	r.shard = nil
	if closeErr := old.Close(); closeErr != nil {
		r.options.Log.Error("close the system slot after a failed commit", "error", closeErr)
	}
	if reopenErr := r.reopen(context.WithoutCancel(ctx)); reopenErr != nil {
		// The next change tries again; until then reads show the state before.
		r.options.Log.Error("open the system slot after a failed commit", "error", reopenErr)
	}
	if errors.Is(err, store.ErrFull) {
		return fmt.Errorf("%w (%w)", errFull, err)
	}
	return err
}

// errFull answers a change that the store has no room for. Nothing has happened.
var errFull = engine.Refuse(engine.KindStorageFull,
	"the server's disk is full: the namespace cannot be changed until space is freed on the disk of its data folder")

// reopen takes the system slot and makes what it holds the present snapshot.
func (r *Registry) reopen(ctx context.Context) error {
	shard, err := r.options.Driver.Open(ctx, store.SlotRange{From: store.SystemSlot, To: store.SystemSlot + 1})
	if err != nil {
		return fmt.Errorf("open the system slot: %w", err)
	}
	present, clusterID, err := load(ctx, shard)
	if err != nil {
		return errors.Join(fmt.Errorf("read the namespaces: %w", err), shard.Close())
	}
	r.shard = shard
	r.clusterID = clusterID
	r.present.Store(present)
	return nil
}
