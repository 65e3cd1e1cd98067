// Package stix reads, checks and writes STIX 2.1 objects and bundles.
//
// An [Object] holds the header that every consumer needs (id, type, versions,
// markings, references) beside the producer's exact bytes. The bytes are never
// rewritten: unknown properties, property order, number spelling and timestamp
// precision survive a round trip because Raw is what is written again.
//
// [Parse] reads one object in one pass over the bytes. It refuses what JSON
// leaves open (duplicate names, invalid UTF-8, lone surrogates, unbounded
// depth) and then checks the object against tables taken from the STIX 2.1
// specification. [Strict] refuses any violation; [Lenient] accepts what can be
// accepted and returns a [Note] for each thing it let pass. [ReadBundle] does
// the same for a stream, and one bad object never costs the others.
//
// [Make] builds objects of one's own with a stable property order and checks
// them strictly; [NewVersion] makes the next version of one. [Canonical] is RFC
// 8785, [DeterministicID] the id of a cyber-observable. [OfficialMarking] knows
// the official TLP markings, 1 and 2.0, and [SameAsOfficial] tells a forged one.
// [IncidentCore] is the incident extension of the OASIS common object
// repository, whose types event, impact and task the tables know too. [Lift]
// reads STIX 2.0 as 2.1, and [Observe] hands observed data to package pattern.
//
// All decoding is bounded by [Limits].
package stix
