// Package pattern reads, prints, indexes and evaluates patterns of the STIX 2.1
// patterning language (STIX 2.1, chapter 9).
//
// [Parse] reads the whole language by hand, with the precedence of the OASIS
// grammar: within brackets AND binds tighter than OR; between observations
// qualifiers bind tightest, then AND, OR and FOLLOWEDBY. An [*Error] names line,
// column and what was expected. [Pattern.String] prints the canonical form.
//
// [Index] names the comparisons of which at least one must hold for a pattern
// to match, so that a million simple patterns become a hash table. [Compile]
// makes a [Matcher] for the rest: it takes observations one by one, keeps of
// each only its times and which brackets it satisfied, and decides AND,
// FOLLOWEDBY, REPEATS, WITHIN and START/STOP within a declared budget of memory
// and steps.
//
// What the specification leaves open is settled so:
//
//   - A comparison whose path leads nowhere is false, with NOT too.
//   - Values of types that can't be compared are unequal: = is false and != is
//     true; every other operator is false.
//   - Operands of AND inside brackets hold of one and the same object.
//   - Observation operators bind distinct observations. An observation that was
//     seen n times (number_observed) counts as n repetitions.
//   - An observation lasts from its first to its last time. FOLLOWEDBY asks that
//     the left side has ended when the right side begins; WITHIN and START/STOP
//     ask that the whole of every observation lies inside.
package pattern
