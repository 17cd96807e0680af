package bench

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

// Report is what a run cost. Figures of the server process are zero when the
// server was not started by the run.
type Report struct {
	Scenario    string  `json:"scenario"`
	Concurrency int     `json:"concurrency"`
	Count       int     `json:"count"`
	Seconds     float64 `json:"seconds"`
	PerSecond   float64 `json:"workflows_per_second"`

	// Latency from start call to result.
	Latency Distribution `json:"latency"`

	CPUMillisEach   float64 `json:"server_cpu_ms_per_workflow"`
	WrittenKiBEach  float64 `json:"server_written_kib_per_workflow"`
	PeakMemoryMiB   float64 `json:"server_peak_memory_mib"`
	IdleCorePercent float64 `json:"idle_core_percent,omitempty"`
	IdleMemoryMiB   float64 `json:"idle_memory_mib,omitempty"`

	// TimerLateness is how long after its due time each timer fired.
	TimerLateness *Distribution `json:"timer_lateness,omitempty"`

	// Floor is what the null server cost in the same run, Ratio every figure
	// divided by its.
	Floor *Report `json:"floor,omitempty"`
	Ratio *Ratio  `json:"ratio,omitempty"`
}

// Ratio is what a server costs in multiples of the floor. For throughput, more
// is better; for all others, less.
type Ratio struct {
	PerSecond  float64 `json:"workflows_per_second"`
	P50        float64 `json:"latency_p50"`
	P95        float64 `json:"latency_p95"`
	P99        float64 `json:"latency_p99"`
	Max        float64 `json:"latency_max"`
	CPU        float64 `json:"server_cpu"`
	Written    float64 `json:"server_written"`
	PeakMemory float64 `json:"server_peak_memory"`
}

// Distribution of a time, in milliseconds.
type Distribution struct {
	MinMillis float64 `json:"min_ms"`
	P50Millis float64 `json:"p50_ms"`
	P95Millis float64 `json:"p95_ms"`
	P99Millis float64 `json:"p99_ms"`
	MaxMillis float64 `json:"max_ms"`
}

func (b *bench) report(took time.Duration, before, after usage) *Report {
	n := float64(b.Count)
	return &Report{
		Scenario: b.Scenario, Concurrency: b.Concurrency, Count: b.Count,
		Seconds:        took.Seconds(),
		PerSecond:      n / took.Seconds(),
		CPUMillisEach:  float64((after.cpu - before.cpu).Microseconds()) / 1000 / n,
		WrittenKiBEach: float64(after.writtenBytes-before.writtenBytes) / 1024 / n,
		PeakMemoryMiB:  float64(after.peakBytes) / (1 << 20),
	}
}

func (r *Report) compare(floor *Report) {
	over := func(a, b float64) float64 {
		if b == 0 {
			return 0 // not measured
		}
		return a / b
	}
	r.Floor = floor
	r.Ratio = &Ratio{
		PerSecond:  over(r.PerSecond, floor.PerSecond),
		P50:        over(r.Latency.P50Millis, floor.Latency.P50Millis),
		P95:        over(r.Latency.P95Millis, floor.Latency.P95Millis),
		P99:        over(r.Latency.P99Millis, floor.Latency.P99Millis),
		Max:        over(r.Latency.MaxMillis, floor.Latency.MaxMillis),
		CPU:        over(r.CPUMillisEach, floor.CPUMillisEach),
		Written:    over(r.WrittenKiBEach, floor.WrittenKiBEach),
		PeakMemory: over(r.PeakMemoryMiB, floor.PeakMemoryMiB),
	}
}

// Print writes the report for a person.
func (r *Report) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	line("scenario", "%s, %d workflows, %d at a time", r.Scenario, r.Count, r.Concurrency)
	line("throughput", "%.0f workflows/s (%.2f s)", r.PerSecond, r.Seconds)
	if r.Latency.MaxMillis > 0 {
		line("start to result", "%s", r.Latency)
	}
	line("server CPU", "%.3f ms per workflow", r.CPUMillisEach)
	line("server writes", "%.1f KiB per workflow", r.WrittenKiBEach)
	line("server memory", "%.0f MiB at its peak", r.PeakMemoryMiB)
	if r.IdleMemoryMiB > 0 {
		line("idle", "%.2f %% of a core, %.0f MiB", r.IdleCorePercent, r.IdleMemoryMiB)
	}
	if r.TimerLateness != nil {
		line("timers late by", "%s", *r.TimerLateness)
	}
	if r.Ratio != nil {
		r.printFloor(w)
	}
	return w.Flush()
}

func (r *Report) printFloor(w io.Writer) {
	fmt.Fprintln(w, "\t\t\t")
	fmt.Fprintln(w, "\tserver\tfloor\tratio")
	line := func(name string, server, floor, ratio float64) {
		fmt.Fprintf(w, "%s\t%.3f\t%.3f\t%.2f\n", name, server, floor, ratio)
	}
	f := r.Floor
	line("workflows/s", r.PerSecond, f.PerSecond, r.Ratio.PerSecond)
	line("p50 ms", r.Latency.P50Millis, f.Latency.P50Millis, r.Ratio.P50)
	line("p95 ms", r.Latency.P95Millis, f.Latency.P95Millis, r.Ratio.P95)
	line("p99 ms", r.Latency.P99Millis, f.Latency.P99Millis, r.Ratio.P99)
	line("max ms", r.Latency.MaxMillis, f.Latency.MaxMillis, r.Ratio.Max)
	line("CPU ms/workflow", r.CPUMillisEach, f.CPUMillisEach, r.Ratio.CPU)
	line("KiB/workflow", r.WrittenKiBEach, f.WrittenKiBEach, r.Ratio.Written)
	line("peak MiB", r.PeakMemoryMiB, f.PeakMemoryMiB, r.Ratio.PeakMemory)
}

func (d Distribution) String() string {
	return fmt.Sprintf("p50 %.2f  p95 %.2f  p99 %.2f  max %.2f ms", d.P50Millis, d.P95Millis, d.P99Millis, d.MaxMillis)
}

// samples collects times from many goroutines.
type samples struct {
	mu   sync.Mutex
	each []time.Duration
}

func (s *samples) add(each ...time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.each = append(s.each, each...)
}

func (s *samples) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.each)
}

func (s *samples) distribution() Distribution {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.each) == 0 {
		return Distribution{}
	}
	slices.Sort(s.each)
	at := func(share float64) float64 {
		i := int(share * float64(len(s.each)-1))
		return float64(s.each[i].Microseconds()) / 1000
	}
	return Distribution{MinMillis: at(0), P50Millis: at(0.50), P95Millis: at(0.95), P99Millis: at(0.99), MaxMillis: at(1)}
}
