//go:build soak

package soak

import (
	"bufio"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/perdure/perdure/e2e/harness"
)

// sample is what the server's process takes at one time.
type sample struct {
	at         time.Time
	memory     float64 // resident, bytes
	heap       float64 // in use, bytes
	goroutines float64
	files      float64 // open
	disk       float64 // the whole data folder, bytes
	loaded     float64 // runs in memory
}

// figure is a column of the samples.
type figure struct {
	name string
	of   func(sample) float64
	show func(float64) string
	flat bool // must not grow
}

var figures = []figure{
	{"resident memory", func(s sample) float64 { return s.memory }, mebibytes, true},
	{"heap in use", func(s sample) float64 { return s.heap }, mebibytes, true},
	{"goroutines", func(s sample) float64 { return s.goroutines }, plain, true},
	{"open files", func(s sample) float64 { return s.files }, plain, true},
	{"disk", func(s sample) float64 { return s.disk }, mebibytes, true},
	{"runs in memory", func(s sample) float64 { return s.loaded }, plain, false},
}

func mebibytes(v float64) string { return fmt.Sprintf("%.1f MiB", v/(1<<20)) }
func plain(v float64) string     { return fmt.Sprintf("%.1f", v) }

// sampler takes samples of a server.
type sampler struct {
	server  *harness.Server
	folder  string
	samples []sample
	begun   time.Time
}

func (s *sampler) take() error {
	now := sample{at: time.Now()}
	if s.begun.IsZero() {
		s.begun = now.at
	}
	metrics, err := scrape(s.server.Addresses["Metrics"])
	if err != nil {
		return err
	}
	now.memory, now.heap, now.goroutines = metrics["process_resident_memory_bytes"], metrics["go_memstats_heap_inuse_bytes"], metrics["go_goroutines"]
	now.files, now.loaded = metrics["process_open_fds"], metrics["perdure_loaded_runs"]
	err = filepath.WalkDir(s.folder, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil // removed meanwhile
		}
		if info, err := e.Info(); err == nil {
			now.disk += float64(info.Size())
		}
		return nil
	})
	s.samples = append(s.samples, now)
	return err
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
	if values["process_resident_memory_bytes"] == 0 || values["go_goroutines"] == 0 || values["process_open_fds"] == 0 {
		return nil, fmt.Errorf("%s lacks what is measured here: %v", address, os.ErrNotExist)
	}
	return values, nil
}

// summary is a figure over all samples.
type summary struct {
	mean, least, most float64
	slopePerHour      float64
	// growth is how much the fitting line rises over the samples, of the mean.
	growth float64
}

// summarise fits a line by least squares.
func summarise(samples []sample, of func(sample) float64) (s summary) {
	s.least, s.most = math.Inf(1), math.Inf(-1)
	n, sumX, sumY, sumXX, sumXY := float64(len(samples)), 0.0, 0.0, 0.0, 0.0
	for _, one := range samples {
		x, y := one.at.Sub(samples[0].at).Hours(), of(one)
		s.least, s.most = min(s.least, y), max(s.most, y)
		sumX, sumY, sumXX, sumXY = sumX+x, sumY+y, sumXX+x*x, sumXY+x*y
	}
	s.mean = sumY / n
	if spread := n*sumXX - sumX*sumX; spread > 0 {
		s.slopePerHour = (n*sumXY - sumX*sumY) / spread
	}
	if s.mean > 0 {
		s.growth = s.slopePerHour * samples[len(samples)-1].at.Sub(samples[0].at).Hours() / s.mean
	}
	return s
}
