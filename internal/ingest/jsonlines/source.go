package jsonlines

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxLayers is how often a member may be compressed over.
	maxLayers = 2
	// maxWindow is the most memory a zstd stream may ask for, in bytes; it is what the zstd program allows too.
	maxWindow = 128 << 20
	readAhead = 64 << 10
)

// The first bytes by which a content is recognised: RFC 1952 §2.3.1, RFC 8878 §3.1.1 and §3.1.2, APPNOTE.TXT §4.3.7 and
// §4.3.16, and POSIX ustar, whose mark stands at byte 257.
const (
	gzipMark     = "\x1f\x8b\x08"
	zstdMark     = "\x28\xb5\x2f\xfd"
	zipMark      = "PK\x03\x04"
	emptyZipMark = "PK\x05\x06"
	tarMark      = "ustar"
	tarMarkAt    = 257
)

// recognise looks at the first bytes and sets the source.
func (r *Reader) recognise(in io.Reader) error {
	br := bufio.NewReaderSize(&counted{in, &r.read}, readAhead)
	head, err := br.Peek(4)
	if err != nil && err != io.EOF {
		return err
	}
	if string(head) == zipMark || string(head) == emptyZipMark {
		return r.zip(in, br)
	}
	p := &peeler{}
	inner, err := p.peel(br)
	if err != nil {
		p.Close()
		return err
	}
	if isTar(inner) {
		r.src = &tarSource{rd: r, tar: tar.NewReader(inner), outer: p}
		return nil
	}
	r.src = &single{rd: inner, peeler: p}
	return nil
}

// counted counts what is read of the file as it is stored.
type counted struct {
	r io.Reader
	n *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// peeler takes the compression off a stream.
type peeler struct{ closers []func() }

func (p *peeler) peel(br *bufio.Reader) (*bufio.Reader, error) {
	for layer := 0; ; layer++ {
		head, err := br.Peek(4)
		if err != nil && err != io.EOF {
			if layer > 0 && len(head) > 0 { // let the lines there are be read first
				return br, nil
			}
			return nil, err
		}
		var inner io.Reader
		switch {
		case bytes.HasPrefix(head, []byte(gzipMark)):
			z, err := gzip.NewReader(br)
			if err != nil {
				return nil, fmt.Errorf("gzip: %w", err)
			}
			inner = z
		case string(head) == zstdMark || skippable(head):
			z, err := zstd.NewReader(br, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
			if err != nil {
				return nil, fmt.Errorf("zstd: %w", err)
			}
			p.closers = append(p.closers, z.Close)
			inner = z
		default:
			return br, nil
		}
		if layer == maxLayers {
			return nil, fmt.Errorf("compressed more than %d times over", maxLayers)
		}
		br = bufio.NewReaderSize(inner, readAhead)
	}
}

// skippable says whether a zstd frame without content begins here, such as some programs put first.
func skippable(head []byte) bool {
	return len(head) == 4 && head[0]&0xf0 == 0x50 && string(head[1:]) == "\x2a\x4d\x18"
}

func (p *peeler) Close() error {
	for i := len(p.closers) - 1; i >= 0; i-- {
		p.closers[i]()
	}
	p.closers = nil
	return nil
}

func isTar(br *bufio.Reader) bool {
	head, _ := br.Peek(tarMarkAt + len(tarMark))
	return len(head) == tarMarkAt+len(tarMark) && string(head[tarMarkAt:]) == tarMark
}

// single is a file that is no archive.
type single struct {
	rd *bufio.Reader
	*peeler
}

func (s *single) next() (member, error) {
	if s.rd == nil {
		return member{}, io.EOF
	}
	m := member{r: s.rd}
	s.rd = nil
	if head, _ := m.r.(*bufio.Reader).Peek(4); string(head) == zipMark {
		m.problem = &Problem{0, "a zip archive that is compressed once more is not read"}
	}
	return m, nil
}

func (s *single) leave() error { return s.Close() }

// within opens what an archive holds under one name.
func within(name string, r io.Reader, p *peeler) member {
	br, err := p.peel(bufio.NewReaderSize(r, readAhead))
	if err != nil {
		return member{name: name, problem: &Problem{0, err.Error()}}
	}
	if head, _ := br.Peek(4); string(head) == zipMark || isTar(br) {
		return member{name: name, problem: &Problem{0, "an archive within an archive is not read"}}
	}
	return member{name: name, r: br}
}

// tarSource is a tar archive, mostly a compressed one.
type tarSource struct {
	rd    *Reader
	tar   *tar.Reader
	outer *peeler
	inner peeler
	n     int
	body  *remaining
}

// remaining knows how much of a member is still to come.
type remaining struct {
	r io.Reader
	n int64
}

func (r *remaining) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.n -= int64(n)
	return n, err
}

func (t *tarSource) next() (member, error) {
	for {
		// A member that can't be opened is passed over like one that ended early.
		if err := t.leave(); err != nil {
			return member{}, err
		}
		h, err := t.tar.Next()
		if err == io.EOF {
			return member{}, io.EOF
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) { // nothing is written, so a path does no harm
			return member{}, fmt.Errorf("tar: %w", err)
		}
		if t.n++; t.n > t.rd.lim.MaxMembers {
			return member{}, fmt.Errorf("the archive has more than %d members", t.rd.lim.MaxMembers)
		}
		if h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeGNUSparse {
			continue
		}
		t.body = &remaining{t.tar, h.Size}
		return within(h.Name, t.body, &t.inner), nil
	}
}

// leave makes sure that passing over the rest of a member, which has to be decompressed, stays within the limits.
func (t *tarSource) leave() error {
	t.inner.Close()
	if t.body == nil {
		return nil
	}
	rest := t.body.n
	t.body = nil
	if rest > t.rd.lim.MaxMember {
		return fmt.Errorf("tar: the %d bytes left of a member are more than the %d allowed; what follows is not read", rest, t.rd.lim.MaxMember)
	}
	t.rd.out += max(rest, 0)
	return nil
}

func (t *tarSource) Close() error {
	t.inner.Close()
	return t.outer.Close()
}

// zipSource is a zip archive.
type zipSource struct {
	rd    *Reader
	files []*zip.File
	body  io.ReadCloser
	inner peeler
	end   int64 // what Progress should be once the member is done
}

// zip opens an archive, in place where in allows it.
func (r *Reader) zip(in io.Reader, br *bufio.Reader) error {
	at, ok := in.(io.ReaderAt)
	if !ok || r.total < 0 {
		held, err := io.ReadAll(io.LimitReader(br, r.lim.MaxHeld+1))
		if err != nil {
			return fmt.Errorf("zip: %w", err)
		}
		if int64(len(held)) > r.lim.MaxHeld {
			return fmt.Errorf("zip: a stream of more than %d bytes is not read; give it as a file", r.lim.MaxHeld)
		}
		at, r.total = bytes.NewReader(held), int64(len(held))
	}
	z, err := zip.NewReader(&countedAt{at, &r.read}, r.total)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // nothing is written, so a path does no harm
		return fmt.Errorf("zip: %w", err)
	}
	if len(z.File) > r.lim.MaxMembers {
		return fmt.Errorf("zip: the archive has %d members, more than %d", len(z.File), r.lim.MaxMembers)
	}
	z.RegisterDecompressor(zip.Deflate, func(in io.Reader) io.ReadCloser {
		return flate.NewReader(bufio.NewReaderSize(in, readAhead))
	})
	z.RegisterDecompressor(zstd.ZipMethodWinZip, zstd.ZipDecompressor(zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow)))
	r.read.Store(0) // the directory was read; the members are what takes time
	r.isZip = true
	r.src = &zipSource{rd: r, files: z.File}
	return nil
}

type countedAt struct {
	r io.ReaderAt
	n *atomic.Int64
}

func (c *countedAt) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.r.ReadAt(p, off)
	c.n.Add(int64(n))
	return n, err
}

func (z *zipSource) next() (member, error) {
	for {
		if err := z.leave(); err != nil {
			return member{}, err
		}
		if len(z.files) == 0 {
			return member{}, io.EOF
		}
		f := z.files[0]
		z.files = z.files[1:]
		if f.Mode().IsDir() {
			continue
		}
		z.end = z.rd.read.Load() + int64(min(f.CompressedSize64, uint64(z.rd.total)))
		if f.Flags&1 != 0 {
			return member{name: f.Name, problem: &Problem{0, "the member is encrypted"}}, nil
		}
		body, err := f.Open()
		if err != nil {
			return member{name: f.Name, problem: &Problem{0, err.Error()}}, nil
		}
		z.body = body
		return within(f.Name, body, &z.inner), nil
	}
}

func (z *zipSource) leave() error {
	z.inner.Close()
	if z.body != nil {
		z.body.Close()
		z.body = nil
	}
	if z.end > z.rd.read.Load() {
		z.rd.read.Store(z.end)
	}
	return nil
}

func (z *zipSource) Close() error { return z.leave() }
