package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"
)

// params are the cost of a password hash (RFC 9106): passes, memory in KiB, lanes.
type params struct {
	time, memory uint32
	threads      uint8
}

// usual is what new hashes cost: 64 MiB and three passes. Two at once stay within what a small server can spare.
var usual = params{time: 3, memory: 64 << 10, threads: 2}

// Bounds of a hash that is read: what lies outside was not written here, and could ask for any amount of memory.
const (
	maxTime   = 10
	maxMemory = 256 << 10
	saltSize  = 16
	hashSize  = 32
)

// hasher computes at most two hashes at once, so that log-ins can't exhaust the memory.
type hasher struct{ turns chan struct{} }

func (h *hasher) init() { h.turns = make(chan struct{}, 2) }

func (h *hasher) compute(ctx context.Context, password string, salt []byte, p params) ([]byte, error) {
	select {
	case h.turns <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.turns }()
	return argon2.IDKey([]byte(password), salt, p.time, p.memory, p.threads, hashSize), nil
}

// hash gives a new hash in the usual form: $argon2id$v=19$m=…,t=…,p=…$salt$hash.
func (d *Directory) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltSize)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	sum, err := d.hasher.compute(ctx, password, salt, d.params)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, d.params.memory, d.params.time, d.params.threads, b64(salt), b64(sum)), nil
}

// parseHash reads what hash wrote, and refuses costs outside the bounds.
func parseHash(s string) (p params, salt, sum []byte, err error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, nil, nil, errors.New("not an argon2id hash")
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); n != 3 || err != nil || parts[3] != fmt.Sprintf("m=%d,t=%d,p=%d", p.memory, p.time, p.threads) {
		return p, nil, nil, errors.New("the hash's costs can't be read")
	}
	if p.time < 1 || p.time > maxTime || p.memory < 8 || p.memory > maxMemory || p.threads < 1 || p.threads > 8 {
		return p, nil, nil, errors.New("the hash's costs are out of bounds")
	}
	if salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil || len(salt) != saltSize {
		return p, nil, nil, errors.New("the hash's salt can't be read")
	}
	if sum, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(sum) != hashSize {
		return p, nil, nil, errors.New("the hash can't be read")
	}
	return p, salt, sum, nil
}

// matches says whether a password is the one behind a hash. Without a hash it takes as long, and says no: the answer to an
// unknown log-in name takes the time of a known one.
func (d *Directory) matches(ctx context.Context, password, hash string) (bool, error) {
	if hash == "" {
		_, err := d.hasher.compute(ctx, password, make([]byte, saltSize), d.params)
		return false, err
	}
	p, salt, want, err := parseHash(hash)
	if err != nil {
		return false, err
	}
	got, err := d.hasher.compute(ctx, password, salt, p)
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1, err
}

// checkPassword refuses what is short or absurdly long. Length is what counts; no rule asks for signs of each kind.
func checkPassword(s string) error {
	if n := len([]rune(s)); n < 12 || len(s) > 1024 {
		return &Invalid{"password", "takes at least 12 characters; a few words do well"}
	}
	return nil
}

// throttle bounds the attempts for a log-in name and from an address: five free, then a pause that doubles to five
// minutes. It forgets after half an hour, and holds a bounded number of names.
type throttle struct {
	mu   sync.Mutex
	seen map[string]attempts
}

type attempts struct {
	failed int
	last   time.Time
}

const (
	freeAttempts = 5
	maxPause     = 5 * time.Minute
	forgetAfter  = 30 * time.Minute
	maxThrottled = 20_000
)

func (t *throttle) init() { t.seen = map[string]attempts{} }

// charge takes an attempt from each of the keys, before anything is compared, so that guesses made at the same moment
// count each other. It says how long to wait where none is left, and then takes nothing.
func (t *throttle) charge(now time.Time, keys ...string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	longest := time.Duration(0)
	for _, k := range keys {
		a := t.seen[k]
		if a.failed < freeAttempts || now.Sub(a.last) > forgetAfter {
			continue
		}
		pause := min(time.Second<<min(a.failed-freeAttempts, 20), maxPause)
		longest = max(longest, a.last.Add(pause).Sub(now))
	}
	if longest > 0 {
		return longest
	}
	if len(t.seen) > maxThrottled {
		for k, a := range t.seen {
			if now.Sub(a.last) > forgetAfter || len(t.seen) > maxThrottled {
				delete(t.seen, k)
			}
		}
	}
	for _, k := range keys {
		a := t.seen[k]
		if now.Sub(a.last) > forgetAfter {
			a.failed = 0
		}
		t.seen[k] = attempts{a.failed + 1, now}
	}
	return 0
}

func (t *throttle) clear(keys ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range keys {
		delete(t.seen, k)
	}
}
