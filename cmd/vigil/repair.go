package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"vigil/internal/app"
)

// repairCmd mends what start-up refuses. Each names what it does, and enters it on the record.
type repairCmd struct {
	MissingEntries repairMissingCmd `cmd:"" help:"The database is older than the ledger: take the missing leaves in as contents lost."`
	Ledger         repairLedgerCmd  `cmd:"" help:"The ledger is older than the database: rebuild it from the leaves in the database."`
	Stream         repairStreamCmd  `cmd:"" help:"The event stream was wiped or restored: put the cursors at its beginning."`
}

type repair struct {
	dataDir
	Reason string `required:"" help:"Why; it is entered on the record."`
}

func (r repair) run(ctx context.Context, what app.Repair) error {
	done, err := app.Mend(ctx, app.Config{Dir: r.Data, Listen: "127.0.0.1:0", Demo: r.Demo}, what, r.Reason)
	if errors.Is(err, app.ErrNothingToMend) {
		fmt.Fprintln(os.Stderr, "nothing to mend: start-up refuses nothing of this kind")
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Println(done)
	return nil
}

type repairMissingCmd struct{ repair }

func (c repairMissingCmd) Run(ctx context.Context) error { return c.run(ctx, app.MissingEntries) }

type repairLedgerCmd struct{ repair }

func (c repairLedgerCmd) Run(ctx context.Context) error { return c.run(ctx, app.OlderLedger) }

type repairStreamCmd struct{ repair }

func (c repairStreamCmd) Run(ctx context.Context) error { return c.run(ctx, app.OtherStream) }
