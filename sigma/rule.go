package sigma

import (
	"fmt"
	"strings"
	"time"
)

// Logsource names the log data that a rule is written for, or that an event belongs to. An empty part is not stated.
type Logsource struct {
	Category, Product, Service string
}

// Covers reports whether an event of logsource ev satisfies every part that l states.
func (l Logsource) Covers(ev Logsource) bool {
	return (l.Category == "" || l.Category == ev.Category) &&
		(l.Product == "" || l.Product == ev.Product) &&
		(l.Service == "" || l.Service == ev.Service)
}

// String renders the stated parts, e.g. "category=process_creation product=windows".
func (l Logsource) String() string {
	var parts []string
	for _, p := range [...][2]string{{"category", l.Category}, {"product", l.Product}, {"service", l.Service}} {
		if p[1] != "" {
			parts = append(parts, p[0]+"="+p[1])
		}
	}
	return strings.Join(parts, " ")
}

// Related is a link from one rule to another, as in the attribute "related".
type Related struct{ ID, Type string }

// Meta is what rules, correlations and filters have in common.
type Meta struct {
	ID, Name, Title, Description, Status, Level, Author, License, Taxonomy string
	// Date and Modified keep the text of the rule, normally YYYY-MM-DD.
	Date, Modified string
	References     []string
	Tags           []string
	FalsePositives []string
	Fields         []string
	Scope          []string
	Related        []Related
	// File is the name given to the parser, Line the 1-based line of the document's first key.
	File string
	Line int
	// Raw is the document as read. It shares memory with the parsed data and must not be changed.
	Raw []byte
}

// Rule is a Sigma detection rule.
type Rule struct {
	ID, Title, Description, Status, Level, Author, Date, Modified, License string
	Name, Taxonomy                                                         string
	References, Tags, FalsePositives, Fields, Scope                        []string
	Related                                                                []Related
	Logsource                                                              Logsource
	// File is the name given to the parser, Line the 1-based line of the document's first key.
	File string
	Line int
	// Raw is the document as read. It shares memory with the parsed data and must not be changed.
	Raw []byte

	detections []*detection // in the order of the document
	conditions []condText   // linked with OR
}

// condText is a condition as written and where.
type condText struct {
	text string
	line int
}

// Techniques returns the ATT&CK technique ids that the rule's tags name, such as "T1059.001", in tag order without repeats.
func (r *Rule) Techniques() []string { return techniques(r.Tags) }

func techniques(tags []string) []string {
	var out []string
next:
	for _, t := range tags {
		rest, ok := strings.CutPrefix(strings.ToLower(t), "attack.t")
		if !ok || len(rest) < 4 {
			continue
		}
		main, sub, hasSub := strings.Cut(rest, ".")
		if len(main) != 4 || !digits(main) || hasSub && (len(sub) != 3 || !digits(sub)) {
			continue
		}
		id := "T" + rest
		for _, o := range out {
			if o == id {
				continue next
			}
		}
		out = append(out, id)
	}
	return out
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// CorrelationType is the kind of relation that a correlation looks for.
type CorrelationType string

// The correlation types of Sigma 2.1.
const (
	EventCount      CorrelationType = "event_count"
	ValueCount      CorrelationType = "value_count"
	Temporal        CorrelationType = "temporal"
	TemporalOrdered CorrelationType = "temporal_ordered"
	ValueSum        CorrelationType = "value_sum"
	ValueAvg        CorrelationType = "value_avg"
	ValuePercentile CorrelationType = "value_percentile"
)

// Comparison is one criterion of a correlation's condition, such as gte 10.
type Comparison struct {
	Op    string // gt, gte, lt, lte, eq, neq
	Value float64
}

func (c Comparison) holds(v float64) bool {
	switch c.Op {
	case "gt":
		return v > c.Value
	case "gte":
		return v >= c.Value
	case "lt":
		return v < c.Value
	case "lte":
		return v <= c.Value
	case "eq":
		return v == c.Value
	}
	return v != c.Value
}

// Correlation is a Sigma correlation rule.
type Correlation struct {
	Meta
	Type CorrelationType
	// Rules are the ids or names of the rules or correlations referred to, in order.
	Rules   []string
	GroupBy []string
	// Aliases maps an alias to the source field for each referred rule: Aliases[alias][rule] = field.
	Aliases  map[string]map[string]string
	Timespan time.Duration
	// Condition is a conjunction. It is empty only for temporal types, where it means every referred rule.
	Condition []Comparison
	// ValueFields lists the fields of the condition (value_count, value_sum, value_avg, value_percentile).
	ValueFields []string
	// Percentile is the rank in percent that value_percentile compares, as pySigma writes it (condition "percentile"); -1 when it is not
	// given, and the condition is then on the share of each distinct value, in percent.
	Percentile float64
	// Generate says that the referred rules report on their own as well.
	Generate bool
}

// Techniques returns the ATT&CK technique ids that the tags name.
func (c *Correlation) Techniques() []string { return techniques(c.Tags) }

// Filter narrows other rules: its condition is linked with AND to the condition of each rule that it names.
type Filter struct {
	Meta
	Logsource Logsource
	// Rules are ids or names. Any means every rule whose logsource the filter's logsource covers.
	Rules []string
	Any   bool

	detections []*detection
	condition  condText
}

// RuleSet is what was loaded.
type RuleSet struct {
	Rules        []*Rule
	Correlations []*Correlation
	Filters      []*Filter
}

// Add appends the contents of another set.
func (s *RuleSet) Add(o *RuleSet) {
	s.Rules = append(s.Rules, o.Rules...)
	s.Correlations = append(s.Correlations, o.Correlations...)
	s.Filters = append(s.Filters, o.Filters...)
}

// RuleError says why a document, or one rule, is refused. Line and Column are 1-based; 0 means the file as a whole.
type RuleError struct {
	File         string
	Line, Column int
	RuleID       string
	Reason       string
}

// Error renders "file:line: reason".
func (e *RuleError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason) }
