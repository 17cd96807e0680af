package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/perdure/perdure/bench"
	"github.com/perdure/perdure/server"
)

func benchCommand() *cobra.Command {
	var (
		o      bench.Options
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Load a server and report throughput, latency and what it cost",
		Long: "Starts a server of its own on a temporary folder, or loads the one at --address, and\n" +
			"runs one scenario: " + strings.Join(bench.Scenarios(), ", ") + ".",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := bench.Run(cmd.Context(), o)
			if err != nil {
				return fmt.Errorf("%s: %w", o.Scenario, err)
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(report)
			}
			return report.Print(cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Scenario, "scenario", "activity1", "what each workflow does")
	f.IntVar(&o.Concurrency, "concurrency", 0, "workflows in flight (default 64, or 16 in fanout10000)")
	f.IntVar(&o.Count, "count", 0, "executions to run; events, in a long history (default 10000, or 500000 events)")
	f.StringVar(&o.Address, "address", "", "gRPC address of a running server; none: one is started")
	f.StringVar(&o.Namespace, "namespace", "default", "namespace to work in")
	f.StringArrayVar(&o.ServerFlags, "server-flag", nil, "flag for the server that is started; repeatable")
	f.BoolVar(&o.Floor, "floor", false, "measure a server that does nothing, too, and give ratios to it")
	f.StringVar(&o.Data, "data", "", "folder for the open executions of scenario million, kept and used again; none: a temporary one")
	f.StringVar(&o.Part, "part", "", "of scenario million only: fill, compare or restart (default all)")
	f.BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

// benchNullCommand is what `bench --floor` starts beside the server.
func benchNullCommand() *cobra.Command {
	var folder string
	cmd := &cobra.Command{
		Use:    bench.NullCommand,
		Short:  "Serve the floor of perdure bench",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// Like the server:
			loadBallast()
			loadStacks(cmd.Context().Done())
			return bench.ServeNull(cmd.Context(), folder, server.TransportOptions(), func(address string) {
				fmt.Fprintln(cmd.OutOrStdout(), "gRPC", address)
			})
		},
	}
	cmd.Flags().StringVar(&folder, "data", "", "folder for the log")
	return cmd
}
