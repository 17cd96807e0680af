package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/perdure/perdure/config"
	"github.com/perdure/perdure/demo"
	"github.com/perdure/perdure/server"
)

// demoTime is far more than the showcase takes on a slow machine.
const demoTime = 2 * time.Minute

func demoCommand() *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch four orders go through retries, a signal, a timer, a child and a cancellation",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runDemo(cmd, keep) },
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "stay when the showcase is over, to look round in the web UI")
	return cmd
}

func runDemo(cmd *cobra.Command, keep bool) (err error) {
	folder, err := os.MkdirTemp("", "perdure-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	c := config.Default()
	c.Data, c.Port, c.HTTPPort, c.UIPort, c.MetricsPort = folder, 0, config.Off, 0, config.Off
	s, err := server.Start(cmd.Context(), server.Options{Config: &c, Log: logger(c)})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), drainTime)
		defer cancel()
		if stopped := s.Stop(ctx); err == nil {
			err = stopped
		}
	}()
	out := cmd.OutOrStdout()
	for _, a := range s.Addresses() {
		fmt.Fprintf(out, "%-8s %s\n", a.Label, a.Value)
	}
	fmt.Fprintln(out)
	sdk, err := client.Dial(client.Options{
		HostPort: s.Target(), Logger: demo.Quiet,
		ConnectionOptions: client.ConnectionOptions{DialOptions: s.DialOptions()},
	})
	if err != nil {
		return fmt.Errorf("connect to the server: %w", err)
	}
	defer sdk.Close()
	ctx, cancel := context.WithTimeout(cmd.Context(), demoTime)
	defer cancel()
	if err := demo.Run(ctx, sdk, out); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nEvery order ended the way it should.")
	if keep {
		fmt.Fprintln(out, "The server goes on; Ctrl-C stops it.")
		<-cmd.Context().Done()
	}
	return nil
}
