package frontend

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const serviceName = "frontend"

// metrics are the request metrics dashboards rely on (service.md 4.3).
type metrics struct {
	requests *prometheus.CounterVec
	errors   *prometheus.CounterVec
	byType   *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	pending  *prometheus.GaugeVec
}

// rpcMetrics are those of one RPC. Looking all labels up for each call
// costs more than a small handler does.
type rpcMetrics struct {
	all       *metrics
	operation string
	// pending is made with the first call: RPCs nobody uses have no metrics.
	pending func() prometheus.Gauge
	// usual are the metrics of the namespace that was the first to be called,
	// which on most servers is the only one; bound holds the *boundMetrics of all.
	usual atomic.Pointer[boundMetrics]
	bound sync.Map
}

// boundMetrics tell calls apart by namespace: a registered one or empty, so that
// callers cannot make labels up.
type boundMetrics struct {
	namespace        string
	requests, errors prometheus.Counter
	latency          prometheus.Observer
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	names := []string{"operation", "namespace", "service_name"}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "service_requests", Help: "Calls received."}, names),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "service_errors", Help: "Calls that failed through no fault of the caller."}, names),
		byType: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "service_error_with_type", Help: "Calls that were answered with an error, by its code."},
			append(names[:3:3], "error_type")),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "service_latency", Help: "Seconds from receipt of a call to its answer; polls include their waiting.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 17)}, names),
		pending: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "service_pending_requests", Help: "Calls being answered."}, []string{"operation", "service_name"}),
	}
	if registerer != nil {
		registerer.MustRegister(m.requests, m.errors, m.byType, m.latency, m.pending)
	}
	return m
}

func (m *metrics) rpc(name string) *rpcMetrics {
	return &rpcMetrics{all: m, operation: name, pending: sync.OnceValue(func() prometheus.Gauge {
		return m.pending.WithLabelValues(name, serviceName)
	})}
}

func (m *rpcMetrics) of(namespace string) *boundMetrics {
	if b := m.usual.Load(); b != nil && b.namespace == namespace {
		return b
	}
	if b, ok := m.bound.Load(namespace); ok {
		return b.(*boundMetrics)
	}
	made := &boundMetrics{
		namespace: namespace,
		requests:  m.all.requests.WithLabelValues(m.operation, namespace, serviceName),
		errors:    m.all.errors.WithLabelValues(m.operation, namespace, serviceName),
		latency:   m.all.latency.WithLabelValues(m.operation, namespace, serviceName),
	}
	b, _ := m.bound.LoadOrStore(namespace, made)
	m.usual.CompareAndSwap(nil, made)
	return b.(*boundMetrics)
}

// began counts a call in.
func (m *rpcMetrics) began() { m.pending().Inc() }

// ended counts a call at its end, when its namespace is known; err is a status
// error.
func (m *rpcMetrics) ended(namespace string, began time.Time, err error) {
	b := m.of(namespace)
	m.pending().Dec()
	b.requests.Inc()
	b.latency.Observe(time.Since(began).Seconds())
	if err == nil {
		return
	}
	code := status.Code(err)
	m.all.byType.WithLabelValues(m.operation, namespace, serviceName, code.String()).Inc()
	switch code {
	case codes.Unavailable, codes.Internal, codes.Unknown, codes.DataLoss:
		b.errors.Inc()
	}
}
