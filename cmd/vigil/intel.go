package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"vigil/internal/access"
	"vigil/internal/app"
	"vigil/internal/intel"
	"vigil/internal/marking"
	"vigil/internal/store"
)

type importCmd struct {
	dataDir
	As     string `required:"" help:"Log-in name of the person who imports; the record says so, and that it was done at the console."`
	Source string `required:"" help:"Id of the organisation that the objects come from, identity--…, or 'own'."`
	TLP    string `help:"Level agreed with the source for what carries none: clear, green, amber, amber+strict. AMBER+STRICT holds otherwise."`
	File   string `arg:"" type:"existingfile" help:"STIX 2.1 bundle, also .gz."`
}

// console opens a data directory and finds the person who acts at its console.
func (d dataDir) console(ctx context.Context, login string) (*app.App, access.Principal, error) {
	a, err := d.open(ctx)
	if err != nil {
		return nil, access.Principal{}, err
	}
	who, err := a.Directory.Console(ctx, login)
	if err != nil {
		a.Close()
		return nil, who, fmt.Errorf("%s: %w", login, err)
	}
	return a, who, nil
}

func (c importCmd) Run(ctx context.Context) error {
	opt := intel.Options{Source: c.Source, Name: filepath.Base(c.File)}
	if c.TLP != "" {
		tlp, err := marking.ParseTLP(c.TLP)
		if err != nil {
			return err
		}
		opt.DefaultTLP, opt.HasDefault = tlp, true
	}
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	var in io.Reader = bufio.NewReaderSize(f, 1<<20)
	if filepath.Ext(c.File) == ".gz" {
		if in, err = gzip.NewReader(in); err != nil {
			return fmt.Errorf("%s: %w", c.File, err)
		}
	}
	a, who, err := c.console(ctx, c.As)
	if err != nil {
		return err
	}
	defer a.Close()
	begin := time.Now()
	opt.Progress = func(p intel.Progress) {
		fmt.Fprintf(os.Stderr, "\r%d objects, %.1f s", p.Read, time.Since(begin).Seconds())
	}
	sum, err := a.Intel.Import(ctx, who, in, opt)
	fmt.Fprintln(os.Stderr)
	for _, v := range sum.Verdicts {
		if v.Outcome == store.Refused || v.Outcome == store.Conflict || v.Outcome == store.Relayed {
			fmt.Printf("%s\tobject %d\tbyte %d\t%q\t%q\n", v.Outcome, v.Index, v.Offset, v.ID, v.Reason)
		}
	}
	fmt.Printf("%s, in %.1f s\n", sum, time.Since(begin).Seconds())
	_, ferr := a.Store.AppendWaiting(ctx, a.Log, 1<<20)
	return errors.Join(err, ferr)
}

type exportCmd struct {
	dataDir
	As     string `required:"" help:"Log-in name of the person who exports; only what they may see goes out."`
	Type   string `help:"Only objects of this STIX type."`
	Source string `help:"Only what this organisation said, identity--…, or 'own'."`
	Out    string `arg:"" optional:"" help:"File to write; standard output where left out."`
}

func (c exportCmd) Run(ctx context.Context) error {
	a, who, err := c.console(ctx, c.As)
	if err != nil {
		return err
	}
	defer a.Close()
	var out intel.Exported
	err = toFile(c.Out, func(w *bufio.Writer) error {
		out, err = a.Intel.Export(ctx, who, w, intel.Selection{Type: c.Type, Source: c.Source})
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d objects, together %s, sha256 %s\n", out.Objects, out.Label.Words(), out.SHA256)
	_, err = a.Store.AppendWaiting(ctx, a.Log, 1<<20)
	return err
}
