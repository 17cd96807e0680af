package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/perdure/perdure/config"
	"github.com/perdure/perdure/doctor"
)

// exitCode is an outcome that has been printed already, and only the process's
// exit code has still to tell.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func doctorCommand() *cobra.Command {
	var (
		o      doctor.Options
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine the data folder of a stopped server",
		Long: "Reads everything in the data folder of a stopped server, changes nothing, and says what is\n" +
			"damaged, what can be rebuilt, and whether every invariant holds.\n\n" +
			"Exit codes: 0 sound; 2 something derived is to be rebuilt; 3 damaged; 1 the folder could not\n" +
			"be examined.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := doctor.Examine(cmd.Context(), o)
			if err != nil {
				return err
			}
			if asJSON {
				err = report.JSON(cmd.OutOrStdout())
			} else {
				err = report.Print(cmd.OutOrStdout())
			}
			if code := report.ExitCode(); err == nil && code != doctor.ExitSound {
				return exitCode(code)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&o.Data, "data", config.Default().Data, "folder that holds everything the server keeps")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}
