package pattern

import "time"

// Pattern is a parsed pattern. It is immutable and safe for use by several
// goroutines.
type Pattern struct {
	root Expr
	text string
}

// Root is the expression of the whole pattern. It must not be changed.
func (p *Pattern) Root() Expr { return p.root }

// Text is what was parsed.
func (p *Pattern) Text() string { return p.text }

// Expr is an observation expression: [*Observed], [*Join] or [*Qualified].
type Expr interface{ expr() }

// Observed is a comparison in brackets: one observation satisfies it.
type Observed struct{ Test Cond }

// Join is two or more observation expressions under one operator.
type Join struct {
	Op JoinOp
	Of []Expr
}

// JoinOp joins observation expressions.
type JoinOp uint8

// The observation operators.
const (
	And JoinOp = iota
	Or
	FollowedBy
)

func (op JoinOp) String() string { return [...]string{"AND", "OR", "FOLLOWEDBY"}[op] }

// Qualified is an expression with one qualifier.
type Qualified struct {
	Of   Expr
	Kind QualifierKind
	// Within is the length of a WITHIN; WithinText its number as written.
	Within     time.Duration
	WithinText string
	Times      int       // of a REPEATS
	Start      time.Time // of a START/STOP, inclusive
	Stop       time.Time // exclusive
	StartText  string
	StopText   string
}

// QualifierKind tells qualifiers apart.
type QualifierKind uint8

// The qualifiers.
const (
	Within QualifierKind = iota
	Repeats
	StartStop
)

func (k QualifierKind) String() string { return [...]string{"WITHIN", "REPEATS", "START"}[k] }

func (*Observed) expr()  {}
func (*Join) expr()      {}
func (*Qualified) expr() {}

// Cond is a condition on one object: [*Compare] or [*Logic].
type Cond interface{ cond() }

// Logic is two or more conditions joined by AND, or by OR.
type Logic struct {
	Or bool
	Of []Cond
}

// Compare is one comparison.
type Compare struct {
	Path  Path
	Not   bool
	Op    Op
	Value Const   // of every operator but In and Exists
	Set   []Const // of In
}

func (*Logic) cond()   {}
func (*Compare) cond() {}

// Op is a comparison operator.
type Op uint8

// The comparison operators.
const (
	Eq Op = iota
	Ne
	Lt
	Le
	Gt
	Ge
	In
	Like
	Matches
	IsSubset
	IsSuperset
	Exists
)

func (op Op) String() string {
	return [...]string{"=", "!=", "<", "<=", ">", ">=", "IN", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET", "EXISTS"}[op]
}

// Path is an object path.
type Path struct {
	Type  string // "network-traffic"
	Steps []Step
}

// Step of a path: a key, an index, or [*].
type Step struct {
	Key   string
	Index int // -1 for a key, AnyItem for [*]
}

// AnyItem is the index of [*].
const AnyItem = -2

// Const is a constant.
type Const struct {
	Kind  ConstKind
	Text  string // strings unquoted; numbers, hex and base64 as written, signs apart
	Int   int64
	Float float64   // also of an integer
	Bytes []byte    // of Hex and Binary
	Time  time.Time // of Timestamp
	Bool  bool
}

// ConstKind tells constants apart.
type ConstKind uint8

// The kinds of constants.
const (
	String ConstKind = iota
	Int
	Float
	Bool
	Hex
	Binary
	Timestamp
)
