package frontend

import (
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // Go SDKs compress by default (service.md 1.4)
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/perdure/perdure/callbacks"
	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/internal/clock"
)

// maxSendBytes bounds an answer: as much as SDKs accept.
const maxSendBytes = 128 << 20

const defaultMaxWaiting = 20000

// Frontend answers the API. Make one with New, bind it with Register, and call
// Serve once the parts behind it are ready.
type Frontend struct {
	workflowservice.UnimplementedWorkflowServiceServer
	operator *operator

	executions Executions
	queues     Queues
	visibility Visibility
	registry   Registry
	callbacks  callbacks.Addresses
	// timeSkipping are namespaces in which the time of workflows may be skipped.
	timeSkipping []string

	limits  *engine.Limits
	clock   clock.Clock
	log     *slog.Logger
	metrics *metrics
	// rpcs are those of the API by their full names. Never changes.
	rpcs    map[string]*rpc
	health  *health.Server
	waiting *waiting
	// pressure is Options.Pressure; never nil.
	pressure func() error
	workers  *workers

	shards      int32
	persistence string
	address     string
	httpAddress string

	// serving: Serve was called. A draining server goes on answering.
	serving atomic.Bool
	large   large
}

// New builds a frontend. It refuses every call until Serve.
func New(o Options) *Frontend {
	if o.Limits == nil {
		o.Limits = engine.DefaultLimits()
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxWaitingPerNamespace == 0 {
		o.MaxWaitingPerNamespace = defaultMaxWaiting
	}
	if o.Pressure == nil {
		o.Pressure = func() error { return nil }
	}
	f := &Frontend{
		executions: o.Executions, queues: o.Queues, visibility: o.Visibility, registry: o.Registry,
		callbacks: o.CallbackAddresses, timeSkipping: o.TimeSkipping, limits: o.Limits, clock: o.Clock, log: o.Log, metrics: newMetrics(o.Metrics),
		health: health.NewServer(), waiting: newWaiting(o.MaxWaitingPerNamespace), workers: newWorkers(o.Clock), pressure: o.Pressure,
		shards: int32(o.Shards), persistence: o.Persistence, address: o.Address, httpAddress: o.HTTPAddress,
	}
	f.rpcs = f.allRPCs()
	f.operator = &operator{frontend: f}
	f.setHealth(healthpb.HealthCheckResponse_NOT_SERVING)
	return f
}

// The services' full names, as the health check knows them.
const (
	workflowServiceName = "temporal.api.workflowservice.v1.WorkflowService"
	operatorServiceName = "temporal.api.operatorservice.v1.OperatorService"
)

func (f *Frontend) setHealth(s healthpb.HealthCheckResponse_ServingStatus) {
	f.health.SetServingStatus(workflowServiceName, s)
	f.health.SetServingStatus(operatorServiceName, s)
	f.health.SetServingStatus("", s)
}

// Serve begins to answer.
func (f *Frontend) Serve() {
	f.serving.Store(true)
	f.setHealth(healthpb.HealthCheckResponse_SERVING)
}

// Drain prepares the stop: the health check says NOT_SERVING, and every call
// that waits, present and to come, ends with an empty answer. Other calls are
// still answered. Then stop the gRPC server gracefully.
func (f *Frontend) Drain() {
	f.health.Shutdown()
	f.waiting.drain()
	f.queues.DrainPolls()
}

// Register binds the API, the health check and reflection to a server made with
// ServerOptions.
func (f *Frontend) Register(s *grpc.Server) {
	workflowservice.RegisterWorkflowServiceServer(s, f)
	operatorservice.RegisterOperatorServiceServer(s, f.operator)
	healthpb.RegisterHealthServer(s, f.health)
	reflection.Register(s) // v1 and v1alpha
}

// ServerOptions are how a server of the API must be made (service.md 1.4).
func (f *Frontend) ServerOptions() []grpc.ServerOption {
	return append(TransportOptions(), grpc.ForceServerCodecV2(f.codec()), grpc.InTapHandle(f.tap), grpc.ChainUnaryInterceptor(f.intercept))
}

// TransportOptions are the part of ServerOptions that is about connections and
// the size of messages.
func TransportOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessageReceived),
		grpc.MaxSendMsgSize(maxSendBytes),
		// SDKs ping every 30 s, with or without calls in flight, and must not be
		// sent away for it.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle:     2 * time.Minute,
			MaxConnectionAge:      5 * time.Minute,
			MaxConnectionAgeGrace: 70 * time.Second,
			Time:                  time.Minute,
			Timeout:               10 * time.Second,
		}),
	}
}

// freshID is an id no one has used, for requests that brought none. It tells what is
// sent again from what is new, and need not be hard to guess: the system's own chance
// costs several times as much.
func freshID() string {
	var id uuid.UUID
	binary.NativeEndian.PutUint64(id[:8], rand.Uint64())
	binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	id[6] = id[6]&0x0f | 0x40 // version 4: by chance
	id[8] = id[8]&0x3f | 0x80 // the variant of RFC 9562
	return id.String()
}
