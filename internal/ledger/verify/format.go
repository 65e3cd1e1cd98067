package verify

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"vigil/internal/ledger/checkpoint"
	"vigil/internal/ledger/leaf"
	"vigil/internal/ledger/policy"
)

// An export is one stream of text lines, so that it can be piped, split and read without this program:
//
//	vigil/export/1
//	break <origin> <size> <root>                  only if the log takes another's place
//	policy <index> <base64 note>                  every policy, with the entry from which it is in force
//	history <base64 note>                         older witnessed checkpoints, by size
//	checkpoint <base64 note>                      the state that is exported
//	hashes <first index> <base64>                 the leaf hashes from the log's tiles, up to 256 a line: they say which entry was touched
//	leaf <index> <base64>                         every entry
//	opened <index> <field> <salt> <base64>        contents that the reader may see, after their entry
//	end <number of entries>
const (
	exportHeader = "vigil/export/1"
	maxOpened    = 1 << 20               // bytes of an opened content
	maxLine      = maxOpened/3*4 + 8<<10 // bytes of a line
	maxPolicies  = 256                   // policies in an export
	maxEntries   = 1 << 28               // entries in an export; 32 bytes of memory each
	hashesPer    = 256                   // leaf hashes a line
	maxBreak     = 255 + 1 + 20 + 1 + 64 // bytes of a break's text
	maxNote      = checkpoint.MaxSize    // bytes of a checkpoint
	maxPolicy    = policy.MaxSize        // bytes of a policy
	maxLeaf      = leaf.MaxSize          // bytes of an entry
	maxHashes    = hashesPer * 32        // bytes of a line of hashes
	errTooLong   = "longer than the format allows"
	base64Wrong  = "not the one base64 encoding"
	numberWrong  = "not a plain decimal number"
	wordsWrong   = "wrong number of words"
	unknownWords = "unknown word"
)

// Writer writes an export. The order of the calls is the order of the format; the first error sticks and is returned by End.
type Writer struct {
	w   *bufio.Writer
	err error
	n   uint64
}

// NewWriter begins an export.
func NewWriter(w io.Writer) *Writer {
	e := &Writer{w: bufio.NewWriterSize(w, 64<<10)}
	e.line(exportHeader)
	return e
}

func (e *Writer) line(format string, a ...any) {
	if e.err == nil {
		_, e.err = fmt.Fprintf(e.w, format+"\n", a...)
	}
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// Break writes that the log takes another's place.
func (e *Writer) Break(b *Break) { e.line("break %s", b.Text()) }

// Policy writes a policy and the index of the entry from which it is in force.
func (e *Writer) Policy(from uint64, raw []byte) { e.line("policy %d %s", from, b64(raw)) }

// History writes an older witnessed checkpoint.
func (e *Writer) History(raw []byte) { e.line("history %s", b64(raw)) }

// Checkpoint writes the checkpoint whose tree is exported.
func (e *Writer) Checkpoint(raw []byte) { e.line("checkpoint %s", b64(raw)) }

// Hashes writes leaf hashes from the log's tiles, in order, up to 256 a call.
func (e *Writer) Hashes(first uint64, hashes [][]byte) {
	all := make([]byte, 0, maxHashes)
	for _, h := range hashes {
		all = append(all, h...)
	}
	e.line("hashes %d %s", first, b64(all))
}

// Leaf writes the next entry.
func (e *Writer) Leaf(idx uint64, b []byte) {
	e.n++
	e.line("leaf %d %s", idx, b64(b))
}

// Opening is a content that a reader may see: the field, its own salt, and its bytes.
type Opening struct {
	Name  string
	Salt  [32]byte // FieldSalt of the record and Name, never the record's own bytes
	Value []byte   // at most 1 MiB
}

// Opened writes a content of the entry just written.
func (e *Writer) Opened(idx uint64, o Opening) {
	if len(o.Value) > maxOpened && e.err == nil {
		e.err = fmt.Errorf("content %q of entry %d has %d bytes, more than %d", o.Name, idx, len(o.Value), maxOpened)
	}
	e.line("opened %d %s %x %s", idx, o.Name, o.Salt, b64(o.Value))
}

// End finishes the export.
func (e *Writer) End() error {
	e.line("end %d", e.n)
	if e.err != nil {
		return fmt.Errorf("write export: %w", e.err)
	}
	if err := e.w.Flush(); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	return nil
}

// record is one line of an export, decoded.
type record struct {
	word string
	idx  uint64 // policy, hashes, leaf, opened, end
	data []byte // whatever is base64
	brk  *Break
	open Opening
}

// parseLine decodes a line strictly: every line has one encoding.
func parseLine(s string) (record, error) {
	word, rest, _ := strings.Cut(s, " ")
	r := record{word: word}
	var err error
	switch word {
	case "break":
		if len(rest) > maxBreak {
			return r, errors.New(errTooLong)
		}
		r.brk, err = ParseBreak(rest)
	case "history", "checkpoint":
		r.data, err = unb64(rest, maxNote)
	case "policy", "hashes", "leaf":
		num, text, ok := strings.Cut(rest, " ")
		if r.idx, err = number(num); err != nil {
			return r, err
		}
		if !ok {
			return r, errors.New(wordsWrong)
		}
		r.data, err = unb64(text, map[string]int{"policy": maxPolicy, "hashes": maxHashes, "leaf": maxLeaf}[word])
	case "opened":
		f := strings.Split(rest, " ")
		if len(f) != 4 {
			return r, errors.New(wordsWrong)
		}
		r.open.Name = f[1]
		if r.idx, err = number(f[0]); err == nil {
			err = unhex(r.open.Salt[:], f[2])
		}
		if err == nil {
			r.open.Value, err = unb64(f[3], maxOpened)
		}
	case "end":
		r.idx, err = number(rest)
	default:
		err = errors.New(unknownWords)
	}
	return r, err
}

func number(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return 0, errors.New(numberWrong)
	}
	return n, nil
}

func unb64(s string, limit int) ([]byte, error) {
	if base64.StdEncoding.DecodedLen(len(s)) > limit+2 {
		return nil, errors.New(errTooLong)
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) > limit || strings.ContainsAny(s, "\r\n") {
		return nil, errors.New(base64Wrong)
	}
	return b, nil
}

func hexShort(h [32]byte) string { return hex.EncodeToString(h[:8]) }
