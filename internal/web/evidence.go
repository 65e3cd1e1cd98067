package web

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"vigil/internal/access"
	"vigil/internal/incident"
	"vigil/internal/untrusted"
	"vigil/internal/web/ui"
)

const maxEvidence = 8 << 30 // bytes of one upload

func (rq *Request) incidentEvidence(p *ui.IncidentPage, id string) error {
	ctx := rq.Context()
	items, err := incident.EvidenceOf(ctx, rq.view, id)
	if err != nil {
		return err
	}
	for _, rel := range items {
		e := open(rq, rel)
		row := ui.Evidence{ID: e.ID, Name: untrusted.New(e.Item), Original: e.Original, Size: e.Size, SHA256: e.SHA256, Marking: markOf(rel.Label()), Holder: rq.s.actorName(ctx, e.Holder), Place: ui.Visible(e.Place),
			CanFetch: e.SHA256 != "" && rq.Who.May(access.EvidenceRead), CanOffer: e.Holder == rq.Who.Person && e.OfferedTo == "" && rq.Who.May(access.EvidenceTransfer)}
		chain, err := incident.CustodyOf(ctx, rq.view, e.ID)
		if err != nil {
			return err
		}
		for _, c := range openAll(rq, chain) {
			row.Custody = append(row.Custody, ui.Custody{At: c.At, What: string(c.What), From: rq.s.actorName(ctx, c.Giver), To: rq.s.actorName(ctx, c.Taker), Place: ui.Visible(c.Place), Purpose: ui.Visible(c.Purpose),
				Tool: ui.Visible(strings.TrimSpace(c.Tool + " " + c.ToolVersion)), Seal: ui.Visible(c.Seal)})
		}
		if e.OfferedTo != "" {
			row.Offer = &ui.Offer{From: row.Holder, To: rq.s.actorName(ctx, e.OfferedTo), CanAnswer: e.OfferedTo == rq.Who.Person}
			if n := len(row.Custody); n > 0 {
				row.Offer.At, row.Offer.Seal = row.Custody[n-1].At, row.Custody[n-1].Seal
			}
		}
		p.Evidence = append(p.Evidence, row)
	}
	if rq.Who.May(access.EvidenceTransfer) {
		p.Custodians, err = rq.custodians()
	}
	return err
}

// addEvidence streams an upload into custody: the fields come before the file, which is never held whole.
func (rq *Request) addEvidence() error {
	id := rq.PathValue("id")
	if _, err := rq.theIncident(); err != nil {
		return err
	}
	rq.Body = http.MaxBytesReader(rq.w, rq.Body, maxEvidence)
	parts, err := rq.MultipartReader()
	if err != nil {
		return &Invalid{Why: "evidence is sent as a form with a file", Back: ui.IncidentURL(id)}
	}
	meta := incident.Meta{Original: true}
	for n := 0; n < 32; n++ {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		} else if err != nil {
			return &Invalid{Why: "the upload was cut short: " + err.Error(), Back: ui.IncidentURL(id)}
		}
		if part.FormName() == "file" {
			if meta.Item == "" {
				meta.Item = part.FileName()
			}
			_, err := rq.s.Desk.AddEvidence(rq.Context(), rq.Who, id, meta, part)
			return rq.changed(err, "The file is in custody")
		}
		text, err := io.ReadAll(io.LimitReader(part, 4096))
		if err != nil {
			return &Invalid{Why: "the upload was cut short: " + err.Error(), Back: ui.IncidentURL(id)}
		}
		switch v := string(text); part.FormName() {
		case "item":
			meta.Item = v
		case "original":
			meta.Original = v != "no"
		case "place":
			meta.Place = v
		case "purpose":
			meta.Purpose = v
		case "tool":
			meta.Tool, meta.ToolVersion, _ = strings.Cut(v, " ")
		case "seal":
			meta.Seal = v
		}
	}
	return &Invalid{Why: "there was no file in the form", Back: ui.IncidentURL(id)}
}

func (rq *Request) handling() incident.Handling {
	return incident.Handling{Place: rq.FormValue("place"), Purpose: rq.FormValue("purpose"), Seal: rq.FormValue("seal")}
}

// custody goes back to the incident that the evidence belongs to.
func (rq *Request) custody(err error, said string) error {
	back := "/incidents"
	if rel, gerr := incident.GetEvidence(rq.Context(), rq.view, rq.PathValue("id")); gerr == nil {
		back = ui.IncidentURL(open(rq, rel).Incident)
	}
	if err != nil {
		return asInvalid(err, back)
	}
	return rq.done(back, said)
}

func (rq *Request) offerEvidence() error {
	return rq.custody(rq.s.Desk.Offer(rq.Context(), rq.Who, rq.PathValue("id"), rq.FormValue("to"), rq.handling()), "It is offered; custody changes when the other party accepts")
}

func (rq *Request) acceptEvidence() error {
	return rq.custody(rq.s.Desk.Accept(rq.Context(), rq.Who, rq.PathValue("id"), rq.handling()), "You hold it now")
}

func (rq *Request) refuseEvidence() error {
	return rq.custody(rq.s.Desk.Refuse(rq.Context(), rq.Who, rq.PathValue("id"), rq.FormValue("reason")), "You have refused it; custody stays where it was")
}

// evidenceFile hands out a copy. That it was read is on the record before the first byte leaves.
func (rq *Request) evidenceFile() error {
	e, file, err := rq.s.Desk.ReadEvidence(rq.Context(), rq.Who, rq.PathValue("id"), "download")
	if err != nil {
		return asInvalid(err, "/incidents")
	}
	defer file.Close()
	h := rq.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(untrusted.New(e.Item).Title(120)))
	h.Set("Content-Length", fmt.Sprint(e.Size))
	h.Set("Cache-Control", "no-store")
	rq.sent = true
	if _, err := io.Copy(rq.w, file); err != nil {
		panic(http.ErrAbortHandler) // its hash does not fit, or the reader has gone: the answer must not look whole
	}
	return nil
}
