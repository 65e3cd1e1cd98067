// Package exercise is the story that the demo plays, as data: who is in it ([TheWorld]), what they know
// ([Intelligence]), what they look for ([Rules], [Warninglist]), what their machines logged ([Events]), what should
// come out ([Expected]), and what happened before tonight ([LastMonth], [Earlier], with [EvidenceFile]). [LapsedEvents]
// are there to be refused; [After] lets the ordinary day go on.
//
// It holds no way into the product. Whoever plays it hands these things to the same calls as anybody: bodies and
// people to the register, bundles to the import, rules to the rule store, lines to the ingest API. Nothing here is
// a finding or an incident; those come from the pipeline, and [Expected] only says what they ought to be, so that a
// test can compare.
//
// Everything is invented: the Republic of Halvern, its bodies and people, its partners Lorrin, Tessary, Quaymar and
// Brightwater, the intrusion sets QUIET LOOM, NORTH KILN and PAPER SLUICE, the programs other than those of the
// operating systems. Hosts are named under .example, addresses come from RFC 5737, RFC 3849 and, inside the Harbour,
// from RFC 1918. The hashes are of sentences, not of programs.
//
// Everything is deterministic. Ids depend on names alone; times are relative to the start that the caller gives;
// [Events] is the same sequence of bytes for the same seed and start. Tonight's events do not depend on the seed: it
// varies what is ordinary around them.
//
// # Tonight
//
// A document with active content passes the Harbour Authority's mail gateway 46 hours before the start; the gateway
// itself asks for the loader host that Lorrin shared nine days ago, and that is the first hit. Eight hours later it
// is opened on HA-OPS-03: a script interpreter, a loader that NORTH KILN is known for, a scheduled task. A day later
// the loader, freshly built, is on HA-OPS-07; in the last quarter of an hour before the start the memory of the
// credential process is read there, a note that names PAPER SLUICE's tool is left, remote services are created on
// HA-CRANE-GW and two more hosts, the crane-control network is looked through, and archives leave through the proxy.
//
// The log lines are flat JSON objects. Every line has "@timestamp" and "Hostname", the reporting host; Windows lines
// have Sysmon's or the channel's own names, the proxy's and the resolver's have those of Sigma's taxonomy (cs-host,
// c-uri, src_ip; query, answer, record_type).
package exercise
