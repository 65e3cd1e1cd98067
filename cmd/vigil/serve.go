package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"vigil/internal/app"
	"vigil/internal/exercise"
)

type serveCmd struct {
	Data   string `type:"path" help:"Data directory. The exercise has one of its own in the temporary folder unless this names one."`
	Listen string `default:"127.0.0.1:8420" help:"Address of the pages and of the door for events."`
	Origin string `help:"Address that browsers use, where it is not the one above: https://vigil.csirt.example"`
	Demo   bool   `help:"Play the exercise: a fictional republic, its partners, and tonight's intrusion."`
	Seed   uint64 `default:"1" help:"Seed of the exercise's stream of events."`
	Policy string `type:"existingfile" help:"Witness policy, signed by its trustees. Without one the record starts unwitnessed, and says so."`
	Quiet  bool   `help:"Say only what is wrong."`
}

func (c serveCmd) Run(ctx context.Context) error {
	level := slog.LevelInfo
	if c.Quiet {
		level = slog.LevelError
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: max(level, slog.LevelWarn)})))
	say := func(format string, args ...any) {
		if !c.Quiet {
			fmt.Fprintf(os.Stderr, format+"\n", args...)
		}
	}
	begin := time.Now()
	cfg := app.Config{Dir: c.Data, Listen: c.Listen, Origin: c.Origin, Policy: c.Policy, Demo: c.Demo, Report: func(what string) { say("%5.1f s  opening the %s", time.Since(begin).Seconds(), what) }}
	if cfg.Dir == "" {
		cfg.Dir = "vigil-data"
	}
	if c.Demo {
		if c.Data == "" {
			dir, err := os.MkdirTemp("", "vigil-exercise-")
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			cfg.Dir = dir
		}
		cfg.Exercise, cfg.House, cfg.Place, cfg.Local = "Harbour", exercise.IdentityID(exercise.TheWorld().House), "Halvern", time.FixedZone("HVT", 3600)
	}
	a, err := app.New(ctx, cfg)
	if err != nil {
		return err
	}
	defer a.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	if c.Demo {
		played, err := a.Play(ctx, c.Seed, func(what string) { say("%5.1f s  %s", time.Since(begin).Seconds(), what) })
		if err != nil {
			cancel()
			if stopped := <-ended; stopped != nil {
				return stopped
			}
			return fmt.Errorf("the exercise: %w", err)
		}
		say("\nThe exercise is up. Pick a person at the door; no password is asked in an exercise:\n")
		for _, p := range played.People {
			say("  %-16s %-22s %s, %s", p.Login, p.Role, p.Name, p.Body)
		}
		go a.Live(ctx, c.Seed, played)
	} else {
		link, err := a.SetupLink(ctx)
		if err != nil {
			return err
		}
		if link != "" {
			say("\nNobody is registered yet. Make the administrator here; the link works once, for 24 hours:\n\n  %s", link)
		}
		dir, err := filepath.Abs(cfg.Dir)
		if err != nil {
			return err
		}
		say("\nData is kept in %s", dir)
	}
	fmt.Printf("\n%s\n", a.Origin)
	return <-ended
}
