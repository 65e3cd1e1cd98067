package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Message is up to MaxEvents events of one source.
type Message struct {
	Partition int
	Seq       uint64
	Source    string
	Received  time.Time
	Count     int
	events    []byte
	buffer    []byte
}

// Buffer is what the message was unpacked into, to be used again once the message is done with.
func (m Message) Buffer() []byte { return m.buffer }

// Events gives each event's place in the message and its bytes, borrowed.
func (m Message) Events() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		rest := m.events
		for i := range m.Count {
			n, w := binary.Uvarint(rest)
			if w <= 0 || n > uint64(len(rest)-w) {
				return // unpack has checked
			}
			if !yield(i, rest[w:w+int(n)]) {
				return
			}
			rest = rest[w+int(n):]
		}
	}
}

var (
	encoder, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2))
	decoder, _ = zstd.NewReader(nil, zstd.WithDecoderMaxMemory(MaxPlain), zstd.WithDecoderConcurrency(2))
)

const format = 1

// pack makes one message of as many lines as fit, and says how many.
func pack(source string, received time.Time, lines [][]byte) ([]byte, int, error) {
	size, n := 0, 0
	for n < len(lines) && n < MaxEvents && (n == 0 || size+len(lines[n]) <= wantPlain) {
		size += len(lines[n]) + binary.MaxVarintLen64
		n++
	}
	plain := make([]byte, 0, size+len(source)+32)
	plain = append(plain, format)
	plain = binary.AppendUvarint(plain, uint64(len(source)))
	plain = append(plain, source...)
	plain = binary.AppendUvarint(plain, uint64(received.UnixNano()))
	plain = binary.AppendUvarint(plain, uint64(n))
	for _, l := range lines[:n] {
		plain = binary.AppendUvarint(plain, uint64(len(l)))
		plain = append(plain, l...)
	}
	if len(plain) > MaxPlain {
		return nil, 0, fmt.Errorf("an event of %d bytes is more than a message holds", len(lines[0]))
	}
	packed := encoder.EncodeAll(plain, nil)
	if len(packed) > MaxPacked {
		return nil, 0, fmt.Errorf("%d events make a message of %d bytes, more than %d", n, len(packed), MaxPacked)
	}
	return packed, n, nil
}

// unpack reads a message into buf, which grows as needed.
func unpack(packed, buf []byte) (Message, []byte, error) {
	plain, err := decoder.DecodeAll(packed, buf[:0])
	if err != nil {
		return Message{}, buf, fmt.Errorf("unpacking: %w", err)
	}
	var m Message
	rest := plain
	if len(rest) == 0 || rest[0] != format {
		return m, plain, errors.New("unpacking: not a format that this program knows")
	}
	rest = rest[1:]
	number := func() (uint64, bool) {
		n, w := binary.Uvarint(rest)
		if w <= 0 {
			return 0, false
		}
		rest = rest[w:]
		return n, true
	}
	n, ok := number()
	if !ok || n > uint64(len(rest)) {
		return m, plain, errors.New("unpacking: the source is cut short")
	}
	m.Source, rest = string(rest[:n]), rest[n:]
	at, ok := number()
	count, ok2 := number()
	if !ok || !ok2 || count > MaxEvents {
		return m, plain, errors.New("unpacking: the header is damaged")
	}
	m.Received, m.Count, m.events = time.Unix(0, int64(at)).UTC(), int(count), rest
	for i := range count {
		n, ok := number()
		if !ok || n > uint64(len(rest)) {
			return m, plain, fmt.Errorf("unpacking: event %d is cut short", i)
		}
		rest = rest[n:]
	}
	if len(rest) != 0 {
		return m, plain, fmt.Errorf("unpacking: %d bytes after the last event", len(rest))
	}
	return m, plain, nil
}
