package callbacks

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/perdure/perdure/engine/callback"
)

// metrics are the measurements of a Deliverer.
type metrics struct {
	deliveries *prometheus.CounterVec
	seconds    prometheus.Histogram
	waiting    prometheus.Gauge
	flying     prometheus.Gauge
}

func newMetrics(to prometheus.Registerer) *metrics {
	m := &metrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "perdure_callback_deliveries_total",
			Help: "Tries to deliver a completion callback, by what became of them."}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "perdure_callback_seconds",
			Help: "Time a receiver took to answer a completion callback.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 15)}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{Name: "perdure_callbacks_waiting",
			Help: "Completion callbacks that wait for their turn to be delivered."}),
		flying: prometheus.NewGauge(prometheus.GaugeOpts{Name: "perdure_callbacks_in_flight",
			Help: "Completion callbacks whose receivers are being called."}),
	}
	if to != nil {
		to.MustRegister(m.deliveries, m.seconds, m.waiting, m.flying)
	}
	return m
}

// outcomes are the values of the label, by verdict.
var outcomes = map[callback.Verdict]string{
	callback.Accepted: "accepted", callback.Refused: "refused", callback.Failed: "failed", callback.Blocked: "blocked",
}

func (m *metrics) reported(a callback.Answer) {
	m.deliveries.WithLabelValues(outcomes[a.Verdict]).Inc()
}

func (m *metrics) took(d time.Duration) { m.seconds.Observe(d.Seconds()) }
