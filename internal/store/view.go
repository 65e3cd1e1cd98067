package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"vigil/internal/marking"
)

// Object is one version of an object as a reader sees it.
type Object struct {
	ID, Type string
	// Source is who said it: marking.Own, or the id of an organisation.
	Source string
	// Title is the name, or what stands for it. Somebody else may have written it.
	Title string
	// Modified is the version's own time; zero for what has no versions.
	Modified time.Time
	// Stored is when this version came in.
	Stored time.Time
	// Bytes are the producer's, exactly; for the house's own containers without references that the reader may not see.
	Bytes []byte
	Label marking.Label
	// Version is the store's number of it; it grows with every commit. It is not for readers outside.
	Version int64
}

// View is the only way to read: everything that it gives has passed the gate for its reader.
type View struct {
	s   *Store
	r   marking.Reader
	cid int64
}

// View opens a view for a reader.
func (s *Store) View(ctx context.Context, r marking.Reader) (*View, error) {
	cid, err := s.reader(ctx, r)
	if err != nil {
		return nil, err
	}
	return &View{s, r, cid}, nil
}

// Reader is whose view it is.
func (v *View) Reader() marking.Reader { return v.r }

// Now is the domain's time.
func (v *View) Now() time.Time { return v.s.Now() }

// pass asks the gate again for what SQL let through. A disagreement is not an answer but a broken gate.
func pass[T any](v *View, mid int64, value T) (marking.Released[T], error) {
	r, ok := marking.Release(v.r, v.s.marks.label(mid), value)
	if !ok {
		return r, fmt.Errorf("%w: mark %d", ErrGate, mid)
	}
	return r, nil
}

// visibleLine is the gate for objects, as a condition on the line called l: its mark is allowed; all ends of a
// relationship or sighting are visible; a container that must hold something holds something visible.
func visibleLine(l string, cid int64) string {
	c := strconv.FormatInt(cid, 10)
	dep := "EXISTS(SELECT 1 FROM line d JOIN allow da ON da.cid=" + c + " AND da.mid=d.mid WHERE d.oid=n.dep)"
	return "(EXISTS(SELECT 1 FROM allow WHERE cid=" + c + " AND mid=" + l + ".mid)" +
		" AND NOT EXISTS(SELECT 1 FROM need n WHERE n.lid=" + l + ".lid AND n.kind=0 AND NOT " + dep + ")" +
		" AND (" + l + ".source<>'own' OR NOT EXISTS(SELECT 1 FROM need n WHERE n.lid=" + l + ".lid AND n.kind=1)" +
		" OR EXISTS(SELECT 1 FROM need n WHERE n.lid=" + l + ".lid AND n.kind=1 AND " + dep + ")))"
}

// readersHead adds that l is the line the reader has as head: the owner's where visible, else the one that came first of
// the visible: so it is the same as it were the owner not there.
func readersHead(l string, cid int64) string {
	return visibleLine(l, cid) + " AND (" + l + ".owner=1 OR NOT EXISTS(SELECT 1 FROM line k WHERE k.oid=" + l + ".oid AND (k.owner=1 OR k.lid<" + l + ".lid) AND " + visibleLine("k", cid) + "))"
}

const objectColumns = `l.mid, o.id, l.type, l.source, l.title, l.modified, l.head, r.at`

func (v *View) scanObject(rows interface{ Scan(...any) error }, more ...any) (int64, Object, error) {
	var mid, modified, at int64
	var o Object
	err := rows.Scan(append([]any{&mid, &o.ID, &o.Type, &o.Source, &o.Title, &modified, &o.Version, &at}, more...)...)
	if modified != 0 {
		o.Modified = time.Unix(0, modified).UTC()
	}
	o.Stored = time.Unix(0, at).UTC()
	o.Label = v.s.marks.label(mid)
	return mid, o, err
}

// Get gives the reader's head of an id; ErrNotFound where there is none that they may see.
func (v *View) Get(ctx context.Context, id string) (marking.Released[Object], error) {
	q := `SELECT ` + objectColumns + `, b.bytes, l.lid FROM obj o JOIN line l ON l.oid=o.oid JOIN ver x ON x.ver=l.head JOIN record r ON r.seq=x.rec JOIN body b ON b.ver=l.head
		WHERE o.id=? AND ` + readersHead("l", v.cid)
	var bytes []byte
	var lid int64
	mid, o, err := v.scanObject(v.s.readers.QueryRowContext(ctx, q, id), &bytes, &lid)
	if err == sql.ErrNoRows {
		return marking.Released[Object]{}, ErrNotFound
	} else if err != nil {
		return marking.Released[Object]{}, fmt.Errorf("reading an object: %w", err)
	}
	if o.Bytes, err = v.trim(ctx, o, lid, bytes); err != nil {
		return marking.Released[Object]{}, err
	}
	return pass(v, mid, o)
}

// Lines gives what each source says of an id, the reader's head first: versions by others are claims, beside it.
func (v *View) Lines(ctx context.Context, id string) ([]marking.Released[Object], error) {
	q := `SELECT ` + objectColumns + `, b.bytes, l.lid FROM obj o JOIN line l ON l.oid=o.oid JOIN ver x ON x.ver=l.head JOIN record r ON r.seq=x.rec JOIN body b ON b.ver=l.head
		WHERE o.id=? AND ` + visibleLine("l", v.cid) + ` ORDER BY l.owner DESC, l.lid`
	return v.objects(ctx, q, true, id)
}

// History gives the versions of the reader's head, newest first. A version is shown where the line is visible and the
// version's own mark is too, so that tightening reaches all earlier ones.
func (v *View) History(ctx context.Context, id string) ([]marking.Released[Object], error) {
	q := `SELECT x.mid, o.id, l.type, l.source, l.title, x.modified, x.ver, r.at, b.bytes, l.lid FROM obj o JOIN line l ON l.oid=o.oid JOIN ver x ON x.lid=l.lid
		JOIN record r ON r.seq=x.rec JOIN body b ON b.ver=x.ver
		WHERE o.id=? AND ` + readersHead("l", v.cid) + ` AND EXISTS(SELECT 1 FROM allow WHERE cid=` + strconv.FormatInt(v.cid, 10) + ` AND mid=x.mid) ORDER BY x.modified DESC, x.ver DESC LIMIT 1000`
	return v.objects(ctx, q, true, id)
}

func (v *View) objects(ctx context.Context, q string, bodies bool, args ...any) ([]marking.Released[Object], error) {
	rows, err := v.s.readers.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, fmt.Errorf("reading objects: %w", err)
	}
	defer rows.Close()
	var out []marking.Released[Object]
	for rows.Next() {
		var bytes []byte
		var lid int64
		var more []any
		if bodies {
			more = []any{&bytes, &lid}
		}
		mid, o, err := v.scanObject(rows, more...)
		if err != nil {
			return nil, fmt.Errorf("reading objects: %w", err)
		}
		if bodies {
			if o.Bytes, err = v.trim(ctx, o, lid, bytes); err != nil {
				return nil, err
			}
		}
		rel, err := pass(v, mid, o)
		if err != nil {
			return nil, err
		}
		out = append(out, rel)
	}
	return out, rows.Err()
}

// List is a question for objects, newest first.
type List struct {
	// Type is one STIX type; "" is every type.
	Type string
	// Source, where given, is whose lines.
	Source string
	// After is the token of the page before; "" for the first.
	After string
	// Limit is how many, 1 to 1000; 100 where 0.
	Limit int
	// Bodies asks for Bytes too.
	Bodies bool
}

// Page is a part of a list, and the token for the next; "" at the end.
type Page struct {
	Objects []marking.Released[Object]
	Next    string
}

// List gives a page of the objects that the reader may see, newest first. Its cost grows with the page and with the
// number of labels that the reader may read, not with the objects stored.
func (v *View) List(ctx context.Context, l List) (Page, error) {
	l.Limit = limitOf(l.Limit)
	query := "list\x00" + l.Type + "\x00" + l.Source
	before, paged, err := v.s.position(v.r, query, l.After)
	if err != nil {
		return Page{}, err
	}
	if !paged {
		before = 1<<63 - 1
	}
	conds, args := []string{"l.head<?"}, []any{before}
	if l.Type != "" {
		conds, args = append(conds, "l.type=?"), append(args, l.Type)
	}
	if l.Source != "" {
		conds, args = append(conds, "l.source=?"), append(args, l.Source)
	}
	where := strings.Join(conds, " AND ") + " AND " + readersHead("l", v.cid)
	pick := `SELECT lid, head FROM (SELECT l.lid, l.head FROM line l WHERE ` + where + ` ORDER BY l.head DESC LIMIT ` + strconv.Itoa(l.Limit+1) + `)`
	if mids, few, err := v.allowed(ctx); err != nil {
		return Page{}, err
	} else if few {
		// One ordered index range for each label, merged: a reader who sees little of a large store waits no longer.
		parts, all := make([]string, len(mids)), []any{}
		for i, mid := range mids {
			parts[i] = `SELECT * FROM (SELECT l.lid, l.head FROM line l WHERE l.mid=` + strconv.FormatInt(mid, 10) + ` AND ` + where + ` ORDER BY l.head DESC LIMIT ` + strconv.Itoa(l.Limit+1) + `)`
			all = append(all, args...)
		}
		if len(parts) == 0 {
			return Page{}, nil
		}
		pick, args = strings.Join(parts, " UNION ALL "), all
	}
	body := ""
	if l.Bodies {
		body = `, (SELECT bytes FROM body WHERE ver=l.head), l.lid`
	}
	q := `SELECT ` + objectColumns + body + ` FROM (SELECT lid, head FROM (` + pick + `) ORDER BY head DESC LIMIT ` + strconv.Itoa(l.Limit+1) + `) p
		JOIN line l ON l.lid=p.lid JOIN obj o ON o.oid=l.oid JOIN ver x ON x.ver=l.head JOIN record r ON r.seq=x.rec ORDER BY p.head DESC`
	objs, err := v.objects(ctx, q, l.Bodies, args...)
	if err != nil {
		return Page{}, err
	}
	p := Page{Objects: objs}
	if len(objs) > l.Limit {
		p.Objects = objs[:l.Limit]
		last := marking.Open(marking.NewSheet(v.r), objs[l.Limit-1])
		p.Next = v.s.token(v.r, query, last.Version)
	}
	return p, nil
}

// allowed lists the labels that the reader may read, where they are few enough to merge one range for each.
func (v *View) allowed(ctx context.Context) (mids []int64, few bool, err error) {
	rows, err := v.s.readers.QueryContext(ctx, `SELECT mid FROM allow WHERE cid=? LIMIT 33`, v.cid)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	for rows.Next() {
		var mid int64
		if err := rows.Scan(&mid); err != nil {
			return nil, false, err
		}
		mids = append(mids, mid)
	}
	return mids, len(mids) <= 32, rows.Err()
}

func limitOf(n int) int {
	if n <= 0 {
		return 100
	}
	return min(n, 1000)
}

// CountLimit is where counts stop: a Count at it means "at least".
const CountLimit = 1001

// CountTypes says how many objects of each type the reader may see, each up to CountLimit.
func (v *View) CountTypes(ctx context.Context) (map[string]int, error) {
	rows, err := v.s.readers.QueryContext(ctx, `SELECT DISTINCT type FROM line`)
	if err != nil {
		return nil, err
	}
	var types []string
	for rows.Next() {
		var t string
		if err := rows.Scan(&t); err != nil {
			rows.Close()
			return nil, err
		}
		types = append(types, t)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	slices.Sort(types)
	out := map[string]int{}
	for _, t := range types {
		var n int
		q := `SELECT count(*) FROM (SELECT 1 FROM line l WHERE l.type=? AND ` + readersHead("l", v.cid) + ` LIMIT ` + strconv.Itoa(CountLimit) + `)`
		if err := v.s.readers.QueryRowContext(ctx, q, t).Scan(&n); err != nil {
			return nil, err
		}
		if n > 0 {
			out[t] = n // a type whose objects are all hidden is absent, like one that has none
		}
	}
	return out, nil
}

// Edge is one step from an object: by a relationship, or by a reference inside an object.
type Edge struct {
	Rel     string // "uses", or the property's name without its ending: "created_by", "object"
	Out     bool   // from the object asked about to Other
	Other   Object // without Bytes
	ViaID   string // the relationship's id; "" for an embedded reference
	ViaFrom string // who said so: the source of the relationship or of the object that holds the reference
}

// Edges gives the visible steps from an object, at most perDirection each way (50 where 0, 200 at most), newest first. A
// step is visible where both ends and what says so are.
func (v *View) Edges(ctx context.Context, id string, perDirection int) ([]marking.Released[Edge], error) {
	if perDirection <= 0 {
		perDirection = 50
	}
	perDirection = min(perDirection, 200)
	if _, err := v.Get(ctx, id); err != nil {
		return nil, err
	}
	var out []marking.Released[Edge]
	for _, dir := range []struct{ here, there string }{{"src", "dst"}, {"dst", "src"}} {
		q := `SELECT ` + objectColumns + `, e.rel, s.mid, s.source, CASE WHEN e.via=0 THEN '' ELSE (SELECT id FROM obj WHERE oid=e.via) END
			FROM edge e JOIN line s ON s.lid=e.lid JOIN line l ON l.oid=e.` + dir.there + ` JOIN obj o ON o.oid=l.oid JOIN ver x ON x.ver=l.head JOIN record r ON r.seq=x.rec
			WHERE e.` + dir.here + `=(SELECT oid FROM obj WHERE id=?) AND ` + readersHead("s", v.cid) + ` AND ` + readersHead("l", v.cid) + ` ORDER BY s.head DESC, o.id, e.rel LIMIT ` + strconv.Itoa(perDirection)
		rows, err := v.s.readers.QueryContext(ctx, q, id)
		if err != nil {
			return nil, fmt.Errorf("reading relations: %w", err)
		}
		for rows.Next() {
			e := Edge{Out: dir.here == "src"}
			var by int64
			mid, other, err := v.scanObject(rows, &e.Rel, &by, &e.ViaFrom, &e.ViaID)
			if err != nil {
				rows.Close()
				return nil, fmt.Errorf("reading relations: %w", err)
			}
			e.Other = other
			label := v.s.marks.label(mid).Join(v.s.marks.label(by))
			rel, ok := marking.Release(v.r, label, e)
			if !ok {
				rows.Close()
				return nil, fmt.Errorf("%w: marks %d and %d", ErrGate, mid, by)
			}
			out = append(out, rel)
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ByVersion gives objects in the order in which they came to be their source's head, from a version on: how later
// stages follow the store by cursor. It is for background work.
func (v *View) ByVersion(ctx context.Context, types []string, after int64, limit int) ([]marking.Released[Object], error) {
	if !v.r.IsSystem() {
		return nil, fmt.Errorf("following the store by version is for background work")
	}
	marks := strings.TrimSuffix(strings.Repeat("?,", len(types)), ",")
	args := []any{after}
	for _, t := range types {
		args = append(args, t)
	}
	q := `SELECT ` + objectColumns + `, b.bytes, l.lid FROM line l JOIN obj o ON o.oid=l.oid JOIN ver x ON x.ver=l.head JOIN record r ON r.seq=x.rec JOIN body b ON b.ver=l.head
		WHERE l.head>? AND l.type IN (` + marks + `) AND ` + visibleLine("l", v.cid) + ` ORDER BY l.head LIMIT ` + strconv.Itoa(limitOf(limit))
	return v.objects(ctx, q, true, args...)
}
