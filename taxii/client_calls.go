package taxii

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Discover asks the server for its API roots (§4.1). The roots come back as
// absolute URLs; those at another origin are kept, but calls to them fail
// with ErrForeign.
func (c *Client) Discover(ctx context.Context) (*Discovery, error) {
	var d Discovery
	if err := c.resource(ctx, "GET", c.base, nil, &d); err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	if d.Default != "" && !slices.Contains(d.APIRoots, d.Default) {
		d.APIRoots = append(d.APIRoots, d.Default) // some servers list it once only
	}
	for i, root := range d.APIRoots {
		u, err := c.below(root, nil)
		if err != nil {
			return nil, fmt.Errorf("discovery: %w", err)
		}
		if d.Default == root {
			d.Default = u.String()
		}
		d.APIRoots[i] = u.String()
	}
	return &d, nil
}

// Root asks what an API root is (§4.2). root is its URL, absolute or relative
// to the client's.
func (c *Client) Root(ctx context.Context, root string) (*RootInfo, error) {
	u, err := c.below(root, nil)
	if err != nil {
		return nil, err
	}
	var info RootInfo
	if err := c.resource(ctx, "GET", u, nil, &info); err != nil {
		return nil, fmt.Errorf("API root: %w", err)
	}
	return &info, nil
}

// Collections lists an API root's collections (§5.1).
func (c *Client) Collections(ctx context.Context, root string) ([]Collection, error) {
	u, err := c.below(root, nil, "collections")
	if err != nil {
		return nil, err
	}
	var list struct {
		Collections []Collection `json:"collections"`
	}
	if err := c.resource(ctx, "GET", u, nil, &list); err != nil {
		return nil, fmt.Errorf("collections: %w", err)
	}
	return list.Collections, nil
}

// Collection asks for one collection by id or alias (§5.2).
func (c *Client) Collection(ctx context.Context, root, id string) (*Collection, error) {
	u, err := c.below(root, nil, "collections", id)
	if err != nil {
		return nil, err
	}
	var col Collection
	if err := c.resource(ctx, "GET", u, nil, &col); err != nil {
		return nil, fmt.Errorf("collection %s: %w", id, err)
	}
	return &col, nil
}

// Add posts objects to a collection, in one envelope (§5.5). The caller keeps
// it below the root's MaxContentLength. See Await for a status that is
// pending.
func (c *Client) Add(ctx context.Context, root, collection string, objects [][]byte) (*StatusResource, error) {
	u, err := c.below(root, nil, "collections", collection, "objects")
	if err != nil {
		return nil, err
	}
	if len(objects) == 0 {
		return nil, errors.New("taxii: no objects to add")
	}
	size := 16
	for _, o := range objects {
		size += len(o) + 1
	}
	body := append(make([]byte, 0, size), `{"objects":[`...)
	for i, o := range objects {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, o...)
	}
	body = append(body, `]}`...)
	var st StatusResource
	if err := c.resource(ctx, "POST", u, body, &st); err != nil {
		return nil, fmt.Errorf("adding %d objects to %s: %w", len(objects), collection, err)
	}
	return &st, nil
}

// Status asks what became of a submission (§4.3).
func (c *Client) Status(ctx context.Context, root, id string) (*StatusResource, error) {
	u, err := c.below(root, nil, "status", id)
	if err != nil {
		return nil, err
	}
	var st StatusResource
	if err := c.resource(ctx, "GET", u, nil, &st); err != nil {
		return nil, fmt.Errorf("status %s: %w", id, err)
	}
	return &st, nil
}

// Await polls a submission's status until it is complete, waiting from one
// second up to thirty in between. It ends with ctx.
func (c *Client) Await(ctx context.Context, root string, st *StatusResource) (*StatusResource, error) {
	for wait := time.Second; !st.Complete(); wait = min(2*wait, 30*time.Second) {
		if err := c.cfg.Sleep(ctx, wait); err != nil {
			return st, fmt.Errorf("status %s is still pending: %w", st.ID, err)
		}
		next, err := c.Status(ctx, root, st.ID)
		if err != nil {
			return st, err
		}
		st = next
	}
	return st, nil
}

// Delete removes an object from a collection (§5.7): all its versions, or
// those that are named.
func (c *Client) Delete(ctx context.Context, root, collection, object string, versions ...string) error {
	f := Filter{Versions: versions}
	if len(versions) == 0 {
		// Servers differ in what a DELETE without versions means.
		f.Versions = []string{"all"}
	}
	u, err := c.below(root, f.values(), "collections", collection, "objects", object)
	if err != nil {
		return err
	}
	if _, err := c.do(ctx, http.MethodDelete, u, nil, smallAnswer); err != nil {
		return fmt.Errorf("deleting %s: %w", object, err)
	}
	return nil
}

// ManifestRecord says what a collection holds without the object (§5.3.1).
type ManifestRecord struct {
	ID        string `json:"id"`
	DateAdded string `json:"date_added"`
	Version   string `json:"version"`
	MediaType string `json:"media_type,omitempty"`
}

// Manifest walks a collection's manifest (§5.3), page by page.
func (c *Client) Manifest(ctx context.Context, root, collection string, f Filter) iter.Seq2[ManifestRecord, error] {
	return func(yield func(ManifestRecord, error) bool) {
		p := &poll{c: c, root: root, path: []string{"collections", collection, "manifest"}, filter: f}
		for {
			rep, err := p.get(ctx)
			var page struct {
				More    bool             `json:"more"`
				Next    looseString      `json:"next"`
				Objects []ManifestRecord `json:"objects"`
			}
			if err == nil {
				err = decode(rep, &page)
			}
			if err != nil {
				yield(ManifestRecord{}, fmt.Errorf("manifest of %s: %w", collection, err))
				return
			}
			fresh, last := 0, ""
			for _, r := range page.Objects {
				last = r.DateAdded
				if p.repeated(r.ID, r.Version) {
					continue
				}
				fresh++
				if !yield(r, nil) {
					return
				}
			}
			if rep.header.Get(lastHeader) == "" {
				rep.header.Set(lastHeader, last)
			}
			done, err := p.advance(ctx, page.More, string(page.Next), rep.header, len(page.Objects), fresh)
			if err != nil {
				yield(ManifestRecord{}, fmt.Errorf("manifest of %s: %w", collection, err))
				return
			}
			if done {
				return
			}
		}
	}
}

// ObjectVersions lists an object's versions in a collection (§5.8).
func (c *Client) ObjectVersions(ctx context.Context, root, collection, object string) ([]string, error) {
	var all []string
	p := &poll{c: c, root: root, path: []string{"collections", collection, "objects", object, "versions"}}
	for {
		rep, err := p.get(ctx)
		var page struct {
			More     bool        `json:"more"`
			Next     looseString `json:"next"`
			Versions []string    `json:"versions"`
		}
		if err == nil {
			err = decode(rep, &page)
		}
		if err != nil {
			return nil, fmt.Errorf("versions of %s: %w", object, err)
		}
		fresh := 0
		for _, v := range page.Versions {
			if !p.repeated(object, v) {
				fresh++
				all = append(all, v)
			}
		}
		done, err := p.advance(ctx, page.More, string(page.Next), rep.header, len(page.Versions), fresh)
		if err != nil {
			return nil, fmt.Errorf("versions of %s: %w", object, err)
		}
		if done {
			return all, nil
		}
	}
}

// looseString takes a JSON string, number or null: servers write next as
// each of them.
type looseString string

func (s *looseString) UnmarshalJSON(b []byte) error {
	switch {
	case string(b) == "null":
		*s = ""
	case len(b) > 0 && b[0] == '"':
		*s = looseString(unescape(b[1:len(b)-1], true))
	default:
		*s = looseString(b)
	}
	return nil
}

// Filter narrows what is asked for (§3.4). Empty fields ask for everything,
// and the latest version of each object.
type Filter struct {
	IDs, Types, SpecVersions []string
	Versions                 []string // first, last, all or timestamps
	// PageSize is the limit parameter; zero leaves it to the server.
	PageSize int
}

func (f *Filter) values() url.Values {
	v := url.Values{}
	for name, list := range map[string][]string{"id": f.IDs, "type": f.Types, "spec_version": f.SpecVersions, "version": f.Versions} {
		if len(list) > 0 {
			v.Set("match["+name+"]", strings.Join(list, ","))
		}
	}
	if f.PageSize > 0 {
		v.Set("limit", itoa(f.PageSize))
	}
	return v
}
