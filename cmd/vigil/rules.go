package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"vigil/internal/untrusted"
	"vigil/sigma"
)

type rulesCmd struct {
	Check   rulesCheckCmd   `cmd:"" help:"Load rules and list every one that is refused, with file, line and reason."`
	List    rulesListCmd    `cmd:"" help:"List rules: level, log source, techniques, title."`
	Explain rulesExplainCmd `cmd:"" help:"Say, predicate by predicate, why a rule does or does not match an event."`
}

func load(paths []string) (*sigma.RuleSet, *sigma.Engine, []*sigma.RuleError, error) {
	set := &sigma.RuleSet{}
	var refused []*sigma.RuleError
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, nil, nil, &exitError{2, err.Error()}
		}
		root, dir := ".", p
		if !info.IsDir() {
			root, dir = filepath.Base(p), filepath.Dir(p)
		}
		n, errs := sigma.LoadFS(os.DirFS(dir), root)
		set.Add(n)
		refused = append(refused, errs...)
	}
	engine, errs := sigma.Compile(set, sigma.Options{})
	return set, engine, append(refused, errs...), nil
}

type rulesCheckCmd struct {
	Rules []string `arg:"" type:"existingpath" help:"Files or folders of Sigma rules."`
}

// Run exits with 1 where a rule was refused.
func (c rulesCheckCmd) Run() error {
	set, engine, refused, err := load(c.Rules)
	if err != nil {
		return err
	}
	for _, e := range refused {
		fmt.Println(untrusted.New(e.Error()).Terminal())
	}
	fmt.Fprintf(os.Stderr, "%d rules, %d correlations, %d filters; %d rules compiled, %d refused\n", len(set.Rules), len(set.Correlations), len(set.Filters), len(engine.Rules()), len(refused))
	if len(refused) > 0 {
		return &exitError{code: 1}
	}
	return nil
}

type rulesListCmd struct {
	Rules []string `arg:"" type:"existingpath" help:"Files or folders of Sigma rules."`
}

func (c rulesListCmd) Run() error {
	set, _, _, err := load(c.Rules)
	if err != nil {
		return err
	}
	for _, r := range set.Rules {
		fmt.Printf("%-13s  %-44s  %-24s  %s\n", r.Level, untrusted.New(r.Logsource.String()).TerminalWidth(44), strings.Join(r.Techniques(), " "), untrusted.New(r.Title).Terminal())
	}
	return nil
}

type rulesExplainCmd struct {
	Rule  string `arg:"" type:"existingfile" help:"A file with one Sigma rule."`
	Event string `arg:"" type:"existingfile" help:"A file with one event, as JSON."`
}

// maxEvent bounds an event to explain, in bytes.
const maxEvent = 1 << 20

func (c rulesExplainCmd) Run() error {
	set, engine, refused, err := load([]string{c.Rule})
	if err != nil {
		return err
	}
	for _, e := range refused {
		return &exitError{1, e.Error()}
	}
	if len(set.Rules) != 1 {
		return &exitError{2, fmt.Sprintf("%s holds %d rules, want one", c.Rule, len(set.Rules))}
	}
	info, err := os.Stat(c.Event)
	if err != nil {
		return err
	}
	if info.Size() > maxEvent {
		return &exitError{2, fmt.Sprintf("%s has %d bytes, more than %d: give one event", c.Event, info.Size(), maxEvent)}
	}
	line, err := os.ReadFile(c.Event)
	if err != nil {
		return err
	}
	why, err := engine.Explain(set.Rules[0], line, set.Rules[0].Logsource)
	if err != nil {
		return &exitError{2, fmt.Sprintf("%s: %v", c.Event, err)}
	}
	for l := range strings.Lines(why.String()) {
		fmt.Println(untrusted.New(strings.TrimRight(l, "\n")).Terminal())
	}
	return nil
}
