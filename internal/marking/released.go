package marking

// Released is something that the gate let through to one reader. It can't be made outside this package but by
// Release, and can't be looked into but by opening it onto a Sheet, which then carries its label: so a page's band
// is always at least as high as what stands on it, and an encoder that takes Released values can't be handed
// anything that did not pass the gate.
type Released[T any] struct {
	value  T
	label  Label
	reader string
}

// Release passes v to r if r may read what carries l. The second result is false where not, and then the first holds
// nothing.
func Release[T any](r Reader, l Label, v T) (Released[T], bool) {
	if !MayRead(r, l) {
		return Released[T]{}, false
	}
	return Released[T]{value: v, label: l, reader: r.Key()}, true
}

// Label is what the released thing carries.
func (r Released[T]) Label() Label { return r.label }

// Sheet is one page, file or message for one reader. Its label is the join of all that was opened onto it.
type Sheet struct {
	reader string
	label  Label
}

// NewSheet starts an empty sheet for r.
func NewSheet(r Reader) *Sheet { return &Sheet{reader: r.Key(), label: Everyone()} }

// Label is the join of what stands on the sheet so far.
func (s *Sheet) Label() Label { return s.label }

// Open puts the released thing on the sheet and gives it. It panics where it was released to another reader: that is
// a mistake in the program, and the only safe answer is none.
func Open[T any](s *Sheet, r Released[T]) T {
	if r.reader != s.reader {
		panic("marking: what was released to one reader was put on another's sheet")
	}
	s.label = s.label.Join(r.label)
	return r.value
}

// Map derives one released thing from another; it keeps the label and the reader.
func Map[T, U any](r Released[T], f func(T) U) Released[U] {
	return Released[U]{value: f(r.value), label: r.label, reader: r.reader}
}
