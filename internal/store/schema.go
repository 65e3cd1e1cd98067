package store

import (
	"context"
	"database/sql"
	"fmt"
)

// coreSchema is the store's own tables. A *line* is one source's versions of one id: the owner's line is the head for
// whoever may see it; whoever may not sees the line that came first of those that they may, and can't tell that another exists.
const coreSchema = `
CREATE TABLE mark(mid INTEGER PRIMARY KEY, canon TEXT NOT NULL UNIQUE);
CREATE TABLE reader(cid INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE);
CREATE TABLE allow(cid INTEGER NOT NULL, mid INTEGER NOT NULL, PRIMARY KEY(cid, mid)) WITHOUT ROWID;

CREATE TABLE obj(oid INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner TEXT);
CREATE TABLE line(lid INTEGER PRIMARY KEY, oid INTEGER NOT NULL, source TEXT NOT NULL, type TEXT NOT NULL, owner INTEGER NOT NULL,
  head INTEGER NOT NULL, modified INTEGER NOT NULL, mid INTEGER NOT NULL, title TEXT NOT NULL, UNIQUE(oid, source));
CREATE INDEX line_list ON line(type, mid, head);
CREATE INDEX line_latest ON line(mid, head);
CREATE TABLE ver(ver INTEGER PRIMARY KEY AUTOINCREMENT, lid INTEGER NOT NULL, modified INTEGER NOT NULL, mid INTEGER NOT NULL,
  rec INTEGER NOT NULL, sha BLOB NOT NULL, UNIQUE(lid, modified));
CREATE INDEX ver_rec ON ver(rec);
CREATE TABLE body(ver INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE edge(src INTEGER NOT NULL, rel TEXT NOT NULL, dst INTEGER NOT NULL, lid INTEGER NOT NULL, via INTEGER NOT NULL,
  PRIMARY KEY(src, rel, dst, lid)) WITHOUT ROWID;
CREATE INDEX edge_back ON edge(dst, rel, src);
CREATE INDEX edge_line ON edge(lid);
CREATE TABLE need(lid INTEGER NOT NULL, dep INTEGER NOT NULL, kind INTEGER NOT NULL, PRIMARY KEY(lid, kind, dep)) WITHOUT ROWID;
CREATE VIRTUAL TABLE fts USING fts5(title, words, body, content='', contentless_delete=1, detail='column', tokenize="unicode61 remove_diacritics 2 tokenchars '_'");

CREATE TABLE defn(id TEXT NOT NULL, source TEXT NOT NULL, effect TEXT NOT NULL, PRIMARY KEY(id, source)) WITHOUT ROWID;
CREATE TABLE pending(def TEXT NOT NULL, source TEXT NOT NULL, ver INTEGER NOT NULL, spec TEXT NOT NULL, PRIMARY KEY(def, source, ver)) WITHOUT ROWID;
CREATE TABLE bound(identity TEXT PRIMARY KEY, source TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE record(seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL, mid INTEGER NOT NULL,
  request TEXT UNIQUE, salt BLOB, content BLOB, leaf BLOB NOT NULL, idx INTEGER UNIQUE);
CREATE INDEX record_subject ON record(subject, seq);
CREATE INDEX record_waiting ON record(seq) WHERE idx IS NULL;

CREATE TABLE lease(name TEXT PRIMARY KEY, holder TEXT NOT NULL, epoch INTEGER NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE cursor(name TEXT PRIMARY KEY, stream TEXT NOT NULL, pos INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
`

// coreTables are reached by this package alone; see guard.
var coreTables = map[string]bool{}

func init() {
	for _, n := range []string{"mark", "reader", "allow", "obj", "line", "ver", "body", "edge", "need", "fts", "defn", "pending", "bound", "record", "lease", "cursor", "meta", "schema_version"} {
		coreTables[n] = true
	}
}

// Table is a table of rows that a package brings.
type Table struct {
	Name string
	// Mark says that the table has a column mid: it is then read through a View only with VISIBLE(alias), and is
	// never more visible than its mark. A table without it is machine state, which only background work reads.
	Mark bool
	// Object names the column that holds the id (TEXT) of the object that a row belongs to: the row is then never
	// more visible than that object either. Empty where rows stand alone.
	Object string
}

// Schema is what a package adds to the store: its tables, and how an object version becomes a row.
type Schema struct {
	// Name is the package's; it keys the version of the schema.
	Name string
	// Steps are the migrations, in order; a step that has run is never edited.
	Steps []string
	// Tables lists every table that Steps make.
	Tables []Table
	// Project is called in the transaction that makes a version of the house's own object of that type the head.
	Project map[string]func(tx *Tx, o Object) error
}

func migrate(ctx context.Context, db *sql.DB, schemas []Schema) error {
	if _, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_version(name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID`); err != nil {
		return fmt.Errorf("preparing the database: %w", err)
	}
	all := append([]Schema{{Name: "store", Steps: []string{coreSchema}}}, schemas...)
	for _, s := range all {
		var have int
		err := db.QueryRowContext(ctx, `SELECT version FROM schema_version WHERE name=?`, s.Name).Scan(&have)
		if err != nil && err != sql.ErrNoRows {
			return fmt.Errorf("reading the version of schema %s: %w", s.Name, err)
		}
		if have > len(s.Steps) {
			return fmt.Errorf("schema %s is at version %d, this program knows %d: it is older than the data directory", s.Name, have, len(s.Steps))
		}
		for v := have; v < len(s.Steps); v++ {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			if _, err = tx.ExecContext(ctx, s.Steps[v]); err == nil {
				_, err = tx.ExecContext(ctx, `INSERT INTO schema_version VALUES(?,?) ON CONFLICT(name) DO UPDATE SET version=excluded.version`, s.Name, v+1)
			}
			if err != nil {
				tx.Rollback()
				return fmt.Errorf("schema %s, step %d: %w", s.Name, v+1, err)
			}
			if err := tx.Commit(); err != nil {
				return fmt.Errorf("schema %s, step %d: %w", s.Name, v+1, err)
			}
		}
	}
	return nil
}
