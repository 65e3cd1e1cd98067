package ingest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"vigil/internal/ingest/jsonlines"
	"vigil/internal/ingest/stream"
	"vigil/internal/store"
)

// Limits of one delivery.
const (
	MaxLine      = 1 << 20   // bytes of one event; a longer line is refused whole
	MaxBody      = 256 << 20 // bytes of one delivery, unpacked
	MaxProblems  = 100       // verdicts on single lines that are sent back; the rest is counted
	groupBytes   = 4 << 20   // what is published at once
	groupLines   = 20_000
	maxAtOnce    = 4 // deliveries that are read at the same time; more are asked to wait
	maxBatchName = 128
)

// Verdict is what became of one delivery. What it counts as accepted is durable.
type Verdict struct {
	Accepted int       `json:"accepted"`
	Refused  int       `json:"refused"`
	Repeated bool      `json:"repeated,omitempty"` // the batch had been accepted before
	Problems []Problem `json:"problems,omitempty"`
	Error    string    `json:"error,omitempty"` // why the rest was not read
}

// Problem is why one line was refused.
type Problem struct {
	Line   int    `json:"line"`   // from 1
	Offset int    `json:"offset"` // bytes into the line
	Reason string `json:"reason"`
}

// Gateway takes deliveries.
type Gateway struct {
	register *Register
	stream   *stream.Stream
	store    *store.Store
	turns    chan struct{}
}

// NewGateway joins register and stream.
func NewGateway(r *Register, s *stream.Stream, st *store.Store) *Gateway {
	return &Gateway{r, s, st, make(chan struct{}, maxAtOnce)}
}

// Take reads events, one JSON object a line, and returns once those that are well-formed are durable. With a batch id, a
// delivery that is sent again is taken once. An error beside a verdict says why reading stopped; what the verdict
// counts as accepted stands.
func (g *Gateway) Take(ctx context.Context, src Source, batch string, body io.Reader) (Verdict, error) {
	var v Verdict
	received := g.store.Now()
	in := bufio.NewReaderSize(&capped{r: body, left: MaxBody}, 256<<10)
	var lines [][]byte
	var arena []byte
	group, repeated := 0, true
	flush := func() error {
		if len(lines) == 0 {
			return nil
		}
		id := ""
		if batch != "" {
			id = batch + "/" + strconv.Itoa(group)
		}
		rep, err := g.stream.Publish(ctx, src.ID, id, received, lines)
		if err != nil {
			return err
		}
		v.Accepted += len(lines)
		repeated = repeated && rep
		group, lines, arena = group+1, nil, nil
		return nil
	}
	refuse := func(line, offset int, reason string) {
		v.Refused++
		if len(v.Problems) < MaxProblems {
			v.Problems = append(v.Problems, Problem{line, offset, reason})
		}
	}
	for n := 1; ; n++ {
		line, long, err := readLine(in)
		if long > 0 {
			refuse(n, MaxLine, fmt.Sprintf("the line has %d bytes, more than %d", long, MaxLine))
		} else if line = bytes.TrimSpace(line); len(line) > 0 {
			if p := jsonlines.Check(line, jsonlines.Limits{}); p != nil {
				refuse(n, int(p.Offset), p.Reason)
			} else {
				at := len(arena)
				arena = append(arena, line...)
				lines = append(lines, arena[at:len(arena):len(arena)])
			}
		}
		if len(arena) >= groupBytes || len(lines) >= groupLines || err != nil {
			if ferr := flush(); ferr != nil {
				return v, ferr
			}
		}
		if err == io.EOF {
			v.Repeated = repeated && v.Accepted > 0
			return v, nil
		} else if err != nil {
			return v, fmt.Errorf("reading line %d: %w", n, err)
		}
	}
}

// readLine gives the next line without its end. One longer than MaxLine is read past without being kept: then long is its
// length.
func readLine(in *bufio.Reader) (line []byte, long int, err error) {
	part, err := in.ReadSlice('\n')
	if err == nil || err != bufio.ErrBufferFull {
		return bytes.TrimSuffix(part, []byte("\n")), 0, err
	}
	line = append(line, part...)
	for err == bufio.ErrBufferFull {
		part, err = in.ReadSlice('\n')
		if long == 0 && len(line)+len(part) <= MaxLine {
			line = append(line, part...)
			continue
		}
		if long == 0 {
			long = len(line)
			line = nil
		}
		long += len(part)
	}
	return bytes.TrimSuffix(line, []byte("\n")), long, err
}

var errTooLarge = fmt.Errorf("the delivery unpacks to more than %d MiB: send it in parts", MaxBody>>20)

// capped fails, instead of ending, where more comes than was agreed.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	return n, err
}

// ServeHTTP takes a delivery over HTTP: POST, application/x-ndjson, gzip where Content-Encoding says so, the source's
// credential as a bearer token, and a batch id in Vigil-Batch for senders that retry.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := func(status int, v Verdict) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_ = json.MarshalWrite(w, v) // the sender has gone: it will ask again with its batch id
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		answer(http.StatusMethodNotAllowed, Verdict{Error: "events are delivered with POST"})
		return
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		w.Header().Set("WWW-Authenticate", `Bearer realm="vigil events"`)
		answer(http.StatusUnauthorized, Verdict{Error: "a delivery needs the source's credential"})
		return
	}
	src, err := g.register.Authenticate(r.Context(), token)
	if err != nil {
		status := http.StatusUnauthorized
		if errors.Is(err, ErrLapsed) {
			status = http.StatusForbidden
		}
		answer(status, Verdict{Error: err.Error()})
		return
	}
	batch := r.Header.Get("Vigil-Batch")
	if len(batch) > maxBatchName || strings.ContainsFunc(batch, func(c rune) bool { return c <= ' ' || c > '~' }) {
		answer(http.StatusBadRequest, Verdict{Error: fmt.Sprintf("a batch id is printable ASCII without spaces, at most %d bytes", maxBatchName)})
		return
	}
	select {
	case g.turns <- struct{}{}:
		defer func() { <-g.turns }()
	default:
		w.Header().Set("Retry-After", "1")
		answer(http.StatusTooManyRequests, Verdict{Error: "too many deliveries at once: send again in a second"})
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(2 * time.Minute)) // not every server has one
	body := io.Reader(r.Body)
	switch enc := r.Header.Get("Content-Encoding"); enc {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			answer(http.StatusBadRequest, Verdict{Error: "the delivery is not gzip: " + err.Error()})
			return
		}
		body = z
	default:
		answer(http.StatusUnsupportedMediaType, Verdict{Error: fmt.Sprintf("content encoding %q is not known here: gzip or none", enc)})
		return
	}
	v, err := g.Take(r.Context(), src, batch, body)
	switch {
	case err == nil && v.Accepted == 0 && v.Refused > 0:
		answer(http.StatusUnprocessableEntity, v)
	case err == nil:
		answer(http.StatusOK, v)
	case errors.Is(err, stream.ErrFull):
		w.Header().Set("Retry-After", "60")
		v.Error = err.Error()
		answer(http.StatusServiceUnavailable, v)
	case errors.Is(err, errTooLarge):
		v.Error = err.Error()
		answer(http.StatusRequestEntityTooLarge, v)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader):
		v.Error = err.Error()
		answer(http.StatusBadRequest, v)
	default:
		v.Error = "the events could not be kept: send again"
		answer(http.StatusServiceUnavailable, v)
	}
}
