package sigma

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// apply changes a rule. An error refuses the rule.
func (p *Pipeline) apply(w *working) error {
	if w.state == nil {
		w.state, w.applied = map[string]string{}, map[string]bool{}
	}
	return p.run(p.items, w)
}

func (p *Pipeline) run(items []*pipeItem, w *working) error {
	for _, it := range items {
		if !it.rule.holds(func(c *pipeCond) bool { return c.onRule(w) }) {
			continue
		}
		if err := p.transform(it, w); err != nil {
			return err
		}
		if it.id != "" {
			w.applied[it.id] = true
		}
	}
	return nil
}

func (g *conditionGroup) holds(f func(*pipeCond) bool) bool {
	if len(g.conds) == 0 {
		return true
	}
	r := !g.any
	for i := range g.conds {
		if g.any {
			r = r || f(&g.conds[i])
		} else {
			r = r && f(&g.conds[i])
		}
	}
	return r != g.not
}

// each visits the items of the rule and its filters.
func (w *working) each(f func(*item)) {
	for _, d := range w.dets {
		d.node.items(f)
	}
	for _, x := range w.filters {
		for _, d := range x.dets {
			d.node.items(f)
		}
	}
}

func (c *pipeCond) onRule(w *working) bool {
	switch c.kind {
	case "logsource":
		return c.ls.Covers(w.ls)
	case "contains_field", "contains_detection_item":
		found := false
		w.each(func(it *item) {
			if it.field == c.field && it.field != "" {
				found = found || c.kind == "contains_field" || slices.ContainsFunc(it.vals, func(v scalar) bool { return strings.EqualFold(v.text, c.value) })
			}
		})
		return found
	case "processing_item_applied":
		return w.applied[c.key]
	case "processing_state":
		v, ok := w.state[c.key]
		return ok && v == c.value
	case "is_sigma_rule":
		return true
	case "is_sigma_correlation_rule":
		return false
	case "tag":
		return slices.Contains(w.rule.Tags, c.value)
	}
	attr := map[string]string{"id": w.rule.ID, "title": w.rule.Title, "level": w.rule.Level, "status": w.rule.Status, "author": w.rule.Author,
		"name": w.rule.Name, "taxonomy": w.taxonomy, "date": w.rule.Date, "modified": w.rule.Modified}[c.key]
	if v, ok := w.state["attribute "+c.key]; ok {
		attr = v
	}
	return (attr == c.value) == (c.op == "eq")
}

func (c *pipeCond) onField(it *item, w *working) bool {
	switch c.kind {
	case "include_fields", "exclude_fields":
		in := slices.Contains(c.fields, it.field)
		if c.re != nil {
			in = c.re.MatchString(it.field)
		}
		return in == (c.kind == "include_fields")
	case "processing_item_applied":
		return it.applied[c.key]
	}
	v, ok := w.state[c.key]
	return ok && v == c.value
}

func (c *pipeCond) onItem(it *item, w *working) bool {
	switch c.kind {
	case "processing_item_applied", "processing_state":
		return c.onField(it, w)
	}
	one := func(v scalar) bool {
		switch c.kind {
		case "match_string":
			return (v.kind != scalarNull && c.re.MatchString(v.text)) != c.negate
		case "match_value":
			return v.text == c.value
		case "contains_wildcard":
			return hasWild(parsePattern(v.text))
		}
		return v.kind == scalarNull
	}
	if c.anyValue {
		return slices.ContainsFunc(it.vals, one)
	}
	return !slices.ContainsFunc(it.vals, func(v scalar) bool { return !one(v) })
}

func (it *pipeItem) concerns(x *item, w *working) bool {
	return it.field.holds(func(c *pipeCond) bool { return c.onField(x, w) }) && it.det.holds(func(c *pipeCond) bool { return c.onItem(x, w) })
}

func (p *Pipeline) transform(it *pipeItem, w *working) error {
	switch it.kind {
	case "nest":
		return p.run(it.nested, w)
	case "change_logsource":
		w.ls = it.ls
		return nil
	case "set_state":
		w.state[it.key] = it.text
		return nil
	case "set_custom_attribute":
		w.state["attribute "+it.key] = it.text
		return nil
	case "rule_failure":
		return fmt.Errorf("pipeline: %s", it.text)
	case "add_field":
		w.fields = append(slices.Clone(w.fields), it.names...)
		return nil
	case "set_field":
		w.fields = it.names
		return nil
	case "remove_field":
		w.fields = slices.DeleteFunc(slices.Clone(w.fields), func(f string) bool { return slices.Contains(it.names, f) })
		return nil
	case "add_condition":
		w.addCondition(it)
		return nil
	}
	var err error
	walk := func(ds []*detection) {
		for _, d := range ds {
			n, e := p.rewrite(it, d.node, w)
			if e != nil && err == nil {
				err = e
			}
			if n == nil && err == nil {
				err = errLine(d.line, "the pipeline drops all of detection %q", d.name)
			}
			d.node = n
		}
	}
	walk(w.dets)
	for _, f := range w.filters {
		walk(f.dets)
	}
	return err
}

// addCondition links a new detection with AND to every condition.
func (w *working) addCondition(it *pipeItem) {
	n := it.conds.clone()
	if it.template {
		n.items(func(x *item) {
			x.vals = slices.Clone(x.vals)
			for i, v := range x.vals {
				x.vals[i].text = strings.NewReplacer("${category}", w.ls.Category, "${product}", w.ls.Product, "${service}", w.ls.Service,
					"$category", w.ls.Category, "$product", w.ls.Product, "$service", w.ls.Service).Replace(v.text)
			}
		})
	}
	name := it.name
	for slices.ContainsFunc(w.dets, func(d *detection) bool { return d.name == name }) {
		name += "_"
	}
	if !strings.HasPrefix(name, "_") {
		name = "_" + name // so that "of them" does not take it in
	}
	w.dets = append(w.dets, &detection{name, n, it.line})
	not := ""
	if it.negated {
		not = "not "
	}
	w.conds = slices.Clone(w.conds)
	for i, c := range w.conds {
		w.conds[i].text = not + name + " and (" + c.text + ")"
	}
}

// rewrite applies an item to a detection; nil means that nothing is left.
func (p *Pipeline) rewrite(it *pipeItem, d *detNode, w *working) (*detNode, error) {
	if d == nil {
		return nil, nil
	}
	if d.item == nil {
		out := &detNode{and: d.and}
		for _, k := range d.kids {
			n, err := p.rewrite(it, k, w)
			if err != nil {
				return nil, err
			}
			if n != nil {
				out.kids = append(out.kids, n)
			}
		}
		if len(out.kids) == 0 {
			return nil, nil
		}
		return out, nil
	}
	x := d.item
	if !it.concerns(x, w) {
		return d, nil
	}
	rename := func(to []string) (*detNode, error) {
		out := &detNode{}
		for _, f := range to {
			c := *x
			c.field = f
			c.mark(it.id)
			out.kids = append(out.kids, &detNode{item: &c})
		}
		if len(out.kids) == 1 {
			return out.kids[0], nil
		}
		return out, nil
	}
	switch it.kind {
	case "field_name_mapping":
		if to, ok := it.mapping[x.field]; ok && x.field != "" {
			return rename(to)
		}
	case "field_name_prefix_mapping":
		best := ""
		for from := range it.mapping {
			if strings.HasPrefix(x.field, from) && len(from) > len(best) {
				best = from
			}
		}
		if best != "" {
			var to []string
			for _, t := range it.mapping[best] {
				to = append(to, t+x.field[len(best):])
			}
			return rename(to)
		}
	case "field_name_prefix":
		if x.field != "" {
			return rename([]string{it.text + x.field})
		}
	case "field_name_suffix":
		if x.field != "" {
			return rename([]string{x.field + it.text})
		}
	case "drop_detection_item":
		return nil, nil
	case "detection_item_failure":
		return nil, errLine(x.line, "pipeline: %s", it.text)
	case "value_placeholders", "wildcard_placeholders":
		p.placeholders(it, x)
		x.mark(it.id)
	default:
		x.vals = it.values(x.vals)
		x.mark(it.id)
	}
	return d, nil
}

func (x *item) mark(id string) {
	if id != "" {
		x.applied = maps.Clone(x.applied)
		if x.applied == nil {
			x.applied = map[string]bool{}
		}
		x.applied[id] = true
	}
}

// values changes the values of an item.
func (it *pipeItem) values(vals []scalar) []scalar {
	var out []scalar
	for _, v := range vals {
		if v.kind == scalarNull && it.kind != "set_value" {
			out = append(out, v)
			continue
		}
		switch it.kind {
		case "replace_string":
			if !it.skipSpecial {
				v.text = it.re.ReplaceAllString(v.text, it.text)
				break
			}
			var b strings.Builder
			for _, t := range parsePattern(v.text) {
				switch t.kind {
				case tokStar:
					b.WriteByte('*')
				case tokAny:
					b.WriteByte('?')
				default:
					b.WriteString(strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(it.re.ReplaceAllString(t.text, it.text)))
				}
			}
			v.text = b.String()
		case "map_string":
			if to, ok := it.mapping[v.text]; ok {
				for _, t := range to {
					out = append(out, scalar{text: t, line: v.line})
				}
				continue
			}
		case "set_value":
			v.text, v.kind = it.text, it.valueKind
		case "case":
			if it.text == "lower" {
				v.text = strings.ToLower(v.text)
			} else {
				v.text = strings.ToUpper(v.text)
			}
		}
		out = append(out, v)
	}
	return out
}

// placeholders gives an item the values of the variables that it may use.
func (p *Pipeline) placeholders(it *pipeItem, x *item) {
	if !slices.Contains(x.mods, "expand") {
		return
	}
	known := maps.Clone(x.placeholders)
	if known == nil {
		known = map[string][]string{}
	}
	handles := func(name string) bool {
		return (len(it.names) == 0 || slices.Contains(it.names, name)) && !slices.Contains(it.exclude, name)
	}
	for _, v := range x.vals {
		parts := strings.Split(v.text, "%")
		for i := 1; i+1 < len(parts); i++ {
			name := parts[i]
			if _, have := known[name]; have || name == "" || !handles(name) {
				continue
			}
			if it.kind == "wildcard_placeholders" {
				known[name] = nil
			} else if vals := p.vars[name]; len(vals) > 0 {
				known[name] = vals
			}
		}
	}
	x.placeholders = known
}
