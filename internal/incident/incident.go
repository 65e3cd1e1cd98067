package incident

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"vigil/internal/detect"
	"vigil/internal/marking"
	"vigil/internal/store"
)

// Incident is one case as a reader sees it.
type Incident struct {
	ID string // "incident--…"
	// Number is what the house's own staff call it, "INC-0062"; for others, and where not all own staff may read it, it
	// is the Tag.
	Number string
	Tag    string // "INC-K7Q4MA", made of the id: it counts nothing
	Org    string // id of the organisation that it happened to; "" where unknown
	State  State
	// Severity is the highest level of its findings until a person sets it; SeveritySet says that one did.
	Severity    detect.Level
	SeveritySet bool
	Owner       string // id of the person who has it; "" for nobody
	Title       string // words of the house's own, never of a log; TitleSet says that a person wrote it
	TitleSet    bool
	Narrative   string
	Reason      string // why it is closed, or a false alarm
	ByHand      bool   // opened by a person, not from findings
	Opened      time.Time
	Closed      time.Time // zero while open
	Modified    time.Time // of the newest version
	First, Last time.Time // events of its findings; zero where it has none
	Rev         int64     // to be sent with a change
	Label       marking.Label
	row         int64
}

const incidentColumns = `i.mid, i.iid, i.id, i.seq, i.org, i.state, i.severity, i.severity_set, i.owner, i.title, i.title_set, i.narrative, i.reason, i.by_hand, i.opened, i.closed, i.modified, i.first, i.last, i.rev`

// scanIncident reads the columns after the mark; own says whether the reader is shown the running number.
func scanIncident(scan func(...any) error, own bool) (i Incident, err error) {
	var seq, opened, closed, modified, first, last int64
	err = scan(&i.row, &i.ID, &seq, &i.Org, &i.State, &i.Severity, &i.SeveritySet, &i.Owner, &i.Title, &i.TitleSet, &i.Narrative, &i.Reason, &i.ByHand, &opened, &closed, &modified, &first, &last, &i.Rev)
	i.Tag = Tag(i.ID)
	i.Number = i.Tag
	if own && seq > 0 {
		i.Number = fmt.Sprintf("INC-%04d", seq)
	}
	i.Opened, i.Closed, i.Modified, i.First, i.Last = nanos(opened), nanos(closed), nanos(modified), nanos(first), nanos(last)
	return i, err
}

// nanos is the time behind a column; zero for 0.
func nanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// Tag is a short reference made of an incident's id; it counts nothing.
func Tag(id string) string {
	sum := sha256.Sum256([]byte(id))
	return "INC-" + base32.StdEncoding.EncodeToString(sum[:5])[:6]
}

func scanner(v *store.View) func(*store.Row) (Incident, error) {
	own := v.Reader().IsOwn() || v.Reader().IsSystem()
	return func(r *store.Row) (Incident, error) { return scanIncident(r.Scan, own) }
}

// Get gives one incident; store.ErrNotFound where there is none that the reader may see.
func Get(ctx context.Context, v *store.View, id string) (marking.Released[Incident], error) {
	rel, err := store.SelectOne(ctx, v, `SELECT `+incidentColumns+` FROM incident_row i WHERE i.id=? AND VISIBLE(i)`, []any{id}, scanner(v))
	if err != nil {
		return rel, err
	}
	return labelled(rel), nil
}

// labelled writes the label into the value, where pages look for it.
func labelled(rel marking.Released[Incident]) marking.Released[Incident] {
	l := rel.Label()
	return marking.Map(rel, func(i Incident) Incident { i.Label = l; return i })
}

// Query asks for incidents, the newest first.
type Query struct {
	State State  // "" for all; "open" for every state in which work goes on
	Owner string // id of a person; "-" for those that nobody has
	Org   string
	Text  string // part of the title, the narrative or, for own staff, the number
	After string // page token
	Limit int    // 100 where 0, at most 1000
}

// AnyOpen asks for every state in which work goes on.
const AnyOpen State = "open"

func (q Query) where(own bool) (string, []any) {
	conds, args := []string{"1=1"}, []any{}
	add := func(cond string, arg ...any) { conds, args = append(conds, cond), append(args, arg...) }
	switch q.State {
	case "":
	case AnyOpen:
		add("i.state NOT IN ('closed','false-alarm')")
	default:
		add("i.state=?", string(q.State))
	}
	switch q.Owner {
	case "":
	case "-":
		add("i.owner=''")
	default:
		add("i.owner=?", q.Owner)
	}
	if q.Org != "" {
		add("i.org=?", q.Org)
	}
	if q.Text != "" {
		like := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(q.Text) + "%"
		if own {
			add(`(i.title LIKE ? ESCAPE '\' OR i.narrative LIKE ? ESCAPE '\' OR (i.seq>0 AND printf('INC-%04d', i.seq) LIKE ? ESCAPE '\'))`, like, like, like)
		} else {
			add(`(i.title LIKE ? ESCAPE '\' OR i.narrative LIKE ? ESCAPE '\')`, like, like)
		}
	}
	return strings.Join(conds, " AND "), args
}

// Page is a part of a list of incidents, and the token of the next.
type Page struct {
	Incidents []marking.Released[Incident]
	Next      string
}

// List gives a page of the incidents that a reader may see.
func List(ctx context.Context, v *store.View, q Query) (Page, error) {
	if q.Limit <= 0 || q.Limit > 1000 {
		q.Limit = 100
	}
	where, args := q.where(v.Reader().IsOwn() || v.Reader().IsSystem())
	key := fmt.Sprintf("incident\x00%v\x00%v", where, args)
	pos, paged, err := v.Position(key, q.After)
	if err != nil {
		return Page{}, err
	}
	if paged {
		where, args = where+" AND i.iid<?", append(args, pos)
	}
	rows, err := store.Select(ctx, v, `SELECT `+incidentColumns+` FROM incident_row i WHERE `+where+` AND VISIBLE(i) ORDER BY i.iid DESC LIMIT ?`, append(args, q.Limit+1), scanner(v))
	if err != nil {
		return Page{}, err
	}
	for n := range rows {
		rows[n] = labelled(rows[n])
	}
	p := Page{Incidents: rows}
	if len(rows) > q.Limit {
		p.Incidents = rows[:q.Limit]
		p.Next = v.PageToken(key, marking.Open(marking.NewSheet(v.Reader()), rows[q.Limit-1]).row)
	}
	return p, nil
}

// Count says how many incidents a reader may see, up to store.CountLimit.
func Count(ctx context.Context, v *store.View, q Query) (int, error) {
	where, args := q.where(v.Reader().IsOwn() || v.Reader().IsSystem())
	return v.Count(ctx, `SELECT 1 FROM incident_row i WHERE `+where+` AND VISIBLE(i)`, args...)
}

// Linked is a finding of an incident.
type Linked struct {
	detect.Finding
	// Context says that it does not make the incident up: it was suppressed or found benign.
	Context bool
	At      time.Time // when it was linked
}

// Findings gives the findings of an incident that the reader may see, in order of their first event.
func Findings(ctx context.Context, v *store.View, id string) ([]marking.Released[Linked], error) {
	type link struct {
		finding, role string
		at            int64
	}
	links, err := store.Select(ctx, v, `SELECT l.mid, l.finding, l.role, l.at FROM incident_finding l JOIN finding f ON f.id=l.finding WHERE l.incident=? AND VISIBLE(l) AND VISIBLE(f) ORDER BY f.first, f.id LIMIT 5000`, []any{id},
		func(r *store.Row) (l link, err error) { return l, r.Scan(&l.finding, &l.role, &l.at) })
	if err != nil {
		return nil, err
	}
	out := make([]marking.Released[Linked], 0, len(links))
	for _, rel := range links {
		l := marking.Open(marking.NewSheet(v.Reader()), rel)
		f, err := detect.Get(ctx, v, l.finding)
		if err != nil {
			return nil, err
		}
		label := f.Label()
		out = append(out, marking.Map(f, func(f detect.Finding) Linked {
			f.Label = label
			return Linked{f, l.role == roleContext, nanos(l.at)}
		}))
	}
	return out, nil
}

// IncidentOf gives the id of the incident that a finding is linked to; store.ErrNotFound where there is none that the reader may see.
func IncidentOf(ctx context.Context, v *store.View, finding string) (marking.Released[string], error) {
	return store.SelectOne(ctx, v, `SELECT l.mid, l.incident FROM incident_finding l WHERE l.finding=? AND l.incident<>'' AND VISIBLE(l)`, []any{finding},
		func(r *store.Row) (id string, err error) { return id, r.Scan(&id) })
}

const (
	rolePart    = "part"    // makes the incident up
	roleContext = "context" // suppressed or benign: shown beside it
	roleApart   = "apart"   // taken out by a person: belongs to none, and is not gathered again
)
