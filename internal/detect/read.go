package detect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"vigil/internal/access"
	"vigil/internal/marking"
	"vigil/internal/store"
)

// Finding is what one rule or indicator found on one entity in one UTC day.
type Finding struct {
	ID         string
	Kind       string // "rule" or "indicator"
	Rule       string // id of the object that matched
	Title      string
	Level      Level
	Techniques []string
	Source     string // id of the log source
	Entity     string // the host, as the event names it: somebody else's text
	Value      string // the observable that an indicator matched: somebody else's text; "" for a rule
	Day        string
	First      time.Time
	Last       time.Time
	Count      int64
	State      string // "open", "suppressed", "confirmed" or "benign"
	Reason     string // why it is not open
	Label      marking.Label
	row        int64
	Change     int64 // grows whenever the finding does; for stages that follow by cursor
}

const findingColumns = `f.mid, f.id, f.kind, f.rule, f.title, f.level, f.techniques, f.source, f.entity, f.value, f.day, f.first, f.last, f.n, f.state, f.reason, f.chg, f.fid`

func scanFinding(row *store.Row) (f Finding, err error) {
	var techniques string
	var first, last int64
	err = row.Scan(&f.ID, &f.Kind, &f.Rule, &f.Title, &f.Level, &techniques, &f.Source, &f.Entity, &f.Value, &f.Day, &first, &last, &f.Count, &f.State, &f.Reason, &f.Change, &f.row)
	f.Techniques, f.Label = strings.Fields(techniques), row.Label()
	f.First, f.Last = time.Unix(0, first).UTC(), time.Unix(0, last).UTC()
	return f, err
}

// Query asks for findings, the latest event first.
type Query struct {
	State    string // "" for all
	MinLevel Level
	Entity   string
	Rule     string
	Text     string // part of title, entity or value
	After    string // page token
	Limit    int    // 100 where 0, at most 1000
}

func (q Query) where() (string, []any) {
	conds, args := []string{"f.level>=?"}, []any{int(q.MinLevel)}
	add := func(cond string, arg ...any) { conds, args = append(conds, cond), append(args, arg...) }
	if q.State != "" {
		add("f.state=?", q.State)
	}
	if q.Entity != "" {
		add("f.entity=?", q.Entity)
	}
	if q.Rule != "" {
		add("f.rule=?", q.Rule)
	}
	if q.Text != "" {
		like := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(q.Text) + "%"
		add(`(f.title LIKE ? ESCAPE '\' OR f.entity LIKE ? ESCAPE '\' OR f.value LIKE ? ESCAPE '\')`, like, like, like)
	}
	return strings.Join(conds, " AND "), args
}

// FindingPage is a part of a list of findings, and the token of the next.
type FindingPage struct {
	Findings []marking.Released[Finding]
	Next     string
}

// Findings gives a page of the findings that a reader may see.
func Findings(ctx context.Context, v *store.View, q Query) (FindingPage, error) {
	if q.Limit <= 0 || q.Limit > 1000 {
		q.Limit = 100
	}
	where, args := q.where()
	key := fmt.Sprintf("finding\x00%v\x00%v", where, args)
	pos, paged, err := v.Position(key, q.After)
	if err != nil {
		return FindingPage{}, err
	}
	if paged {
		// The position is the last row's number; its time is looked up, since it may have moved on meanwhile.
		where += ` AND (f.last, f.fid) < (SELECT g.last, g.fid FROM finding g WHERE g.fid=? AND VISIBLE(g))`
		args = append(args, pos)
	}
	rows, err := store.Select(ctx, v, `SELECT `+findingColumns+` FROM finding f WHERE `+where+` AND VISIBLE(f) ORDER BY f.last DESC, f.fid DESC LIMIT ?`, append(args, q.Limit+1), scanFinding)
	if err != nil {
		return FindingPage{}, err
	}
	p := FindingPage{Findings: rows}
	if len(rows) > q.Limit {
		p.Findings = rows[:q.Limit]
		p.Next = v.PageToken(key, marking.Open(marking.NewSheet(v.Reader()), rows[q.Limit-1]).row)
	}
	return p, nil
}

// CountFindings says how many findings a reader may see, up to store.CountLimit.
func CountFindings(ctx context.Context, v *store.View, q Query) (int, error) {
	where, args := q.where()
	return v.Count(ctx, `SELECT 1 FROM finding f WHERE `+where+` AND VISIBLE(f)`, args...)
}

// Get gives one finding; store.ErrNotFound where there is none that the reader may see.
func Get(ctx context.Context, v *store.View, id string) (marking.Released[Finding], error) {
	return store.SelectOne(ctx, v, `SELECT `+findingColumns+` FROM finding f WHERE f.id=? AND VISIBLE(f)`, []any{id}, scanFinding)
}

// Changed gives findings in the order of their last change, after a position: how incidents follow. It is for background work.
func Changed(ctx context.Context, v *store.View, after int64, limit int) ([]marking.Released[Finding], error) {
	return store.Select(ctx, v, `SELECT `+findingColumns+` FROM finding f WHERE f.chg>? AND VISIBLE(f) ORDER BY f.chg LIMIT ?`, []any{after, limit}, scanFinding)
}

// Event is one of the events that prove a finding: its bytes are somebody else's.
type Event struct {
	Ref   string // partition, message and place in the stream
	At    time.Time
	Bytes []byte
}

// Events gives the first and last events that prove a finding, in order of time.
func Events(ctx context.Context, v *store.View, id string) ([]marking.Released[Event], error) {
	return store.Select(ctx, v, `SELECT e.mid, e.ref, e.at, e.bytes FROM finding f JOIN finding_event e ON e.fid=f.fid WHERE f.id=? AND VISIBLE(f) AND VISIBLE(e) ORDER BY e.at, e.ref`, []any{id},
		func(row *store.Row) (e Event, err error) {
			var at int64
			err = row.Scan(&e.Ref, &at, &e.Bytes)
			e.At = time.Unix(0, at).UTC()
			return e, err
		})
}

// Hours counts a source's events by hour of their own time, from a time on.
func Hours(ctx context.Context, v *store.View, since time.Time) (map[string]int64, error) {
	type count struct {
		source string
		n      int64
	}
	rows, err := store.Select(ctx, v, `SELECT h.mid, h.source, h.n FROM event_hour h WHERE h.hour>=? AND VISIBLE(h)`, []any{since.Unix()},
		func(row *store.Row) (c count, err error) { return c, row.Scan(&c.source, &c.n) })
	if err != nil {
		return nil, err
	}
	out := map[string]int64{}
	sheet := marking.NewSheet(v.Reader())
	for _, r := range rows {
		c := marking.Open(sheet, r)
		out[c.source] += c.n
	}
	return out, nil
}

// Judge says what a finding is, with a reason: "confirmed", "benign", "suppressed", or "open" again.
func (d *Detector) Judge(ctx context.Context, who access.Principal, id, state, reason string) error {
	switch state {
	case "open", "confirmed", "benign", "suppressed":
	default:
		return fmt.Errorf("a finding is open, confirmed, benign or suppressed, not %q", state)
	}
	if strings.TrimSpace(reason) == "" {
		return errors.New("judging a finding needs its reason")
	}
	act, err := who.Act(access.FindingJudge, id, reason)
	if err != nil {
		return err
	}
	v, err := d.store.View(ctx, who.Reader)
	if err != nil {
		return err
	}
	rel, err := Get(ctx, v, id)
	if err != nil {
		return err
	}
	act.Label = rel.Label()
	act.Fields = append(act.Fields, store.Field{Name: "state", Value: state})
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE finding SET state=?, reason=?, chg=(SELECT max(chg)+1 FROM finding) WHERE id=?`, state, reason, id)
		return err
	})
	return err
}

// Days counts one source's events by UTC day (Unix seconds of its beginning), from a time on.
func Days(ctx context.Context, v *store.View, source string, since time.Time) (map[int64]int64, error) {
	type count struct{ hour, n int64 }
	rows, err := store.Select(ctx, v, `SELECT h.mid, h.hour, h.n FROM event_hour h WHERE h.source=? AND h.hour>=? AND VISIBLE(h)`, []any{source, since.Unix()},
		func(row *store.Row) (c count, err error) { return c, row.Scan(&c.hour, &c.n) })
	if err != nil {
		return nil, err
	}
	out := map[int64]int64{}
	sheet := marking.NewSheet(v.Reader())
	for _, r := range rows {
		c := marking.Open(sheet, r)
		out[c.hour-c.hour%86400] += c.n
	}
	return out, nil
}
