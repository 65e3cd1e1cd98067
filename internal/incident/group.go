package incident

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"vigil/internal/detect"
	"vigil/internal/store"
)

// The bounds of the rule of grouping, in event time.
const (
	window        = 72 * time.Hour
	lateralWindow = 24 * time.Hour
	aftermath     = time.Hour // once somebody moves from host to host, the host no longer tells incidents apart
)

// node is a finding as the rule of grouping sees it.
type node struct {
	id, org, rule, kind string
	level               detect.Level
	techniques          []string
	state               string
	first, last         int64
	incident            string // that it is linked to; "" where it waits
	iid                 int64
	open                bool // the incident is
	apart               bool // a person said that it belongs to none
}

func (n node) part() bool { return n.state == "open" || n.state == "confirmed" }
func (n node) weighs() bool {
	return n.part() && !n.apart && (n.kind == "indicator" || n.level >= detect.Medium)
}

const nodeColumns = `s.finding, s.org, s.rule, s.kind, s.level, s.techniques, s.state, s.first, s.last, coalesce(l.incident, ''), coalesce(i.iid, 0), coalesce(i.state, ''), coalesce(l.role, '')='apart'`
const nodeLinks = ` LEFT JOIN incident_finding l ON l.finding=s.finding AND VISIBLE(l) LEFT JOIN incident_row i ON i.id=l.incident AND VISIBLE(i)`

func scanNode(rows *sql.Rows) (n node, err error) {
	var techniques, state string
	err = rows.Scan(&n.id, &n.org, &n.rule, &n.kind, &n.level, &techniques, &n.state, &n.first, &n.last, &n.incident, &n.iid, &state, &n.apart)
	n.techniques, n.open = strings.Fields(techniques), State(state).Open()
	return n, err
}

func nodeOf(ctx context.Context, v *store.View, id string) (node, bool, error) {
	ns, err := store.Machine(ctx, v, `SELECT `+nodeColumns+` FROM incident_seen s`+nodeLinks+` WHERE s.finding=?`, []any{id}, scanNode)
	if err != nil || len(ns) == 0 {
		return node{}, false, err
	}
	return ns[0], true, nil
}

// neighbours are the findings that belong together with n.
func neighbours(ctx context.Context, v *store.View, n node) ([]node, error) {
	out, err := store.Machine(ctx, v, `SELECT DISTINCT `+nodeColumns+` FROM incident_trait t JOIN incident_trait u ON u.org=t.org AND u.trait=t.trait JOIN incident_seen s ON s.finding=u.finding`+nodeLinks+
		` WHERE t.finding=? AND s.finding<>? AND s.last>=? AND s.first<=? ORDER BY s.finding LIMIT 5000`, []any{n.id, n.id, n.first - int64(window), n.last + int64(window)}, scanNode)
	if err != nil {
		return nil, err
	}
	if !lateral(n.techniques) {
		movers, err := store.Machine(ctx, v, `SELECT `+nodeColumns+` FROM incident_seen s`+nodeLinks+` WHERE s.org=? AND s.finding<>? AND s.first<=? AND s.last>=? ORDER BY s.finding LIMIT 1000`,
			[]any{n.org, n.id, n.first, n.first - int64(aftermath)}, scanNode)
		if err != nil || !n.weighs() {
			return out, err
		}
		for _, m := range movers {
			if m.weighs() && lateral(m.techniques) {
				out = append(out, m)
			}
		}
		return out, nil
	}
	after, err := store.Machine(ctx, v, `SELECT `+nodeColumns+` FROM incident_seen s`+nodeLinks+` WHERE s.org=? AND s.finding<>? AND s.first>=? AND s.first<=? ORDER BY s.finding LIMIT 1000`,
		[]any{n.org, n.id, n.first, n.last + int64(aftermath)}, scanNode)
	if err != nil {
		return nil, err
	}
	for _, m := range after {
		if m.weighs() {
			out = append(out, m)
		}
	}
	before, err := store.Machine(ctx, v, `SELECT `+nodeColumns+` FROM incident_seen s`+nodeLinks+` WHERE s.org=? AND s.finding<>? AND s.first<=? AND s.last>=? ORDER BY min(s.last, ?) DESC, s.first DESC, s.finding LIMIT 200`,
		[]any{n.org, n.id, n.first, n.first - int64(lateralWindow), n.first}, scanNode)
	if err != nil {
		return nil, err
	}
	for _, b := range before {
		if b.weighs() && !lateral(b.techniques) && (b.incident == "" || b.open) {
			return append(out, b), nil
		}
	}
	return out, nil
}

// group is what belongs together: findings to link, and the open incidents that it touches, the first opened first.
type group struct {
	parts, context []node
	incidents      []node // one node for each incident
}

// opens says whether a group that touches no incident makes one: level high, or two different techniques.
func (g group) opens() bool {
	kinds := map[string]bool{}
	for _, n := range g.parts {
		if n.level >= detect.High {
			return true
		}
		if len(n.techniques) == 0 {
			kinds["rule "+n.rule] = true
		}
		for _, t := range n.techniques {
			kinds[t] = true
		}
	}
	return len(kinds) > 1
}

// gather walks from a finding over all that belong together with it. What is linked to an open incident names that
// incident and is walked no further; what is linked to a closed one is passed over.
func gather(ctx context.Context, v *store.View, from node, walked map[string]bool) (group, error) {
	var g group
	seen := map[string]bool{from.id: true}
	queue := []node{from}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		walked[n.id] = true
		if n.incident == "" {
			g.parts = append(g.parts, n)
		} else {
			g.touch(n)
		}
		near, err := neighbours(ctx, v, n)
		if err != nil {
			return g, err
		}
		for _, m := range near {
			switch {
			case seen[m.id]:
			case m.incident != "":
				seen[m.id] = true
				if m.open && m.part() {
					g.touch(m)
				}
			case m.weighs():
				seen[m.id] = true
				queue = append(queue, m)
			case !m.part() && !m.apart:
				seen[m.id] = true
				g.context = append(g.context, m)
			}
		}
	}
	return g, nil
}

// beside finds the incident that a suppressed or benign finding belongs beside.
func beside(ctx context.Context, v *store.View, n node) (group, error) {
	g := group{context: []node{n}}
	near, err := neighbours(ctx, v, n)
	for _, m := range near {
		if m.incident != "" && m.open && m.part() {
			g.touch(m)
		}
	}
	return g, err
}

func (g *group) touch(n node) {
	if slices.ContainsFunc(g.incidents, func(m node) bool { return m.incident == n.incident }) {
		return
	}
	g.incidents = append(g.incidents, n)
	slices.SortFunc(g.incidents, func(a, b node) int { return int(a.iid - b.iid) })
}

// joined adds a group to others; those that share a finding with it become one with it. One may be found from one side only:
// lateral movement looks back.
func joined(groups []group, g group) []group {
	out := groups[:0:0]
	for _, h := range groups {
		shared := slices.ContainsFunc(h.parts, func(a node) bool {
			return slices.ContainsFunc(g.parts, func(b node) bool { return a.id == b.id })
		})
		if !shared {
			out = append(out, h)
			continue
		}
		g.parts, g.context = united(h.parts, g.parts), united(h.context, g.context)
		for _, n := range h.incidents {
			g.touch(n)
		}
	}
	return append(out, g)
}

func united(a, b []node) []node {
	for _, n := range b {
		if !slices.ContainsFunc(a, func(m node) bool { return m.id == n.id }) {
			a = append(a, n)
		}
	}
	return a
}
