package stix

import (
	"bufio"
	"errors"
	"io"
)

// BundleWriter streams objects into a bundle, each with its exact bytes.
type BundleWriter struct {
	w     *bufio.Writer
	n     int
	begun bool
	done  bool
	id    ID
}

// NewBundleWriter writes to w a bundle with that id; "" makes a random one.
func NewBundleWriter(w io.Writer, id ID) *BundleWriter {
	if id == "" {
		id = NewID("bundle")
	}
	return &BundleWriter{w: bufio.NewWriterSize(w, 64<<10), id: id}
}

// ErrClosed is returned by a write to a closed bundle.
var ErrClosed = errors.New("bundle is closed")

func (b *BundleWriter) begin() {
	if !b.begun {
		b.begun = true
		b.w.WriteString(`{"type":"bundle","id":"` + string(b.id) + `"`)
	}
}

// Write adds an object by its bytes, which must be one JSON object.
func (b *BundleWriter) Write(raw []byte) error {
	if b.done {
		return ErrClosed
	}
	b.begin()
	if b.n == 0 {
		b.w.WriteString(`,"objects":[`)
	} else {
		b.w.WriteByte(',')
	}
	b.n++
	_, err := b.w.Write(raw)
	return err
}

// Len is the number of objects written.
func (b *BundleWriter) Len() int { return b.n }

// Close ends the bundle and flushes it; it does not close the writer beneath.
// A bundle without objects has no objects property, since STIX has no empty
// lists.
func (b *BundleWriter) Close() error {
	if b.done {
		return nil
	}
	b.done = true
	b.begin()
	if b.n > 0 {
		b.w.WriteByte(']')
	}
	b.w.WriteString("}\n")
	return b.w.Flush()
}

// WriteBundle writes the objects as one bundle with a random id.
func WriteBundle(w io.Writer, objects ...*Object) error {
	b := NewBundleWriter(w, "")
	for _, o := range objects {
		if err := b.Write(o.Raw); err != nil {
			return err
		}
	}
	return b.Close()
}
