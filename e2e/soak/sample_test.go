//go:build soak

package soak

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/e2e/harness"
)

// sample is what the server's process takes at one time, and what it holds.
type sample struct {
	at         time.Time
	callers    float64 // units under way, each with a caller that waits
	memory     float64 // resident, bytes
	live       float64 // heap that the last collection found in use, bytes
	heap       float64 // live heap and garbage, bytes
	goroutines float64
	files      float64 // open
	disk       float64 // the whole data folder, bytes
	index      float64 // of it the visibility index
	loaded     float64 // runs in memory
	open       float64 // runs
	rows       float64 // of the index: runs and activities that retention has left
}

// figure is a column of the samples.
type figure struct {
	name string
	of   func(sample) float64
	show func(float64) string
	// flat: it must not grow.
	flat bool
	// withCallers: it is expected to follow the number of callers that wait, which
	// is no leak. It is judged for as many callers at all times.
	withCallers bool
}

var figures = []figure{
	{"callers waiting", func(s sample) float64 { return s.callers }, plain, false, false},
	{"resident memory", func(s sample) float64 { return s.memory }, mebibytes, true, false},
	{"live heap", func(s sample) float64 { return s.live }, mebibytes, true, true},
	{"heap with garbage", func(s sample) float64 { return s.heap }, mebibytes, false, true},
	{"goroutines", func(s sample) float64 { return s.goroutines }, plain, true, true},
	{"open files", func(s sample) float64 { return s.files }, plain, true, false},
	{"disk", func(s sample) float64 { return s.disk }, mebibytes, true, false},
	{"of it the index", func(s sample) float64 { return s.index }, mebibytes, true, false},
	{"runs in memory", func(s sample) float64 { return s.loaded }, plain, true, true},
	{"open runs", func(s sample) float64 { return s.open }, plain, true, true},
	{"runs in the index", func(s sample) float64 { return s.rows }, plain, true, false},
}

func mebibytes(v float64) string { return fmt.Sprintf("%.1f MiB", v/(1<<20)) }
func plain(v float64) string     { return fmt.Sprintf("%.1f", v) }

// sampler takes samples of a server.
type sampler struct {
	server  *harness.Server
	folder  string
	load    *load
	samples []sample
	begun   time.Time
}

func (s *sampler) take(ctx context.Context) error {
	now, err := s.look(ctx)
	if err != nil {
		return err
	}
	if s.begun.IsZero() {
		s.begun = now.at
	}
	s.samples = append(s.samples, now)
	return nil
}

func (s *sampler) look(ctx context.Context) (sample, error) {
	now := sample{at: time.Now(), callers: float64(s.load.underWay.Load())}
	metrics, err := scrape(s.server.Addresses["Metrics"])
	if err != nil {
		return now, err
	}
	now.memory, now.goroutines, now.files = metrics["process_resident_memory_bytes"], metrics["go_goroutines"], metrics["process_open_fds"]
	now.live, now.heap, now.loaded = metrics["go_gc_heap_live_bytes"], metrics["go_memstats_heap_inuse_bytes"], metrics["perdure_loaded_runs"]
	if now.disk, now.index, err = s.disk(); err != nil {
		return now, err
	}
	if now.open, err = s.count(ctx, "ExecutionStatus = 'Running'"); err != nil {
		return now, err
	}
	now.rows, err = s.count(ctx, "")
	return now, err
}

// disk is the size of the data folder, and of the index in it.
func (s *sampler) disk() (all, index float64, err error) {
	err = filepath.WalkDir(s.folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil // removed meanwhile
		}
		if info, err := e.Info(); err == nil {
			all += float64(info.Size())
			if strings.HasPrefix(filepath.Base(path), "visibility") {
				index += float64(info.Size())
			}
		}
		return nil
	})
	return all, index, err
}

// count is how many workflows and standalone activities match.
func (s *sampler) count(ctx context.Context, filter string) (float64, error) {
	api := s.load.client.WorkflowService()
	workflows, err := api.CountWorkflowExecutions(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: "default", Query: filter})
	if err != nil {
		return 0, fmt.Errorf("count workflows: %w", err)
	}
	activities, err := api.CountActivityExecutions(ctx, &workflowservice.CountActivityExecutionsRequest{Namespace: "default", Query: filter})
	if err != nil {
		return 0, fmt.Errorf("count activities: %w", err)
	}
	return float64(workflows.GetCount() + activities.GetCount()), nil
}

// since are the samples after the warm-up.
func (s *sampler) since(warmUp time.Duration) []sample {
	for i, one := range s.samples {
		if one.at.Sub(s.begun) >= warmUp {
			return s.samples[i:]
		}
	}
	return nil
}

// profile keeps the server's heap profile, after a collection, in the folder
// PERDURE_SOAK_PROFILES if that is set: what grows is in the difference of two
// (go tool pprof -base).
func (s *sampler) profile(name string) error {
	folder := os.Getenv("PERDURE_SOAK_PROFILES")
	if folder == "" {
		return nil
	}
	admin := strings.TrimSuffix(s.server.Addresses["Metrics"], "/metrics")
	for file, path := range map[string]string{"heap": "heap?gc=1", "goroutines": "goroutine?debug=1"} {
		if err := save(admin+"/debug/pprof/"+path, filepath.Join(folder, file+"."+name)); err != nil {
			return err
		}
	}
	return nil
}

func save(address, path string) error {
	response, err := http.Get(address)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = file.ReadFrom(response.Body)
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

// scrape reads the metrics without labels.
func scrape(address string) (map[string]float64, error) {
	response, err := http.Get(address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	values := map[string]float64{}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		name, text, ok := strings.Cut(lines.Text(), " ")
		if value, err := strconv.ParseFloat(text, 64); ok && err == nil {
			values[name] = value
		}
	}
	for _, name := range []string{"process_resident_memory_bytes", "go_goroutines", "process_open_fds", "go_gc_heap_live_bytes"} {
		if values[name] == 0 {
			return nil, fmt.Errorf("%s lacks %s", address, name)
		}
	}
	return values, nil
}
