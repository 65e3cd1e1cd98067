package intel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"vigil/internal/access"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/stix"
)

// Selection says what to export.
type Selection struct {
	// Type is one STIX type; "" is every type. Source is whose lines; "" is everybody's.
	Type, Source string
}

// Exported is what an export held.
type Exported struct {
	Objects int
	Label   marking.Label
	SHA256  string // of the objects' bytes, in their order
}

// Export writes a bundle of everything selected that the person may see: each object exactly as it was received. It is
// entered on the record, with what went out, before the bundle's end is written: an export that is not on the record
// stays without its end.
func (b *Base) Export(ctx context.Context, who access.Principal, w io.Writer, sel Selection) (Exported, error) {
	act, err := who.Act(access.IntelExport, "bundle", "export "+sel.words())
	if err != nil {
		return Exported{}, err
	}
	v, err := b.store.View(ctx, who.Reader)
	if err != nil {
		return Exported{}, err
	}
	sheet := marking.NewSheet(who.Reader)
	bundle := stix.NewBundleWriter(w, stix.NewID("bundle"))
	sum := sha256.New()
	out := Exported{}
	for token := ""; ; {
		page, err := v.List(ctx, store.List{Type: sel.Type, Source: sel.Source, After: token, Limit: 1000, Bodies: true})
		if err != nil {
			return out, err
		}
		for _, rel := range page.Objects {
			o := marking.Open(sheet, rel)
			if err := bundle.Write(o.Bytes); err != nil {
				return out, fmt.Errorf("writing the bundle: %w", err)
			}
			sum.Write(o.Bytes)
			out.Objects++
		}
		if token = page.Next; token == "" {
			break
		}
	}
	out.Label, out.SHA256 = sheet.Label(), hex.EncodeToString(sum.Sum(nil))
	act.Label = out.Label
	act.Fields = append(act.Fields, store.Field{Name: "objects.count", Value: fmt.Sprint(out.Objects)}, store.Field{Name: "objects.sha256", Value: out.SHA256}, store.Field{Name: "marking", Value: out.Label.Words()})
	if _, err := b.store.Record(ctx, act, nil); err != nil {
		return out, err
	}
	if err := bundle.Close(); err != nil {
		return out, fmt.Errorf("writing the bundle: %w", err)
	}
	return out, nil
}

// Ahead is the label that an export of a selection has as things stand: what announces a marking before the first byte
// needs it, and compares it with what then went out.
func Ahead(ctx context.Context, v *store.View, sel Selection) (marking.Label, error) {
	sheet := marking.NewSheet(v.Reader())
	for token := ""; ; {
		page, err := v.List(ctx, store.List{Type: sel.Type, Source: sel.Source, After: token, Limit: 1000})
		if err != nil {
			return marking.Label{}, err
		}
		for _, rel := range page.Objects {
			marking.Open(sheet, rel)
		}
		if token = page.Next; token == "" {
			return sheet.Label(), nil
		}
	}
}

func (s Selection) words() string {
	w := "all objects"
	if s.Type != "" {
		w = "all of type " + s.Type
	}
	if s.Source != "" {
		w += " of " + s.Source
	}
	return w
}
