package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"

	"vigil/internal/marking"
)

// marks is what the store knows of labels and readers: numbers for both, and the allowed pairs beside them in the
// table allow. The maps only hold what has been committed, and may lag behind a commit for a moment.
type marks struct {
	db      *sql.DB
	mu      sync.RWMutex
	byCanon map[string]int64
	byMid   map[int64]marking.Label
	readers map[string]int64
}

func loadMarks(ctx context.Context, db *sql.DB) (*marks, error) {
	m := &marks{db: db, byCanon: map[string]int64{}, byMid: map[int64]marking.Label{}, readers: map[string]int64{}}
	rows, err := db.QueryContext(ctx, `SELECT mid, canon FROM mark`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var mid int64
		var canon string
		if err := rows.Scan(&mid, &canon); err != nil {
			return nil, err
		}
		l, err := marking.ParseCanon(canon)
		if err != nil {
			return nil, fmt.Errorf("mark %d: %w", mid, err)
		}
		m.byCanon[canon], m.byMid[mid] = mid, l
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	rr, err := db.QueryContext(ctx, `SELECT cid, key FROM reader`)
	if err != nil {
		return nil, err
	}
	defer rr.Close()
	for rr.Next() {
		var cid int64
		var key string
		if err := rr.Scan(&cid, &key); err != nil {
			return nil, err
		}
		m.readers[key] = cid
	}
	return m, rr.Err()
}

// label gives the label of a number; the zero Label, which is nobody's, where there is none. A label that was committed
// a moment ago, by a writer that has not yet come to learn it, is looked up.
func (m *marks) label(mid int64) marking.Label {
	m.mu.RLock()
	l, ok := m.byMid[mid]
	m.mu.RUnlock()
	if ok || mid == 0 {
		return l
	}
	var canon string
	if m.db.QueryRow(`SELECT canon FROM mark WHERE mid=?`, mid).Scan(&canon) != nil {
		return marking.Label{}
	}
	l, err := marking.ParseCanon(canon)
	if err != nil {
		return marking.Label{}
	}
	m.learn(map[int64]marking.Label{mid: l})
	return l
}

func (m *marks) mid(canon string) (int64, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	mid, ok := m.byCanon[canon]
	return mid, ok
}

func (m *marks) learn(fresh map[int64]marking.Label) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for mid, l := range fresh {
		m.byCanon[l.Canon()], m.byMid[mid] = mid, l
	}
}

// intern numbers a label inside a write transaction and computes for every known reader whether they may read it.
func (w *writeTx) intern(l marking.Label) (int64, error) {
	if !l.Valid() {
		return 0, fmt.Errorf("a record must carry a label")
	}
	canon := l.Canon()
	if mid, ok := w.s.marks.mid(canon); ok {
		return mid, nil
	}
	for mid, fresh := range w.fresh {
		if fresh.Canon() == canon {
			return mid, nil
		}
	}
	res, err := w.tx.ExecContext(w.ctx, `INSERT INTO mark(canon) VALUES(?)`, canon)
	if err != nil {
		return 0, fmt.Errorf("interning a label: %w", err)
	}
	mid, err := res.LastInsertId()
	if err != nil {
		return 0, err
	}
	rows, err := w.tx.QueryContext(w.ctx, `SELECT cid, key FROM reader`)
	if err != nil {
		return 0, err
	}
	var may []int64
	for rows.Next() {
		var cid int64
		var key string
		if err := rows.Scan(&cid, &key); err != nil {
			rows.Close()
			return 0, err
		}
		r, err := readerOf(key)
		if err != nil {
			rows.Close()
			return 0, err
		}
		if marking.MayRead(r, l) {
			may = append(may, cid)
		}
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	for _, cid := range may {
		if _, err := w.tx.ExecContext(w.ctx, `INSERT INTO allow VALUES(?,?)`, cid, mid); err != nil {
			return 0, fmt.Errorf("interning a label: %w", err)
		}
	}
	w.fresh[mid] = l
	return mid, nil
}

// labelOf is label for a transaction, which also knows what it has interned itself.
func (w *writeTx) labelOf(mid int64) marking.Label {
	if l, ok := w.fresh[mid]; ok {
		return l
	}
	return w.s.marks.label(mid)
}

func readerOf(key string) (marking.Reader, error) {
	if key == marking.System("").Key() || key == "system" {
		return marking.System("allow"), nil
	}
	return marking.ParseKey(key)
}

// reader numbers a reader; a new one gets its allowed marks in the same transaction.
func (s *Store) reader(ctx context.Context, r marking.Reader) (int64, error) {
	key := r.Key()
	s.marks.mu.RLock()
	cid, ok := s.marks.readers[key]
	s.marks.mu.RUnlock()
	if ok {
		return cid, nil
	}
	err := s.write(ctx, false, func(w *writeTx) error {
		err := w.tx.QueryRowContext(w.ctx, `SELECT cid FROM reader WHERE key=?`, key).Scan(&cid)
		if err == nil || err != sql.ErrNoRows {
			return err
		}
		res, err := w.tx.ExecContext(w.ctx, `INSERT INTO reader(key) VALUES(?)`, key)
		if err != nil {
			return err
		}
		if cid, err = res.LastInsertId(); err != nil {
			return err
		}
		s.marks.mu.RLock()
		defer s.marks.mu.RUnlock()
		for mid, l := range s.marks.byMid {
			if marking.MayRead(r, l) {
				if _, err := w.tx.ExecContext(w.ctx, `INSERT INTO allow VALUES(?,?)`, cid, mid); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("registering a reader: %w", err)
	}
	s.marks.mu.Lock()
	s.marks.readers[key] = cid
	s.marks.mu.Unlock()
	return cid, nil
}
