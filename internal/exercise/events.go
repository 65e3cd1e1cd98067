package exercise

import (
	"cmp"
	"iter"
	"slices"
	"time"
)

// Event is one line of one registered source. Line is a JSON object without a line end; it belongs to the caller.
type Event struct {
	At     time.Time // the line's own "@timestamp"
	Source string    // id of the log source
	Line   []byte
}

// lookAlikes is how often the planning screens ask the chart tiles' host: every 90 seconds or so, day and night.
const lookAlikes = 1906

// Events gives the 48 hours before start in order of time: OrdinaryEvents ordinary ones, the look-alike's, and
// tonight's intrusion among them. The same seed and start give the same bytes. start is taken in UTC, to the
// millisecond.
func Events(seed uint64, start time.Time) iter.Seq[Event] {
	start = start.UTC().Truncate(time.Millisecond)
	return func(yield func(Event) bool) {
		o := makeOrdinary(newRng(seed))
		special := append(tonight(o.f, start), o.tiles(start)...)
		slices.SortStableFunc(special, byTime)
		from, end := start.Add(-window), start.Add(-quiet)
		total, weight, made := windowWeight(start), 0, 0
		for h := range windowHours {
			lo := from.Add(time.Duration(h) * time.Hour)
			weight += busy(lo)
			// Cumulative shares, so that the sum over all hours is exact.
			n := OrdinaryEvents*weight/total - made
			made += n
			batch := o.hour(lo, end, n)
			k, _ := slices.BinarySearchFunc(special, lo.Add(time.Hour), func(e Event, t time.Time) int { return e.At.Compare(t) })
			batch = append(batch, special[:k]...)
			special = special[k:]
			if !yieldSorted(batch, yield) {
				return
			}
		}
	}
}

// After gives the Harbour's ordinary day from start on, without end and as busy as before, for a demo that goes on
// living. Nothing of tonight is in it.
func After(seed uint64, start time.Time) iter.Seq[Event] {
	start = start.UTC().Truncate(time.Millisecond)
	return func(yield func(Event) bool) {
		o := makeOrdinary(newRng(seed ^ 0x5eed_af7e4))
		total := windowWeight(start)
		for lo := start; ; lo = lo.Add(time.Hour) {
			if !yieldSorted(o.hour(lo, lo.Add(time.Hour), OrdinaryEvents*busy(lo)/total), yield) {
				return
			}
		}
	}
}

const windowHours = int(window / time.Hour)

// windowWeight is the sum of busy over the hours before start.
func windowWeight(start time.Time) int {
	total := 0
	for h := range windowHours {
		total += busy(start.Add(-window + time.Duration(h)*time.Hour))
	}
	return total
}

func newRng(seed uint64) *rng {
	r := rng(seed)
	return &r
}

// hour makes n ordinary events from lo to at most an hour later, never after end; unsorted.
func (o *ordinary) hour(lo, end time.Time, n int) []Event {
	span := int(min(end.Sub(lo), time.Hour) / time.Millisecond)
	batch := make([]Event, 0, n+64)
	for range n {
		at := lo.Add(time.Duration(o.r.n(span)) * time.Millisecond)
		source, b := o.next(at)
		batch = append(batch, Event{At: at, Source: source, Line: b})
	}
	return batch
}

// tiles is the benign look-alike: a chart service whose name is like the Harbour's.
func (o *ordinary) tiles(start time.Time) []Event {
	out := make([]Event, 0, lookAlikes)
	step := (window - 2*quiet) / lookAlikes
	for i := range lookAlikes {
		at := start.Add(-window + quiet + time.Duration(i)*step + time.Duration(o.r.n(1500))*time.Millisecond).Truncate(time.Millisecond)
		h := &o.f.hosts[o.f.shifts[i%len(o.f.shifts)]]
		q := request{proxy: "HA-PROXY-02", client: h.ip, user: o.user(h, at), method: "GET", host: TilesHost, to: tilesAddr,
			uri: "http://" + TilesHost + "/z/14/" + h.name + ".png", status: 200, up: 412, down: 9000 + o.r.n(9000), agent: "charttiles/5", millis: 12 + o.r.n(60)}
		out = append(out, Event{At: at, Source: SourceProxy, Line: q.line(at).done()})
	}
	return out
}

func byTime(a, b Event) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) }

func yieldSorted(batch []Event, yield func(Event) bool) bool {
	slices.SortStableFunc(batch, byTime)
	for _, e := range batch {
		if !yield(e) {
			return false
		}
	}
	return true
}

// LapsedEvents are lines of the source whose entry has lapsed. They are there to be refused, and the refusal to be
// on the record.
func LapsedEvents(start time.Time) []Event {
	start = start.UTC().Truncate(time.Millisecond)
	var out []Event
	for i := range 12 {
		at := start.Add(-time.Duration(60-5*i) * time.Minute)
		l := newLine().t("@timestamp", at, stamp).s("Hostname", "HA-GATE-01").s("reader", "quay-4").i("card", 40_110+i).s("result", "open")
		out = append(out, Event{At: at, Source: SourceLapsed, Line: l.done()})
	}
	return out
}
