// Package archtest holds the repository to its own plan: which package may import which, who may read past the gate, who may dial, which files may hold what. Its tests
// read the source with go/parser, so they need no network, no build and about a second. table.go is the plan; to change the architecture, change it there first.
package archtest
