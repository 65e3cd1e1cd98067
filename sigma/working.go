package sigma

// working is a copy of a rule that pipelines may change.
type working struct {
	rule     *Rule
	ls       Logsource
	taxonomy string
	fields   []string
	dets     []*detection
	conds    []condText
	filters  []workFilter
	state    map[string]string
	applied  map[string]bool // ids of pipeline items applied to the rule
}

type workFilter struct {
	dets []*detection
	cond condText
}

func newWorking(r *Rule, fs []*Filter) *working {
	w := &working{rule: r, ls: r.Logsource, taxonomy: r.Taxonomy, fields: r.Fields, conds: r.conditions, dets: cloneDetections(r.detections)}
	for _, f := range fs {
		w.filters = append(w.filters, workFilter{cloneDetections(f.detections), f.condition})
	}
	return w
}

func cloneDetections(ds []*detection) []*detection {
	out := make([]*detection, len(ds))
	for i, d := range ds {
		c := *d
		c.node = d.node.clone()
		out[i] = &c
	}
	return out
}

// lower links the rule's logic with that of its filters.
func (w *working) lower() (*expr, error) {
	x, err := lowerDetections(w.dets, w.conds)
	if err != nil || len(w.filters) == 0 {
		return x, err
	}
	all := &expr{op: exprAnd, kids: []*expr{x}}
	for _, f := range w.filters {
		fx, err := lowerDetections(f.dets, []condText{f.cond})
		if err != nil {
			return nil, err
		}
		all.kids = append(all.kids, &expr{op: exprAnd, kids: []*expr{fx}, label: "filter"})
	}
	return all, nil
}
