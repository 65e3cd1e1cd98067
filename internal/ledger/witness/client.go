package witness

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"vigil/internal/ledger/checkpoint"
)

// How a witness refuses. A Conflict is the ordinary way of learning what it has.
var (
	ErrUnknownLog   = errors.New("witness does not know the log")
	ErrNotSigned    = errors.New("witness does not accept the log's signature")
	ErrInconsistent = errors.New("witness says the log contradicts what it saw before")
)

// Conflict says that the witness last cosigned another size than the request assumed.
type Conflict struct{ Size uint64 }

func (c *Conflict) Error() string { return fmt.Sprintf("witness last cosigned size %d", c.Size) }

// Client asks one witness for cosignatures over C2SP tlog-witness.
type Client struct {
	Name string       // the witness's key name, as the policy has it
	URL  string       // submission prefix; for InProcess any http URL will do
	HTTP *http.Client // how it is reached; its Transport is InProcess for a witness of the same process
}

// InProcess is a transport that hands requests straight to a handler, without a port.
func InProcess(h http.Handler) http.RoundTripper { return inProcess{h} }

type inProcess struct{ h http.Handler }

func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	if req.Body == nil {
		req.Body = http.NoBody
	}
	t.h.ServeHTTP(w, req)
	_ = req.Body.Close()
	return &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: req,
	}, nil
}

type recorder struct {
	header http.Header
	body   bytes.Buffer
	status int
	wrote  bool
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(s int) {
	if !w.wrote {
		w.wrote, w.status = true, s
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// AddCheckpoint submits a checkpoint with the consistency proof from size old, and returns the signature lines of the answer, unverified.
func (c *Client) AddCheckpoint(ctx context.Context, old uint64, proof [][]byte, cp []byte) ([]checkpoint.Signature, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "old %d\n", old)
	for _, h := range proof {
		b.WriteString(base64.StdEncoding.EncodeToString(h))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.Write(cp)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.URL, "/")+"/add-checkpoint", &b)
	if err != nil {
		return nil, fmt.Errorf("witness %s: %w", c.Name, err)
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("witness %s: %w", c.Name, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, checkpoint.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("witness %s: %w", c.Name, err)
	}
	if len(body) > checkpoint.MaxSize {
		return nil, fmt.Errorf("witness %s: answer has more than %d bytes", c.Name, checkpoint.MaxSize)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		sigs, err := checkpoint.ParseSignatures(string(body))
		if err == nil && len(sigs) == 0 {
			err = errors.New("no signature in the answer")
		}
		if err != nil {
			return nil, fmt.Errorf("witness %s: %w", c.Name, err)
		}
		return sigs, nil
	case http.StatusConflict:
		n, err := strconv.ParseUint(strings.TrimSuffix(string(body), "\n"), 10, 63)
		if err != nil {
			return nil, fmt.Errorf("witness %s: conflict without a size", c.Name)
		}
		return nil, fmt.Errorf("witness %s: %w", c.Name, &Conflict{n})
	case http.StatusNotFound:
		return nil, fmt.Errorf("witness %s: %w", c.Name, ErrUnknownLog)
	case http.StatusForbidden:
		return nil, fmt.Errorf("witness %s: %w", c.Name, ErrNotSigned)
	case http.StatusUnprocessableEntity:
		return nil, fmt.Errorf("witness %s: %w", c.Name, ErrInconsistent)
	}
	return nil, fmt.Errorf("witness %s: answered %d", c.Name, resp.StatusCode)
}
