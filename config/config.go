// Package config is the one description of how a server runs: its fields, their
// defaults, what is wrong with them, and a printout of what is in force.
//
// A value comes from, in rising order of precedence: the default, the YAML file,
// the environment (PERDURE_<NAME>), the command line.
package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"runtime"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/callbacks"
)

// Off as a port means: do not listen there. Zero picks a free port.
const Off = -1

// Config is the whole configuration of a server. Start from Default.
type Config struct {
	// Data is the folder that holds everything the server keeps. It is made
	// when missing. Defaults to "perdure-data" in the working directory.
	Data string `yaml:"data"`
	// InMemory keeps nothing on disk: for tests that throw their server away.
	InMemory bool `yaml:"in-memory"`

	// IP is the address all ports are opened on. A public one exposes a server
	// without authentication, so anything but loopback also needs Insecure.
	// Defaults to 127.0.0.1.
	IP string `yaml:"ip"`
	// Insecure allows a public IP without TLS and authentication.
	Insecure bool `yaml:"insecure"`
	// Port serves gRPC. Defaults to 7233, where the SDKs look for it.
	Port int `yaml:"port"`
	// HTTPPort serves the HTTP/JSON form of the API. Defaults to 7243.
	HTTPPort int `yaml:"http-port"`
	// UIPort serves the web UI. Defaults to 8233.
	UIPort int `yaml:"ui-port"`
	// Headless leaves the web UI out.
	Headless bool `yaml:"headless"`
	// MetricsPort serves Prometheus metrics, pprof, liveness and readiness.
	// Defaults to 9233.
	MetricsPort int `yaml:"metrics-port"`

	// Namespaces to create at the start, besides "default".
	Namespaces []string `yaml:"namespace"`
	// SearchAttributes to register in every namespace above and in "default",
	// name to type (Text, Keyword, Int, Double, Bool, Datetime, KeywordList).
	SearchAttributes map[string]string `yaml:"search-attribute"`
	// Retention of closed workflows in the namespaces made at the start.
	// Defaults to 24h; at least a minute (and at least an hour where a namespace is
	// registered or updated through the API).
	Retention time.Duration `yaml:"retention"`

	// TimeSkipping names namespaces in which clients may ask for the time of a
	// workflow to be skipped whenever nothing is in flight: for tests of workflows
	// that wait for days, never for production. Defaults to none.
	TimeSkipping []string `yaml:"time-skipping"`

	// CallbackAddresses are those that completion callbacks may use, each as
	// [http://|https://]host[:port] with * for any characters: "*.example.com",
	// "http://localhost:*". Only an entry with http:// allows calls without TLS.
	// Clients choose the URLs and the server makes the calls, from inside your
	// network: allow what is meant to be called, no more. Defaults to none.
	CallbackAddresses []string `yaml:"callback-address"`

	// Shards is how many loops share the work. It may differ at each start.
	// Defaults to one a core: all loops together need a quarter of the time that the
	// server does, and fewer of them have larger batches. Turn it only when a profile
	// says so.
	Shards int `yaml:"shards"`
	// CacheRuns bounds the executions kept in memory, over all shards; twice as
	// many that are in use again and again (activities that heartbeat, say) come
	// on top. One that is not there is read from the store when needed. Turn it
	// up when perdure_load_seconds_count grows all the time. Defaults to 10000.
	CacheRuns int `yaml:"cache-runs"`
	// StoreCacheBytes is the store's own cache, outside the Go heap.
	// Defaults to 64 MiB.
	StoreCacheBytes int64 `yaml:"store-cache-bytes"`
	// MinFreeDiskBytes is the free space below which new work is refused, so
	// that what runs can be finished and recorded. Defaults to 256 MiB.
	MinFreeDiskBytes uint64 `yaml:"min-free-disk-bytes"`

	// MaxWaitingCalls bounds the calls of a namespace that wait at the same time
	// (polls, results, histories, queries, updates); callers beyond it are told
	// RESOURCE_EXHAUSTED and come again. One place in four is for the polls of
	// workers alone. Lower it on a machine with little memory: a call that waits
	// takes some 20 KB. Defaults to 20,000.
	MaxWaitingCalls int `yaml:"max-waiting-calls"`

	// MaxHistoryEvents and MaxHistoryBytes are where a run takes no new work
	// (signals, updates, commands that begin something) until it completes or
	// continues as new; what has begun is recorded up to a quarter more. A long
	// history costs the server no more an event than a short one, but whoever
	// replays it reads all of it: lower them to catch workflows that forget to
	// continue as new. Default to 1,000,000 and 2 GiB.
	MaxHistoryEvents int64 `yaml:"max-history-events"`
	MaxHistoryBytes  int64 `yaml:"max-history-bytes"`

	// LogLevel is debug, info, warn, error or never. Defaults to warn.
	LogLevel string `yaml:"log-level"`
	// LogFormat is text or json. Defaults to text.
	LogFormat string `yaml:"log-format"`
}

// Default is the configuration of `perdure server` without a flag.
func Default() Config {
	return Config{
		Data:             "perdure-data",
		IP:               "127.0.0.1",
		Port:             7233,
		HTTPPort:         7243,
		UIPort:           8233,
		MetricsPort:      9233,
		Retention:        24 * time.Hour,
		Shards:           runtime.NumCPU(),
		CacheRuns:        10_000,
		StoreCacheBytes:  64 << 20,
		MinFreeDiskBytes: 256 << 20,
		MaxWaitingCalls:  20_000,
		MaxHistoryEvents: 1_000_000,
		MaxHistoryBytes:  2 << 30,
		LogLevel:         "warn",
		LogFormat:        "text",
	}
}

// Embedded is the configuration of a server inside another program: Default
// without any port. Clients use the in-memory connection.
func Embedded() Config {
	c := Default()
	c.Port, c.HTTPPort, c.UIPort, c.MetricsPort = Off, Off, Off, Off
	c.Headless = true
	return c
}

// Check reports everything that is wrong, not only the first thing.
func (c *Config) Check() error {
	var wrong []error
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }

	if c.Data == "" && !c.InMemory {
		complain("data: a folder is needed, or in-memory")
	}
	ip := net.ParseIP(c.IP)
	switch {
	case ip == nil && c.IP != "localhost":
		complain("ip: %q is not an IP address", c.IP)
	case ip != nil && !ip.IsLoopback() && !c.Insecure:
		complain("ip: %s can be reached from other machines and this server has no authentication; "+
			"listen on 127.0.0.1, or accept that with --insecure", c.IP)
	}
	taken := map[int]string{}
	for _, p := range c.ports() {
		if p.number < Off || p.number > 65535 {
			complain("%s: %d is not a port", p.name, p.number)
		}
		if p.number <= 0 {
			continue
		}
		if other, ok := taken[p.number]; ok {
			complain("%s: port %d is also the %s", p.name, p.number, other)
		}
		taken[p.number] = p.name
	}
	for _, name := range slices.Sorted(maps.Keys(c.SearchAttributes)) {
		if _, err := AttributeType(c.SearchAttributes[name]); err != nil {
			complain("search-attribute %s: %w", name, err)
		}
	}
	if c.Retention < time.Minute {
		complain("retention: %s is shorter than the least, 1m", c.Retention)
	}
	if _, err := callbacks.ParseAddresses(c.CallbackAddresses); err != nil {
		complain("callback-address: %w", err)
	}
	if c.Shards < 1 || c.Shards > 1024 {
		complain("shards: %d is not between 1 and 1024", c.Shards)
	}
	if c.CacheRuns < 1 {
		complain("cache-runs: must be positive")
	}
	if c.MaxWaitingCalls < 16 {
		complain("max-waiting-calls: %d is less than 16", c.MaxWaitingCalls)
	}
	if c.MaxHistoryEvents < 100 {
		complain("max-history-events: %d is less than 100", c.MaxHistoryEvents)
	}
	if c.MaxHistoryBytes < 4<<20 {
		complain("max-history-bytes: %d is less than 4 MiB", c.MaxHistoryBytes)
	}
	if c.StoreCacheBytes < 1<<20 {
		complain("store-cache-bytes: %d is less than 1 MiB", c.StoreCacheBytes)
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error", "never"}, c.LogLevel) {
		complain("log-level: %q is not debug, info, warn, error or never", c.LogLevel)
	}
	if !slices.Contains([]string{"text", "json"}, c.LogFormat) {
		complain("log-format: %q is not text or json", c.LogFormat)
	}
	return errors.Join(wrong...)
}

type port struct {
	name   string
	number int
}

func (c *Config) ports() []port {
	ps := []port{{"port", c.Port}, {"http-port", c.HTTPPort}, {"metrics-port", c.MetricsPort}}
	if !c.Headless {
		ps = append(ps, port{"ui-port", c.UIPort})
	}
	return ps
}

// AttributeType is the search attribute type of that name, as the CLI spells it.
func AttributeType(name string) (enumspb.IndexedValueType, error) {
	for number, enum := range enumspb.IndexedValueType_name {
		t := enumspb.IndexedValueType(number)
		if t != enumspb.INDEXED_VALUE_TYPE_UNSPECIFIED &&
			(strings.EqualFold(t.String(), name) || strings.EqualFold(enum, name)) {
			return t, nil
		}
	}
	return 0, fmt.Errorf("%q is not a type (Text, Keyword, Int, Double, Bool, Datetime, KeywordList)", name)
}
