package evtx

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Options say how much of a file is read. The zero value is the usual choice.
type Options struct {
	// Recover also searches where headers count no events: slack behind the
	// last record of a chunk, chunks whose signature is gone or that stand at
	// odd places, and files without a header. What is found there is marked
	// Recovered: it may be older than the log, or repeat records. Without
	// Recover, records behind a chunk's count are read if the file is dirty
	// and they go on without a gap in place and number.
	Recover bool

	// FirstChunk and EndChunk limit reading to the chunks from FirstChunk
	// up to, not including, EndChunk (0: to the end of the file), so that
	// several readers can share a file. See [Reader.NumChunks].
	FirstChunk, EndChunk int
}

// A Reader reads the events of one file. It holds one chunk (64 KiB) and what
// decoding needs; it is not for use by several goroutines at once, but
// several readers may share the io.ReaderAt.
type Reader struct {
	src    io.ReaderAt
	size   int64
	opt    Options
	header Header
	counts bool // the header's number of chunks can be relied on

	buf     []byte // one chunk; bytes that the file lacks are zero
	have    int    // bytes of buf that the file has
	open    bool   // a chunk is being read
	off     int64  // file offset of the chunk
	index   int    // its index
	nextOff int64  // file offset of the next
	end     int64  // file offset where reading stops
	chunk   chunkHeader
	suspect bool
	extra   bool // the chunk is beyond the header's count

	pos    int    // where the next record is looked for
	state  region // what part of the chunk pos is in
	lastID uint64 // of the record before, 0: none
	kept   kept

	pending []*Damage
	dec     decoder
	rec     Record
}

// region is the part of a chunk that the reader is in.
type region uint8

const (
	counted   region = iota // up to the chunk's free offset
	following               // behind it, in a dirty file, as long as records follow on
	carving                 // anywhere, by signature
)

// NewReader returns a reader of the event log of size bytes. It fails with
// [ErrFormat] for anything else, or with src's error.
func NewReader(src io.ReaderAt, size int64, opt Options) (*Reader, error) {
	r := &Reader{buf: make([]byte, chunkSize)}
	r.dec.init()
	if err := r.Reset(src, size, opt); err != nil {
		return nil, err
	}
	return r, nil
}

// Reset makes r read another file and keeps its memory. After an error r has
// no records.
func (r *Reader) Reset(src io.ReaderAt, size int64, opt Options) error {
	r.src, r.size, r.opt = src, size, opt
	r.open, r.pending, r.header, r.counts = false, r.pending[:0], Header{}, false
	r.nextOff, r.end = 0, 0
	if opt.FirstChunk < 0 || opt.EndChunk < 0 {
		return fmt.Errorf("evtx: chunk range %d to %d is negative", opt.FirstChunk, opt.EndChunk)
	}
	head := r.buf[:128]
	n, err := readAt(src, head, 0, size)
	if err != nil {
		return fmt.Errorf("evtx: reading the file header: %w", err)
	}
	switch ok := false; {
	case n == len(head) && bytes.HasPrefix(head, fileMagic):
		r.header, ok = parseHeader(head)
		r.counts = ok
		if !ok {
			r.note(DamageFile, -1, 0, 0, "wrong checksum; the number of chunks is taken from the file's size", nil)
		}
	case opt.Recover:
		r.note(DamageFile, -1, 0, 0, "no ElfFile signature; chunks are searched for", nil)
	default:
		return ErrFormat
	}
	r.nextOff = fileHeaderSize + int64(opt.FirstChunk)*chunkSize
	if opt.Recover && len(r.pending) > 0 && !r.counts && r.header == (Header{}) && opt.FirstChunk == 0 {
		r.nextOff = 0
	}
	if opt.FirstChunk > 0 {
		r.pending = r.pending[:0] // the reader of the first chunk names it
	}
	r.end = size
	if opt.EndChunk > 0 {
		r.end = min(size, fileHeaderSize+int64(opt.EndChunk)*chunkSize)
	}
	return nil
}

// Header returns what the file's header says.
func (r *Reader) Header() Header { return r.header }

// NumChunks is the number of chunks for which the file has room; the last may
// be cut short.
func (r *Reader) NumChunks() int {
	if r.size <= fileHeaderSize {
		return 0
	}
	return int((r.size - fileHeaderSize + chunkSize - 1) / chunkSize)
}

// Next returns the next record, which is valid until the next call. It
// returns a [*Damage] for each part of the file that is skipped or not to be
// trusted, after which the caller goes on calling Next, and io.EOF at the end.
// Every call advances: the number of damages is bounded by the file's size.
func (r *Reader) Next() (*Record, error) {
	for {
		if len(r.pending) > 0 {
			d := r.pending[0]
			r.pending = r.pending[:copy(r.pending, r.pending[1:])]
			return nil, d
		}
		if !r.open {
			if r.nextOff >= r.end {
				return nil, io.EOF
			}
			r.openChunk()
			continue
		}
		if rec := r.nextRecord(); rec != nil {
			return rec, nil
		}
	}
}

func (r *Reader) note(kind DamageKind, chunk int, offset int64, record uint64, reason string, err error) {
	r.pending = append(r.pending, &Damage{kind, chunk, offset, record, reason, err})
}

// noteChunk reports damage of the current chunk at an offset within.
func (r *Reader) noteChunk(kind DamageKind, at int, reason string, err error) {
	r.note(kind, r.index, r.off+int64(at), 0, reason, err)
}

// readAt fills b as far as the file reaches.
func readAt(src io.ReaderAt, b []byte, off, size int64) (int, error) {
	want := int(max(0, min(int64(len(b)), size-off)))
	n, err := src.ReadAt(b[:want], off)
	if n >= want || errors.Is(err, io.EOF) {
		err = nil
	}
	return max(0, min(n, want)), err
}

// openChunk reads the chunk at nextOff and looks at its header.
func (r *Reader) openChunk() {
	r.off = r.nextOff
	r.nextOff += chunkSize
	r.index = int((r.off - fileHeaderSize) / chunkSize)
	if r.off < fileHeaderSize {
		r.index = 0
	}
	n, err := readAt(r.src, r.buf, r.off, r.size)
	if err != nil {
		r.noteChunk(DamageChunk, 0, "cannot be read: "+err.Error(), err)
		return
	}
	clear(r.buf[n:])
	r.have = n
	r.extra = r.counts && r.header.Chunks > 0 && r.index >= r.header.Chunks && r.NumChunks() <= 0xffff
	r.suspect, r.lastID, r.kept = false, 0, kept{}
	r.dec.chunk(r.buf)
	if !bytes.HasPrefix(r.buf, chunkMagic) {
		r.openUnsigned()
		return
	}
	if n < chunkSize {
		r.noteChunk(DamageFile, n, fmt.Sprintf("the file ends %d bytes into the chunk", n), nil)
	}
	if n < chunkHeaderSize {
		return
	}
	r.chunk = parseChunkHeader(r.buf)
	r.checkChunk()
	r.open, r.state, r.pos = true, counted, chunkHeaderSize
}

// checkChunk verifies the chunk's checksums.
func (r *Reader) checkChunk() {
	h := &r.chunk
	if r.header.noChecksums || h.dataCRC == 0 && le32(r.buf[124:]) == 0 {
		if h.free = min(h.free, r.have); h.free < chunkHeaderSize {
			h.free = r.have
		}
		return
	}
	if !h.headerOK {
		r.suspect = true
		r.noteChunk(DamageChecksum, 0, "wrong checksum of the chunk header; records are followed from one to the next", nil)
		h.free = r.have
		return
	}
	if h.free < chunkHeaderSize {
		r.noteChunk(DamageChunk, 48, fmt.Sprintf("free space offset %d lies in the header", h.free), nil)
		h.free = r.have
		return
	}
	if h.free > r.have {
		h.free = r.have
		r.suspect = true // its checksum cannot be verified
		return
	}
	if crc32.ChecksumIEEE(r.buf[chunkHeaderSize:h.free]) != h.dataCRC {
		r.suspect = true
		r.noteChunk(DamageChecksum, chunkHeaderSize, "wrong checksum of the event records", nil)
	}
}

// openUnsigned deals with a block that has no chunk signature.
func (r *Reader) openUnsigned() {
	empty := allZero(r.buf)
	if empty && (r.extra || !r.counts || r.header.Dirty) {
		return // space that the log has not used yet
	}
	at := -1
	if r.opt.Recover {
		// The block is carved up to the next chunk, wherever that stands.
		at = bytes.Index(r.buf[1:r.have], chunkMagic) + 1
		if at <= 0 && r.off+int64(r.have) < r.end {
			at = r.straddling()
		}
		if at > 0 {
			r.nextOff = r.off + int64(at)
			r.have = min(r.have, at)
			clear(r.buf[r.have:])
		}
	}
	if r.off < fileHeaderSize && r.header == (Header{}) && at == fileHeaderSize {
		return // the lost file header, named already
	}
	switch {
	case empty:
		r.noteChunk(DamageChunk, 0, "the chunk is empty, though the header counts it", nil)
	case r.extra && !r.opt.Recover:
		r.noteChunk(DamageChunk, 0, "no ElfChnk signature, beyond the chunks that the header counts", nil)
	default:
		r.noteChunk(DamageChunk, 0, "no ElfChnk signature", nil)
	}
	if r.opt.Recover && !empty {
		r.chunk = chunkHeader{}
		r.suspect = true
		r.open, r.state, r.pos = true, carving, 0
	}
}

// straddling looks for a chunk signature that begins in the block's last seven
// bytes, and returns its offset or -1.
func (r *Reader) straddling() int {
	var b [14]byte
	n, err := readAt(r.src, b[:], r.off+chunkSize-7, r.size)
	if err != nil {
		return -1
	}
	if i := bytes.Index(b[:n], chunkMagic); i >= 0 {
		return chunkSize - 7 + i
	}
	return -1
}
