package verify

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"vigil/internal/ledger/policy"
)

// What Export ends with, other than nil. A caller gives each its own exit status.
var (
	// ErrSelfConsistentOnly: nothing is wrong, but no policy was pinned, so whoever made the export could have made all of it up.
	ErrSelfConsistentOnly = errors.New("self-consistent only: no policy was pinned")
	// ErrFailed: the report's findings say what is wrong.
	ErrFailed = errors.New("the export does not hold")
)

// Kind sorts findings and notices.
type Kind string

// Kinds of findings: each makes the verification fail.
const (
	Malformed       Kind = "malformed"        // a line of the export can't be read
	Truncated       Kind = "truncated"        // the export ends early, or goes on after its end
	Changed         Kind = "changed"          // an entry's bytes are not those that were logged
	Dropped         Kind = "dropped"          // an entry is missing
	Inserted        Kind = "inserted"         // an entry that was never logged, or stands twice
	Reordered       Kind = "reordered"        // entries stand in another order than they were logged
	Tree            Kind = "tree"             // hashes do not give a checkpoint's root
	Signature       Kind = "signature"        // the log's or a known witness's signature does not verify
	Quorum          Kind = "quorum"           // too few witnesses
	Stale           Kind = "stale"            // cosignatures too old
	RepeatedWitness Kind = "repeated-witness" // one witness listed or signing twice
	Policy          Kind = "policy"           // another policy than pinned, or than the entries name
	Sequence        Kind = "sequence"         // a seq is missing or stands twice
	Content         Kind = "content"          // an opened content is not what was committed to
	Beginning       Kind = "genesis"          // entry 0 is not this log's
)

// Kinds of notices: worth reading, no failure.
const (
	Rehearsal  Kind = "rehearsal"   // a witness runs on the log's own machine
	Broken     Kind = "break"       // the log takes another's place
	Order      Kind = "order"       // seq and index differ: neighbouring flushes may swap
	Time       Kind = "time"        // an entry's time does not lie between the cosignatures around it
	Unknown    Kind = "unknown-key" // a signature by a key the policy does not know
	Unpoliced  Kind = "no-policy"   // entries from before there was a policy
	Unfinished Kind = "unfinished"  // a policy change that the old quorum has not yet cosigned
)

// Finding is one thing found, in words for people. Index is the entry it is about, -1 if none.
type Finding struct {
	Kind  Kind
	Index int64
	Text  string
}

func (f Finding) String() string { return string(f.Kind) + ": " + f.Text }

// maxFindings is how many findings or notices of one kind are listed; the rest are counted.
const maxFindings = 25

// Report is what Export found.
type Report struct {
	Origin   string
	Size     uint64 // entries, by the checkpoint
	Root     [32]byte
	Entries  uint64 // entries read
	Opened   int    // contents that match their commitments
	Policies []string
	Pinned   string          // id of the pinned policy; "" if none
	Verdict  *policy.Verdict // on the checkpoint; nil if no policy could judge it
	First    time.Time       // time that the first entry says, after the genesis entry
	Last     time.Time       // time that the last entry says
	Break    *Break          // the log that this one takes the place of
	Findings []Finding
	Notices  []Finding
	More     map[Kind]int // findings and notices beyond those listed
}

func (r *Report) find(k Kind, idx int64, format string, a ...any) {
	r.Findings = r.put(r.Findings, k, idx, format, a...)
}

func (r *Report) notice(k Kind, idx int64, format string, a ...any) {
	r.Notices = r.put(r.Notices, k, idx, format, a...)
}

func (r *Report) put(list []Finding, k Kind, idx int64, format string, a ...any) []Finding {
	n := 0
	for _, f := range list {
		if f.Kind == k {
			n++
		}
	}
	if n >= maxFindings {
		if r.More == nil {
			r.More = map[Kind]int{}
		}
		r.More[k]++
		return list
	}
	return append(list, Finding{k, idx, fmt.Sprintf(format, a...)})
}

// Has says whether there is a finding of the kind about the entry; idx -1 asks for any entry or none.
func (r *Report) Has(k Kind, idx int64) bool {
	for _, f := range r.Findings {
		if f.Kind == k && (idx < 0 || f.Index == idx) {
			return true
		}
	}
	return false
}

// WriteText writes the report for people, findings first.
func (r *Report) WriteText(w io.Writer) error {
	var err error
	p := func(format string, a ...any) {
		if err == nil {
			_, err = fmt.Fprintf(w, format+"\n", a...)
		}
	}
	p("log      %s", r.Origin)
	p("entries  %d, root %x", r.Size, r.Root)
	if v := r.Verdict; v != nil {
		label := ""
		if v.Rehearsal {
			label = " (rehearsal, same machine)"
		}
		p("witness  %d of %d%s", v.Have, v.Need, label)
		for _, c := range v.Cosignatures {
			p("         %s by %s at %s", c.Witness, c.Operator, c.At.Format(time.RFC3339))
		}
	}
	for _, id := range r.Policies {
		p("policy   %s", id)
	}
	if r.Opened > 0 {
		p("contents %d opened and matching", r.Opened)
	}
	for _, f := range r.Findings {
		p("FAILED   %s", f)
	}
	for _, f := range r.Notices {
		p("notice   %s", f)
	}
	for _, k := range slices.Sorted(maps.Keys(r.More)) {
		p("         and %d more of kind %s", r.More[k], k)
	}
	switch {
	case len(r.Findings) > 0:
		p("result   does not hold")
	case r.Pinned == "":
		p("result   self-consistent only: pin a policy from another source to know whose record this is")
	default:
		p("result   holds under the pinned policy")
	}
	return err
}
