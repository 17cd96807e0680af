package server

import (
	"maps"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/perdure/perdure/matching"
	"github.com/perdure/perdure/store/pebblestore"
	"github.com/perdure/perdure/visibility"
)

// liveHeap adds go_gc_heap_live_bytes, the heap that the last collection found in
// use, to what the collector of the runtime's metrics has by default: unlike the
// heap with its garbage it shows a leak.
var liveHeap = collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile("^/gc/heap/live:bytes$")}

// shardMetrics are the measurements of the shard loops.
type shardMetrics struct {
	steps *prometheus.CounterVec
	// step has the counters of steps that were looked for once. It is never
	// changed, but replaced. (A sync.Map made an object of each key it was asked for.)
	step     atomic.Pointer[map[stepKind]prometheus.Counter]
	commits  *prometheus.CounterVec
	sync     prometheus.Histogram
	rows     prometheus.Counter
	bytes    prometheus.Counter
	loads    prometheus.Histogram
	late     prometheus.Histogram
	loaded   prometheus.Gauge
	reopened prometheus.Counter
}

func newShardMetrics(to *prometheus.Registry) *shardMetrics {
	seconds := prometheus.ExponentialBuckets(0.0001, 2, 18) // 0.1 ms to 13 s
	m := &shardMetrics{
		steps: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "perdure_steps_total",
			Help: "Inputs carried out by the core, by kind and whether they were refused."}, []string{"kind", "refused"}),
		commits: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "perdure_commits_total",
			Help: "Batches committed, by whether they became durable."}, []string{"durable"}),
		sync: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "perdure_commit_seconds",
			Help: "Time from giving a batch to the store until it was durable.", Buckets: seconds}),
		rows: prometheus.NewCounter(prometheus.CounterOpts{Name: "perdure_commit_rows_total",
			Help: "Rows in committed batches."}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "perdure_commit_bytes_total",
			Help: "Bytes of keys and values in committed batches."}),
		loads: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "perdure_load_seconds",
			Help: "Time to read an execution from the store.", Buckets: seconds}),
		late: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "perdure_deadline_late_seconds",
			Help: "How long after its due time a deadline was looked at.", Buckets: seconds}),
		loaded: prometheus.NewGauge(prometheus.GaugeOpts{Name: "perdure_loaded_runs",
			Help: "Runs held in memory."}),
		reopened: prometheus.NewCounter(prometheus.CounterOpts{Name: "perdure_shard_reopened_total",
			Help: "Times a shard was opened again after a fault."}),
	}
	m.step.Store(&map[stepKind]prometheus.Counter{})
	to.MustRegister(m.steps, m.commits, m.sync, m.rows, m.bytes, m.loads, m.late, m.loaded, m.reopened,
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(liveHeap)), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *shardMetrics) Step(kind string, refused bool) {
	at := stepKind{kind, refused}
	known := *m.step.Load()
	counter := known[at]
	if counter == nil {
		counter = m.steps.WithLabelValues(kind, truth(refused))
		more := maps.Clone(known)
		more[at] = counter
		m.step.Store(&more) // if that of another loop is lost by this, it looks again
	}
	counter.Inc()
}

// stepKind is what steps are counted by.
type stepKind struct {
	kind    string
	refused bool
}

func (m *shardMetrics) Commit(rows, sizeBytes int, took time.Duration, err error) {
	m.commits.WithLabelValues(truth(err == nil)).Inc()
	m.sync.Observe(took.Seconds())
	m.rows.Add(float64(rows))
	m.bytes.Add(float64(sizeBytes))
}

func (m *shardMetrics) Load(took time.Duration) { m.loads.Observe(took.Seconds()) }
func (m *shardMetrics) Late(by time.Duration)   { m.late.Observe(by.Seconds()) }
func (m *shardMetrics) Loaded(delta int)        { m.loaded.Add(float64(delta)) }
func (m *shardMetrics) Reopened()               { m.reopened.Inc() }

func truth(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// reading is one metric taken from a snapshot.
type reading struct {
	name, help string
	kind       prometheus.ValueType
	value      float64
}

func send(readings []reading, to chan<- prometheus.Metric) {
	for _, r := range readings {
		to <- prometheus.MustNewConstMetric(prometheus.NewDesc(r.name, r.help, nil, nil), r.kind, r.value)
	}
}

// storeMetrics reads the embedded store's own figures when they are asked for.
type storeMetrics struct{ driver *pebblestore.Driver }

// Describe sends nothing: the collector is unchecked, its metrics are fixed below.
func (storeMetrics) Describe(chan<- *prometheus.Desc) {}

func (s storeMetrics) Collect(to chan<- prometheus.Metric) {
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	m := s.driver.Metrics()
	full := 0.0
	if m.Full {
		full = 1
	}
	send([]reading{
		{"perdure_store_log_bytes_total", "Bytes written to the log.", counter, float64(m.LogBytes)},
		{"perdure_store_log_syncs_total", "Syncs of the log.", counter, float64(m.LogSyncs)},
		{"perdure_store_log_sync_seconds_total", "Time spent in syncs of the log.", counter, m.LogSyncTime.Seconds()},
		{"perdure_store_flushed_bytes_total", "Bytes of tables written from memory.", counter, float64(m.FlushedBytes)},
		{"perdure_store_compacted_bytes_total", "Bytes of tables written by compactions.", counter, float64(m.CompactedBytes)},
		{"perdure_store_commit_stalls_total", "Times commits waited for flushes or compactions.", counter, float64(m.CommitStalls)},
		{"perdure_store_background_errors_total", "Failures of background work that was tried again.", counter, float64(m.BackgroundErrors)},
		{"perdure_store_disk_bytes", "Size of the database's files.", gauge, float64(m.DiskUsageBytes)},
		{"perdure_store_disk_free_bytes", "Free space of the disk.", gauge, float64(m.DiskFreeBytes)},
		{"perdure_store_disk_full", "1 while free space is below the low-water mark.", gauge, full},
		{"perdure_store_compaction_debt_bytes", "Bytes waiting to be compacted.", gauge, float64(m.CompactionDebtBytes)},
		{"perdure_store_cache_hits_total", "Blocks found in the cache.", counter, float64(m.CacheHits)},
		{"perdure_store_cache_misses_total", "Blocks not found in the cache.", counter, float64(m.CacheMisses)},
	}, to)
}

// indexMetrics reads the visibility index's own figures when they are asked for.
type indexMetrics struct{ index *visibility.Index }

// Describe sends nothing: the collector is unchecked, its metrics are fixed below.
func (indexMetrics) Describe(chan<- *prometheus.Desc) {}

func (i indexMetrics) Collect(to chan<- prometheus.Metric) {
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	m := i.index.Metrics()
	send([]reading{
		{"perdure_index_rows_total", "Records of runs written to the visibility index.", counter, float64(m.Rows)},
		{"perdure_index_transactions_total", "Batches of them.", counter, float64(m.Transactions)},
		{"perdure_index_syncs_total", "Batches that were synced, with all before them.", counter, float64(m.Syncs)},
		{"perdure_index_log_bytes_total", "Bytes written to the index's log.", counter, float64(m.LogBytes)},
		{"perdure_index_copied_bytes_total", "Bytes copied from the log into the index.", counter, float64(m.CopiedBytes)},
		{"perdure_index_backlog", "Runs that wait to be written to the index.", gauge, float64(i.index.Backlog())},
		{"perdure_index_disk_bytes", "Size of the index's files.", gauge, float64(m.DiskBytes)},
	}, to)
}

// queueMetrics reads matching's counters when they are asked for. Where
// dashboards know a name (spec service 4.3), it is that one.
type queueMetrics struct{ queues *matching.Matcher }

// Describe sends nothing: the collector is unchecked, its metrics are fixed below.
func (queueMetrics) Describe(chan<- *prometheus.Desc) {}

func (q queueMetrics) Collect(to chan<- prometheus.Metric) {
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	c := q.queues.Counters()
	send([]reading{
		{"poll_success", "Polls that got a task.", counter, float64(c.SyncMatches + c.BacklogMatches)},
		{"poll_success_sync", "Polls that got a task which had not waited.", counter, float64(c.SyncMatches)},
		{"poll_timeouts", "Polls that ended empty.", counter, float64(c.EmptyPolls)},
		{"perdure_stale_offers_total", "Offers found void when a worker took them.", counter, float64(c.Stale)},
		{"perdure_aborted_starts_total", "Starts taken back because the worker had gone.", counter, float64(c.Aborts)},
		{"perdure_task_queues", "Task queues in memory.", gauge, float64(c.Queues)},
		{"perdure_waiting_polls", "Polls that wait.", gauge, float64(c.Pollers)},
		{"approximate_backlog_count", "Tasks on offer.", gauge, float64(c.Offers)},
	}, to)
}
