package sigma

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Budgets of the parser.
const (
	maxRuleBytes  = 4 << 20 // one file
	maxRuleValues = 200_000 // YAML nodes of one document
	maxTitle      = 256     // characters, rules specification "Title"
)

// Parse reads every document of a Sigma file. A bad document is reported and does not cost the others.
func Parse(name string, data []byte) (*RuleSet, []*RuleError) {
	set := &RuleSet{}
	var errs []*RuleError
	if len(data) > maxRuleBytes {
		return set, []*RuleError{{File: name, Reason: fmt.Sprintf("the file is larger than %d bytes", maxRuleBytes)}}
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	for _, d := range splitDocuments(data) {
		if err := set.parseDocument(name, d); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 && len(set.Rules)+len(set.Correlations)+len(set.Filters) == 0 {
		errs = append(errs, &RuleError{File: name, Line: 1, Reason: "the file holds no Sigma document"})
	}
	return set, errs
}

// LoadFS reads every .yml and .yaml file under root, in path order.
func LoadFS(fsys fs.FS, root string) (*RuleSet, []*RuleError) {
	set := &RuleSet{}
	var errs []*RuleError
	err := fs.WalkDir(fsys, root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			errs = append(errs, &RuleError{File: p, Reason: err.Error()})
			return nil
		}
		if ext := strings.ToLower(path.Ext(p)); d.IsDir() || ext != ".yml" && ext != ".yaml" {
			return nil
		}
		data, err := fs.ReadFile(fsys, p)
		if err != nil {
			errs = append(errs, &RuleError{File: p, Reason: err.Error()})
			return nil
		}
		s, es := Parse(p, data)
		set.Add(s)
		errs = append(errs, es...)
		return nil
	})
	if err != nil {
		errs = append(errs, &RuleError{File: root, Reason: err.Error()})
	}
	return set, errs
}

// document is one YAML document of a file with the number of lines before it.
type document struct {
	data  []byte
	lines int
}

// splitDocuments cuts at lines that begin with "---" (YAML 1.2 section 9.1.2 forbids those within a document), so that a syntax
// error stays within its document. Documents without content are left out.
func splitDocuments(data []byte) []document {
	var out []document
	cur := document{}
	start, line := 0, 0
	flush := func(end int) {
		cur.data = data[start:end]
		for l := range bytes.Lines(cur.data) {
			if t := bytes.TrimSpace(l); len(t) > 0 && t[0] != '#' && !bytes.Equal(t, []byte("...")) {
				out = append(out, cur)
				break
			}
		}
	}
	pos := 0
	for l := range bytes.Lines(data) {
		pos += len(l)
		line++
		if bytes.HasPrefix(l, []byte("---")) && (len(l) == 3 || l[3] == ' ' || l[3] == '\n' || l[3] == '\r' || l[3] == '\t') {
			flush(pos - len(l))
			start, cur = pos, document{lines: line}
			if rest := bytes.TrimSpace(l[3:]); len(rest) > 0 && rest[0] != '#' {
				// content on the marker line belongs to the document
				start, cur.lines = pos-len(l), line-1
			}
		}
	}
	flush(len(data))
	return out
}

func (s *RuleSet) parseDocument(name string, d document) *RuleError {
	var root yaml.Node
	meta := Meta{File: name, Line: d.lines + 1, Raw: d.data}
	fail := func(err error) *RuleError {
		e := &RuleError{File: name, Line: d.lines + 1, RuleID: meta.ID, Reason: err.Error()}
		var pe *parseError
		if errors.As(err, &pe) && pe.line > 0 {
			e.Line, e.Column = d.lines+pe.line, pe.col
		}
		return e
	}
	if err := yaml.Unmarshal(d.data, &root); err != nil {
		return fail(yamlError(err))
	}
	b := &nodes{left: maxRuleValues}
	if root.Kind != yaml.DocumentNode || len(root.Content) != 1 {
		return fail(errors.New("not a YAML document"))
	}
	top, err := b.real(root.Content[0])
	if err != nil {
		return fail(err)
	}
	if top.Kind != yaml.MappingNode {
		return fail(errAt(top, "a Sigma document is a map"))
	}
	ps, err := b.pairs(top)
	if err != nil {
		return fail(err)
	}
	doc := make(map[string]*yaml.Node, len(ps))
	for _, p := range ps {
		doc[p[0].Value] = p[1]
	}
	if len(ps) > 0 {
		meta.Line = d.lines + ps[0][0].Line
	}
	if n := doc["id"]; n != nil {
		meta.ID = n.Value
	}
	if n := doc["action"]; n != nil {
		return fail(errAt(n, "action documents are not part of Sigma 2"))
	}
	if err := b.meta(doc, &meta); err != nil {
		return fail(err)
	}
	kinds := 0
	for _, k := range []string{"detection", "correlation", "filter"} {
		if doc[k] != nil {
			kinds++
		}
	}
	if kinds != 1 {
		return fail(errAt(top, "a document needs exactly one of detection, correlation and filter"))
	}
	switch {
	case doc["detection"] != nil:
		var r *Rule
		if r, err = b.rule(doc, meta, d.lines); err == nil {
			s.Rules = append(s.Rules, r)
		}
	case doc["correlation"] != nil:
		var c *Correlation
		if c, err = b.correlation(doc["correlation"], meta); err == nil {
			s.Correlations = append(s.Correlations, c)
		}
	default:
		var f *Filter
		if f, err = b.filter(doc, meta, d.lines); err == nil {
			s.Filters = append(s.Filters, f)
		}
	}
	if err != nil {
		return fail(err)
	}
	return nil
}

// yamlError turns the library's "yaml: line N: text" into a reason with a line.
func yamlError(err error) error {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	if i := strings.Index(msg, "line "); i >= 0 {
		rest := msg[i+5:]
		end := 0
		for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
			end++
		}
		if n, e := strconv.Atoi(rest[:end]); e == nil {
			return &parseError{n, 0, "YAML: " + msg}
		}
	}
	return errors.New("YAML: " + msg)
}

var (
	statuses = []string{"stable", "test", "experimental", "deprecated", "unsupported"}
	levels   = []string{"informational", "low", "medium", "high", "critical"}
)

func (b *nodes) meta(doc map[string]*yaml.Node, m *Meta) error {
	for key, dst := range map[string]*string{"id": &m.ID, "name": &m.Name, "title": &m.Title, "description": &m.Description,
		"status": &m.Status, "level": &m.Level, "author": &m.Author, "license": &m.License, "taxonomy": &m.Taxonomy,
		"date": &m.Date, "modified": &m.Modified} {
		n := doc[key]
		if n == nil {
			continue
		}
		if n.Kind != yaml.ScalarNode {
			return errAt(n, "%s must be text", key)
		}
		if n.ShortTag() != "!!null" {
			*dst = n.Value
		}
	}
	for key, dst := range map[string]*[]string{"references": &m.References, "tags": &m.Tags, "falsepositives": &m.FalsePositives,
		"fields": &m.Fields, "scope": &m.Scope} {
		n := doc[key]
		if n == nil {
			continue
		}
		v, err := b.texts(n)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		*dst = v
	}
	if m.Title == "" {
		return errors.New("the mandatory title is missing")
	}
	if len([]rune(m.Title)) > maxTitle {
		return errAt(doc["title"], "the title is longer than %d characters", maxTitle)
	}
	if m.Status != "" && !slices.Contains(statuses, m.Status) {
		return errAt(doc["status"], "status %q is none of %s", m.Status, strings.Join(statuses, ", "))
	}
	if m.Level != "" && !slices.Contains(levels, m.Level) {
		return errAt(doc["level"], "level %q is none of %s", m.Level, strings.Join(levels, ", "))
	}
	if n := doc["related"]; n != nil {
		if n.Kind != yaml.SequenceNode {
			return errAt(n, "related must be a list")
		}
		for _, c := range n.Content {
			c, err := b.real(c)
			if err != nil {
				return err
			}
			if c.Kind != yaml.MappingNode {
				return errAt(c, "a related rule is a map with id and type")
			}
			ps, err := b.pairs(c)
			if err != nil {
				return err
			}
			var r Related
			for _, p := range ps {
				switch p[0].Value {
				case "id":
					r.ID = p[1].Value
				case "type":
					r.Type = p[1].Value
				}
			}
			m.Related = append(m.Related, r)
		}
	}
	return nil
}

// texts reads a list of scalars, or one scalar, as text.
func (b *nodes) texts(n *yaml.Node) ([]string, error) {
	switch n.Kind {
	case yaml.ScalarNode:
		if n.ShortTag() == "!!null" {
			return nil, nil
		}
		return []string{n.Value}, nil
	case yaml.SequenceNode:
		out := make([]string, 0, len(n.Content))
		for _, c := range n.Content {
			c, err := b.real(c)
			if err != nil {
				return nil, err
			}
			if c.Kind != yaml.ScalarNode {
				return nil, errAt(c, "a list of text is expected")
			}
			out = append(out, c.Value)
		}
		return out, nil
	}
	return nil, errAt(n, "a list of text is expected")
}

func (b *nodes) logsource(n *yaml.Node) (Logsource, error) {
	var l Logsource
	if n == nil {
		return l, errors.New("the mandatory logsource is missing")
	}
	if n.Kind != yaml.MappingNode {
		return l, errAt(n, "logsource must be a map")
	}
	ps, err := b.pairs(n)
	if err != nil {
		return l, err
	}
	for _, p := range ps {
		var dst *string
		switch p[0].Value {
		case "category":
			dst = &l.Category
		case "product":
			dst = &l.Product
		case "service":
			dst = &l.Service
		default: // "an arbitrary number of optional elements", not evaluated
			continue
		}
		if p[1].Kind != yaml.ScalarNode {
			return l, errAt(p[1], "logsource %s must be text", p[0].Value)
		}
		if p[1].ShortTag() != "!!null" {
			*dst = strings.ToLower(p[1].Value)
		}
	}
	if l == (Logsource{}) {
		return l, errAt(n, "logsource states none of category, product and service")
	}
	return l, nil
}

func (b *nodes) rule(doc map[string]*yaml.Node, m Meta, lines int) (*Rule, error) {
	r := &Rule{ID: m.ID, Name: m.Name, Title: m.Title, Description: m.Description, Status: m.Status, Level: m.Level, Author: m.Author,
		License: m.License, Taxonomy: m.Taxonomy, Date: m.Date, Modified: m.Modified, References: m.References, Tags: m.Tags,
		FalsePositives: m.FalsePositives, Fields: m.Fields, Scope: m.Scope, Related: m.Related, File: m.File, Line: m.Line, Raw: m.Raw}
	var err error
	if r.Logsource, err = b.logsource(doc["logsource"]); err != nil {
		return nil, err
	}
	r.detections, r.conditions, err = b.detections(doc["detection"], nil, lines)
	return r, err
}

// detections reads the map of search identifiers and the condition. Names in skip are other keys of the same map.
func (b *nodes) detections(n *yaml.Node, skip []string, lines int) ([]*detection, []condText, error) {
	if n.Kind != yaml.MappingNode {
		return nil, nil, errAt(n, "detection must be a map")
	}
	ps, err := b.pairs(n)
	if err != nil {
		return nil, nil, err
	}
	var dets []*detection
	var conds []condText
	for _, p := range ps {
		name := p[0].Value
		switch {
		case slices.Contains(skip, name):
		case name == "timeframe":
			return nil, nil, errAt(p[0], "timeframe belonged to aggregations, which correlations replaced")
		case name == "condition":
			if p[1].Kind == yaml.SequenceNode && len(p[1].Content) == 0 {
				return nil, nil, errAt(p[1], "the condition is empty")
			}
			ts, err := b.texts(p[1])
			if err != nil {
				return nil, nil, err
			}
			for _, t := range ts {
				conds = append(conds, condText{t, p[1].Line})
			}
		default:
			d, err := b.detection(p[1], 0)
			if err != nil {
				return nil, nil, err
			}
			dets = append(dets, &detection{name, d, p[0].Line + lines})
		}
	}
	if len(conds) == 0 {
		return nil, nil, errAt(n, "the mandatory condition is missing")
	}
	if len(dets) == 0 {
		return nil, nil, errAt(n, "the detection defines no search identifier")
	}
	for i, c := range conds {
		cn, err := parseCondition(c.text)
		if err == nil {
			_, err = cn.resolve(dets)
		}
		if err != nil {
			return nil, nil, errLine(c.line, "%v", err)
		}
		conds[i].line += lines
	}
	// place the items by file, so that later refusals name the right line
	for _, d := range dets {
		d.node.items(func(it *item) {
			it.line += lines
			for i := range it.vals {
				it.vals[i].line += lines
			}
		})
	}
	return dets, conds, nil
}

func (b *nodes) filter(doc map[string]*yaml.Node, m Meta, lines int) (*Filter, error) {
	f := &Filter{Meta: m}
	var err error
	if f.Logsource, err = b.logsource(doc["logsource"]); err != nil {
		return nil, err
	}
	n := doc["filter"]
	if n.Kind != yaml.MappingNode {
		return nil, errAt(n, "filter must be a map")
	}
	dets, conds, err := b.detections(n, []string{"rules"}, lines)
	if err != nil {
		return nil, err
	}
	if len(conds) != 1 {
		return nil, errAt(n, "a filter has exactly one condition")
	}
	f.detections, f.condition = dets, conds[0]
	ps, err := b.pairs(n)
	if err != nil {
		return nil, err
	}
	found := false
	for _, p := range ps {
		if p[0].Value != "rules" {
			continue
		}
		found = true
		if f.Rules, err = b.texts(p[1]); err != nil {
			return nil, err
		}
		if p[1].Kind == yaml.ScalarNode && strings.EqualFold(p[1].Value, "any") {
			f.Rules, f.Any = nil, true
		} else if len(f.Rules) == 0 {
			return nil, errAt(p[1], "filter rules name no rule")
		}
	}
	if !found {
		return nil, errAt(n, "the mandatory list of rules is missing from the filter")
	}
	return f, nil
}

func (b *nodes) correlation(n *yaml.Node, m Meta) (*Correlation, error) {
	c := &Correlation{Meta: m, Percentile: -1}
	if n.Kind != yaml.MappingNode {
		return nil, errAt(n, "correlation must be a map")
	}
	ps, err := b.pairs(n)
	if err != nil {
		return nil, err
	}
	for _, p := range ps {
		v := p[1]
		switch p[0].Value {
		case "type":
			c.Type = CorrelationType(v.Value)
		case "rules":
			if c.Rules, err = b.texts(v); err != nil {
				return nil, err
			}
		case "group-by":
			if c.GroupBy, err = b.texts(v); err != nil {
				return nil, err
			}
		case "timespan":
			if c.Timespan, err = parseTimespan(v.Value); err != nil {
				return nil, errAt(v, "%v", err)
			}
		case "generate":
			switch strings.ToLower(v.Value) {
			case "true":
				c.Generate = true
			case "false":
			default:
				return nil, errAt(v, "generate must be true or false")
			}
		case "aliases":
			if c.Aliases, err = b.aliases(v); err != nil {
				return nil, err
			}
		case "condition":
			if err := b.correlationCondition(v, c); err != nil {
				return nil, err
			}
		default:
			return nil, errAt(p[0], "correlation has no attribute %q", p[0].Value)
		}
	}
	return c, c.check(n)
}

// check enforces what each type requires (correlation specification, "Correlation Types"). group-by may be left out, which makes
// one group of all events ("optionally defines one or multiple fields").
func (c *Correlation) check(n *yaml.Node) error {
	if len(c.Rules) == 0 {
		return errAt(n, "the mandatory list of rules is missing from the correlation")
	}
	for i, r := range c.Rules {
		if slices.Contains(c.Rules[:i], r) {
			return errAt(n, "correlation names rule %q twice", r)
		}
	}
	if c.Timespan <= 0 {
		return errAt(n, "the mandatory timespan is missing from the correlation")
	}
	needField := false
	switch c.Type {
	case EventCount:
	case Temporal, TemporalOrdered:
		if len(c.Rules) > 64 {
			return errAt(n, "%s relates at most 64 rules", c.Type)
		}
	case ValueCount, ValueSum, ValueAvg, ValuePercentile:
		needField = true
	case "":
		return errAt(n, "the mandatory type is missing from the correlation")
	default:
		return errAt(n, "correlation type %q is not defined", string(c.Type))
	}
	if c.Percentile >= 0 && c.Type != ValuePercentile {
		return errAt(n, "%s takes no percentile", c.Type)
	}
	temporal := c.Type == Temporal || c.Type == TemporalOrdered
	if len(c.Condition) == 0 && !temporal {
		return errAt(n, "%s needs a condition", c.Type)
	}
	if needField && len(c.ValueFields) == 0 {
		return errAt(n, "%s needs a field in its condition", c.Type)
	}
	if !needField && len(c.ValueFields) > 0 {
		return errAt(n, "%s takes no field in its condition", c.Type)
	}
	if needField && c.Type != ValueCount && len(c.ValueFields) != 1 {
		return errAt(n, "%s takes exactly one field", c.Type)
	}
	// A condition that zero events satisfy would have to fire on silence, which no stream of events can show.
	if c.Type == EventCount || c.Type == ValueCount || temporal && len(c.Condition) > 0 {
		atLeastOne := false
		for v := 1.0; v <= 2 && !atLeastOne; v++ {
			atLeastOne = holdsAll(c.Condition, v)
		}
		if holdsAll(c.Condition, 0) && !atLeastOne {
			return errAt(n, "the condition holds only when no event occurs, which is not observable from events")
		}
	}
	if len(c.Condition) > 0 && c.Type != ValueSum && c.Type != ValueAvg && c.Type != ValuePercentile {
		for _, k := range c.Condition {
			if k.Value != float64(int64(k.Value)) || k.Value < 0 {
				return errAt(n, "a count is compared with a whole number")
			}
		}
	}
	return nil
}

func holdsAll(cs []Comparison, v float64) bool {
	for _, c := range cs {
		if !c.holds(v) {
			return false
		}
	}
	return true
}

func (b *nodes) aliases(n *yaml.Node) (map[string]map[string]string, error) {
	if n.Kind != yaml.MappingNode {
		return nil, errAt(n, "aliases must be a map")
	}
	ps, err := b.pairs(n)
	if err != nil {
		return nil, err
	}
	out := make(map[string]map[string]string, len(ps))
	for _, p := range ps {
		if p[1].Kind != yaml.MappingNode {
			return nil, errAt(p[1], "alias %q must map rule names to fields", p[0].Value)
		}
		qs, err := b.pairs(p[1])
		if err != nil {
			return nil, err
		}
		m := make(map[string]string, len(qs))
		for _, q := range qs {
			if q[1].Kind != yaml.ScalarNode || q[1].Value == "" {
				return nil, errAt(q[1], "alias %q: a field name is expected", p[0].Value)
			}
			m[q[0].Value] = q[1].Value
		}
		out[p[0].Value] = m
	}
	return out, nil
}

func (b *nodes) correlationCondition(n *yaml.Node, c *Correlation) error {
	if n.Kind != yaml.MappingNode {
		return errAt(n, "a correlation's condition must be a map")
	}
	ps, err := b.pairs(n)
	if err != nil {
		return err
	}
	for _, p := range ps {
		k, v := p[0].Value, p[1]
		switch k {
		case "field":
			if c.ValueFields, err = b.texts(v); err != nil {
				return err
			}
		case "percentile":
			f, err := strconv.ParseFloat(v.Value, 64)
			if err != nil || !(f >= 0 && f <= 100) {
				return errAt(v, "percentile is a number from 0 to 100")
			}
			c.Percentile = f
		case "gt", "gte", "lt", "lte", "eq", "neq":
			f, err := strconv.ParseFloat(v.Value, 64)
			if err != nil || v.Kind != yaml.ScalarNode || f != f || f-f != 0 {
				return errAt(v, "condition %s: a number is expected", k)
			}
			c.Condition = append(c.Condition, Comparison{k, f})
		default:
			return errAt(p[0], "condition has no criterion %q", k)
		}
	}
	if len(c.Condition) == 0 {
		return errAt(n, "the condition compares with nothing")
	}
	return nil
}

// parseTimespan reads "number + letter (in lowercase)": s, m, h, d.
func parseTimespan(s string) (time.Duration, error) {
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}
	if len(s) >= 2 && len(s) <= 10 && digits(s[:len(s)-1]) {
		if u, ok := units[s[len(s)-1]]; ok {
			n, err := strconv.ParseInt(s[:len(s)-1], 10, 64)
			if err == nil && n > 0 && n < int64(10*365*24*time.Hour/u) {
				return time.Duration(n) * u, nil
			}
		}
	}
	return 0, fmt.Errorf("timespan %q is not a number followed by s, m, h or d", s)
}
