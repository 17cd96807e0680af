// Package server builds a Perdure server out of its parts and runs it: inside
// the perdure binary, or inside any Go program.
//
//	s, err := server.Start(ctx, server.Options{})
//	...
//	c, err := client.Dial(client.Options{ // go.temporal.io/sdk/client
//		HostPort:          s.Target(),
//		ConnectionOptions: client.ConnectionOptions{DialOptions: s.DialOptions()},
//	})
//
// Everything starts from the bottom up and stops from the top down; the order
// is in Start, and there is no other place to look.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/callbacks"
	"github.com/perdure/perdure/config"
	"github.com/perdure/perdure/frontend"
	"github.com/perdure/perdure/matching"
	"github.com/perdure/perdure/registry"
	"github.com/perdure/perdure/shard"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
	"github.com/perdure/perdure/store/pebblestore"
	"github.com/perdure/perdure/visibility"
)

// Options of a server.
type Options struct {
	// Config defaults to config.Embedded(): data in ./perdure-data, no port.
	Config *config.Config
	// Log takes what an operator should see. Defaults to nowhere.
	Log *slog.Logger

	// For tests of what disks do: store replaces the store, diskUsage what the
	// embedded one asks of the file system.
	store     store.Driver
	diskUsage func() (pebblestore.Disk, error)
}

// Server is a running server. Its methods may be called from any goroutine.
type Server struct {
	config    config.Config
	options   Options
	log       *slog.Logger
	metrics   *prometheus.Registry
	memory    *bufconn.Listener
	addresses []Address
	// stops are what ends the parts, in the order they were started.
	stops []stop
	// stopping makes a second Stop wait for the first.
	stopping chan struct{}
	stopped  chan struct{}
	stopErr  error

	driver store.Driver
	index  *visibility.Index
	host   *shard.Host
	front  *frontend.Frontend
	grpc   *grpc.Server
}

// stop ends one part.
type stop struct {
	what string
	run  func(context.Context) error
}

// Start builds and starts a server, and returns when it answers. When it fails,
// nothing of it is left running.
func Start(ctx context.Context, o Options) (*Server, error) {
	s := &Server{options: o, log: o.Log, metrics: prometheus.NewRegistry(), stopping: make(chan struct{}, 1), stopped: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.config = config.Embedded()
	if o.Config != nil {
		s.config = *o.Config
	}
	if err := s.config.Check(); err != nil {
		return nil, fmt.Errorf("configuration:\n%w", err)
	}
	for _, part := range []func(context.Context) error{s.startStore, s.startCore, s.startEdge, s.startPorts} {
		if err := part(ctx); err != nil {
			return nil, errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
		}
	}
	s.front.Serve()
	return s, nil
}

// onStop has a part ended by Stop, before the parts started earlier.
func (s *Server) onStop(what string, run func(context.Context) error) {
	s.stops = append(s.stops, stop{what, run})
}

func (s *Server) startStore(context.Context) error {
	switch {
	case s.options.store != nil:
		s.driver = s.options.store
	case s.config.InMemory:
		s.driver = memstore.New(memstore.Options{})
	default:
		driver, err := pebblestore.Open(pebblestore.Options{
			Dir:           filepath.Join(s.config.Data, "store"),
			CacheBytes:    s.config.StoreCacheBytes,
			LowWaterBytes: s.config.MinFreeDiskBytes,
			DiskUsage:     s.options.diskUsage,
			Log:           s.log,
		})
		if err != nil {
			return err
		}
		s.driver = driver
		s.metrics.MustRegister(storeMetrics{driver})
	}
	s.onStop("store", func(context.Context) error { return s.driver.Close() })
	return nil
}

// startCore starts what keeps executions: namespaces, queues, index, shards.
func (s *Server) startCore(ctx context.Context) error {
	if err := upgradeNames(ctx, s.driver, s.log, renamedAtOnce); err != nil {
		return fmt.Errorf("upgrade the store: %w", err)
	}
	attributes := make(map[string]enumspb.IndexedValueType, len(s.config.SearchAttributes))
	for name, kind := range s.config.SearchAttributes {
		attributes[name], _ = config.AttributeType(kind) // Check has seen it
	}
	names, err := registry.Open(ctx, registry.Options{
		Driver:           s.driver,
		Retention:        s.config.Retention,
		Namespaces:       s.config.Namespaces,
		SearchAttributes: attributes,
		Capabilities:     registry.Capabilities(features),
	})
	if err != nil {
		return fmt.Errorf("namespaces: %w", err)
	}
	s.onStop("namespaces", func(context.Context) error { return names.Close() })

	queues := matching.New(matching.Options{Log: s.log})
	s.metrics.MustRegister(queueMetrics{queues})

	path := ""
	if !s.config.InMemory {
		path = filepath.Join(s.config.Data, "visibility.db")
	}
	if s.index, err = visibility.Open(visibility.Options{Path: path, Namespaces: names, Log: s.log}); err != nil {
		return fmt.Errorf("visibility index: %w", err)
	}
	s.metrics.MustRegister(indexMetrics{s.index})
	s.onStop("visibility index", func(context.Context) error { return s.index.Stop() })

	addresses, err := callbacks.ParseAddresses(s.config.CallbackAddresses)
	if err != nil {
		return fmt.Errorf("callback addresses: %w", err)
	}
	deliverer := callbacks.New(callbacks.Options{Addresses: addresses, Log: s.log, Metrics: s.metrics})
	s.host, err = shard.Open(ctx, shard.Options{
		Deliverer:  deliverer,
		Driver:     s.driver,
		Matcher:    queues,
		Namespaces: names,
		Feed:       s.index,
		Shards:     s.config.Shards,
		CacheRuns:  s.config.CacheRuns,
		Limits:     limitsOf(&s.config),
		Log:        s.log,
		Metrics:    newShardMetrics(s.metrics),
	})
	if err != nil {
		return fmt.Errorf("shards: %w", err)
	}
	s.onStop("shards", s.host.Stop)
	s.onStop("callbacks", deliverer.Stop)
	s.index.Start(s.host.FeedDone, s.host.VisibilityRecords)

	reclaim := newReclaim(names, s.host, s.log)
	reclaim.start()
	s.onStop("reclaiming of namespaces", reclaim.stop)
	pressure := &pressure{store: s.driver, index: s.index, log: s.log}

	s.front = frontend.New(frontend.Options{
		Executions:  s.host,
		Queues:      queues,
		Visibility:  s.index,
		Registry:    deleter{names, reclaim},
		Pressure:    pressure.check,
		Shards:      s.config.Shards,
		Persistence: map[bool]string{true: "memory", false: "pebble"}[s.config.InMemory],
		Log:         s.log,
		Metrics:     s.metrics,

		CallbackAddresses: addresses,
		TimeSkipping:      s.config.TimeSkipping,

		MaxWaitingPerNamespace: s.config.MaxWaitingCalls,
	})
	return nil
}

// features are what clients are told this server can do.
var features = registry.Features{
	EagerWorkflowStart:     true,
	WorkerHeartbeats:       true,
	ReportedProblems:       true,
	PollerAutoscaling:      true,
	PollCompleteOnShutdown: true,
	Updates:                true,
	UpdateCallbacks:        true,
	StandaloneActivities:   true,
	WorkflowPause:          true,
}

// Done is closed when the server cannot go on: its store has failed. What was
// acknowledged is safe. Call Stop, look at Err, and start the process again.
func (s *Server) Done() <-chan struct{} { return s.host.Fatal() }

// Err says why Done was closed; nil before.
func (s *Server) Err() error {
	if err := s.driver.Err(); err != nil {
		return fmt.Errorf("the store has failed and the server had to stop; nothing acknowledged is lost. "+
			"See that the disk of %s is well and has room, then start again: %w", s.config.Data, err)
	}
	return nil
}

// Stop ends the server cleanly: waiting polls are answered, calls in flight are
// finished, everything deferred is written. Past ctx's end it cuts off what is
// left; that loses nothing acknowledged. Further calls wait for the first.
func (s *Server) Stop(ctx context.Context) error {
	select {
	case s.stopping <- struct{}{}:
	default:
		<-s.stopped
		return s.stopErr
	}
	defer close(s.stopped)
	var failures []error
	for i := len(s.stops) - 1; i >= 0; i-- {
		if err := s.stops[i].run(ctx); err != nil {
			failures = append(failures, fmt.Errorf("stop the %s: %w", s.stops[i].what, err))
		}
	}
	s.stopErr = errors.Join(failures...)
	return s.stopErr
}
