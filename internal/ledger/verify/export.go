package verify

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"vigil/internal/ledger/checkpoint"
	"vigil/internal/ledger/leaf"
	"vigil/internal/ledger/policy"
)

// Export verifies an export against a policy pinned elsewhere, at the time now. It returns a report in every case but an unreadable stream, and
//
//   - nil if everything holds,
//   - ErrSelfConsistentOnly if nothing is wrong but pinned is nil,
//   - ErrFailed if the report has findings.
//
// How an entry's place is proved: the root is computed again from the entries in the order of their indices, so a changed, dropped, inserted or moved entry
// gives another root than the one that was signed and cosigned. The log's leaf hashes travel along, are held to the same root, and then say which entry it
// is. seq is checked besides: each number must be there once. An index that differs from its seq is no fault, since flushes may swap neighbours before they
// are logged; after that the tree fixes the order.
func Export(in io.Reader, pinned *policy.Policy, now time.Time) (*Report, error) {
	c := &check{r: &Report{}, pinned: pinned, now: now, last: -1, actual: -1, moved: -1}
	if pinned != nil {
		c.r.Pinned = pinned.ID()
	}
	if err := c.read(in); err != nil {
		return nil, fmt.Errorf("read export: %w", err)
	}
	c.judgeEntries()
	c.judgePolicies()
	c.judgeCheckpoints()
	c.judgeSequence()
	c.judgeTimes()
	switch {
	case len(c.r.Findings) > 0:
		return c.r, ErrFailed
	case pinned == nil:
		return c.r, ErrSelfConsistentOnly
	}
	return c.r, nil
}

type listedPolicy struct {
	from uint64
	p    *policy.Policy
}

type witnessedAt struct {
	c     *checkpoint.Checkpoint
	v     *policy.Verdict // under the policy that believes it; nil if none does
	final bool
}

// check is one verification on its way.
type check struct {
	r      *Report
	pinned *policy.Policy
	now    time.Time

	line     int
	ended    bool
	order    int // how far along the format's order we are
	policies []listedPolicy
	chain    []listedPolicy // those that are in force, one after the other
	history  []witnessedAt
	cp       *checkpoint.Checkpoint
	brk      *Break

	hashes  [][32]byte        // as the export says the tiles have them, by index
	where   map[[32]byte]int  // made when first needed
	lrange  *compact.Range    // over the entries as they come
	moved   int64             // first entry that carries another index than its hash has; -1 if none
	movedTo uint64            // the index it carries
	foreign map[uint64]string // entries whose bytes fit no hash, by the index they claim: what is wrong
	present []uint64          // bitset of indices whose entry was found
	last    int64             // index of the last entry in the export, as it claims
	actual  int64             // index of the last entry by its hash
	current *leaf.Leaf        // the last entry, if it could be read
	curIdx  uint64

	genesis  *leaf.Leaf
	changes  map[uint64]string // ledger.policy entries: index to policy id
	seqs     []uint64          // bitset
	maxSeq   uint64
	swapped  int
	times    []int64 // unix seconds each entry says, by index
	noPolicy uint64
	ids      map[string]uint64 // policy ids the entries carry: first index
}

var words = map[string]int{"break": 1, "policy": 2, "history": 3, "checkpoint": 4, "hashes": 5, "leaf": 6, "opened": 6, "end": 7}

func (c *check) read(in io.Reader) error {
	c.foreign, c.changes, c.ids = map[uint64]string{}, map[uint64]string{}, map[string]uint64{}
	f := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	c.lrange = f.NewEmptyRange(0)
	br := bufio.NewReaderSize(in, 64<<10)
	for {
		s, err := readLine(br)
		if err == io.EOF {
			break
		}
		c.line++
		if errors.Is(err, errLineTooLong) {
			c.malformed("", err)
			continue
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			c.r.find(Truncated, -1, "line %d has no end", c.line)
			break
		}
		if err != nil {
			return err
		}
		if c.line == 1 {
			if s != exportHeader {
				c.r.find(Malformed, -1, "line 1 is not %q", exportHeader)
			}
			continue
		}
		if c.ended {
			c.r.find(Truncated, -1, "line %d stands after the end", c.line)
			break
		}
		r, err := parseLine(s)
		if err == nil && words[r.word] < c.order {
			err = errors.New("out of order")
		}
		if err != nil {
			c.malformed(s, err)
			continue
		}
		c.order = words[r.word]
		c.take(r)
	}
	if !c.ended {
		c.r.find(Truncated, -1, "the export ends after line %d without saying so", c.line)
	}
	return nil
}

// malformed notes a line that can't be read. Where an entry belongs, that entry is the changed one.
func (c *check) malformed(s string, err error) {
	if c.order >= words["hashes"] && !bytes.HasPrefix([]byte(s), []byte("opened ")) && !bytes.HasPrefix([]byte(s), []byte("end ")) && len(c.hashes) > int(c.last+1) {
		c.last++
		c.order = words["leaf"]
		c.foreign[uint64(c.last)] = fmt.Sprintf("line %d, where entry %d belongs, can't be read: %v", c.line, c.last, err)
		c.current = nil
		return
	}
	c.r.find(Malformed, -1, "line %d: %v", c.line, err)
}

func (c *check) take(r record) {
	switch r.word {
	case "break":
		c.brk, c.r.Break = r.brk, r.brk
	case "policy":
		c.takePolicy(r)
	case "history", "checkpoint":
		cp, err := checkpoint.Parse(r.data)
		if err != nil {
			c.r.find(Malformed, -1, "line %d: %v", c.line, err)
			return
		}
		if r.word == "history" {
			c.history = append(c.history, witnessedAt{c: cp})
			return
		}
		if c.cp != nil {
			c.r.find(Malformed, -1, "line %d: a second checkpoint", c.line)
			return
		}
		if cp.Size > maxEntries {
			c.r.find(Malformed, -1, "line %d: %d entries, more than %d", c.line, cp.Size, maxEntries)
			return
		}
		c.cp = cp
		c.r.Origin, c.r.Size, c.r.Root = cp.Origin, cp.Size, cp.Root
	case "hashes":
		if len(r.data)%32 != 0 || len(r.data) == 0 || r.idx != uint64(len(c.hashes)) || c.cp == nil || len(c.hashes)+len(r.data)/32 > maxEntries {
			c.r.find(Malformed, -1, "line %d: hashes from %d, expected from %d", c.line, r.idx, len(c.hashes))
			return
		}
		for h := range slices.Chunk(r.data, 32) {
			c.hashes = append(c.hashes, [32]byte(h))
		}
	case "leaf":
		c.takeLeaf(r)
	case "opened":
		c.takeOpened(r)
	case "end":
		c.ended = true
		if r.idx != c.r.Entries {
			c.r.find(Truncated, -1, "the export says it has %d entries and has %d", r.idx, c.r.Entries)
		}
	}
}

func (c *check) takePolicy(r record) {
	if len(c.policies) >= maxPolicies {
		c.r.find(Malformed, -1, "line %d: more than %d policies", c.line, maxPolicies)
		return
	}
	p, err := policy.Parse(r.data)
	switch {
	case errors.Is(err, policy.ErrRepeatedKey) || errors.Is(err, policy.ErrRepeatedParty):
		c.r.find(RepeatedWitness, -1, "the policy from entry %d on: %v", r.idx, err)
	case err != nil:
		c.r.find(Policy, -1, "the policy from entry %d on: %v", r.idx, err)
	default:
		c.policies = append(c.policies, listedPolicy{r.idx, p})
	}
}

func (c *check) takeLeaf(r record) {
	c.r.Entries++
	c.current, c.curIdx = nil, r.idx
	h := [32]byte(rfc6962.DefaultHasher.HashLeaf(r.data))
	if err := c.lrange.Append(h[:], nil); err != nil {
		c.r.find(Malformed, -1, "line %d: %v", c.line, err)
	}
	// Where does it stand by its hash? Usually where it says.
	at := int64(-1)
	if r.idx < uint64(len(c.hashes)) && c.hashes[r.idx] == h {
		at = int64(r.idx)
	} else if i, ok := c.find(h); ok {
		at = int64(i)
		if c.moved < 0 {
			c.moved, c.movedTo = at, r.idx
		}
	}
	lf, err := leaf.Parse(r.data)
	switch {
	case int64(r.idx) <= c.last && at < 0:
		c.r.find(Reordered, int64(r.idx), "line %d: entry %d stands after entry %d", c.line, r.idx, c.last)
	case at < 0:
		c.foreign[r.idx] = fmt.Sprintf("entry %d was changed", r.idx)
		if r.idx >= uint64(len(c.hashes)) {
			c.foreign[r.idx] = fmt.Sprintf("entry %d was never logged", r.idx)
		}
	case get(c.present, uint64(at)):
		c.r.find(Inserted, at, "line %d: entry %d stands twice", c.line, at)
	default:
		set(&c.present, uint64(at))
		if at < c.actual {
			c.r.find(Reordered, at, "line %d: entry %d stands after entry %d", c.line, at, c.actual)
		}
		c.actual = at
	}
	c.last = int64(r.idx)
	if err != nil {
		if at >= 0 {
			c.r.find(Malformed, at, "entry %d: %v", at, err)
		}
		return
	}
	c.current = lf
	if at >= 0 {
		c.takeParsed(uint64(at), lf)
	}
}

// takeParsed looks into an entry whose bytes are the logged ones.
func (c *check) takeParsed(idx uint64, lf *leaf.Leaf) {
	switch {
	case idx == 0:
		c.genesis = lf
	case lf.Action == leaf.ActionPolicy:
		c.changes[idx] = lf.Policy
	case lf.Action == leaf.ActionGenesis:
		c.r.find(Beginning, int64(idx), "entry %d says that the log begins with it", idx)
	}
	if idx == 1 || c.r.First.IsZero() && idx > 0 {
		c.r.First = lf.At
	}
	c.r.Last = lf.At
	for uint64(len(c.times)) <= idx {
		c.times = append(c.times, 0)
	}
	c.times[idx] = lf.At.Unix()
	if lf.Policy == "" {
		c.noPolicy++
	} else if _, ok := c.ids[lf.Policy]; !ok && len(c.ids) < 2*maxPolicies {
		c.ids[lf.Policy] = idx
	}
	if lf.Seq != idx {
		c.swapped++
	}
	switch {
	case lf.Seq > uint64(len(c.hashes))+1<<16:
		c.r.find(Sequence, int64(idx), "entry %d has seq %d: far beyond the number of entries", idx, lf.Seq)
	case get(c.seqs, lf.Seq):
		c.r.find(Sequence, int64(idx), "entry %d has seq %d, which stands before", idx, lf.Seq)
	default:
		set(&c.seqs, lf.Seq)
		c.maxSeq = max(c.maxSeq, lf.Seq)
	}
}

func (c *check) takeOpened(r record) {
	if c.current == nil || r.idx != c.curIdx {
		c.r.find(Content, int64(r.idx), "line %d: content %q of entry %d without that entry", c.line, r.open.Name, r.idx)
		return
	}
	want, ok := c.current.Commitment(r.open.Name)
	switch {
	case !ok:
		c.r.find(Content, int64(r.idx), "entry %d has no field %q", r.idx, r.open.Name)
	case leaf.Commit(r.open.Salt, r.open.Value) != want:
		c.r.find(Content, int64(r.idx), "content %q of entry %d is not what the entry commits to", r.open.Name, r.idx)
	default:
		c.r.Opened++
	}
}

// find looks up which index a leaf hash belongs to.
func (c *check) find(h [32]byte) (int, bool) {
	if c.where == nil {
		c.where = make(map[[32]byte]int, len(c.hashes))
		for i, x := range c.hashes {
			if _, ok := c.where[x]; !ok {
				c.where[x] = i
			}
		}
	}
	i, ok := c.where[h]
	return i, ok
}

func get(b []uint64, i uint64) bool { return i/64 < uint64(len(b)) && b[i/64]>>(i%64)&1 == 1 }

func set(b *[]uint64, i uint64) {
	if n := int(i/64) + 1; n > len(*b) {
		*b = append(*b, make([]uint64, n-len(*b))...)
	}
	(*b)[i/64] |= 1 << (i % 64)
}

func count(b []uint64) (n uint64) {
	for _, w := range b {
		n += uint64(bits.OnesCount64(w))
	}
	return n
}

var errLineTooLong = errors.New(errTooLong)

// readLine reads a line without its newline. A line that is too long is skipped and reported.
func readLine(br *bufio.Reader) (string, error) {
	var b []byte
	long := false
	for {
		part, err := br.ReadSlice('\n')
		if len(b)+len(part) > maxLine {
			long, b = true, b[:0]
		}
		if !long {
			b = append(b, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(b) == 0 && !long:
			return "", io.EOF
		case err == io.EOF:
			return "", io.ErrUnexpectedEOF
		case err != nil:
			return "", err
		case long:
			return "", errLineTooLong
		}
		return string(b[:len(b)-1]), nil
	}
}
