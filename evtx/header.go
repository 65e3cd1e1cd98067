package evtx

import "hash/crc32"

var (
	fileMagic   = []byte("ElfFile\x00")
	chunkMagic  = []byte("ElfChnk\x00")
	recordMagic = []byte("**\x00\x00")
)

// A Header is what the file's first block says. A dirty file's may be stale.
type Header struct {
	FirstChunk   uint64
	LastChunk    uint64
	NextRecordID uint64
	Major, Minor uint16 // 3.1 since Vista, 3.2 since Windows 10 2004
	Chunks       int    // number of chunks in use; wraps at 65,536
	Dirty        bool   // the file was not closed: its last writes may not be counted
	Full         bool   // the log had reached its size
	noChecksums  bool   // flag 4, seen on exported files whose chunks carry none
}

func parseHeader(b []byte) (h Header, checksumOK bool) {
	flags := le32(b[120:])
	return Header{
		FirstChunk:   le64(b[8:]),
		LastChunk:    le64(b[16:]),
		NextRecordID: le64(b[24:]),
		Minor:        le16(b[36:]),
		Major:        le16(b[38:]),
		Chunks:       int(le16(b[42:])),
		Dirty:        flags&1 != 0,
		Full:         flags&2 != 0,
		noChecksums:  flags&4 != 0,
	}, flags&4 != 0 || crc32.ChecksumIEEE(b[:120]) == le32(b[124:])
}

// chunkHeader is what the reader uses of a chunk's first 512 bytes.
type chunkHeader struct {
	firstID, lastID uint64
	free            int // offset behind the last counted record
	dataCRC         uint32
	headerOK        bool // its checksum holds, so free can be trusted
}

func parseChunkHeader(b []byte) chunkHeader {
	crc := crc32.ChecksumIEEE(b[:120])
	crc = crc32.Update(crc, crc32.IEEETable, b[128:chunkHeaderSize])
	return chunkHeader{
		firstID:  le64(b[24:]),
		lastID:   le64(b[32:]),
		free:     int(min(le32(b[48:]), chunkSize)),
		dataCRC:  le32(b[52:]),
		headerOK: crc == le32(b[124:]),
	}
}
