package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/mattn/go-isatty"

	"vigil/internal/attack"
	"vigil/internal/detect/hunt"
	"vigil/internal/untrusted"
	"vigil/internal/web/ui"
)

type huntCmd struct {
	Rules   []string `required:"" type:"path" sep:"," help:"Files or folders of Sigma rules; may be given several times."`
	Intel   []string `type:"existingfile" sep:"," help:"STIX 2.1 bundles whose indicators are looked up; also .gz."`
	JSONL   string   `name:"jsonl" help:"Write the findings as JSON lines to this file."`
	CSV     string   `name:"csv" help:"Write a timeline as CSV to this file."`
	HTML    string   `name:"html" help:"Write one self-contained report to this file; it opens without a network."`
	Refused bool     `help:"List every rule that was not loaded, with the reason."`
	Rows    int      `default:"50" help:"How many findings the table shows."`
	Logs    []string `arg:"" type:"existingpath" help:"Files or folders: JSON lines or arrays, also .gz .zip .tar.gz .zst, and EVTX; recognised by content."`
}

// Run hunts. The exit code is 0 whether or not anything was found, and 2 where nothing could be hunted.
func (c huntCmd) Run(ctx context.Context) error {
	cfg := hunt.Config{Rules: c.Rules, Intel: c.Intel, Logs: c.Logs}
	tty := isatty.IsTerminal(os.Stderr.Fd())
	begin, last := time.Now(), time.Time{}
	if tty {
		cfg.Progress = func(read, total int64) {
			if total > 0 && time.Since(last) > 100*time.Millisecond {
				last = time.Now()
				done := int(read * 40 / total)
				fmt.Fprintf(os.Stderr, "\r[%s%s] %3d %%  %s", strings.Repeat("=", done), strings.Repeat(" ", max(40-done, 0)), read*100/total, time.Since(begin).Round(time.Second))
			}
		}
	}
	r, err := hunt.Run(ctx, cfg)
	if tty {
		fmt.Fprint(os.Stderr, "\r\033[K")
	}
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		return &exitError{2, err.Error()}
	}
	c.table(r)
	c.talk(r)
	for _, out := range []struct {
		name  string
		write func(*bufio.Writer) error
	}{
		{c.JSONL, func(w *bufio.Writer) error { return writeJSONL(w, r) }},
		{c.CSV, func(w *bufio.Writer) error { return writeCSV(w, r) }},
		{c.HTML, func(w *bufio.Writer) error { return ui.WriteHuntReport(w, report(r)) }},
	} {
		if out.name != "" {
			if err := toFile(out.name, out.write); err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "wrote %s\n", out.name)
		}
	}
	return nil
}

// table prints the findings. What came from a log is made harmless for a terminal.
func (c huntCmd) table(r *hunt.Result) {
	if len(r.Findings) == 0 {
		return
	}
	fmt.Printf("%-13s  %7s  %-20s  %-24s  %s\n", "LEVEL", "EVENTS", "FIRST", "WHERE", "RULE OR INDICATOR")
	for i, f := range r.Findings {
		if i == c.Rows {
			fmt.Printf("… and %d more: --rows, --csv or --html show them\n", len(r.Findings)-i)
			break
		}
		title := untrusted.New(f.Title).TerminalWidth(90)
		if f.Value != "" {
			title += "  " + untrusted.New(f.Value).TerminalWidth(64)
		}
		fmt.Printf("%-13s  %7d  %-20s  %s  %s\n", f.Level, f.Count, stampOf(f.First), untrusted.New(f.Entity).PadTerminal(24), title)
	}
}

func stampOf(t time.Time) string {
	if t.IsZero() {
		return "no time"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func (c huntCmd) talk(r *hunt.Result) {
	say := func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	say("%d of %d rules loaded, %d refused; %d indicators looked up, %d not", r.Loaded, r.RuleFiles, len(r.Refused), r.Indicators, r.Skipped)
	if r.Correlations > 0 {
		say("  %d correlations were not matched: their rules count one by one", r.Correlations)
	}
	for i, e := range r.Refused {
		if !c.Refused && i == 3 {
			say("  … --refused lists all")
			break
		}
		say("  refused: %s", untrusted.New(e.Error()).TerminalWidth(200))
	}
	for i, t := range r.Troubles {
		if i == 5 {
			break
		}
		say("  not read: %s: %s", untrusted.New(t.Where).TerminalWidth(160), untrusted.New(t.Reason).TerminalWidth(160))
	}
	if r.Bad > 5 {
		say("  %d lines, records or files were not read or not understood; the report lists the first %d", r.Bad, len(r.Troubles))
	}
	rate := float64(r.Events) / max(r.Took.Seconds(), 1e-9)
	say("%d events in %d files, %d findings, %s (%.0f events/s)", r.Events, len(r.Files), len(r.Findings), r.Took.Round(10*time.Millisecond), rate)
}

func writeJSONL(w *bufio.Writer, r *hunt.Result) error {
	var b []byte
	for _, f := range r.Findings {
		b = b[:0]
		text := func(name, value string) {
			b, _ = jsontext.AppendQuote(b, name)
			b = append(b, ':')
			b, _ = jsontext.AppendQuote(b, strings.ToValidUTF8(value, "\uFFFD"))
			b = append(b, ',')
		}
		b = append(b, '{')
		text("kind", f.Kind)
		text("id", f.ID)
		text("title", f.Title)
		text("level", f.Level.String())
		text("entity", f.Entity)
		text("value", f.Value)
		text("techniques", strings.Join(f.Techniques, " "))
		text("first", f.First.UTC().Format(time.RFC3339Nano))
		text("last", f.Last.UTC().Format(time.RFC3339Nano))
		b = fmt.Appendf(b, `"count":%d,"events":[`, f.Count)
		for i, e := range f.Events {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, `{`...)
			text("where", e.Where)
			text("event", string(e.Bytes))
			b = append(b[:len(b)-1], '}')
		}
		b = append(b, "]}\n"...)
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// writeCSV writes a line for each event that is kept, in order of time within its finding. Cells that hold a log's text come
// quoted and harmless from their renderer.
func writeCSV(w *bufio.Writer, r *hunt.Result) error {
	fmt.Fprint(w, "time,level,where,title,value,techniques,count,place,event\r\n")
	cell := func(s string) string { return untrusted.New(s).CSV() }
	for _, f := range r.Findings {
		for _, e := range f.Events {
			if _, err := fmt.Fprintf(w, "%s,%s,%s,%s,%s,%s,%d,%s,%s\r\n", e.At.UTC().Format(time.RFC3339Nano), f.Level, cell(f.Entity), cell(f.Title), cell(f.Value), cell(strings.Join(f.Techniques, " ")), f.Count, cell(e.Where), cell(string(e.Bytes))); err != nil {
				return err
			}
		}
	}
	return nil
}

const (
	maxReported = 500
	maxMarks    = 400
)

// report fills the model of the one-file report.
func report(r *hunt.Result) ui.HuntReport {
	p := ui.HuntReport{Title: "Hunt", Made: time.Now(), By: "vigil", Took: r.Took, Marking: ui.Marking{TLP: "AMBER+STRICT", Note: "your own logs"}, Events: r.Events, Bytes: r.Bytes, From: r.From, To: r.To,
		Loaded: int64(r.Loaded), Rules: int64(r.RuleFiles), Intel: int64(r.Indicators)}
	hit := map[string]int64{}
	lanes := map[string]int{}
	for i, f := range r.Findings {
		var ts []ui.Technique
		tactic, tacticAs := 0, ""
		for _, id := range f.Techniques {
			hit[id]++
			t := ui.Technique{ID: id}
			if known, ok := attack.Lookup(id); ok {
				t.Name = known.Name
				if len(known.Tactics) > 0 {
					t.Tactic = known.Tactics[0].Name
					if tactic == 0 {
						tacticAs = t.Tactic
						for n, at := range attack.Tactics() {
							if at.Name == t.Tactic {
								tactic = n + 1
							}
						}
					}
				}
			}
			ts = append(ts, t)
		}
		if i < maxReported {
			h := ui.HuntFinding{Severity: f.Level.String(), Title: ui.Visible(f.Title), Rule: ui.Visible(f.ID), By: f.Kind, Entity: untrusted.New(f.Entity), Events: ui.Count{N: f.Count}, First: f.First, Last: f.Last, Techniques: ts}
			for n, e := range f.Events {
				if n == 3 {
					break
				}
				h.Proof = append(h.Proof, ui.ProvingEvent{At: e.At, Where: untrusted.New(e.Where), Brief: untrusted.New(string(e.Bytes)).Cut(2000)})
			}
			p.Findings = append(p.Findings, h)
		}
		if len(p.Timeline.Marks) < maxMarks && !f.First.IsZero() {
			name := ui.Visible(f.Entity)
			if name == "" {
				name = "no host named"
			}
			lane, ok := lanes[name]
			if !ok && len(lanes) < 40 {
				lane, ok = len(lanes), true
				lanes[name] = lane
				p.Timeline.Lanes = append(p.Timeline.Lanes, name)
			}
			if ok {
				m := ui.Mark{Lane: lane, At: f.First, Label: ui.Visible(f.Title), Tactic: tactic, TacticAs: tacticAs, Severity: f.Level.String(), Events: f.Count}
				if len(f.Techniques) > 0 {
					m.Technique = f.Techniques[0]
				}
				p.Timeline.Marks = append(p.Timeline.Marks, m)
			}
		}
	}
	p.Timeline.By = "host"
	p.More = int64(max(len(r.Findings)-maxReported, 0))
	for _, t := range attack.Tactics() {
		col := ui.Tactic{Name: t.Name}
		for _, tech := range attack.ByTactic(t) {
			if n := hit[tech.ID]; n > 0 {
				col.Cells = append(col.Cells, ui.Cell{ID: tech.ID, Name: tech.Name, Findings: n, Seen: true})
			}
		}
		p.Matrix = append(p.Matrix, col)
	}
	for _, e := range r.Refused {
		p.Refused = append(p.Refused, ui.RefusedRule{File: untrusted.New(e.File), Line: e.Line, Reason: ui.Visible(e.Reason)})
	}
	for _, f := range r.Files {
		p.Files = append(p.Files, ui.FileStats{Name: untrusted.New(f.Name), Events: f.Events, Bytes: f.Bytes, Bad: f.Bad})
	}
	for _, t := range r.Troubles {
		p.Trouble = append(p.Trouble, ui.Visible(t.Where)+": "+ui.Visible(t.Reason))
	}
	return p
}
