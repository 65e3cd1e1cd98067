package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"vigil/internal/app"
	"vigil/internal/ledger"
	"vigil/internal/ledger/policy"
	"vigil/internal/ledger/verify"
	"vigil/internal/ledger/witness"
)

type ledgerCmd struct {
	Export ledgerExportCmd `cmd:"" help:"Write the whole record, for verification elsewhere."`
	Verify ledgerVerifyCmd `cmd:"" help:"Verify an export, offline. Needs nothing else but a policy that was pinned elsewhere."`
	Policy ledgerPolicyCmd `cmd:"" help:"Write the witness policy that a data directory runs under, to be pinned elsewhere."`
}

type dataDir struct {
	Data string `name:"data" type:"path" default:"vigil-data" help:"The data directory. No server may be running on it."`
	Demo bool   `help:"The data directory is an exercise's."`
}

func (d dataDir) open(ctx context.Context) (*app.App, error) {
	if _, err := os.Stat(filepath.Join(d.Data, "store")); err != nil {
		return nil, fmt.Errorf("%s is no data directory: %w", d.Data, err)
	}
	return app.New(ctx, app.Config{Dir: d.Data, Listen: "127.0.0.1:0", Demo: d.Demo})
}

type ledgerExportCmd struct {
	dataDir
	Out string `arg:"" optional:"" help:"File to write; standard output where left out."`
}

func (c ledgerExportCmd) Run(ctx context.Context) error {
	a, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer a.Close()
	if _, err := a.Store.AppendWaiting(ctx, a.Log, 1<<20); err != nil {
		return err
	}
	return toFile(c.Out, func(w *bufio.Writer) error { return a.Log.Export(ctx, w, ledger.ExportOptions{Signed: true}) })
}

// toFile writes a new file whole or not at all, or to standard output.
func toFile(name string, write func(*bufio.Writer) error) (err error) {
	f := os.Stdout
	if name != "" && name != "-" {
		if f, err = os.CreateTemp(filepath.Dir(name), ".vigil-*"); err != nil {
			return err
		}
		defer func() {
			err = errors.Join(err, f.Close())
			if err == nil {
				err = os.Rename(f.Name(), name)
			}
			if err != nil {
				os.Remove(f.Name())
			}
		}()
	}
	w := bufio.NewWriterSize(f, 1<<20)
	if err := write(w); err != nil {
		return err
	}
	return w.Flush()
}

type ledgerVerifyCmd struct {
	Export string `arg:"" type:"existingfile" help:"The export."`
	Policy string `type:"existingfile" help:"The policy, pinned elsewhere. Without it the answer is 'self-consistent only', and the exit code 3."`
}

func (c ledgerVerifyCmd) Run() error {
	var pinned *policy.Policy
	if c.Policy != "" {
		raw, err := os.ReadFile(c.Policy)
		if err != nil {
			return err
		}
		if pinned, err = policy.Parse(raw); err != nil {
			return fmt.Errorf("%s: %w", c.Policy, err)
		}
	}
	f, err := os.Open(c.Export)
	if err != nil {
		return err
	}
	defer f.Close()
	report, err := verify.Export(f, pinned, time.Now())
	if report != nil {
		if werr := report.WriteText(os.Stdout); werr != nil {
			return werr
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, verify.ErrSelfConsistentOnly):
		return &exitError{3, "self-consistent only: without a policy pinned elsewhere nobody outside vouches for it"}
	case errors.Is(err, verify.ErrFailed):
		return &exitError{1, "the record does not verify"}
	}
	return err
}

type ledgerPolicyCmd struct {
	dataDir
	Out string `arg:"" optional:"" help:"File to write; standard output where left out."`
}

func (c ledgerPolicyCmd) Run(ctx context.Context) error {
	a, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer a.Close()
	raw := a.PolicyText()
	if raw == nil {
		return errors.New("this record runs under no policy: it is unwitnessed")
	}
	return toFile(c.Out, func(w *bufio.Writer) error { _, err := w.Write(raw); return err })
}

type witnessCmd struct {
	Dir    string   `required:"" type:"path" help:"Where the witness keeps what it has signed."`
	Name   string   `required:"" help:"The witness's name, such as witness.ombudsman.example."`
	Log    []string `required:"" help:"Verifier key of a log to witness, origin+hash+key. May be given several times."`
	Listen string   `default:"127.0.0.1:8421" help:"Address to listen on."`
	New    bool     `help:"First set-up: make key and state. Without it a witness whose state is lost refuses to start."`
}

func (c witnessCmd) Run(ctx context.Context) error {
	seed, err := app.SecretFile(filepath.Join(c.Dir, "witness.key"), c.New)
	if err != nil {
		return fmt.Errorf("the witness's key: %w", err)
	}
	key, err := witness.NewKey(c.Name, seed)
	if err != nil {
		return err
	}
	logs := map[string][]string{}
	for _, l := range c.Log {
		v, _, err := policy.Verifier(l)
		if err != nil {
			return fmt.Errorf("log key %q: %w", l, err)
		}
		logs[v.Name()] = append(logs[v.Name()], l)
	}
	w, err := witness.Open(witness.Config{Dir: c.Dir, Key: key, Logs: logs, New: c.New})
	if err != nil {
		return err
	}
	defer w.Close()
	fmt.Fprintf(os.Stderr, "witness %s, key %s\nlistening on http://%s\n", c.Name, key.VerifierKey(), c.Listen)
	srv := &http.Server{Addr: c.Listen, Handler: w.Handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() { <-ctx.Done(); srv.Close() }()
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
