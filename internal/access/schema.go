package access

import (
	"fmt"

	"vigil/internal/marking"
	"vigil/internal/store"
)

// Schema is the directory's tables. Bodies and people are rows that a person may see; credentials, sessions and links
// are machine state, of which only hashes are kept, so that a stolen database opens no door.
var Schema = store.Schema{
	Name: "access",
	Steps: []string{`CREATE TABLE access_body(id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, own INTEGER NOT NULL, constituent INTEGER NOT NULL,
	  agreement TEXT NOT NULL, ceiling INTEGER NOT NULL, default_tlp INTEGER, domain TEXT NOT NULL, grps TEXT NOT NULL, created INTEGER NOT NULL, mid INTEGER NOT NULL);
	CREATE TABLE access_person(id TEXT PRIMARY KEY, login TEXT NOT NULL UNIQUE, name TEXT NOT NULL, title TEXT NOT NULL, org TEXT NOT NULL REFERENCES access_body(id),
	  role TEXT NOT NULL, compartments TEXT NOT NULL, locked INTEGER NOT NULL, same_as TEXT NOT NULL, passkeys INTEGER NOT NULL DEFAULT 0, last INTEGER NOT NULL DEFAULT 0,
	  created INTEGER NOT NULL, mid INTEGER NOT NULL);
	CREATE INDEX access_person_org ON access_person(org);
	CREATE TABLE access_password(person TEXT PRIMARY KEY, hash TEXT NOT NULL, changed INTEGER NOT NULL) WITHOUT ROWID;
	CREATE TABLE access_session(hash BLOB PRIMARY KEY, id TEXT NOT NULL UNIQUE, person TEXT NOT NULL, means TEXT NOT NULL, device TEXT NOT NULL, address TEXT NOT NULL,
	  created INTEGER NOT NULL, seen INTEGER NOT NULL) WITHOUT ROWID;
	CREATE INDEX access_session_person ON access_session(person);
	CREATE TABLE access_token(hash BLOB PRIMARY KEY, id TEXT NOT NULL UNIQUE, person TEXT NOT NULL, name TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;
	CREATE INDEX access_token_person ON access_token(person);
	CREATE TABLE access_link(hash BLOB PRIMARY KEY, person TEXT NOT NULL UNIQUE, expires INTEGER NOT NULL) WITHOUT ROWID;
	CREATE TABLE access_house(one INTEGER PRIMARY KEY CHECK(one=1), id TEXT NOT NULL)`},
	Tables: []store.Table{{Name: "access_body", Mark: true}, {Name: "access_person", Mark: true}, {Name: "access_password"},
		{Name: "access_session"}, {Name: "access_token"}, {Name: "access_link"}, {Name: "access_house"}},
}

// rowLabel is what rows of the directory carry: AMBER of the house's own, which its staff and the organisations that an
// agreement names may read.
func rowLabel() (marking.Label, error) {
	l, err := marking.New(marking.Spec{TLP: marking.Amber, Source: marking.Own})
	if err != nil {
		return l, fmt.Errorf("labelling the directory: %w", err)
	}
	return l, nil
}
