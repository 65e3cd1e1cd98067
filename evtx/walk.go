package evtx

import (
	"bytes"
	"fmt"
)

// frame returns the size of the record that begins at pos, or the reason why
// there is none.
func (r *Reader) frame(pos int) (size int, reason string) {
	if pos+recordOverhead > r.have {
		return 0, "the chunk ends within a record"
	}
	if !bytes.Equal(r.buf[pos:pos+4], recordMagic) {
		return 0, "no record signature"
	}
	n := le32(r.buf[pos+4:])
	switch {
	case n < recordOverhead || n > MaxRecordSize:
		return 0, fmt.Sprintf("record size %d is not within %d and %d", n, recordOverhead, MaxRecordSize)
	case pos+int(n) > r.have:
		return 0, fmt.Sprintf("record of %d bytes reaches beyond the chunk", n)
	case le32(r.buf[pos+int(n)-4:]) != n:
		return int(n), fmt.Sprintf("record size %d differs from its copy %d", n, le32(r.buf[pos+int(n)-4:]))
	}
	return int(n), ""
}

// nextRecord returns the chunk's next record, or nil after it has noted
// damage, gone over to another region, or closed the chunk.
func (r *Reader) nextRecord() *Record {
	if k := r.kept; k.size > 0 {
		r.kept = kept{}
		if r.dec.decode(k.pos+24, k.pos+k.size-4) == nil {
			return r.fill(k.pos, k.size, true)
		}
		return nil
	}
	switch r.state {
	case counted:
		return r.nextCounted()
	case following:
		return r.nextFollowing()
	default:
		return r.nextCarved()
	}
}

// nextCounted reads records that the chunk's header counts. What is not a
// record is named once and skipped up to the next one.
func (r *Reader) nextCounted() *Record {
	if r.pos >= r.chunk.free || allZero(r.buf[r.pos:r.chunk.free]) {
		r.pos = max(r.pos, min(r.chunk.free, r.have))
		r.leaveCounted()
		return nil
	}
	pos := r.pos
	size, reason := r.frame(pos)
	if reason == "" && pos+size <= r.chunk.free {
		r.pos += size
		return r.record(pos, size, r.extra && !r.header.Dirty)
	}
	if reason == "" {
		reason = "record reaches beyond the chunk's free space offset"
	}
	r.damaged(pos, size, reason)
	return nil
}

// damaged names what is wrong at pos and moves on. A record whose copy of the
// size alone is wrong, such as one whose end was never flushed, still tells
// where the next one is, and is kept if it decodes. Otherwise the search
// starts within, where somebody's text could imitate a record. Whatever comes
// behind damage is marked Suspect.
func (r *Reader) damaged(pos, size int, reason string) {
	r.suspect = true
	var id uint64
	if r.signed(pos) && pos+recordOverhead <= r.have {
		id = le64(r.buf[pos+8:])
	}
	next := pos + size
	if size == 0 || next > r.chunk.free || next < r.chunk.free && !r.signed(next) {
		next = r.search(pos+4, r.chunk.free)
	}
	if size > 0 && pos+size <= r.have && r.dec.decode(pos+24, pos+size-4) == nil {
		r.kept = kept{pos, size}
		reason += "; its content decodes"
	} else if next < r.chunk.free {
		reason = fmt.Sprintf("%s; %d bytes skipped to the next record", reason, next-pos)
	} else {
		reason = fmt.Sprintf("%s; %d bytes skipped to the end of the records", reason, r.chunk.free-pos)
	}
	r.note(DamageRecord, r.index, r.off+int64(pos), id, reason, nil)
	r.pos = min(next, r.chunk.free)
}

// kept is a record that was named as damaged and yet decodes; it follows its
// Damage.
type kept struct{ pos, size int }

func (r *Reader) signed(pos int) bool {
	return pos >= 0 && pos+4 <= r.have && bytes.Equal(r.buf[pos:pos+4], recordMagic)
}

// search returns the offset of the first well-framed record from pos on whose
// signature lies before end, or end.
func (r *Reader) search(pos, end int) int {
	for pos < end {
		i := bytes.Index(r.buf[pos:end], recordMagic)
		if i < 0 {
			break
		}
		pos += i
		if _, reason := r.frame(pos); reason == "" {
			return pos
		}
		pos++
	}
	return end
}

// leaveCounted decides what is read behind the counted records.
func (r *Reader) leaveCounted() {
	switch {
	case r.opt.Recover:
		r.state = carving
	case r.header.Dirty || !r.counts:
		r.state = following
	default:
		r.open = false
	}
}

// nextFollowing reads records behind the counted ones of a dirty file, as long
// as each continues the one before.
func (r *Reader) nextFollowing() *Record {
	size, reason := r.frame(r.pos)
	if reason != "" {
		r.open = false
		return nil
	}
	if id := le64(r.buf[r.pos+8:]); r.lastID != 0 && id != r.lastID+1 {
		r.open = false
		return nil
	}
	pos := r.pos
	r.pos += size
	return r.record(pos, size, true)
}

// nextCarved reads whatever is framed as a record and decodes. Nothing that
// fails here is reported: it is no record that the log still has.
func (r *Reader) nextCarved() *Record {
	r.pos = r.search(r.pos, r.have)
	if r.pos >= r.have || r.dec.work > MaxChunkWork {
		r.open = false
		return nil
	}
	pos := r.pos
	size, _ := r.frame(pos)
	if r.dec.decode(pos+24, pos+size-4) != nil {
		r.pos++
		return nil
	}
	r.pos += size
	return r.fill(pos, size, true)
}

// record decodes a record, or notes why that cannot be done.
func (r *Reader) record(pos, size int, recovered bool) *Record {
	if err := r.dec.decode(pos+24, pos+size-4); err != nil {
		id := le64(r.buf[pos+8:])
		r.lastID = id
		r.note(DamageRecord, r.index, r.off+int64(pos), id, err.Error(), err)
		return nil
	}
	return r.fill(pos, size, recovered)
}

func (r *Reader) fill(pos, size int, recovered bool) *Record {
	rec := &r.rec
	rec.ID = le64(r.buf[pos+8:])
	rec.Time = fileTime(le64(r.buf[pos+16:]))
	rec.Chunk, rec.Offset, rec.Size = r.index, r.off+int64(pos), size
	rec.Recovered, rec.Suspect = recovered, r.suspect
	rec.d, rec.from, rec.to = &r.dec, pos+24, pos+size-4
	r.lastID = rec.ID
	return rec
}
