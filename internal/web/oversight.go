package web

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"vigil/internal/access"
	"vigil/internal/ledger"
	"vigil/internal/ledger/leaf"
	"vigil/internal/store"
	"vigil/internal/untrusted"
	"vigil/internal/web/ui"
)

// actionWords says a coarse action in words: "refused.incident.change" becomes "refused: incident change".
func actionWords(a string) string {
	if rest, ok := strings.CutPrefix(a, "refused."); ok {
		return "refused: " + actionWords(rest)
	}
	return strings.NewReplacer(".", " ", "-", " ", "_", " ").Replace(a)
}

// actorName is the name behind an actor's id, for those who may read the entry's contents.
func (s *Server) actorName(ctx context.Context, id string) string {
	if n := s.Directory.PersonName(ctx, id); n != "" {
		return n
	}
	return ui.Visible(strings.TrimPrefix(id, "system:"))
}

// receiptState says how far an entry has come: waiting, in the ledger, under a witnessed checkpoint.
func (rq *Request) receiptState(index int64) string {
	if index < 0 {
		return "pending"
	}
	w := rq.s.Log.Witnessed()
	if w.Need == 0 {
		return "unwitnessed"
	}
	if w.Alarm != "" {
		return "broken"
	}
	if cp, ok := rq.s.Log.WitnessedCheckpoint(); ok && uint64(index) < cp.Size {
		return "witnessed"
	}
	return "pending"
}

func (rq *Request) entryRow(e store.Entry) ui.EntryRow {
	return ui.EntryRow{Seq: int64(e.Seq), At: e.At, Actor: rq.s.actorName(rq.Context(), e.Actor), Action: actionWords(e.Action), Subject: rq.subject(e.Subject),
		Purpose: ui.Visible(e.Purpose), Receipt: rq.receiptState(e.Index), Refused: strings.HasPrefix(e.Action, "refused.")}
}

// subject links what an entry is about, by its kind. Whether the reader may follow is up to the page behind the link.
func (rq *Request) subject(id string) ui.Ref {
	short := ui.Visible(id)
	kind, rest, ok := strings.Cut(id, "--")
	if !ok {
		return ui.Ref{Name: short}
	}
	if len(rest) > 8 {
		short = kind + " " + rest[:8] + "…"
	}
	switch kind {
	case "finding":
		return ui.Ref{Href: ui.FindingURL(id), Name: short}
	case "incident":
		return ui.Ref{Href: ui.IncidentURL(id), Name: short}
	case "person":
		return ui.Ref{Href: ui.PersonURL(id), Name: rq.s.actorName(rq.Context(), id)}
	case "x-log-source":
		if src, ok := rq.s.Register.ByID(id); ok {
			return ui.Ref{Href: ui.SourceURL(id), Name: ui.Visible(src.Name)}
		}
	}
	return ui.Ref{Href: ui.ObjectURL(id), Name: short}
}

func (rq *Request) oversight() error {
	q := store.Entries{After: rq.FormValue("after")}
	text := strings.TrimSpace(rq.FormValue("q"))
	switch {
	case strings.Contains(text, "--"):
		q.Subject = text
	case text != "":
		q.Action = strings.ReplaceAll(text, " ", ".") + "*"
	}
	if rq.FormValue("show") == "refusals" {
		q.Action = "refused.*"
	}
	page, err := rq.view.Entries(rq.Context(), q)
	if err != nil {
		return err
	}
	p := ui.OversightPage{Filter: ui.Filter{Action: "/oversight", Query: text, Hint: "incident.change, or the id of anything"}}
	p.Filter.Saved = []ui.SavedView{{Name: "All", Href: "/oversight", On: rq.URL.RawQuery == ""}, {Name: "Refusals", Href: "/oversight?show=refusals", On: q.Action == "refused.*"}}
	for _, e := range openAll(rq, page.Entries) {
		p.Rows = append(p.Rows, rq.entryRow(e))
	}
	refusals, err := rq.view.Entries(rq.Context(), store.Entries{Action: "refused.*", Limit: 1000})
	if err != nil {
		return err
	}
	p.Refusals = count(len(refusals.Entries))
	if p.Tree, err = rq.tree(); err != nil {
		return err
	}
	p.Policy = rq.s.Log.PolicyID()
	if w := rq.s.Log.Witnessed(); w.Alarm != "" {
		p.Declared = w.Alarm
	} else if err := rq.s.Log.Broken(); err != nil {
		p.Declared = err.Error()
	}
	p.Pager = ui.Pager{Total: ui.Count{N: int64(len(p.Rows)), AtLeast: page.Next != ""}}
	if page.Next != "" {
		p.Pager.Next = rq.with("after", page.Next)
	}
	if q.After != "" {
		p.Pager.Prev = rq.with("after", "")
	}
	p.Frame = rq.Frame(ui.PlaceOversight)
	return ui.Oversight(&rq.out, p)
}

func (rq *Request) tree() (ui.Tree, error) {
	t := ui.Tree{Origin: rq.s.Log.Origin(), Witnesses: rq.witnesses()}
	cp, err := rq.s.Log.Checkpoint(rq.Context())
	if err != nil {
		return t, fmt.Errorf("reading the checkpoint: %w", err)
	}
	t.Size, t.Root, t.At = int64(cp.Size), base64.StdEncoding.EncodeToString(cp.Root[:]), cp.At
	size, err := rq.s.Log.Size(rq.Context())
	if err != nil {
		return t, err
	}
	t.Waiting = int64(size) - t.Size
	return t, nil
}

func (rq *Request) witnesses() []ui.WitnessRow {
	var out []ui.WitnessRow
	state := rq.s.Log.Witnessed()
	for _, w := range state.Witnesses {
		row := ui.WitnessRow{Name: w.Name, OK: w.Problem == "" && !w.At.IsZero(), At: w.At, Note: w.Problem}
		if row.OK {
			row.Entry = int64(state.Size)
		}
		if w.Rehearsal {
			row.Note = strings.TrimPrefix(row.Note+"; rehearsal, same machine", "; ")
		}
		out = append(out, row)
	}
	return out
}

func (rq *Request) entryOf() (store.Entry, error) {
	seq, err := strconv.ParseUint(rq.PathValue("seq"), 10, 63)
	if err != nil {
		return store.Entry{}, store.ErrNotFound
	}
	rel, err := rq.view.Entry(rq.Context(), seq)
	if err != nil {
		return store.Entry{}, err
	}
	return open(rq, rel), nil
}

func (rq *Request) entry() error {
	e, err := rq.entryOf()
	if err != nil {
		return err
	}
	l, err := leaf.Parse(e.Leaf)
	if err != nil {
		return fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	p := ui.EntryPage{Row: rq.entryRow(e), Code: l.Action, Pseudonym: l.Actor, PolicyID: l.Policy, Leaf: leafHash(e.Leaf)}
	values := map[string]string{}
	for _, f := range e.Fields {
		values[f.Name] = f.Value
		if f.Name == "basis" {
			p.Basis = ui.Visible(f.Value)
		}
	}
	if e.Salt == nil {
		p.Redacted = "Its contents are lost or were destroyed; the commitments remain."
	}
	for _, c := range l.Commitments {
		row := ui.Commitment{Field: c.Name, Hash: hexOf(c.Hash[:])}
		if v, ok := values[c.Name]; ok && len(e.Salt) == 32 {
			salt := leaf.FieldSalt([32]byte(e.Salt), c.Name)
			row.Open = leaf.Commit(salt, []byte(v)) == c.Hash
			row.Value, row.Salt = untrusted.New(v), hexOf(salt[:])
		}
		p.Commitments = append(p.Commitments, row)
	}
	p.Proof = rq.proof(e)
	if e.Seq > 1 {
		p.Prev = int64(e.Seq) - 1
	}
	if _, err := rq.view.Entry(rq.Context(), e.Seq+1); err == nil {
		p.Next = int64(e.Seq) + 1
	}
	p.Frame = rq.Frame(ui.PlaceOversight)
	return ui.Entry(&rq.out, p)
}

func (rq *Request) proof(e store.Entry) ui.Proof {
	p := ui.Proof{State: rq.receiptState(e.Index), Index: e.Index, Witnesses: rq.witnesses()}
	if e.Index < 0 {
		return p
	}
	r, err := rq.s.Log.Receipt(rq.Context(), uint64(e.Index))
	if err != nil {
		p.Trouble = err.Error()
		return p
	}
	p.Checkpoint = string(r.Checkpoint)
	for _, h := range r.Proof {
		p.Path = append(p.Path, hex.EncodeToString(h[:]))
	}
	if cp, err := rq.s.Log.Checkpoint(rq.Context()); err == nil {
		p.Size, p.Root = int64(cp.Size), base64.StdEncoding.EncodeToString(cp.Root[:])
	}
	return p
}

// receipt hands out the leaf's proof, as the offline verifier reads it.
func (rq *Request) receipt() error {
	e, err := rq.entryOf()
	if err != nil {
		return err
	}
	if e.Index < 0 {
		return &Invalid{Why: "the entry is not yet in the ledger: try again in a moment", Back: ui.EntryURL(int64(e.Seq))}
	}
	r, err := rq.s.Log.Receipt(rq.Context(), uint64(e.Index))
	if err != nil {
		if errors.Is(err, ledger.ErrBroken) {
			return err
		}
		return &Invalid{Why: "there is no receipt yet: " + err.Error(), Back: ui.EntryURL(int64(e.Seq))}
	}
	rq.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	rq.w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="entry-%d.receipt"`, e.Seq))
	_, err = rq.out.Write(r.Marshal())
	return err
}

// exportLedger streams the whole public tree, with the contents that this reader may open.
func (rq *Request) exportLedger() error {
	if err := rq.Who.Need(access.RecordRead); err != nil {
		return err
	}
	rq.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	rq.w.Header().Set("Content-Disposition", `attachment; filename="vigil-ledger.export"`)
	rq.w.Header().Set("Cache-Control", "no-store")
	rq.sent = true
	if err := rq.s.Log.Export(rq.Context(), rq.w, ledger.ExportOptions{}); err != nil {
		panic(http.ErrAbortHandler) // the headers are out: only a broken answer tells that it is not whole
	}
	return nil
}

// leafHash is RFC 6962's: what the tree holds of an entry.
func leafHash(raw []byte) string {
	sum := sha256.Sum256(append([]byte{0}, raw...))
	return hex.EncodeToString(sum[:])
}
