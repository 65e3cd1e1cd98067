// Package taxii is a TAXII 2.1 server and client: the protocol by which
// organisations exchange STIX objects (OASIS Standard, 10 June 2021; section
// numbers in comments are its).
//
// # Server
//
// [NewServer] makes an http.Handler of a [Config]. What is served comes from
// a [Store], which the caller implements; package taxii/memory has one for
// examples and tests, and taxii/taxiitest checks any handler from outside.
// The server keeps no state of its own, passes objects on byte for byte, and
// holds one page in memory at a time. Paging never skips or repeats an
// object while others write, as long as the store keeps to its contract.
//
// Where the standard leaves a choice, or contradicts itself, the server
//
//   - answers for what a reader may not see as for what does not exist;
//   - takes Accept and Content-Type headers that clients in the field really
//     send (no version, a charset, application/json, */*), and paths without
//     the slash at the end;
//   - takes added_after with 0 to 9 fractional digits, strictly exclusive;
//   - judges each object of an envelope alone: one bad object among a
//     thousand fails with its reason, and the others land;
//   - gives next for manifests and versions too, which the standard forgot;
//   - sends the X-TAXII-Date-Added headers on empty pages too, holding the
//     place where the client already is;
//   - deletes all versions of an object if DELETE names none, and refuses a
//     DELETE with a filter that it doesn't know.
//
// # Client
//
// [NewClient] makes a client that polls politely: it resumes from a [Cursor]
// that the caller keeps, waits as Retry-After says, and survives the paging
// faults of servers in the field (see [Client.Objects]). It sends credentials
// to the one origin it was made for and to no other.
package taxii
