package store

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// guard reads the SQL that packages bring. It refuses the store's own tables, and for a View it refuses whatever
// reads a marked table without the gate and turns VISIBLE(alias) into the gate's condition. It is a fence against
// mistakes of this program, not a parser: what it does not understand it refuses.
type guard struct {
	tables map[string]Table
	views  sync.Map // text → gated or error
	rows   sync.Map // text → error or nil
}

type gated struct {
	text string // with cidMark where the reader's number belongs
	err  error
}

const cidMark = "\x00"

func newGuard(schemas []Schema) (*guard, error) {
	g := &guard{tables: map[string]Table{}}
	for _, s := range schemas {
		for _, t := range s.Tables {
			name := strings.ToLower(t.Name)
			if _, dup := g.tables[name]; dup || coreTables[name] {
				return nil, fmt.Errorf("schema %s: table %s exists already", s.Name, t.Name)
			}
			g.tables[name] = t
		}
	}
	return g, nil
}

// token is a word, a number, a quoted text or a single other character of an SQL text, with its place in it.
type token struct {
	text       string
	start, end int
	word       bool
}

func tokens(sql string) []token {
	var out []token
	for i := 0; i < len(sql); {
		c := sql[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '\'' || c == '"' || c == '`' || c == '[':
			end := c
			if c == '[' {
				end = ']'
			}
			j := i + 1
			for j < len(sql) && sql[j] != end {
				j++
			}
			j = min(j+1, len(sql))
			// A quoted name is a name too: it must not hide a table from the guard.
			out = append(out, token{strings.ToLower(strings.Trim(sql[i:j], "'\"`[]")), i, j, c != '\''})
			i = j
		case c == '-' && i+1 < len(sql) && sql[i+1] == '-':
			for i < len(sql) && sql[i] != '\n' {
				i++
			}
		case isWord(c):
			j := i
			for j < len(sql) && isWord(sql[j]) {
				j++
			}
			out = append(out, token{strings.ToLower(sql[i:j]), i, j, true})
			i = j
		default:
			out = append(out, token{sql[i : i+1], i, i + 1, false})
			i++
		}
	}
	return out
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}

// sqlWords end a table's name where they follow it; anything else that follows is its alias.
var sqlWords = map[string]bool{}

func init() {
	for _, w := range strings.Fields("where join left inner outer cross natural on using order group having limit union intersect except set values default select as indexed not window offset returning do full right") {
		sqlWords[w] = true
	}
}

// use is a table that a statement names, and what it is called there.
type use struct{ name, alias string }

// uses lists the tables of a statement: what follows FROM, JOIN, INTO, UPDATE and TABLE. It refuses tables listed with
// commas, where one would be missed.
func uses(ts []token, sql string) ([]use, error) {
	var out []use
	for i, t := range ts {
		switch t.text {
		case "from", "join", "into", "update", "table":
		default:
			continue
		}
		n := i + 1
		for n < len(ts) && (ts[n].text == "or" || ts[n].text == "ignore" || ts[n].text == "replace") {
			n++ // UPDATE OR IGNORE
		}
		if !t.word || n >= len(ts) || !ts[n].word || ts[n].text == "set" {
			continue // a subselect, which is read in its turn, or DO UPDATE SET
		}
		if n+1 < len(ts) && ts[n+1].text == "." {
			return nil, fmt.Errorf("a table of another schema: %.80s", sql)
		}
		u := use{ts[n].text, ts[n].text}
		n++
		if n < len(ts) && ts[n].text == "as" {
			n++
		}
		if n < len(ts) && ts[n].word && !sqlWords[ts[n].text] {
			u.alias = ts[n].text
			n++
		}
		if t.text == "from" && n < len(ts) && ts[n].text == "," {
			return nil, fmt.Errorf("tables are joined with JOIN, not with commas: %.80s", sql)
		}
		out = append(out, u)
	}
	return out, nil
}

// row checks a statement of a write transaction: any table but the store's own.
func (g *guard) row(sql string) error {
	if v, ok := g.rows.Load(sql); ok {
		return v.(gated).err
	}
	tabs, err := uses(tokens(sql), sql)
	for _, u := range tabs {
		if coreTables[u.name] {
			err = fmt.Errorf("the table %s belongs to the store: %.80s", u.name, sql)
		}
	}
	g.rows.Store(sql, gated{err: err})
	return err
}

// view checks and rewrites a query of a View for the reader numbered cid. system readers may read machine state too.
func (g *guard) view(sql string, cid int64, system bool) (string, error) {
	key := sql
	if system {
		key = "s" + sql
	}
	v, ok := g.views.Load(key)
	if !ok {
		text, err := g.rewrite(sql, system)
		v, _ = g.views.LoadOrStore(key, gated{text, err})
	}
	got := v.(gated)
	if got.err != nil {
		return "", got.err
	}
	return strings.ReplaceAll(got.text, cidMark, strconv.FormatInt(cid, 10)), nil
}

func (g *guard) rewrite(sql string, system bool) (string, error) {
	ts := tokens(sql)
	if len(ts) == 0 || ts[0].text != "select" {
		return "", fmt.Errorf("a view only selects: %.80s", sql)
	}
	for _, t := range ts {
		if t.text == ";" || t.text == cidMark {
			return "", fmt.Errorf("a view runs one statement: %.80s", sql)
		}
	}
	tabs, err := uses(ts, sql)
	if err != nil {
		return "", err
	}
	alias := map[string]Table{}
	for _, u := range tabs {
		tab, known := g.tables[u.name]
		switch {
		case coreTables[u.name]:
			return "", fmt.Errorf("the table %s belongs to the store: %.80s", u.name, sql)
		case !known:
			return "", fmt.Errorf("no schema declares the table %s: %.80s", u.name, sql)
		case !tab.Mark && !system:
			return "", fmt.Errorf("the table %s is machine state and carries no mark: %.80s", tab.Name, sql)
		case !tab.Mark:
			continue
		}
		if _, twice := alias[u.alias]; twice {
			return "", fmt.Errorf("two tables are called %s: %.80s", u.alias, sql)
		}
		alias[u.alias] = tab
	}
	var b strings.Builder
	last := 0
	gate := map[string]bool{}
	for i, t := range ts {
		if t.text != "visible" || !t.word {
			continue
		}
		if i+3 >= len(ts) || ts[i+1].text != "(" || ts[i+3].text != ")" {
			return "", fmt.Errorf("VISIBLE takes one alias: %.80s", sql)
		}
		name := ts[i+2].text
		tab, ok := alias[name]
		if !ok {
			return "", fmt.Errorf("VISIBLE(%s): no marked table is called so: %.80s", name, sql)
		}
		gate[name] = true
		b.WriteString(sql[last:t.start])
		b.WriteString(visibleRow(name, tab))
		last = ts[i+3].end
	}
	b.WriteString(sql[last:])
	for name, tab := range alias {
		if !gate[name] {
			return "", fmt.Errorf("%s is read without VISIBLE(%s): %.80s", tab.Name, name, sql)
		}
	}
	return b.String(), nil
}

// visibleRow is the gate for a row: its own mark, and a visible line of the object that it belongs to.
func visibleRow(alias string, t Table) string {
	cond := "EXISTS(SELECT 1 FROM allow WHERE cid=" + cidMark + " AND mid=" + alias + ".mid)"
	if t.Object == "" {
		return cond
	}
	col := alias + "." + t.Object
	return "(" + cond + " AND (" + col + "='' OR EXISTS(SELECT 1 FROM obj go_ JOIN line gl_ ON gl_.oid=go_.oid JOIN allow ga_ ON ga_.mid=gl_.mid" +
		" WHERE ga_.cid=" + cidMark + " AND go_.id=" + col + ")))"
}
