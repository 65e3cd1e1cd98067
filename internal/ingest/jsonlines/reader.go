package jsonlines

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync/atomic"
)

// FileLimits bound what a file may hold. The zero value stands for the defaults; memory stays within about one line and
// the windows of the decompressors, however large the file.
type FileLimits struct {
	// Line bounds each line, or each element of an array.
	Line Limits
	// MaxMember is the most uncompressed bytes of a member; 64 GiB where 0.
	MaxMember int64
	// MaxRatio is how many times larger than its compressed bytes a member, and all members together, may grow; 400
	// where 0 (recorded events reach about 60). 256 KiB of compressed bytes are given, 1 MiB for all together, since readers
	// look ahead.
	MaxRatio int64
	// MaxMembers is how many members an archive may have; 65,536 where 0.
	MaxMembers int
	// MaxHeld is the most bytes of a zip archive that comes as a stream, which is held in memory since its directory
	// stands at its end; 256 MiB where 0.
	MaxHeld int64
}

// ratioSlack is what a reader may have read ahead of the member that it is at, in compressed bytes.
const ratioSlack = 256 << 10

// wholeSlack is the same for all members together; it is larger, so that one member that grows too far leaves room for
// the next ones.
const wholeSlack = 4 * ratioSlack

func (l FileLimits) orDefault() FileLimits {
	l.Line = l.Line.orDefault()
	if l.MaxMember == 0 {
		l.MaxMember = 64 << 30
	}
	if l.MaxRatio == 0 {
		l.MaxRatio = 400
	}
	if l.MaxMembers == 0 {
		l.MaxMembers = 65536
	}
	if l.MaxHeld == 0 {
		l.MaxHeld = 256 << 20
	}
	return l
}

// Line is one line of JSON, or what is wrong with it.
type Line struct {
	// File is the name given to the reader.
	File string
	// Member is the name within an archive, as the archive has it; empty where the file is no archive.
	Member string
	// Number counts the lines of the member from 1, blank ones too, or the elements of an array; 0 where Problem is the
	// member's rather than a line's.
	Number int64
	// Offset is the place of the line's first byte, in bytes from the start of the uncompressed member.
	Offset int64
	// Bytes is the line without its end. It is borrowed: it holds until the next call of Next. It is empty for a line
	// that is too long.
	Bytes []byte
	// Problem says why the line, or the rest of the member, is refused; nil for a good line.
	Problem *Problem
}

// Where names the line's place: file, member and number, as far as there are any.
func (l Line) Where() string {
	s := printable(l.File)
	if l.Member != "" {
		s += "!" + printable(l.Member)
	}
	if l.Number > 0 {
		s += ":" + strconv.FormatInt(l.Number, 10)
	}
	return s
}

// Err is the problem with its place, nil for a good line; errors.As finds the *Problem in it.
func (l Line) Err() error {
	if l.Problem == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", l.Where(), l.Problem)
}

// printable quotes a name that would disturb a terminal.
func printable(name string) string {
	for _, r := range name {
		if !strconv.IsPrint(r) {
			return strconv.Quote(name)
		}
	}
	return name
}

// Reader reads the lines of one file. One goroutine uses it; Progress may be called from any.
type Reader struct {
	name   string
	lim    FileLimits
	total  int64 // compressed bytes of the file, -1 where unknown
	read   atomic.Int64
	out    int64 // uncompressed bytes of all members
	isZip  bool
	src    source
	closer io.Closer
	cur    member
	inside bool // cur is being read
	split  splitter
	err    error // what Next returns from now on
}

// source gives the members of a file, one after the other, and io.EOF after the last. Any other error ends the reading.
type source interface {
	next() (member, error)
	// leave is called when the reading of the last member given has ended, early or not.
	leave() error
}

// member is one file within a file, or the file itself.
type member struct {
	name    string
	r       io.Reader
	problem *Problem // it can't be read, but the next one can
}

// Open opens a file of JSON lines: plain or compressed (gzip, zstd), in an archive (zip, tar, a compressed tar), or as
// arrays of objects, each recognised by its content whatever the file is called.
func Open(path string, lim FileLimits) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	size := int64(-1)
	if st, err := f.Stat(); err == nil && st.Mode().IsRegular() {
		size = st.Size()
	}
	r, err := NewReader(path, f, size, lim)
	if err != nil {
		f.Close()
		return nil, err
	}
	r.closer = f
	return r, nil
}

// NewReader reads what Open reads from r, which stands at its start; name is for the lines' places. size is in bytes, -1
// where unknown. A zip archive is read in place where r is an io.ReaderAt of known size, else held in memory.
func NewReader(name string, r io.Reader, size int64, lim FileLimits) (*Reader, error) {
	if size < 0 {
		size = -1
	}
	rd := &Reader{name: name, lim: lim.orDefault(), total: size}
	rd.split.lim = rd.lim.Line
	if err := rd.recognise(r); err != nil {
		return nil, fmt.Errorf("%s: %w", printable(name), err)
	}
	return rd, nil
}

// Next is the next line. The error is io.EOF at the end, any other where the rest of the file can't be read; both stay.
// A line or a member that is refused is no error: it comes as a Line with Problem set, and the reading goes on.
func (r *Reader) Next() (Line, error) {
	for r.err == nil {
		if !r.inside {
			r.enter()
			if r.cur.problem != nil && r.err == nil {
				return Line{File: r.name, Member: r.cur.name, Problem: r.cur.problem}, nil
			}
			continue
		}
		if r.split.next() {
			l := Line{r.name, r.cur.name, r.split.number, r.split.at, r.split.line, r.split.problem}
			if l.Problem == nil {
				l.Problem = Check(l.Bytes, r.lim.Line)
			}
			return l, nil
		}
		r.inside = false
		if err := r.src.leave(); err != nil {
			r.err = fmt.Errorf("%s: %w", printable(r.name), err)
		}
		switch err := r.split.err; {
		case err == io.EOF:
		case errors.Is(err, errWhole):
			r.err = fmt.Errorf("%s: %w", Line{File: r.name, Member: r.cur.name}.Where(), err)
		default:
			return Line{File: r.name, Member: r.cur.name, Offset: r.split.off, Problem: &Problem{r.split.off, err.Error()}}, nil
		}
	}
	return Line{}, r.err
}

// enter goes on to the next member.
func (r *Reader) enter() {
	m, err := r.src.next()
	r.cur = m
	switch {
	case err == io.EOF:
		r.err = io.EOF
		if r.total > 0 {
			r.read.Store(r.total)
		}
	case err != nil:
		r.err = fmt.Errorf("%s: %w", printable(r.name), err)
	case m.problem == nil:
		if skip, problem := r.split.start(&bounded{r: m.r, rd: r, from: r.read.Load()}); problem != nil {
			r.cur.problem = problem
			if err := r.src.leave(); err != nil {
				r.err = fmt.Errorf("%s: %w", printable(r.name), err)
			}
		} else if skip {
			if err := r.src.leave(); err != nil {
				r.err = fmt.Errorf("%s: %w", printable(r.name), err)
			}
		} else {
			r.inside = true
		}
	}
}

// Progress says how many bytes of the file as it is stored have been read, and how many there are, -1 where that is
// unknown.
func (r *Reader) Progress() (read, total int64) {
	read = r.read.Load()
	if r.total >= 0 {
		read = min(read, r.total)
	}
	return read, r.total
}

// Close lets go of the file that Open opened and of the decompressors. What NewReader was given stays open.
func (r *Reader) Close() error {
	if r.inside {
		r.inside = false
		_ = r.src.leave()
	}
	if c, ok := r.src.(io.Closer); ok {
		_ = c.Close()
	}
	if r.err == nil {
		r.err = fmt.Errorf("%s: %w", printable(r.name), os.ErrClosed)
	}
	if r.closer == nil {
		return nil
	}
	c := r.closer
	r.closer = nil
	return c.Close()
}

// errWhole is the limit that ends the file, not the member alone.
var errWhole = errors.New("the file's members together grow beyond what their compressed bytes allow")

// bounded holds a member to its limits.
type bounded struct {
	r    io.Reader
	rd   *Reader
	n    int64 // uncompressed bytes so far
	from int64 // the compressed bytes read when the member began
}

func (b *bounded) Read(p []byte) (int, error) {
	rd := b.rd
	if b.n > rd.lim.MaxMember {
		return 0, fmt.Errorf("the member has more than %d bytes", rd.lim.MaxMember)
	}
	if int64(len(p)) > rd.lim.MaxMember+1-b.n {
		p = p[:rd.lim.MaxMember+1-b.n] // one more tells a member that is just as long from a longer one
	}
	n, err := b.r.Read(p)
	b.n += int64(n)
	rd.out += int64(n)
	if b.n > rd.lim.MaxMember {
		n-- // what is beyond the limit isn't given
		return n, fmt.Errorf("the member has more than %d bytes", rd.lim.MaxMember)
	}
	if in := rd.read.Load() - b.from; b.n/rd.lim.MaxRatio > in+ratioSlack {
		return n, fmt.Errorf("the member grew to %d bytes from %d, more than %d times", b.n, in, rd.lim.MaxRatio)
	}
	if err := rd.whole(); err != nil {
		return n, err
	}
	return n, err
}

// whole holds all members together to the ratio: members of a zip archive may share the same compressed bytes.
func (r *Reader) whole() error {
	in := r.read.Load()
	if r.isZip {
		in = r.total
	}
	if r.out/r.lim.MaxRatio > in+wholeSlack {
		return fmt.Errorf("%w: %d from %d, more than %d times", errWhole, r.out, in, r.lim.MaxRatio)
	}
	return nil
}
