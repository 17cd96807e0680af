package frontend

import (
	"sync"
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

	// bound holds the *boundMetrics of each label pair, and inFlight the gauge of
	// each operation: looking all the labels up for each call costs more than a
	// small handler does.
	bound    sync.Map
	inFlight sync.Map
}

// labels tell calls apart. The namespace is a registered one or empty, so that
// callers cannot make labels up.
type labels struct{ operation, namespace string }

type boundMetrics struct {
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

func (m *metrics) of(l labels) *boundMetrics {
	if b, ok := m.bound.Load(l); ok {
		return b.(*boundMetrics)
	}
	b, _ := m.bound.LoadOrStore(l, &boundMetrics{
		requests: m.requests.WithLabelValues(l.operation, l.namespace, serviceName),
		errors:   m.errors.WithLabelValues(l.operation, l.namespace, serviceName),
		latency:  m.latency.WithLabelValues(l.operation, l.namespace, serviceName),
	})
	return b.(*boundMetrics)
}

// began counts a call in.
func (m *metrics) began(c *call) { m.gauge(c.operation).Inc() }

func (m *metrics) gauge(operation string) prometheus.Gauge {
	if g, ok := m.inFlight.Load(operation); ok {
		return g.(prometheus.Gauge)
	}
	g, _ := m.inFlight.LoadOrStore(operation, m.pending.WithLabelValues(operation, serviceName))
	return g.(prometheus.Gauge)
}

// ended counts a call at its end, when its namespace is known; err is a status
// error.
func (m *metrics) ended(c *call, began time.Time, err error) {
	l := labels{c.operation, c.namespaceName()}
	b := m.of(l)
	m.gauge(c.operation).Dec()
	b.requests.Inc()
	b.latency.Observe(time.Since(began).Seconds())
	if err == nil {
		return
	}
	code := status.Code(err)
	m.byType.WithLabelValues(l.operation, l.namespace, serviceName, code.String()).Inc()
	switch code {
	case codes.Unavailable, codes.Internal, codes.Unknown, codes.DataLoss:
		b.errors.Inc()
	}
}
