package frontend

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// metrics are the request metrics dashboards rely on (service.md 4.3).
type metrics struct {
	requests *prometheus.CounterVec
	errors   *prometheus.CounterVec
	byType   *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	pending  *prometheus.GaugeVec
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	labels := []string{"operation", "namespace", "service_name"}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "service_requests", Help: "Calls received."}, labels),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "service_errors", Help: "Calls that failed through no fault of the caller."}, labels),
		byType: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "service_error_with_type", Help: "Calls that were answered with an error, by its code."},
			append(labels[:3:3], "error_type")),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "service_latency", Help: "Seconds from receipt of a call to its answer; polls include their waiting.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 17)}, labels),
		pending: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "service_pending_requests", Help: "Calls being answered."}, []string{"operation", "service_name"}),
	}
	if registerer != nil {
		registerer.MustRegister(m.requests, m.errors, m.byType, m.latency, m.pending)
	}
	return m
}

const serviceName = "frontend"

func (m *metrics) began(c *call) { m.pending.WithLabelValues(c.operation, serviceName).Inc() }

// ended counts a call at its end, when its namespace is known; err is a status
// error. The namespace label holds registered names only, so that callers
// cannot make labels up.
func (m *metrics) ended(c *call, began time.Time, err error) {
	labels := []string{c.operation, c.namespaceName(), serviceName}
	m.pending.WithLabelValues(c.operation, serviceName).Dec()
	m.requests.WithLabelValues(labels...).Inc()
	m.latency.WithLabelValues(labels...).Observe(time.Since(began).Seconds())
	if err == nil {
		return
	}
	code := status.Code(err)
	m.byType.WithLabelValues(append(labels, code.String())...).Inc()
	switch code {
	case codes.Unavailable, codes.Internal, codes.Unknown, codes.DataLoss:
		m.errors.WithLabelValues(labels...).Inc()
	}
}
