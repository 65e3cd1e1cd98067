// Command generate makes enterprise.tsv from a published ATT&CK Enterprise bundle (STIX 2.1, gzip): lines of id, name and short name for the tactics in the matrix's
// order, then lines of id, name and tactics for the techniques by id.
package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

type object struct {
	ID         string   `json:"id"`
	Type       string   `json:"type"`
	Name       string   `json:"name"`
	Revoked    bool     `json:"revoked"`
	Deprecated bool     `json:"x_mitre_deprecated"`
	Short      string   `json:"x_mitre_shortname"`
	TacticRefs []string `json:"tactic_refs"`
	References []struct {
		Source string `json:"source_name"`
		ID     string `json:"external_id"`
	} `json:"external_references"`
	Phases []struct {
		Chain string `json:"kill_chain_name"`
		Phase string `json:"phase_name"`
	} `json:"kill_chain_phases"`
}

func (o object) attackID() string {
	for _, r := range o.References {
		if r.Source == "mitre-attack" {
			return r.ID
		}
	}
	return ""
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: generate BUNDLE.json.gz OUT.tsv")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	text, err := Table(in)
	if err != nil {
		return err
	}
	return os.WriteFile(out, []byte(text), 0o644)
}

// Table reads a bundle and gives the table's text.
func Table(in string) (string, error) {
	f, err := os.Open(in)
	if err != nil {
		return "", err
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		return "", fmt.Errorf("%s: %w", in, err)
	}
	var bundle struct {
		Objects []object `json:"objects"`
	}
	if err := json.NewDecoder(zr).Decode(&bundle); err != nil {
		return "", fmt.Errorf("%s: %w", in, err)
	}
	byID := map[string]object{}
	var order []string
	for _, o := range bundle.Objects {
		byID[o.ID] = o
		if o.Type == "x-mitre-matrix" {
			order = o.TacticRefs
		}
	}
	var b strings.Builder
	rank := map[string]int{}
	for i, ref := range order {
		o, ok := byID[ref]
		if !ok {
			return "", fmt.Errorf("%s: the matrix names %s, which is not there", in, ref)
		}
		rank[o.Short] = i
		fmt.Fprintf(&b, "%s\t%s\t%s\n", o.attackID(), o.Name, o.Short)
	}
	var lines []string
	for _, o := range bundle.Objects {
		if o.Type != "attack-pattern" || o.Revoked || o.Deprecated {
			continue
		}
		var tactics []string
		for _, p := range o.Phases {
			if _, ok := rank[p.Phase]; ok && p.Chain == "mitre-attack" {
				tactics = append(tactics, p.Phase)
			}
		}
		if len(tactics) == 0 || strings.ContainsAny(o.Name, "\t\n") {
			return "", fmt.Errorf("%s: %s has no tactic or an unusable name", in, o.ID)
		}
		slices.SortFunc(tactics, func(x, y string) int { return rank[x] - rank[y] })
		lines = append(lines, fmt.Sprintf("%s\t%s\t%s\n", o.attackID(), o.Name, strings.Join(tactics, ",")))
	}
	slices.Sort(lines)
	for _, l := range lines {
		b.WriteString(l)
	}
	return b.String(), nil
}
