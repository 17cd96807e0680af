package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/perdure/perdure/config"
	"github.com/perdure/perdure/server"
)

// drainTime bounds a clean stop; past it the process ends anyway, which loses
// nothing but a little of the next start's time.
const drainTime = 15 * time.Second

func serverCommand() *cobra.Command {
	var (
		flags       config.Config
		file        string
		printConfig bool
	)
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run a server",
		Long: "Run a server that keeps everything in one folder. Flags win over the environment\n" +
			"(PERDURE_PORT, ...), which wins over the file given by --config.",
		Args: cobra.NoArgs,
	}
	defineFlags(cmd.Flags(), &flags)
	cmd.Flags().StringVar(&file, "config", "", "YAML file with settings, named as these flags")
	cmd.Flags().BoolVar(&printConfig, "print-config", false, "print the settings in force and exit")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := resolve(cmd.Flags(), file)
		if err != nil {
			return err
		}
		if printConfig {
			fmt.Fprint(cmd.OutOrStdout(), c)
			return c.Check()
		}
		return serve(cmd, c)
	}
	return cmd
}

// serve runs until a signal comes or the store fails.
func serve(cmd *cobra.Command, c config.Config) error {
	loadBallast()
	loadStacks(cmd.Context().Done())
	go giveBackWhenQuiet(cmd.Context())
	s, err := server.Start(cmd.Context(), server.Options{Config: &c, Log: logger(c)})
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	for _, a := range s.Addresses() {
		fmt.Fprintf(out, "%-8s %s\n", a.Label, a.Value)
	}
	fmt.Fprintf(out, "Ready. Data is in %s. Ctrl-C stops.\n", where(c))

	return untilEnd(cmd.Context(), s)
}

// running is a server that was started.
type running interface {
	Done() <-chan struct{}
	Err() error
	Stop(ctx context.Context) error
}

// untilEnd waits for a signal, which ends ctx, or for the store to fail, and
// stops the server.
func untilEnd(ctx context.Context, s running) error {
	select {
	case <-ctx.Done():
	case <-s.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	stopped := s.Stop(drain)
	if err := s.Err(); err != nil {
		return err // what else a failed store kept from ending says less
	}
	return stopped
}

func where(c config.Config) string {
	if c.InMemory {
		return "memory only"
	}
	return c.Data
}

// defineFlags names the flags as `temporal server start-dev` does where both
// have them.
func defineFlags(f *pflag.FlagSet, c *config.Config) {
	d := config.Default()
	f.StringVar(&c.Data, "data", d.Data, "folder that holds everything the server keeps")
	f.BoolVar(&c.InMemory, "in-memory", d.InMemory, "keep nothing on disk")
	f.StringVar(&c.IP, "ip", d.IP, "address to listen on")
	f.BoolVar(&c.Insecure, "insecure", d.Insecure, "allow an address other machines can reach, without authentication")
	f.IntVarP(&c.Port, "port", "p", d.Port, "port of the gRPC API; 0 picks a free one")
	f.IntVar(&c.HTTPPort, "http-port", d.HTTPPort, "port of the HTTP/JSON API; -1 for none")
	f.IntVar(&c.UIPort, "ui-port", d.UIPort, "port of the web UI")
	f.BoolVar(&c.Headless, "headless", d.Headless, "run without the web UI")
	f.IntVar(&c.MetricsPort, "metrics-port", d.MetricsPort, "port of metrics, pprof, liveness and readiness; -1 for none")
	f.StringArrayVarP(&c.Namespaces, "namespace", "n", d.Namespaces, "namespace to create, besides \"default\"; repeatable")
	f.Var((*pairs)(&c.SearchAttributes), "search-attribute", "search attribute to register, as Name=Type; repeatable")
	f.DurationVar(&c.Retention, "retention", d.Retention, "how long closed workflows are kept in the namespaces created at the start")
	f.StringArrayVar(&c.TimeSkipping, "time-skipping", d.TimeSkipping, "namespace whose workflows may have their time skipped, for tests; repeatable")
	f.StringArrayVar(&c.CallbackAddresses, "callback-address", d.CallbackAddresses, "address that completion callbacks may use, as [http://]host[:port] with * for any characters; repeatable")
	f.IntVar(&c.Shards, "shards", d.Shards, "loops that share the work")
	f.IntVar(&c.CacheRuns, "cache-runs", d.CacheRuns, "executions kept in memory")
	f.Int64Var(&c.StoreCacheBytes, "store-cache-bytes", d.StoreCacheBytes, "the store's own cache")
	f.Uint64Var(&c.MinFreeDiskBytes, "min-free-disk-bytes", d.MinFreeDiskBytes, "free space below which new work is refused")
	f.IntVar(&c.MaxWaitingCalls, "max-waiting-calls", d.MaxWaitingCalls, "calls of a namespace that wait at the same time; a quarter is for polls alone")
	f.Int64Var(&c.MaxHistoryEvents, "max-history-events", d.MaxHistoryEvents, "events at which a run takes no new work until it continues as new")
	f.Int64Var(&c.MaxHistoryBytes, "max-history-bytes", d.MaxHistoryBytes, "size of a history at which a run takes no new work")
	f.StringVar(&c.LogLevel, "log-level", d.LogLevel, "debug, info, warn, error or never")
	f.StringVar(&c.LogFormat, "log-format", d.LogFormat, "text or json")
}

// resolve lays file, environment and given flags over the defaults, in that order.
func resolve(f *pflag.FlagSet, file string) (config.Config, error) {
	c := config.Default()
	if file == "" {
		file = os.Getenv("PERDURE_CONFIG")
	}
	if file != "" {
		if err := c.LoadFile(file); err != nil {
			return c, err
		}
	}
	if err := c.LoadEnv(os.LookupEnv); err != nil {
		return c, err
	}
	// Only flags that were given count: each writes its text over what file and
	// environment said.
	given := pflag.NewFlagSet("", pflag.ContinueOnError)
	behind := c
	defineFlags(given, &c)
	c = behind
	var err error
	f.Visit(func(flag *pflag.Flag) {
		if target := given.Lookup(flag.Name); target != nil && err == nil {
			err = copyFlag(target, flag)
		}
	})
	return c, err
}

// copyFlag sets one flag to what another was given.
func copyFlag(to, from *pflag.Flag) error {
	switch v := from.Value.(type) {
	case pflag.SliceValue:
		return to.Value.(pflag.SliceValue).Replace(v.GetSlice())
	case *pairs:
		for name, kind := range *v {
			if err := to.Value.Set(name + "=" + kind); err != nil {
				return err
			}
		}
		return nil
	default:
		return to.Value.Set(v.String())
	}
}

// pairs is a repeatable Name=Type flag.
type pairs map[string]string

func (p *pairs) Set(text string) error {
	m, err := config.ParsePairs([]string{text})
	if err != nil {
		return err
	}
	if *p == nil {
		*p = pairs{}
	}
	for k, v := range m {
		(*p)[k] = v
	}
	return nil
}

func (p *pairs) String() string { return "" }
func (p *pairs) Type() string   { return "Name=Type" }

// logger writes to standard error what the level lets through.
func logger(c config.Config) *slog.Logger {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	level, ok := levels[c.LogLevel]
	if !ok {
		return slog.New(slog.DiscardHandler)
	}
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}
