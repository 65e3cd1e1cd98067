package sigma

import (
	"container/heap"
	"encoding/hex"
	"hash/maphash"
	"math"
	"slices"
	"time"
)

// CorrelatorOptions bound a Correlator. The zero value means the defaults.
type CorrelatorOptions struct {
	// MaxGroups is the number of groups kept over all correlations; default 1,048,576.
	MaxGroups int
	// MaxEntries is the number of events kept over all groups; default 4,194,304.
	MaxEntries int
	// Lateness is how much older than the newest event an event may be and still count; default 5 minutes. Conditions that are
	// decided at the end of a window wait this long for it.
	Lateness time.Duration
}

// CorrelatorStats counts what a Correlator had to leave out.
type CorrelatorStats struct {
	Groups, Entries int // kept now
	// Late events were older than the lateness allows; Repeated had been counted; Ungrouped lacked a field to group by or to measure;
	// Evicted groups were dropped, the least recently touched first, to stay within the bounds; Truncated entries were dropped, the
	// oldest first, from groups with more than can matter.
	Late, Repeated, Ungrouped, Evicted, Truncated uint64
}

// GroupValue is a field that a correlation groups by, with its value.
type GroupValue struct{ Field, Value string }

// Window is what a correlation found.
type Window struct {
	Group       []GroupValue
	First, Last time.Time
	// Count is the number of events; Value is what the condition was compared with: a count, sum, average, share or percentile.
	Count int
	Value float64
	// Refs name the first ten and the last ten events, as given to Add.
	Refs []string
	// Key is the same for the same correlation, group and last event, also after a restart that replays from OldestOpen.
	Key string
}

// Correlator relates matches over event time. It is not safe for concurrent use.
//
// A condition that more events can only fulfil (gt, gte) fires with the event that fulfils it, over whatever window of the timespan
// holds that event; the events up to there are then used up, so that a burst is reported once for each time it fulfils the condition
// anew. Other conditions (lt, lte, eq, neq, ranges, averages, percentiles) are decided when the window that began with a group's
// first event has passed. Events may come in any order within the lateness, and repeated ones count once.
type Correlator struct {
	e      *Engine
	opt    CorrelatorOptions
	groups map[groupKey]int32
	slab   []group
	free   []int32
	lru    [2]int32 // oldest, newest
	due    dueHeap
	seed   [2]maphash.Seed
	mark   int64 // newest event time seen, Unix nanoseconds
	stats  CorrelatorStats
	buf    []byte
	depth  int
}

type groupKey struct {
	corr   int32
	hi, lo uint64
}

type group struct {
	key        groupKey
	entries    []entry // by time
	values     []string
	prev, next int32
	from, to   int64 // the window that fired last
	fired      bool
	used       bool
}

// entry is one event of a group.
type entry struct {
	at     int64
	value  float64 // value_sum, value_avg, value_percentile
	hash   uint64  // of the value
	ref    string
	member int32
}

// NewCorrelator returns a correlator for the engine's correlations.
func (e *Engine) NewCorrelator(opt CorrelatorOptions) *Correlator {
	if opt.MaxGroups <= 0 {
		opt.MaxGroups = 1 << 20
	}
	if opt.MaxEntries <= 0 {
		opt.MaxEntries = 1 << 22
	}
	if opt.Lateness <= 0 {
		opt.Lateness = 5 * time.Minute
	}
	return &Correlator{e: e, opt: opt, groups: map[groupKey]int32{}, lru: [2]int32{-1, -1}, mark: math.MinInt64,
		seed: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
}

// Add takes a match with its event's time and a name for the event, by which repetitions are known ("" for none). It must be called
// within the matcher's callback. hit receives the correlations that fire.
func (c *Correlator) Add(m Match, at time.Time, ref string, hit func(Match)) {
	if m.rule == nil {
		return
	}
	links := c.e.links[m.rule]
	if len(links) == 0 {
		return
	}
	t := at.UnixNano()
	if t > c.mark {
		c.mark = t
	}
	for _, l := range links {
		c.feed(l, t, ref, func(f string) (string, bool) {
			b, ok := m.Field(f)
			return string(b), ok
		}, hit)
	}
	c.close(hit)
}

// Advance tells that no event older than now minus the lateness will come any more, so that windows which ended by then are decided.
func (c *Correlator) Advance(now time.Time, hit func(Match)) {
	if t := now.UnixNano(); t > c.mark {
		c.mark = t
	}
	c.close(hit)
}

// Flush decides every open window, as at the end of a finite log.
func (c *Correlator) Flush(hit func(Match)) {
	for len(c.due) > 0 {
		c.decide(heap.Pop(&c.due).(dueItem), hit)
	}
}

// feed enters an event into a correlation.
func (c *Correlator) feed(l corrLink, t int64, ref string, field func(string) (string, bool), hit func(Match)) {
	cc := l.to
	span := int64(cc.c.Timespan)
	if t < c.mark-span-int64(c.opt.Lateness) {
		c.stats.Late++
		return
	}
	c.buf = c.buf[:0]
	values := make([]string, 0, len(cc.groupBy[l.member]))
	for _, f := range cc.groupBy[l.member] {
		v, ok := field(f)
		if !ok {
			c.stats.Ungrouped++
			return
		}
		values = append(values, v)
		c.buf = appendFold(c.buf, []byte(v))
		c.buf = append(c.buf, 0xff) // no byte of UTF-8
	}
	key := groupKey{int32(cc.index), maphash.Bytes(c.seed[0], c.buf), maphash.Bytes(c.seed[1], c.buf)}
	en := entry{at: t, ref: ref, member: int32(l.member)}
	if len(cc.c.ValueFields) > 0 {
		c.buf = c.buf[:0]
		for _, f := range cc.c.ValueFields {
			v, ok := field(f)
			if !ok {
				c.stats.Ungrouped++
				return
			}
			c.buf = append(appendFold(c.buf, []byte(v)), 0xff)
			if cc.c.Type != ValueCount && (cc.c.Type != ValuePercentile || cc.c.Percentile >= 0) {
				n, ok := parseNumber(v)
				if !ok {
					c.stats.Ungrouped++
					return
				}
				en.value = n.f
			}
		}
		en.hash = maphash.Bytes(c.seed[0], c.buf)
	}
	gi, ok := c.groups[key]
	if !ok {
		gi = c.newGroup(key, values)
	} else {
		c.touch(gi)
	}
	g := &c.slab[gi]
	if g.fired && t <= g.to {
		return // belongs to, or precedes, what has been reported
	}
	pos, _ := slices.BinarySearchFunc(g.entries, t+1, func(a entry, b int64) int { return int(min(max(a.at-b, -1), 1)) })
	if ref != "" {
		for i := pos - 1; i >= 0 && g.entries[i].at == t; i-- {
			if o := &g.entries[i]; o.ref == ref && (o.member == en.member || cc.c.Type != Temporal && cc.c.Type != TemporalOrdered) {
				c.stats.Repeated++
				return
			}
		}
	}
	if cc.c.Type == ValueCount && !cc.atClose {
		// of each value only the newest event matters
		for i := range g.entries {
			if g.entries[i].hash == en.hash {
				if g.entries[i].at >= t {
					return
				}
				g.entries = slices.Delete(g.entries, i, i+1)
				if i < pos {
					pos--
				}
				c.stats.Entries--
				break
			}
		}
	}
	if cc.atClose && len(g.entries) == 0 {
		heap.Push(&c.due, dueItem{t + span, gi, key})
	}
	g.entries = slices.Insert(g.entries, pos, en)
	c.stats.Entries++
	if !cc.atClose {
		// entries that no window with a coming event can hold any more
		old := 0
		for old < pos && g.entries[old].at <= c.mark-span-int64(c.opt.Lateness) && g.entries[old].at <= t-span {
			old++
		}
		if old > 0 {
			g.entries = slices.Delete(g.entries, 0, old)
			c.stats.Entries -= old
			pos -= old
		}
		c.slide(cc, gi, pos, field, hit)
		g = &c.slab[gi]
	}
	if over := len(g.entries) - cc.keep; over > 0 && g.used {
		g.entries = slices.Delete(g.entries, 0, over)
		c.stats.Entries -= over
		c.stats.Truncated += uint64(over)
	}
	c.evict(gi)
}

// slide looks for a window that holds the entry at pos and fulfils the condition.
func (c *Correlator) slide(cc *compiledCorrelation, gi int32, pos int, field func(string) (string, bool), hit func(Match)) {
	g := &c.slab[gi]
	span := int64(cc.c.Timespan)
	at := g.entries[pos].at
	for end := pos; end < len(g.entries) && g.entries[end].at < at+span; end++ {
		if end+1 < len(g.entries) && g.entries[end+1].at == g.entries[end].at {
			continue // events of one instant stand together
		}
		begin := 0
		for g.entries[begin].at < g.entries[end].at-span {
			begin++
		}
		if v, ok := cc.holds(g.entries[begin : end+1]); ok {
			c.fire(cc, gi, begin, end+1, v, field, hit)
			return
		}
	}
}

// holds measures a window and compares.
func (cc *compiledCorrelation) holds(es []entry) (float64, bool) {
	v := 0.0
	switch cc.c.Type {
	case EventCount:
		v = float64(len(es))
	case ValueCount:
		seen := make(map[uint64]struct{}, len(es))
		for i := range es {
			seen[es[i].hash] = struct{}{}
		}
		v = float64(len(seen))
	case ValueSum, ValueAvg:
		for i := range es {
			v += es[i].value
		}
		if cc.c.Type == ValueAvg && len(es) > 0 {
			v /= float64(len(es))
		}
	case ValuePercentile:
		return cc.percentile(es)
	case Temporal:
		var seen uint64
		for i := range es {
			seen |= 1 << es[i].member
		}
		for ; seen != 0; seen &= seen - 1 {
			v++
		}
	case TemporalOrdered:
		v = float64(longestOrder(es))
	}
	if len(cc.c.Condition) == 0 {
		return v, int(v) == cc.members
	}
	return v, holdsAll(cc.c.Condition, v)
}

// longestOrder is the length of the longest run of different rules in the order of the correlation. Events of one instant fit in
// either order.
func longestOrder(es []entry) int {
	var best [64]int // longest run that ends with the rule
	top := 0
	for i := 0; i < len(es); {
		j := i
		for j < len(es) && es[j].at == es[i].at {
			j++
		}
		var members uint64
		for ; i < j; i++ {
			members |= 1 << es[i].member
		}
		for m := range best {
			if members&(1<<m) == 0 {
				continue
			}
			n := 0
			for k := range m {
				n = max(n, best[k])
			}
			best[m] = max(best[m], n+1)
			top = max(top, best[m])
		}
	}
	return top
}

// percentile compares the value of a rank, or, without one, the share of each distinct value, rarest first.
func (cc *compiledCorrelation) percentile(es []entry) (float64, bool) {
	if len(es) == 0 {
		return 0, false
	}
	if p := cc.c.Percentile; p >= 0 {
		vs := make([]float64, len(es))
		for i := range es {
			vs[i] = es[i].value
		}
		slices.Sort(vs)
		r := p / 100 * float64(len(vs)-1)
		lo := int(r)
		v := vs[lo]
		if lo+1 < len(vs) {
			v += (r - float64(lo)) * (vs[lo+1] - v)
		}
		return v, holdsAll(cc.c.Condition, v)
	}
	counts := make(map[uint64]int, len(es))
	for i := range es {
		counts[es[i].hash]++
	}
	shares := make([]float64, 0, len(counts))
	for _, n := range counts {
		shares = append(shares, 100*float64(n)/float64(len(es)))
	}
	slices.Sort(shares)
	for _, s := range shares {
		if holdsAll(cc.c.Condition, s) {
			return s, true
		}
	}
	return shares[0], false
}

// fire reports entries[begin:end] and uses them up.
func (c *Correlator) fire(cc *compiledCorrelation, gi int32, begin, end int, v float64, field func(string) (string, bool), hit func(Match)) {
	g := &c.slab[gi]
	es := g.entries[begin:end]
	w := &Window{First: time.Unix(0, es[0].at).UTC(), Last: time.Unix(0, es[len(es)-1].at).UTC(), Count: len(es), Value: v}
	for i, f := range cc.c.GroupBy {
		w.Group = append(w.Group, GroupValue{f, g.values[i]})
	}
	for i := range es {
		if es[i].ref != "" && (i < 10 || i >= len(es)-10) {
			w.Refs = append(w.Refs, es[i].ref)
		}
	}
	w.Key = windowKey(cc.c, w)
	g.from, g.to, g.fired = es[0].at, es[len(es)-1].at, true
	c.stats.Entries -= end
	g.entries = slices.Delete(g.entries, 0, end)
	if len(g.entries) == 0 {
		g.entries = nil
	}
	last := g.to
	if c.depth++; c.depth <= len(c.e.corrs) {
		for _, l := range cc.parents {
			c.feed(l, last, w.Key, func(name string) (string, bool) {
				for _, gv := range w.Group {
					if gv.Field == name {
						return gv.Value, true
					}
				}
				if field == nil {
					return "", false
				}
				return field(name)
			}, hit)
		}
	}
	c.depth--
	hit(Match{Correlation: cc.c, Report: cc.report, Window: w})
}

// windowKey names a window without the random seeds of this run.
func windowKey(c *Correlation, w *Window) string {
	h := sha256New(c.ID, c.Name, c.Title, w.Last.Format(time.RFC3339Nano))
	for _, g := range w.Group {
		h.write(foldString(g.Value))
	}
	return hex.EncodeToString(h.sum()[:16])
}

// close decides windows that have passed.
func (c *Correlator) close(hit func(Match)) {
	for len(c.due) > 0 && c.due[0].at < c.mark-int64(c.opt.Lateness) {
		c.decide(heap.Pop(&c.due).(dueItem), hit)
	}
	c.expire()
}

// decide closes the window that a due item announces.
func (c *Correlator) decide(d dueItem, hit func(Match)) {
	g := &c.slab[d.group]
	if !g.used || g.key != d.key || len(g.entries) == 0 {
		return
	}
	cc := c.e.corrs[g.key.corr]
	span := int64(cc.c.Timespan)
	end := 0
	for end < len(g.entries) && g.entries[end].at <= g.entries[0].at+span {
		end++
	}
	if v, ok := cc.holds(g.entries[:end]); ok {
		c.fire(cc, d.group, 0, end, v, nil, hit)
		g = &c.slab[d.group]
	} else {
		g.entries = slices.Delete(g.entries, 0, end)
		c.stats.Entries -= end
	}
	if len(g.entries) > 0 {
		heap.Push(&c.due, dueItem{g.entries[0].at + span, d.group, g.key})
	}
}

// OldestOpen returns the time from which events must be replayed to rebuild the state, and false when there is none to rebuild.
func (c *Correlator) OldestOpen() (time.Time, bool) {
	oldest := int64(math.MaxInt64)
	for i := range c.slab {
		g := &c.slab[i]
		if !g.used {
			continue
		}
		if g.fired {
			oldest = min(oldest, g.from)
		}
		if len(g.entries) > 0 {
			oldest = min(oldest, g.entries[0].at)
		}
	}
	if oldest == math.MaxInt64 {
		return time.Time{}, false
	}
	return time.Unix(0, oldest).UTC(), true
}

// Stats returns the counters.
func (c *Correlator) Stats() CorrelatorStats {
	s := c.stats
	s.Groups = len(c.groups)
	return s
}
