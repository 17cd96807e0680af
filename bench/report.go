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

	// Bytes is where the written bytes of a closed loop go.
	Bytes *Bytes `json:"bytes_per_workflow,omitempty"`

	// TimerLateness is how long after its due time each timer fired.
	TimerLateness *Distribution `json:"timer_lateness,omitempty"`

	// Heartbeat is what running activities cost that report every second.
	Heartbeat *Heartbeat `json:"heartbeat,omitempty"`

	// Overload is what becomes of ten times the clients that load the server best.
	Overload *Overload `json:"overload,omitempty"`

	// FanOut is what an activity costs in a run with very many.
	FanOut *FanOut `json:"fan_out,omitempty"`

	// List is what lists and counts cost.
	List *List `json:"list,omitempty"`

	// History is what an event costs in a run with a long history; Storm what one
	// run takes of signals.
	History *LongHistory `json:"long_history,omitempty"`
	Storm   *Storm       `json:"storm,omitempty"`
	// Million is what many open executions cost.
	Million *Million `json:"million,omitempty"`

	// Floor is what the null server cost in the same run, Ratio every figure
	// divided by its.
	Floor *Report `json:"floor,omitempty"`
	Ratio *Ratio  `json:"ratio,omitempty"`
	// Beside is what another scenario cost in the same run, and RatioToBeside
	// every figure divided by its.
	Beside        *Report `json:"beside,omitempty"`
	RatioToBeside *Ratio  `json:"ratio_to_beside,omitempty"`
}

// Heartbeat is what heartbeats cost, over the time they were measured.
type Heartbeat struct {
	Activities int     `json:"activities"`
	PerSecond  float64 `json:"heartbeats_per_second"`
	// CorePercent is the server's share of one core.
	CorePercent float64 `json:"server_core_percent"`
	CPUMicros   float64 `json:"server_cpu_us_per_heartbeat"`
	// WrittenBytes is what the server gave to the block layer for each heartbeat.
	WrittenBytes float64 `json:"server_written_bytes_per_heartbeat"`
	// Call is how long a heartbeat took its caller.
	Call Distribution `json:"call"`
}

// Ratio is what a server costs in multiples of another. For throughput, more
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

// compareAs adds what a server of another role cost.
func (r *Report) compareAs(what role, other *Report) {
	switch what {
	case roleFloor:
		r.Floor, r.Ratio = other, r.over(other)
	case roleBeside:
		r.Beside, r.RatioToBeside = other, r.over(other)
	}
}

// over is every figure divided by the other's.
func (r *Report) over(other *Report) *Ratio {
	over := func(a, b float64) float64 {
		if b == 0 {
			return 0 // not measured
		}
		return a / b
	}
	return &Ratio{
		PerSecond:  over(r.PerSecond, other.PerSecond),
		P50:        over(r.Latency.P50Millis, other.Latency.P50Millis),
		P95:        over(r.Latency.P95Millis, other.Latency.P95Millis),
		P99:        over(r.Latency.P99Millis, other.Latency.P99Millis),
		Max:        over(r.Latency.MaxMillis, other.Latency.MaxMillis),
		CPU:        over(r.CPUMillisEach, other.CPUMillisEach),
		Written:    over(r.WrittenKiBEach, other.WrittenKiBEach),
		PeakMemory: over(r.PeakMemoryMiB, other.PeakMemoryMiB),
	}
}

// Print writes the report for a person.
func (r *Report) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	if m := r.Million; m != nil {
		m.print(line)
		if m.Ratio != nil {
			m.Beside.printComparison(w, m.Without, m.Ratio, "beside them", "without")
		}
		return w.Flush()
	}
	if own := r.own(); own != nil {
		line("scenario", "%s", r.Scenario)
		own.print(line)
	} else {
		line("scenario", "%s, %d executions, %d at a time", r.Scenario, r.Count, r.Concurrency)
		r.printExecutions(line)
	}
	line("server memory", "%.0f MiB at its peak", r.PeakMemoryMiB)
	if r.IdleMemoryMiB > 0 {
		line("idle", "%.2f %% of a core, %.0f MiB", r.IdleCorePercent, r.IdleMemoryMiB)
	}
	if r.TimerLateness != nil {
		line("timers late by", "%s", *r.TimerLateness)
	}
	if r.Overload != nil && r.Floor != nil {
		line("", "")
		line("the floor", "")
		r.Floor.Overload.print(line)
	}
	if r.Ratio != nil {
		r.printComparison(w, r.Floor, r.Ratio, "server", "floor")
	}
	if r.RatioToBeside != nil {
		r.printComparison(w, r.Beside, r.RatioToBeside, r.Scenario, r.Beside.Scenario)
	}
	return w.Flush()
}

// printed is a part of a report that says itself how many of what it is about.
type printed interface {
	print(line func(name, format string, args ...any))
}

// own is the part of a scenario that is not about executions one by one; nil for
// none.
func (r *Report) own() printed {
	switch {
	case r.Heartbeat != nil:
		return r.Heartbeat
	case r.History != nil:
		return r.History
	case r.Storm != nil:
		return r.Storm
	case r.FanOut != nil:
		return r.FanOut
	case r.List != nil:
		return r.List
	case r.Overload != nil:
		return r.Overload
	}
	return nil
}

func (h *Heartbeat) print(line func(name, format string, args ...any)) {
	line("heartbeats", "%.0f a second of %d running activities", h.PerSecond, h.Activities)
	line("heartbeat call", "%s", h.Call)
	line("server CPU", "%.1f %% of a core, %.1f us per heartbeat", h.CorePercent, h.CPUMicros)
	line("server writes", "%.1f bytes per heartbeat", h.WrittenBytes)
}

func (r *Report) printExecutions(line func(name, format string, args ...any)) {
	line("throughput", "%.0f executions/s (%.2f s)", r.PerSecond, r.Seconds)
	if r.Latency.MaxMillis > 0 {
		line("start to result", "%s", r.Latency)
	}
	line("server CPU", "%.3f ms per execution", r.CPUMillisEach)
	line("server writes", "%.1f KiB per execution", r.WrittenKiBEach)
	if r.Bytes != nil {
		r.Bytes.print(line)
	}
}

func (r *Report) printComparison(w io.Writer, other *Report, ratio *Ratio, mine, theirs string) {
	fmt.Fprintln(w, "\t\t\t")
	fmt.Fprintf(w, "\t%s\t%s\tratio\n", mine, theirs)
	line := func(name string, a, b, ratio float64) {
		if a == 0 && b == 0 {
			return // not measured
		}
		fmt.Fprintf(w, "%s\t%.3f\t%.3f\t%.2f\n", name, a, b, ratio)
	}
	line("executions/s", r.PerSecond, other.PerSecond, ratio.PerSecond)
	line("p50 ms", r.Latency.P50Millis, other.Latency.P50Millis, ratio.P50)
	line("p95 ms", r.Latency.P95Millis, other.Latency.P95Millis, ratio.P95)
	line("p99 ms", r.Latency.P99Millis, other.Latency.P99Millis, ratio.P99)
	line("max ms", r.Latency.MaxMillis, other.Latency.MaxMillis, ratio.Max)
	line("CPU ms each", r.CPUMillisEach, other.CPUMillisEach, ratio.CPU)
	line("KiB each", r.WrittenKiBEach, other.WrittenKiBEach, ratio.Written)
	line("peak MiB", r.PeakMemoryMiB, other.PeakMemoryMiB, ratio.PeakMemory)
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
