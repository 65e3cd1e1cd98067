package sigma

import (
	"embed"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"
)

// Pipeline is a processing pipeline in the YAML form of pySigma: items that change rules before they are compiled, so that they fit
// the field names and values of somebody's logs.
type Pipeline struct {
	Name     string
	Priority int
	items    []*pipeItem
	vars     map[string][]string
}

// pipeItem is one transformation with the conditions under which it applies.
type pipeItem struct {
	id    string
	line  int
	kind  string
	rule  conditionGroup
	det   conditionGroup
	field conditionGroup

	mapping     map[string][]string
	text        string // prefix, suffix, message, value, case method
	names       []string
	exclude     []string
	re          *regexp.Regexp
	skipSpecial bool
	conds       *detNode
	name        string
	negated     bool
	template    bool
	ls          Logsource
	key         string
	nested      []*pipeItem
	valueKind   scalarKind
}

// conditionGroup links conditions of one level.
type conditionGroup struct {
	conds []pipeCond
	any   bool
	not   bool
}

type pipeCond struct {
	kind, field, value, key string
	fields                  []string
	ls                      Logsource
	re                      *regexp.Regexp
	anyValue, negate        bool
	op                      string
}

//go:embed pipelines/*.yml
var builtinFiles embed.FS

var builtins = sync.OnceValue(func() map[string]*Pipeline {
	out := map[string]*Pipeline{}
	files, _ := builtinFiles.ReadDir("pipelines")
	for _, f := range files {
		data, err := builtinFiles.ReadFile("pipelines/" + f.Name())
		if err != nil {
			panic(err)
		}
		p, err := ParsePipeline(f.Name(), data)
		if err != nil {
			panic(err) // the files are part of the package; a test parses them all
		}
		out[strings.TrimSuffix(f.Name(), ".yml")] = p
	}
	return out
})

// BuiltinPipelines lists the names that BuiltinPipeline knows. Most are applied by themselves to events recognised as theirs.
func BuiltinPipelines() []string {
	var out []string
	for n := range builtins() {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// BuiltinPipeline returns a pipeline that comes with the package, or nil.
func BuiltinPipeline(name string) *Pipeline { return builtins()[name] }

func builtinPipeline(name string) *Pipeline { return builtins()[name] }

// builtinTargets lists the fields that built-in pipelines map to.
func builtinTargets() []string {
	var out []string
	for _, n := range BuiltinPipelines() {
		for _, it := range builtins()[n].items {
			for _, fs := range it.mapping {
				out = append(out, fs...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// maxPipelineBytes bounds a pipeline file.
const maxPipelineBytes = 4 << 20

// ParsePipeline reads a pipeline. A transformation or condition that is not supported is an error, since leaving it out would change
// what rules mean; errors are of type *RuleError.
func ParsePipeline(name string, data []byte) (*Pipeline, error) {
	fail := func(err error) error {
		re := &RuleError{File: name, Line: 1, Reason: err.Error()}
		if pe, ok := err.(*parseError); ok {
			re.Line, re.Column = pe.line, pe.col
		}
		return re
	}
	if len(data) > maxPipelineBytes {
		return nil, fail(fmt.Errorf("the pipeline is larger than %d bytes", maxPipelineBytes))
	}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, fail(yamlError(err))
	}
	b := &nodes{left: maxRuleValues}
	if root.Kind != yaml.DocumentNode || len(root.Content) != 1 || root.Content[0].Kind != yaml.MappingNode {
		return nil, fail(fmt.Errorf("a pipeline is a map"))
	}
	p, err := b.pipeline(root.Content[0])
	if err != nil {
		return nil, fail(err)
	}
	return p, nil
}

func (b *nodes) pipeline(n *yaml.Node) (*Pipeline, error) {
	ps, err := b.pairs(n)
	if err != nil {
		return nil, err
	}
	p := &Pipeline{vars: map[string][]string{}}
	for _, kv := range ps {
		k, v := kv[0].Value, kv[1]
		switch k {
		case "name":
			p.Name = v.Value
		case "priority":
			if p.Priority, err = strconv.Atoi(v.Value); err != nil {
				return nil, errAt(v, "priority must be a whole number")
			}
		case "vars":
			if v.Kind != yaml.MappingNode {
				return nil, errAt(v, "vars must be a map")
			}
			vs, err := b.pairs(v)
			if err != nil {
				return nil, err
			}
			for _, x := range vs {
				if p.vars[x[0].Value], err = b.texts(x[1]); err != nil {
					return nil, err
				}
			}
		case "transformations":
			if p.items, err = b.pipeItems(v, 0); err != nil {
				return nil, err
			}
		case "allowed_backends", "author", "description", "id", "status", "references", "date", "modified":
		default:
			return nil, errAt(kv[0], "pipeline attribute %q is not supported", k)
		}
	}
	return p, nil
}

func (b *nodes) pipeItems(v *yaml.Node, depth int) ([]*pipeItem, error) {
	if v.Kind != yaml.SequenceNode {
		return nil, errAt(v, "transformations must be a list")
	}
	if depth > 8 {
		return nil, errAt(v, "transformations are nested too deeply")
	}
	var out []*pipeItem
	for i, c := range v.Content {
		c, err := b.real(c)
		if err != nil {
			return nil, err
		}
		if c.Kind != yaml.MappingNode {
			return nil, errAt(c, "a transformation is a map")
		}
		it, err := b.pipeItem(c, depth)
		if err != nil {
			return nil, err
		}
		if it.name == "" {
			it.name = fmt.Sprintf("_added_%d_%d", c.Line, i)
		}
		out = append(out, it)
	}
	return out, nil
}

// parameters lists what each supported transformation takes.
var parameters = map[string][]string{
	"field_name_mapping": {"mapping"}, "field_name_prefix_mapping": {"mapping"}, "field_name_prefix": {"prefix"},
	"field_name_suffix": {"suffix"}, "drop_detection_item": {}, "add_condition": {"conditions", "name", "template", "negated"},
	"change_logsource": {"category", "product", "service"}, "replace_string": {"regex", "replacement", "skip_special"},
	"map_string": {"mapping"}, "set_state": {"key", "val"}, "set_value": {"value"}, "value_placeholders": {"include", "exclude"},
	"wildcard_placeholders": {"include", "exclude"}, "rule_failure": {"message"}, "detection_item_failure": {"message"},
	"add_field": {"field"}, "remove_field": {"field"}, "set_field": {"fields"}, "case": {"method"}, "nest": {"items"},
	"set_custom_attribute": {"attribute", "value"},
}

func (b *nodes) pipeItem(n *yaml.Node, depth int) (*pipeItem, error) {
	ps, err := b.pairs(n)
	if err != nil {
		return nil, err
	}
	it := &pipeItem{line: n.Line}
	for _, kv := range ps {
		if kv[0].Value == "type" {
			it.kind = kv[1].Value
		}
	}
	known, ok := parameters[it.kind]
	if !ok {
		return nil, errAt(n, "transformation %q is not supported", it.kind)
	}
	for _, kv := range ps {
		k, v := kv[0].Value, kv[1]
		switch k {
		case "type":
			continue
		case "id":
			it.id = v.Value
			continue
		case "rule_conditions", "detection_item_conditions", "field_name_conditions":
			err = b.pipeConds(v, it.group(k), k)
		case "rule_cond_op", "detection_item_cond_op", "field_name_cond_op":
			if v.Value != "or" && v.Value != "and" {
				return nil, errAt(v, "%s is and or or", k)
			}
			it.group(k).any = v.Value == "or"
		case "rule_cond_not", "detection_item_cond_not", "field_name_cond_not":
			it.group(k).not, err = boolean(v)
		default:
			if !slices.Contains(known, k) {
				return nil, errAt(kv[0], "transformation %s takes no %q", it.kind, k)
			}
			err = b.parameter(it, k, v, depth)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, need := range map[string][]string{"field_name_mapping": {"mapping"}, "field_name_prefix_mapping": {"mapping"}, "map_string": {"mapping"},
		"replace_string": {"regex", "replacement"}, "add_condition": {"conditions"}, "nest": {"items"}, "set_state": {"key"}}[it.kind] {
		if !slices.ContainsFunc(ps, func(kv [2]*yaml.Node) bool { return kv[0].Value == need }) {
			return nil, errAt(n, "transformation %s needs %q", it.kind, need)
		}
	}
	return it, nil
}

func boolean(v *yaml.Node) (bool, error) {
	if v.ShortTag() != "!!bool" {
		return false, errAt(v, "true or false is expected")
	}
	return strings.EqualFold(v.Value, "true"), nil
}

func (it *pipeItem) group(k string) *conditionGroup {
	switch k[0] {
	case 'r':
		return &it.rule
	case 'd':
		return &it.det
	}
	return &it.field
}

func (b *nodes) parameter(it *pipeItem, k string, v *yaml.Node, depth int) error {
	var err error
	switch k {
	case "mapping":
		if v.Kind != yaml.MappingNode {
			return errAt(v, "mapping must be a map")
		}
		it.mapping = map[string][]string{}
		ps, err := b.pairs(v)
		if err != nil {
			return err
		}
		for _, kv := range ps {
			to, err := b.texts(kv[1])
			if err != nil {
				return err
			}
			if len(to) == 0 {
				return errAt(kv[1], "mapping of %q is empty", kv[0].Value)
			}
			it.mapping[kv[0].Value] = to
		}
	case "conditions":
		if v.Kind != yaml.MappingNode {
			return errAt(v, "conditions must be a map")
		}
		it.conds, err = b.detection(v, 0)
	case "items":
		it.nested, err = b.pipeItems(v, depth+1)
	case "include":
		it.names, err = b.texts(v)
	case "exclude":
		it.exclude, err = b.texts(v)
	case "field", "fields":
		it.names, err = b.texts(v)
	case "regex":
		if it.re, err = regexp.Compile(v.Value); err != nil {
			err = errAt(v, "%v", err)
		}
	case "replacement":
		it.text = regexp.MustCompile(`\\(?:g<(\w+)>|(\d+))`).ReplaceAllString(strings.ReplaceAll(v.Value, "$", "$$"), "$${$1$2}")
	case "skip_special":
		it.skipSpecial, err = boolean(v)
	case "template":
		it.template, err = boolean(v)
	case "negated":
		it.negated, err = boolean(v)
	case "name":
		it.name = v.Value
	case "category":
		it.ls.Category = v.Value
	case "product":
		it.ls.Product = v.Value
	case "service":
		it.ls.Service = v.Value
	case "key", "attribute":
		it.key = v.Value
	case "value":
		var s scalar
		if s, err = toScalar(v); err == nil {
			it.text, it.valueKind = s.text, s.kind
		}
	case "method":
		if it.text = v.Value; it.text != "lower" && it.text != "upper" {
			return errAt(v, "case method %q is not supported", v.Value)
		}
	default:
		it.text = v.Value
	}
	return err
}

// conditionNames are the supported conditions of each level.
var conditionNames = map[byte][]string{
	'r': {"logsource", "contains_field", "contains_detection_item", "processing_item_applied", "processing_state", "is_sigma_rule",
		"is_sigma_correlation_rule", "rule_attribute", "tag"},
	'd': {"match_string", "match_value", "contains_wildcard", "is_null", "processing_item_applied", "processing_state"},
	'f': {"include_fields", "exclude_fields", "processing_item_applied", "processing_state"},
}

func (b *nodes) pipeConds(v *yaml.Node, g *conditionGroup, level string) error {
	if v.Kind == yaml.MappingNode {
		return errAt(v, "named conditions belong to condition expressions, which are not supported")
	}
	if v.Kind != yaml.SequenceNode {
		return errAt(v, "conditions must be a list")
	}
	for _, c := range v.Content {
		c, err := b.real(c)
		if err != nil {
			return err
		}
		if c.Kind != yaml.MappingNode {
			return errAt(c, "a condition is a map")
		}
		ps, err := b.pairs(c)
		if err != nil {
			return err
		}
		pc := pipeCond{anyValue: true, op: "eq"}
		isRegex := false
		for _, kv := range ps {
			x := kv[1].Value
			switch kv[0].Value {
			case "type":
				pc.kind = x
			case "category":
				pc.ls.Category = x
			case "product":
				pc.ls.Product = x
			case "service":
				pc.ls.Service = x
			case "field":
				pc.field = x
			case "fields":
				if pc.fields, err = b.texts(kv[1]); err != nil {
					return err
				}
			case "value", "val", "tag":
				pc.value = x
			case "key", "attribute", "processing_item_id":
				pc.key = x
			case "pattern":
				if pc.re, err = regexp.Compile(`^(?:` + x + `)`); err != nil {
					return errAt(kv[1], "%v", err)
				}
			case "cond":
				pc.anyValue = x == "any"
			case "negate":
				if pc.negate, err = boolean(kv[1]); err != nil {
					return err
				}
			case "op":
				if pc.op = x; x != "eq" && x != "ne" {
					return errAt(kv[1], "operation %q is not supported", x)
				}
			case "mode":
				isRegex = x == "re"
			default:
				return errAt(kv[0], "condition attribute %q is not supported", kv[0].Value)
			}
		}
		if !slices.Contains(conditionNames[level[0]], pc.kind) {
			return errAt(c, "condition %q is not supported in %s", pc.kind, level)
		}
		if pc.kind == "match_string" && pc.re == nil {
			return errAt(c, "match_string needs a pattern")
		}
		if isRegex {
			pc.re, err = regexp.Compile(`^(?:` + strings.Join(pc.fields, "|") + `)`)
			if err != nil {
				return errAt(c, "%v", err)
			}
		}
		g.conds = append(g.conds, pc)
	}
	return nil
}
