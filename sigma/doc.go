// Package sigma reads Sigma 2.1 rules, correlations and filters, and matches events against them.
//
// [Parse] and [LoadFS] read rules, [Compile] turns them into an [Engine], and each goroutine matches with a [Matcher] of its own. A rule
// that cannot be honoured is refused with file, line and reason; it never silently matches nothing or everything.
//
// # What a rule means here
//
// A predicate holds when any value of its field satisfies it, in lists too. Names are case-sensitive; a dotted name finds nested keys;
// a name without spaces finds the key with them. Text is compared by simple Unicode case folding. Scalars keep their text, so 00000429
// is not 429. null holds for an absent field or a null; exists looks at presence alone; ” is the empty string. Keywords are looked for in
// every value. neq holds when none of the values does, also for an absent field. Regular expressions are searched anywhere, and $ also
// stands before a newline at the end. A filter's condition is linked with AND to the rules that it names.
//
// # Log sources
//
// A rule is tried on an event when the event's logsource satisfies every part that the rule states. The caller states a [Logsource], or
// leaves it to the event: Windows channels and event ids, CloudTrail, Suricata EVE, Zeek and others are recognised, and an event may be
// of several logsources. Process creation rules also see event 4688 of the Security log, through a built-in [Pipeline].
//
// # Correlations
//
// A [Correlator] takes matches with their event's time; see its documentation for windows, lateness and the policy for memory. A rule that a
// correlation refers to reports on its own only with "generate: true": see [Match].
//
// # How it is fast
//
// Rules are gathered by logsource, distinct predicates stored once. One pass over a field's folded value finds all literals: a hash table
// for equality, tries for beginnings and ends, and for containment a bitmap of four-byte windows small enough for the first-level cache. A
// rule is looked at only when a literal was found that it cannot do without; expressions, networks and the rest are decided lazily, and
// once. The JSON scanner decodes only values that some predicate reads. Matching allocates nothing.
package sigma
