// Package app joins the stages and holds no domain logic: it opens every engine in its order, refuses what does not fit
// together, and stops them the other way round.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/sync/errgroup"

	"vigil/internal/access"
	"vigil/internal/blob"
	"vigil/internal/detect"
	"vigil/internal/incident"
	"vigil/internal/ingest"
	"vigil/internal/ingest/stream"
	"vigil/internal/intel"
	"vigil/internal/ledger"
	"vigil/internal/ledger/policy"
	"vigil/internal/ledger/witness"
	"vigil/internal/store"
	"vigil/internal/web"
)

// Config says what to run.
type Config struct {
	// Dir is the data directory: everything that is kept lies in it.
	Dir string
	// Listen is the address of the pages and of the door for events, "127.0.0.1:8420". Port 0 picks a free one.
	Listen string
	// Origin is how browsers reach it; made of Listen where empty.
	Origin string
	// Exercise names the exercise and House fixes the id of the organisation that runs it; both empty otherwise.
	Exercise, House string
	// Demo runs with rehearsal witnesses in this process, and lets the exercise's people be picked at the door.
	Demo bool
	// Place and Local are the name and zone of the second clock on every page.
	Place string
	Local *time.Location
	// Retention is how long the event stream keeps events; 72 h where 0.
	Retention time.Duration
	// Policy is the file of the witness policy; without one the record starts explicitly unwitnessed. Witnesses are the
	// addresses of the witnesses that are asked.
	Policy    string
	Witnesses []*witness.Client
	// Report is told what is being opened.
	Report func(string)
}

// App is a running Vigil.
type App struct {
	Config
	Clock     *Clock
	Store     *store.Store
	Log       *ledger.Log
	Stream    *stream.Stream
	Directory *access.Directory
	Register  *ingest.Register
	Gateway   *ingest.Gateway
	Detector  *detect.Detector
	Desk      *incident.Desk
	Intel     *intel.Base
	Blobs     *blob.Store
	Web       *web.Server

	listener net.Listener
	sensor   *http.Client // delivers the exercise's events to this server's own door
	policy   *policy.Policy
	close    []func()
}

// PolicyText is the signed witness policy in force, to be pinned elsewhere; nil where there is none.
func (a *App) PolicyText() []byte {
	if a.policy == nil {
		return nil
	}
	return a.policy.Raw
}

// schemas are the tables of every package that keeps rows.
func schemas() []store.Schema {
	return []store.Schema{access.Schema, intel.Schema, ingest.Schema, detect.Schema, incident.Schema}
}

// New opens every engine, and closes again what was open where one fails. Nothing is served before Run.
func New(ctx context.Context, c Config) (_ *App, err error) {
	if c.Report == nil {
		c.Report = func(string) {}
	}
	a := &App{Config: c, Clock: &Clock{}}
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data directory: %w", err)
	}
	if _, err := os.Stat(filepath.Join(c.Dir, "store")); c.Demo && errors.Is(err, os.ErrNotExist) {
		a.Clock.Set(time.Now().Add(-storyBefore)) // the domain's clock never goes back: a story that begins earlier begins here
	}
	if a.listener, err = net.Listen("tcp", c.Listen); err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	a.close = append(a.close, func() { a.listener.Close() })
	if a.Origin == "" {
		a.Origin = "http://" + a.listener.Addr().String()
	}
	lc, err := a.ledgerConfig()
	if err != nil {
		return nil, fmt.Errorf("the record's keys: %w", err)
	}
	policyID := ""
	if a.policy = lc.Policy; a.policy != nil {
		policyID = a.policy.ID()
	}
	c.Report("records")
	if a.Store, err = store.Open(ctx, store.Options{Dir: filepath.Join(c.Dir, "store"), Schemas: schemas(), Now: a.Clock.Now, Policy: policyID}); err != nil {
		return nil, err
	}
	a.close = append(a.close, func() { logged("closing the records", a.Store.Close()) })
	c.Report("record of decisions")
	if err := a.openLedger(ctx, lc); err != nil {
		return nil, err
	}
	c.Report("event stream")
	if a.Stream, err = stream.Open(ctx, stream.Config{Dir: filepath.Join(c.Dir, "stream"), Retention: c.Retention}); err != nil {
		return nil, err
	}
	a.close = append(a.close, a.Stream.Close)
	a.sensor = &http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", a.listener.Addr().String())
	}}}
	c.Report("stages")
	return a, a.openStages(ctx)
}

func (a *App) openStages(ctx context.Context) (err error) {
	if a.Directory, err = access.New(ctx, a.Store, access.Config{Origin: a.Origin, House: a.House, Demo: a.Demo}); err != nil {
		return err
	}
	a.close = append(a.close, a.Directory.Close)
	if a.Blobs, err = blob.New(blob.Config{Dir: filepath.Join(a.Dir, "evidence")}); err != nil {
		return fmt.Errorf("opening the evidence files: %w", err)
	}
	a.Intel = intel.New(a.Store)
	if a.Register, err = ingest.OpenRegister(ctx, a.Store, a.Directory.House()); err != nil {
		return err
	}
	a.Gateway = ingest.NewGateway(a.Register, a.Stream, a.Store)
	a.Detector = detect.New(a.Store, a.Stream, a.Register)
	if err := a.Detector.Check(ctx); err != nil {
		return fmt.Errorf("%w: vigil reset-stream puts the cursors at its beginning, on the record", err)
	}
	a.Desk, err = incident.New(incident.Config{
		Store: a.Store, Blobs: a.Blobs, OrgName: a.Directory.BodyName, ReaderOf: a.Directory.ReaderOf, Settle: 200 * time.Millisecond,
		SourceOwner: func(id string) string {
			s, _ := a.Register.ByID(id)
			return s.Owner
		},
	})
	if err != nil {
		return err
	}
	a.Web = web.New(web.Config{Store: a.Store, Directory: a.Directory, Log: a.Log, Register: a.Register, Gateway: a.Gateway, Detector: a.Detector, Desk: a.Desk,
		Intel: a.Intel, Blobs: a.Blobs, Exercise: a.Exercise, Demo: a.Demo, Place: a.Place, Local: a.Local})
	return nil
}

// ledgerConfig finds the record's keys: in an exercise a rehearsal's, made of a seed in the data directory; otherwise a
// key of its own and the policy that was given.
func (a *App) ledgerConfig() (ledger.Config, error) {
	lc := ledger.Config{Dir: filepath.Join(a.Dir, "ledger"), Now: a.Clock.Now, Logger: slog.Default(), Witnesses: a.Witnesses}
	seed, err := SecretFile(filepath.Join(a.Dir, "ledger.key"), true)
	if err != nil {
		return lc, err
	}
	if a.Demo {
		r, err := ledger.Rehearse(filepath.Join(a.Dir, "witness"), "rehearsal.vigil.example", seed, a.Clock.Now)
		if err != nil {
			return lc, err
		}
		a.close = append(a.close, func() { logged("closing the witnesses", r.Close()) })
		lc.Origin, lc.Signer, lc.Policy, lc.Witnesses = "rehearsal.vigil.example", r.Signer, r.Policy, r.Witnesses
		return lc, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return lc, err
	}
	origin, err := keptText(filepath.Join(a.Dir, "ledger.origin"), host+"/vigil")
	if err != nil {
		return lc, err
	}
	lc.Origin = origin
	if lc.Signer, _, err = policy.NewSigner(origin, seed); err != nil {
		return lc, err
	}
	if a.Policy != "" {
		raw, err := os.ReadFile(a.Policy)
		if err != nil {
			return lc, err
		}
		if lc.Policy, err = policy.Parse(raw); err != nil {
			return lc, err
		}
	}
	return lc, nil
}

func (a *App) openLedger(ctx context.Context, lc ledger.Config) (err error) {
	known := false
	if err := a.Store.Leaves(ctx, func(uint64, []byte) error { known = true; return errStop }); err != nil && !errors.Is(err, errStop) {
		return err
	}
	lc.MustExist = known
	if a.Log, err = ledger.Open(ctx, lc); err != nil {
		return fmt.Errorf("opening the record of decisions: %w", err)
	}
	a.close = append(a.close, func() { logged("closing the record of decisions", a.Log.Close()) })
	if err := a.Store.Reconcile(ctx, a.Log); err != nil {
		return err
	}
	return nil
}

var errStop = errors.New("enough")

func logged(what string, err error) {
	if err != nil {
		slog.Error(what, "error", err)
	}
}

// SecretFile reads a key of 32 random bytes; where there is none and fresh allows it, it makes one.
func SecretFile(name string, fresh bool) ([]byte, error) {
	b, err := os.ReadFile(name)
	if err == nil && len(b) == 32 {
		return b, nil
	} else if err == nil {
		return nil, fmt.Errorf("%s holds %d bytes, not 32", name, len(b))
	} else if !errors.Is(err, os.ErrNotExist) || !fresh {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, err
	}
	b = make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return nil, err
	}
	return b, writeNew(name, b)
}

func keptText(name, first string) (string, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return first, writeNew(name, []byte(first))
	}
	return string(b), err
}

func writeNew(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// SetupLink gives the one-time link that makes the first administrator; empty where there is one.
func (a *App) SetupLink(ctx context.Context) (string, error) {
	token, err := a.Directory.SetupLink(ctx)
	if err != nil || token == "" {
		return "", err
	}
	return a.Origin + "/setup?token=" + token, nil
}

// decode reads a small JSON answer strictly.
func decode(r io.Reader, v any) error {
	return json.UnmarshalRead(io.LimitReader(r, 1<<20), v)
}

// Address is where the server listens.
func (a *App) Address() string { return a.listener.Addr().String() }

// Run serves until ctx ends or an engine says that it must stop, and gives that reason.
func (a *App) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.Store.Follow(ctx, a.Log) })
	g.Go(func() error { return stopped(ctx, a.Detector.Run(ctx)) })
	g.Go(func() error { return stopped(ctx, a.Desk.Run(ctx)) })
	srv := &http.Server{Handler: a.Web.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	g.Go(func() error {
		if err := srv.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if srv.Shutdown(end) != nil {
			return srv.Close() // somebody listens on a live stream
		}
		return nil
	})
	return g.Wait()
}

// stopped drops the error of an engine that was asked to stop.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Close stops the engines in the reverse of their order.
func (a *App) Close() {
	for i := len(a.close) - 1; i >= 0; i-- {
		a.close[i]()
	}
	a.close = nil
}
