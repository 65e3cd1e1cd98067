package stix

import (
	"errors"
	"fmt"
)

// Mode says what happens to an object that breaks the specification.
type Mode int

const (
	// Strict refuses an object at its first violation.
	Strict Mode = iota
	// Lenient keeps an object that can be identified and read, and returns a
	// [Note] for each violation that it let pass. JSON that is not JSON, an id
	// or type that is not one, duplicate names and exceeded limits are still
	// refused.
	Lenient
)

// Options of reading. The zero Options are strict, with the default limits.
type Options struct {
	Mode   Mode
	Limits Limits
}

// Limits bound what a decoder accepts. A zero field means its default.
type Limits struct {
	Bytes  int // of one object; 16 MiB by default
	Depth  int // of nested arrays and objects; 64 by default
	Nodes  int // values in one object; 500,000 by default
	String int // bytes of one string or number as written; 12 MiB by default
	Refs   int // references in one object; 100,000 by default
	// Header bounds the bytes of a bundle beside its objects; 1 MiB by default.
	Header int
	// Notes bounds the notes kept for one object, so that a hostile one cannot
	// fill memory with complaints; 64 by default.
	Notes int
}

// DefaultLimits are used where a field of Limits is zero.
var DefaultLimits = Limits{
	Bytes:  16 << 20,
	Depth:  64,
	Nodes:  500_000,
	String: 12 << 20,
	Refs:   100_000,
	Header: 1 << 20,
	Notes:  64,
}

func (l Limits) orDefault() Limits {
	def := func(n *int, d int) {
		if *n <= 0 {
			*n = d
		}
	}
	def(&l.Bytes, DefaultLimits.Bytes)
	l.Bytes = min(l.Bytes, 1<<31) // offsets are kept in 32 bits
	def(&l.Depth, DefaultLimits.Depth)
	def(&l.Nodes, DefaultLimits.Nodes)
	def(&l.String, DefaultLimits.String)
	def(&l.Refs, DefaultLimits.Refs)
	def(&l.Header, DefaultLimits.Header)
	def(&l.Notes, DefaultLimits.Notes)
	return l
}

// ErrLimit is wrapped by every refusal that a limit caused.
var ErrLimit = errors.New("limit exceeded")

// Error is a refusal: where, and why.
type Error struct {
	Path   string // of the property, "external_references[0].url"; "" for the object itself
	Offset int    // of the place in the object's bytes, -1 when it has none
	Reason string
	limit  bool
}

func (e *Error) Error() string {
	where := e.Path
	if e.Offset >= 0 {
		if where != "" {
			where += " "
		}
		where += fmt.Sprintf("at byte %d", e.Offset)
	}
	if where == "" {
		return e.Reason
	}
	return where + ": " + e.Reason
}

// Unwrap is [ErrLimit] when a limit caused the refusal.
func (e *Error) Unwrap() error {
	if e.limit {
		return ErrLimit
	}
	return nil
}

// Grade tells notes that break the specification from those that don't.
type Grade int

const (
	// Violation: strict mode refuses the object for this.
	Violation Grade = iota
	// Advice: a SHOULD of the specification, or a reading that the caller may
	// want to know of (STIX 2.0 lifted). Both modes accept it.
	Advice
)

// Note is what was let pass, or is worth saying, about an accepted object.
type Note struct {
	Path   string
	Reason string
	Grade  Grade
}

func (n Note) String() string {
	if n.Path == "" {
		return n.Reason
	}
	return n.Path + ": " + n.Reason
}
