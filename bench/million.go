package bench

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Million is what a server with many open executions does: how the throughput
// of others beside them compares with that of a server that has none, and how
// soon it works again after its end.
type Million struct {
	// Open executions, and how they were started in this run; zero when they
	// were there before.
	Open      int     `json:"open_executions"`
	PerSecond float64 `json:"starts_per_second,omitempty"`
	CPUMillis float64 `json:"server_cpu_ms_per_start,omitempty"`
	FillPeak  float64 `json:"fill_peak_memory_mib,omitempty"`
	// StoreMiB and IndexMiB are on the disk.
	StoreMiB float64 `json:"store_mib"`
	IndexMiB float64 `json:"index_mib"`
	// RestMiB is resident once nothing is done any more.
	RestMiB float64 `json:"rest_memory_mib"`

	// Beside them, and Without any on a server of its own, in turns.
	Beside  *Report `json:"beside_them,omitempty"`
	Without *Report `json:"without,omitempty"`
	Ratio   *Ratio  `json:"ratio,omitempty"`

	Restarts []Restart `json:"restarts,omitempty"`
}

// Restart is a server's start on a folder with many open executions, timers of
// some of which fell due while it was down. Times count from the start of the
// process.
type Restart struct {
	After    string  `json:"after"` // what ended the server before
	Due      int     `json:"due"`
	Ready    float64 `json:"ready_seconds"`      // it answers
	First    float64 `json:"first_task_seconds"` // the first task is in a worker's hands
	All      float64 `json:"all_tasks_seconds"`  // of all that were due
	PeakMiB  float64 `json:"peak_memory_mib"`
	IndexMiB float64 `json:"index_mib"`
}

// comparedCount is how many workflows are run beside the crowd, and without.
const comparedCount = 20_000

// millionRun is the scenario in progress.
type millionRun struct {
	Options
	folder string
	crowd  *crowd
	server *bench
	report *Million
}

// millionParts are what Options.Part may be.
var millionParts = []string{"", "fill", "compare", "restart"}

// runMillion fills a folder with Count open executions, unless Data has them,
// and measures.
func runMillion(ctx context.Context, o Options) (*Report, error) {
	if !slices.Contains(millionParts, o.Part) {
		return nil, fmt.Errorf("unknown part %q; there are %q", o.Part, millionParts)
	}
	r := &millionRun{Options: o, folder: o.Data, report: &Million{}}
	if r.folder == "" {
		folder, err := os.MkdirTemp("", "perdure-bench-")
		if err != nil {
			return nil, err
		}
		defer func() { _ = os.RemoveAll(folder) }()
		r.folder = folder
	}
	defer func() {
		if r.server != nil {
			r.server.close()
		}
	}()
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"", r.open}, {"", r.fill}, {"compare", r.compare}, {"restart", r.restartStopped}, {"restart", r.restartKilled},
	} {
		if part.name != "" && o.Part != "" && part.name != o.Part {
			continue
		}
		if err := part.run(ctx); err != nil {
			return nil, err
		}
	}
	return &Report{Scenario: o.Scenario, Concurrency: o.Concurrency, Count: r.crowd.Count, Million: r.report}, nil
}

// open starts a server on the folder.
func (r *millionRun) open(ctx context.Context) (err error) {
	if r.crowd == nil {
		if r.crowd, err = loadCrowd(r.folder); err != nil {
			return err
		}
	}
	o := r.Options
	if r.crowd != nil {
		o.prefix = r.crowd.Prefix
	}
	r.server, err = open(ctx, o, scenario{decide: join, crowd: r.crowd}, func(ctx context.Context, o Options) (*process, error) {
		return launchOn(ctx, o, o.serverArgs(), r.folder)
	})
	return err
}

// fill starts the executions, if there are none.
func (r *millionRun) fill(ctx context.Context) error {
	b := r.server
	if r.crowd == nil {
		r.crowd = &crowd{Prefix: b.prefix, Count: r.Count}
		began := time.Now()
		if err := r.crowd.fill(ctx, b); err != nil {
			return err
		}
		took := time.Since(began)
		used, err := b.server.usage()
		if err != nil {
			return err
		}
		r.report.PerSecond = float64(r.Count) / took.Seconds()
		r.report.CPUMillis = used.cpu.Seconds() * 1000 / float64(r.Count)
		r.report.FillPeak = mib(used.peakBytes)
		if err := r.crowd.save(r.folder); err != nil {
			return err
		}
		// A server with a crowd is what is measured; that it has started it is not.
		if err := r.reopen(ctx, (*process).end); err != nil {
			return err
		}
	}
	// A large index is verified from ten seconds after the start.
	if err := wait(ctx, 12*time.Second); err != nil {
		return err
	}
	if err := r.server.untilQuiet(ctx); err != nil {
		return err
	}
	used, err := r.server.server.usage()
	if err != nil {
		return err
	}
	r.report.Open, r.report.RestMiB = r.crowd.Count, mib(used.memoryBytes)
	r.report.StoreMiB, r.report.IndexMiB, err = r.disk()
	return err
}

// reopen ends the server in the given way and starts it again.
func (r *millionRun) reopen(ctx context.Context, end func(*process)) error {
	end(r.server.server)
	r.server.close()
	r.server = nil
	return r.open(ctx)
}

// compare drives activity1 on the server with the crowd and on one without, in
// turns.
func (r *millionRun) compare(ctx context.Context) error {
	o := r.Options
	o.Scenario, o.Count = "activity1", comparedCount
	play := scenarios[o.Scenario]
	beside, err := open(ctx, o, play, func(context.Context, Options) (*process, error) {
		p := r.server.server
		return &process{address: p.address, pid: p.pid}, nil // ours to use, not to end
	})
	if err != nil {
		return err
	}
	defer beside.close()
	without, err := open(ctx, o, play, reach)
	if err != nil {
		return err
	}
	defer without.close()
	without.role = roleBeside
	report, err := closedLoop(ctx, beside, without)
	if err != nil {
		return err
	}
	r.report.Beside, r.report.Without, r.report.Ratio = report, report.Beside, report.RatioToBeside
	report.Beside, report.RatioToBeside = nil, nil
	return nil
}

// restartStopped has timers of a tenth fall due while the server is down after
// a clean stop.
func (r *millionRun) restartStopped(ctx context.Context) error {
	if err := r.crowd.stir(ctx, r.server); err != nil {
		return err
	}
	if err := r.restart(ctx, "stop", (*process).end, false); err != nil {
		return err
	}
	return r.crowd.untilArmed(ctx, r.server) // again
}

func (r *millionRun) restartKilled(ctx context.Context) error {
	return r.restart(ctx, "kill", (*process).kill, true)
}

func (r *millionRun) restart(ctx context.Context, after string, end func(*process), rest bool) error {
	_, _, due, _ := r.crowd.progress()
	end(r.server.server)
	r.server.close()
	r.server = nil
	if err := wait(ctx, time.Until(due)+time.Second); err != nil {
		return err
	}
	r.crowd.phase(rest)
	if err := r.open(ctx); err != nil {
		return err
	}
	err := r.server.until(ctx, func() bool { _, handed, _, _ := r.crowd.progress(); return handed >= r.crowd.stirred() })
	if err != nil {
		return err
	}
	p := r.server.server
	all := time.Since(p.began)
	used, err := p.usage()
	if err != nil {
		return err
	}
	_, _, _, first := r.crowd.progress()
	_, index, err := r.disk()
	r.report.Restarts = append(r.report.Restarts, Restart{
		After: after, Due: r.crowd.stirred(),
		Ready: p.ready.Seconds(), First: first.Sub(p.began).Seconds(), All: all.Seconds(),
		PeakMiB: mib(used.peakBytes), IndexMiB: index,
	})
	return err
}

// disk is what store and index take, in MiB.
func (r *millionRun) disk() (store, index float64, err error) {
	err = filepath.WalkDir(r.folder, func(path string, entry fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // the store removes what it no longer needs
		}
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return nil
		}
		if strings.HasPrefix(entry.Name(), "visibility") {
			index += mib(info.Size())
		} else {
			store += mib(info.Size())
		}
		return nil
	})
	return store, index, err
}

// untilQuiet waits until the server does nothing any more: flushes, compactions,
// runs that leave memory, an index that is verified. It gives up after a while.
func (b *bench) untilQuiet(ctx context.Context) error {
	const look, quiet, most = 5 * time.Second, 100 * time.Millisecond, 5 * time.Minute
	var before usage
	for began := time.Now(); time.Since(began) < most; {
		now, err := b.server.usage()
		if err != nil || before.cpu > 0 && now.cpu-before.cpu < quiet {
			return err
		}
		before = now
		if err := wait(ctx, look); err != nil {
			return err
		}
	}
	return nil
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func (m *Million) print(line func(name, format string, args ...any)) {
	line("open executions", "%d; store %.0f MiB, index %.0f MiB on disk", m.Open, m.StoreMiB, m.IndexMiB)
	if m.PerSecond > 0 {
		line("started", "%.0f a second, %.3f ms of server CPU each, %.0f MiB at the peak", m.PerSecond, m.CPUMillis, m.FillPeak)
	}
	line("at rest", "%.0f MiB", m.RestMiB)
	for _, r := range m.Restarts {
		line(fmt.Sprintf("start after a %s", r.After), "%d timers due: ready after %.2f s, first task %.2f s, all %.1f s; %.0f MiB at the peak",
			r.Due, r.Ready, r.First, r.All, r.PeakMiB)
	}
}
