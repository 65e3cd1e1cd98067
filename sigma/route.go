package sigma

import (
	"slices"
	"unsafe"
)

// routeKey is all that decides which sub-engine an event goes to.
type routeKey struct {
	channel, event, typ int32
	src, service        int32
	rows                uint64 // shapeRows or explicitRows that fit
}

// maxRoutes bounds a matcher's memory of routes; beyond it the memory starts afresh.
const maxRoutes = 4096

func unsafeBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// prepareRouting registers the fields that tell log sources apart.
func (e *Engine) prepareRouting() {
	t := e.fields
	for _, f := range discriminators {
		t.add(f)
	}
	e.fChannel, e.fEventID, e.fProvider, e.fEventType = t.ids["Channel"], t.ids["EventID"], t.ids["Provider_Name"], t.ids["EventType"]
	opt := func(f string) int32 {
		if f == "" {
			return -1
		}
		return t.add(f)
	}
	for _, r := range shapeRows {
		var fs []int32
		for _, f := range r.fields {
			fs = append(fs, t.add(f))
		}
		e.shapeFields = append(e.shapeFields, fs)
		e.shapeWhere = append(e.shapeWhere, opt(r.where))
		e.shapeService = append(e.shapeService, opt(r.serviceField))
	}
	for _, r := range explicitRows {
		e.explicitWhere = append(e.explicitWhere, opt(r.where))
	}
}

// firstText returns the folded text of a field's first value; nil when it has none.
func (m *Matcher) firstText(f int32) []byte {
	v := m.sc.first(f)
	if v == nil || v.kind == Null || v.kind == Object {
		return nil
	}
	return m.sc.fold(v)
}

// route finds the sub-engine for the event in hand.
func (m *Matcher) route(src Logsource) *subEngine {
	e := m.e
	if e.opt.IgnoreLogsource {
		if m.single == nil {
			m.single = e.sub(nil)
		}
		return m.single
	}
	k := m.routeKey(src)
	if s := m.routes[k]; s != nil {
		return s
	}
	s := e.sub(m.sources(k, src))
	if len(m.routes) >= maxRoutes {
		clear(m.routes)
	}
	m.routes[k] = s
	return s
}

// currentSources lists what the event in hand is.
func (m *Matcher) currentSources(src Logsource) []source {
	if m.e.opt.IgnoreLogsource {
		return nil
	}
	return m.sources(m.routeKey(src), src)
}

// routeKey reads what decides the route of the event in hand.
func (m *Matcher) routeKey(src Logsource) routeKey {
	e := m.e
	if m.lastID < 0 || src != m.lastSrc {
		m.lastSrc, m.lastID = src, m.sourceID(src)
	}
	k := routeKey{channel: noChannel, event: -1, src: m.lastID, service: -1}
	k.channel = e.class.channel(m.firstText(e.fChannel), m.firstText(e.fProvider))
	if k.channel >= 0 {
		if ev := m.firstText(e.fEventID); ev != nil {
			if id := parseEventID(ev); slices.Contains(e.class.events[k.channel], id) {
				k.event = int32(id)
			}
		}
		if e.class.typed[k.channel] {
			t := m.firstText(e.fEventType)
			for i, w := range e.class.types {
				if string(t) == w {
					k.typ = int32(i) + 1
				}
			}
		}
	}
	if src != (Logsource{}) {
		for _, i := range m.srcRows[m.lastID] {
			if m.fits(e.explicitWhere[i], explicitRows[i].value) {
				k.rows |= 1 << i
			}
		}
	} else if k.channel == noChannel {
		m.shape(&k)
	}
	return k
}

// fits reports whether a field (-1 for none) is present and, unless value is empty, holds it.
func (m *Matcher) fits(f int32, value string) bool {
	if f < 0 {
		return true
	}
	t := m.firstText(f)
	return t != nil && (value == "" || string(t) == value)
}

func (m *Matcher) sourceID(src Logsource) int32 {
	if id, ok := m.srcs[src]; ok {
		return id
	}
	if len(m.srcs) >= maxRoutes {
		clear(m.srcs)
		clear(m.routes)
		m.srcRows = m.srcRows[:0]
	}
	id := int32(len(m.srcRows))
	m.srcs[src] = id
	var rows []int
	for i, r := range explicitRows {
		if r.ls.Covers(src) {
			rows = append(rows, i)
		}
	}
	m.srcRows = append(m.srcRows, rows)
	return id
}

// shape tries shapeRows.
func (m *Matcher) shape(k *routeKey) {
	e := m.e
rows:
	for i := range shapeRows {
		for _, f := range e.shapeFields[i] {
			if m.sc.slots[f].epoch != m.sc.epoch {
				continue rows
			}
		}
		if e.shapeWhere[i] >= 0 && !m.fits(e.shapeWhere[i], shapeRows[i].value) {
			continue
		}
		k.rows |= 1 << i
		if f := e.shapeService[i]; f >= 0 && k.service < 0 {
			k.service = m.serviceID(m.firstText(f))
		}
	}
}

func (m *Matcher) serviceID(name []byte) int32 {
	if id, ok := m.services[string(name)]; ok {
		return id
	}
	if len(m.svcNames) >= 256 || len(name) > 64 {
		return -1
	}
	id := int32(len(m.svcNames))
	m.services[string(name)] = id
	m.svcNames = append(m.svcNames, string(name))
	return id
}

// sources lists what a route's events are.
func (m *Matcher) sources(k routeKey, src Logsource) []source {
	typ := ""
	if k.typ > 0 {
		typ = m.e.class.types[k.typ-1]
	}
	var out []source
	for _, s := range m.e.class.sources(k.channel, int(k.event), typ) {
		// what the caller states overrides what the channel says
		if (src.Product == "" || src.Product == s.ls.Product) && (src.Service == "" || src.Service == s.ls.Service || s.ls.Service == "") &&
			(src.Category == "" || src.Category == s.ls.Category || s.ls.Category == "") {
			s.ls.Category = or(s.ls.Category, src.Category)
			s.ls.Service = or(s.ls.Service, src.Service)
			out = append(out, s)
		}
	}
	if src != (Logsource{}) {
		out = append(out, source{ls: src})
		for i, r := range explicitRows {
			if k.rows&(1<<i) != 0 {
				s := r.as
				s.ls.Product = or(s.ls.Product, src.Product)
				s.ls.Service = or(s.ls.Service, src.Service)
				out = append(out, s)
			}
		}
		return out
	}
	for i, r := range shapeRows {
		if k.rows&(1<<i) != 0 {
			ls := r.ls
			if r.serviceField != "" && k.service >= 0 {
				ls.Service = m.svcNames[k.service]
			}
			out = append(out, source{ls: ls, pipeline: r.pipeline})
		}
	}
	return out
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
