// Package checkpoint reads what a log and its witnesses sign: the size and root hash of the tree, as a signed note (C2SP tlog-checkpoint), with the
// witnesses' timestamped cosignatures (C2SP tlog-cosignature) as further signature lines.
//
// Parse judges the form alone. Who signed, and whether that is enough, is for package policy.
package checkpoint

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of a checkpoint that is read.
const (
	MaxSize       = 128 << 10 // bytes of a whole note; an ML-DSA-44 cosignature has 3.3 KB
	MaxSignatures = 64        // signature lines
)

// ErrMalformed says that bytes are no checkpoint. The wrapping error names the reason.
var ErrMalformed = errors.New("malformed checkpoint")

// Signature is one signature line, unverified.
type Signature struct {
	Name    string // key name
	KeyHash uint32 // key id
	Sig     []byte // what follows the key id
	Line    string // the whole line without its newline
}

// Checkpoint is a parsed signed note. Raw and Text are the bytes it was parsed from.
type Checkpoint struct {
	Origin     string
	Size       uint64
	Root       [32]byte
	Text       string // the signed body, with its final newline
	Signatures []Signature
	Raw        []byte
}

// Parse reads a checkpoint strictly: no extension lines (we make none, and nobody could audit them), canonical size and base64, at least one signature.
func Parse(raw []byte) (*Checkpoint, error) {
	bad := func(format string, a ...any) (*Checkpoint, error) {
		return nil, fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, a...))
	}
	if len(raw) > MaxSize {
		return bad("%d bytes, more than %d", len(raw), MaxSize)
	}
	if !utf8.Valid(raw) {
		return bad("not UTF-8")
	}
	i := bytes.Index(raw, []byte("\n\n"))
	if i < 0 {
		return bad("no empty line before the signatures")
	}
	text, sigs := string(raw[:i+1]), string(raw[i+2:])
	lines := strings.Split(text, "\n")
	if len(lines) != 4 {
		return bad("body has %d lines, 3 wanted", len(lines)-1)
	}
	c := &Checkpoint{Origin: lines[0], Text: text, Raw: bytes.Clone(raw)}
	if !ValidName(c.Origin) {
		return bad("origin %q is empty or holds a space or plus", c.Origin)
	}
	var err error
	if c.Size, err = strconv.ParseUint(lines[1], 10, 63); err != nil || strconv.FormatUint(c.Size, 10) != lines[1] {
		return bad("size %q is no plain decimal below 2^63", lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != 32 {
		return bad("root is not the base64 of 32 bytes")
	}
	c.Root = [32]byte(root)
	if c.Signatures, err = ParseSignatures(sigs); err != nil {
		return nil, err
	}
	if len(c.Signatures) == 0 {
		return bad("no signature")
	}
	return c, nil
}

// ParseSignatures reads signature lines, each ended by a newline.
func ParseSignatures(s string) ([]Signature, error) {
	if s == "" {
		return nil, nil
	}
	s, ok := strings.CutSuffix(s, "\n")
	if !ok {
		return nil, fmt.Errorf("%w: last signature line has no newline", ErrMalformed)
	}
	lines := strings.Split(s, "\n")
	if len(lines) > MaxSignatures {
		return nil, fmt.Errorf("%w: %d signatures, more than %d", ErrMalformed, len(lines), MaxSignatures)
	}
	out := make([]Signature, 0, len(lines))
	for i, line := range lines {
		rest, ok := strings.CutPrefix(line, "— ")
		name, b64, ok2 := strings.Cut(rest, " ")
		sig, err := base64.StdEncoding.Strict().DecodeString(b64)
		if !ok || !ok2 || !ValidName(name) || err != nil || len(sig) < 5 {
			return nil, fmt.Errorf("%w: signature line %d", ErrMalformed, i+1)
		}
		out = append(out, Signature{name, binary.BigEndian.Uint32(sig), sig[4:], line})
	}
	return out, nil
}

// ValidName says whether s can be a key name or an origin (C2SP signed-note): not empty, no Unicode space, no plus.
func ValidName(s string) bool {
	return s != "" && len(s) <= 255 && utf8.ValidString(s) && !strings.Contains(s, "+") &&
		strings.IndexFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) < 0
}

// CosignatureTime reads the time out of a cosignature's bytes. It means nothing before the signature was verified.
func CosignatureTime(sig []byte) (time.Time, error) {
	if len(sig) < 8+64 {
		return time.Time{}, fmt.Errorf("%w: cosignature of %d bytes", ErrMalformed, len(sig))
	}
	t := binary.BigEndian.Uint64(sig)
	if t == 0 || t > 253402300799 { // the end of the year 9999
		return time.Time{}, fmt.Errorf("%w: cosignature time %d", ErrMalformed, t)
	}
	return time.Unix(int64(t), 0).UTC(), nil
}

// WithSignatures returns the note with further signature lines; a line that is there already is not repeated.
func (c *Checkpoint) WithSignatures(more ...Signature) []byte {
	out := bytes.Clone(c.Raw)
	have := map[string]bool{}
	for _, s := range c.Signatures {
		have[s.Line] = true
	}
	for _, s := range more {
		if !have[s.Line] {
			have[s.Line] = true
			out = append(out, s.Line...)
			out = append(out, '\n')
		}
	}
	return out
}
