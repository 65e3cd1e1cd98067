package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"vigil/internal/marking"
)

// rankedLimit is how many matches are ranked; beyond it the newest stand first, and the answer says so.
const rankedLimit = 10_000

// Found is the answer to a search.
type Found struct {
	Objects []marking.Released[Object]
	// Count is how many match, up to CountLimit.
	Count int
	// Newest says that there were too many to rank: the newest stand first.
	Newest bool
}

// Search finds objects by words in title, aliases, external ids, labels, description and pattern; the last word may be
// the beginning of one. A match in the title stands before one in aliases and ids, and that before one in the text; within
// each the newest first; last those that hold the words in several of them. Nothing in the rank depends on what the reader may not see.
func (v *View) Search(ctx context.Context, text string, types []string, limit int) (Found, error) {
	match := matchOf(text)
	if match == "" {
		return Found{}, nil
	}
	limit = limitOf(limit)
	filter, args := "", []any{}
	if len(types) > 0 {
		filter = ` AND l.type IN (` + strings.TrimSuffix(strings.Repeat("?,", len(types)), ",") + `)`
		for _, t := range types {
			args = append(args, t)
		}
	}
	where := filter + " AND " + readersHead("l", v.cid)
	type hit struct {
		lid, head int64
		tier      int
	}
	seen := map[int64]bool{}
	var hits []hit
	f := Found{}
	for tier, column := range []string{"{title} : ", "{words} : ", "{body} : ", ""} {
		q := `SELECT l.lid, l.head FROM fts JOIN line l ON l.lid=fts.rowid WHERE fts MATCH ?` + where + ` ORDER BY fts.rowid DESC LIMIT ` + strconv.Itoa(rankedLimit+1)
		rows, err := v.s.readers.QueryContext(ctx, q, append([]any{column + "(" + match + ")"}, args...)...)
		if err != nil {
			return Found{}, fmt.Errorf("searching: %w", err)
		}
		n := 0
		for rows.Next() {
			var h hit
			if err := rows.Scan(&h.lid, &h.head); err != nil {
				rows.Close()
				return Found{}, err
			}
			n++
			h.tier = tier
			if !seen[h.lid] {
				seen[h.lid] = true
				hits = append(hits, h)
			}
		}
		if err := rows.Err(); err != nil {
			return Found{}, err
		}
		if n > rankedLimit {
			f.Newest = true
			break
		}
	}
	slices.SortFunc(hits, func(a, b hit) int {
		if a.tier != b.tier && !f.Newest {
			return a.tier - b.tier
		}
		if a.head < b.head {
			return 1
		}
		return -1
	})
	f.Count = min(len(hits), CountLimit)
	hits = hits[:min(limit, len(hits))]
	for _, h := range hits {
		q := `SELECT ` + objectColumns + ` FROM line l JOIN obj o ON o.oid=l.oid JOIN ver x ON x.ver=l.head JOIN record r ON r.seq=x.rec WHERE l.lid=? AND ` + readersHead("l", v.cid)
		objs, err := v.objects(ctx, q, false, h.lid)
		if err != nil {
			return Found{}, err
		}
		f.Objects = append(f.Objects, objs...)
	}
	return f, nil
}

// matchOf turns what somebody typed into an FTS5 expression: all words, the last one as a beginning. Nothing typed is
// ever syntax.
func matchOf(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' })
	if len(words) > 16 {
		words = words[:16]
	}
	for i, w := range words {
		words[i] = `"` + w + `"`
	}
	if len(words) == 0 {
		return ""
	}
	return strings.Join(words, " AND ") + " *"
}
