// Vigil runs a cyber-security strategy and proves that it does.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is every command. Data goes to stdout, talk to stderr.
type cli struct {
	Serve   serveCmd   `cmd:"" help:"Serve the pages and take events in. With --demo, play the exercise."`
	Hunt    huntCmd    `cmd:"" help:"Match rules and indicators against log files, without a server."`
	Rules   rulesCmd   `cmd:"" help:"Check, list, test and explain detection rules."`
	Import  importCmd  `cmd:"" help:"Take a STIX 2.1 bundle into a data directory."`
	Export  exportCmd  `cmd:"" help:"Write objects of a data directory as a STIX 2.1 bundle."`
	Ledger  ledgerCmd  `cmd:"" help:"Export and verify the record of decisions."`
	Witness witnessCmd `cmd:"" help:"Run a witness for somebody else's record."`
	Repair  repairCmd  `cmd:"" help:"Mend what start-up has refused, on the record."`
	Version versionCmd `cmd:"" help:"Say which Vigil this is."`
}

// exitError ends the program with a code of its own; its text has been shown already where it is empty.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	parser := kong.Must(&c, kong.Name("vigil"), kong.Description("Detect, decide, share, and prove it."), kong.UsageOnError(), kong.BindTo(ctx, (*context.Context)(nil)))
	k, err := parser.Parse(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "vigil: error: %v\nhint: vigil --help\n", err)
		os.Exit(2)
	}
	err = k.Run()
	var exit *exitError
	if errors.As(err, &exit) {
		if exit.text != "" {
			fmt.Fprintf(os.Stderr, "vigil: error: %s\n", exit.text)
		}
		os.Exit(exit.code)
	} else if err != nil && ctx.Err() == nil {
		fmt.Fprintf(os.Stderr, "vigil: error: %v\n", err)
		os.Exit(1)
	}
}
