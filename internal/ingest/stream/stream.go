// Package stream is the durable log that lies between those who send events and those who match them: JetStream inside
// the process, synced at every write, read by offset and never acknowledged by a reader.
//
// A message holds up to a hundred or so events of one source, packed with zstd: one fsync then pays for all of them. An
// event is identified by its source, its message's sequence in the partition and its place in it.
package stream

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Limits of a message. They hold for writing and reading.
const (
	MaxEvents  = 128       // events in a message
	MaxPacked  = 2 << 20   // bytes of a packed message
	MaxPlain   = 4 << 20   // bytes of an unpacked message
	wantPlain  = 192 << 10 // bytes after which a message is full
	dedupe     = 2 * time.Hour
	partitions = 2
)

var (
	// ErrFull means that the stream holds all it may and nothing was taken: send again later.
	ErrFull = errors.New("the event stream is full")
	// ErrOtherStream means that a cursor belongs to another stream, or lies beyond its end: it was wiped or restored.
	ErrOtherStream = errors.New("the event stream is not the one that the cursor knows")
)

// Config configures a stream.
type Config struct {
	// Dir holds the stream's files.
	Dir string
	// Retention is how long events are kept for replay; 72 h where 0.
	Retention time.Duration
	// MaxBytes bounds each partition on disk; 4 GiB where 0. A full partition refuses, it never drops what is unread.
	MaxBytes int64
	// NoSync leaves syncing to the operating system. It is for benchmarks alone: what was acknowledged may be lost.
	NoSync bool
}

// Stream is an open event stream. It is safe for use by many goroutines.
type Stream struct {
	srv   *server.Server
	conn  *nats.Conn
	js    jetstream.JetStream
	parts []jetstream.Stream
	ids   []string
}

// Open starts the embedded server, which listens on no port, and opens or makes the partitions.
func Open(ctx context.Context, c Config) (_ *Stream, err error) {
	if c.Retention == 0 {
		c.Retention = 72 * time.Hour
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 4 << 30
	}
	srv, err := server.NewServer(&server.Options{
		ServerName: "vigil", DontListen: true, JetStream: true, StoreDir: filepath.Clean(c.Dir), SyncAlways: !c.NoSync,
		MaxPayload: MaxPacked + 4096, NoSigs: true, NoLog: true, JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 1 << 50,
	})
	if err != nil {
		return nil, fmt.Errorf("starting the event stream: %w", err)
	}
	s := &Stream{srv: srv}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	go srv.Start()
	if !srv.ReadyForConnections(30 * time.Second) {
		return nil, errors.New("starting the event stream: it is not ready after 30 s")
	}
	if s.conn, err = nats.Connect("", nats.InProcessServer(srv), nats.MaxReconnects(-1)); err != nil {
		return nil, fmt.Errorf("connecting to the event stream: %w", err)
	}
	if s.js, err = jetstream.New(s.conn, jetstream.WithPublishAsyncMaxPending(256)); err != nil {
		return nil, err
	}
	for p := range partitions {
		name := "EVENTS_" + strconv.Itoa(p)
		st, err := s.js.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			var id [16]byte
			if _, err := rand.Read(id[:]); err != nil {
				return nil, err
			}
			st, err = s.js.CreateStream(ctx, jetstream.StreamConfig{
				Name: name, Subjects: []string{subject(p)}, Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy,
				Discard: jetstream.DiscardNew, MaxAge: c.Retention, MaxBytes: c.MaxBytes, Duplicates: min(dedupe, c.Retention),
				AllowDirect: true, Metadata: map[string]string{"vigil-stream": hex.EncodeToString(id[:])},
			})
			if err != nil {
				return nil, fmt.Errorf("making partition %d: %w", p, err)
			}
		} else if err != nil {
			return nil, fmt.Errorf("opening partition %d: %w", p, err)
		}
		info, err := st.Info(ctx)
		if err != nil {
			return nil, err
		}
		s.parts = append(s.parts, st)
		s.ids = append(s.ids, info.Config.Metadata["vigil-stream"])
	}
	return s, nil
}

func subject(p int) string { return "events." + strconv.Itoa(p) }

// Close stops the embedded server. What was acknowledged is on disk.
func (s *Stream) Close() {
	if s.conn != nil {
		s.conn.Close()
	}
	if s.srv != nil {
		s.srv.Shutdown()
		s.srv.WaitForShutdown()
	}
}

// Partitions is how many logs there are; each source's events stay in one.
func (s *Stream) Partitions() int { return len(s.parts) }

// ID identifies a partition's log for as long as its files live.
func (s *Stream) ID(partition int) string { return s.ids[partition] }

// Partition is where a source's events go.
func (s *Stream) Partition(source string) int {
	h := fnv.New32a()
	h.Write([]byte(source))
	return int(h.Sum32() % uint32(len(s.parts)))
}

// Bounds gives the first and last sequence that a partition holds; last is first-1 where it is empty.
func (s *Stream) Bounds(ctx context.Context, partition int) (first, last uint64, err error) {
	info, err := s.parts[partition].Info(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("partition %d: %w", partition, err)
	}
	return info.State.FirstSeq, info.State.LastSeq, nil
}

// Check says whether a cursor fits a partition: the same stream, and not beyond its end. A cursor that has read nothing
// fits any.
func (s *Stream) Check(ctx context.Context, partition int, stream string, pos int64) error {
	if stream == "" && pos == 0 {
		return nil
	}
	_, last, err := s.Bounds(ctx, partition)
	if err != nil {
		return err
	}
	if stream != s.ids[partition] {
		return fmt.Errorf("%w: partition %d is %.8s…, the cursor is for %.8s…", ErrOtherStream, partition, s.ids[partition], stream)
	}
	if uint64(pos) > last {
		return fmt.Errorf("%w: partition %d ends at %d, the cursor stands at %d", ErrOtherStream, partition, last, pos)
	}
	return nil
}

// Publish appends the events of one source, in order, and returns once all of them are durable. With a batch id a
// repeated call with the same events appends nothing: the id holds for two hours. repeated says that all were there.
func (s *Stream) Publish(ctx context.Context, source, batch string, received time.Time, lines [][]byte) (repeated bool, err error) {
	p := s.Partition(source)
	var acks []jetstream.PubAckFuture
	for n, rest := 0, lines; len(rest) > 0; n++ {
		var packed []byte
		var took int
		packed, took, err = pack(source, received, rest)
		if err != nil {
			return false, err
		}
		msg := &nats.Msg{Subject: subject(p), Data: packed}
		var opts []jetstream.PublishOpt
		if batch != "" {
			// The bytes are part of the id: a batch id used again for other events must lose none of them.
			sum := sha256.Sum256(bytes.Join(rest[:took], []byte{'\n'}))
			opts = append(opts, jetstream.WithMsgID(source+"\x1f"+batch+"\x1f"+strconv.Itoa(n)+"\x1f"+hex.EncodeToString(sum[:12])))
		}
		ack, err := s.js.PublishMsgAsync(msg, opts...)
		if err != nil {
			return false, fmt.Errorf("publishing events: %w", err)
		}
		acks = append(acks, ack)
		rest = rest[took:]
	}
	repeated = len(acks) > 0
	for _, a := range acks {
		select {
		case ok := <-a.Ok():
			repeated = repeated && ok.Duplicate
		case err := <-a.Err():
			var api *jetstream.APIError
			if errors.As(err, &api) && (api.ErrorCode == 10077 || api.ErrorCode == 10047) {
				return false, fmt.Errorf("%w: %s", ErrFull, api.Description)
			}
			return false, fmt.Errorf("publishing events: %w", err)
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	return repeated, nil
}

// Reader is one ordered reader of a partition.
type Reader struct {
	it   jetstream.MessagesContext
	part int
}

// Read starts an ordered reader after a position; 0 is the beginning.
func (s *Stream) Read(ctx context.Context, partition int, after uint64) (*Reader, error) {
	c, err := s.js.OrderedConsumer(ctx, "EVENTS_"+strconv.Itoa(partition), jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1,
	})
	if err != nil {
		return nil, fmt.Errorf("reading partition %d: %w", partition, err)
	}
	it, err := c.Messages(jetstream.PullMaxMessages(64))
	if err != nil {
		return nil, fmt.Errorf("reading partition %d: %w", partition, err)
	}
	return &Reader{it: it, part: partition}, nil
}

// Next waits for a message and unpacks it into buf, which grows as needed and belongs to the message from then on:
// Message.Buffer gives it back. A message that can't be unpacked is an error of type *Damage, which names its sequence;
// Next may be called again.
func (r *Reader) Next(ctx context.Context, buf []byte) (Message, error) {
	m, err := r.it.Next(jetstream.NextContext(ctx))
	if err != nil {
		return Message{}, err
	}
	meta, err := m.Metadata()
	if err != nil {
		return Message{}, fmt.Errorf("partition %d: %w", r.part, err)
	}
	msg, buf, err := unpack(m.Data(), buf)
	msg.buffer = buf
	msg.Partition, msg.Seq = r.part, meta.Sequence.Stream
	if err != nil {
		return msg, &Damage{r.part, msg.Seq, err}
	}
	return msg, nil
}

// Stop ends the reader.
func (r *Reader) Stop() { r.it.Stop() }

// Damage is a message that can't be unpacked.
type Damage struct {
	Partition int
	Seq       uint64
	Err       error
}

func (d *Damage) Error() string {
	return fmt.Sprintf("message %d of partition %d: %v", d.Seq, d.Partition, d.Err)
}

// Unwrap gives what is wrong with it.
func (d *Damage) Unwrap() error { return d.Err }
