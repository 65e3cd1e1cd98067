package leaf

import (
	"fmt"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// A bulk import is one entry for many objects: it commits to the Merkle root (RFC 6962) over the objects' commitments, in the order of import. Later, one
// object is proved by its own salt, its content and a short path, without the others.

// BulkRoot is the root over the members' commitments; that of none is the empty tree's.
func BulkRoot(members [][32]byte) [32]byte {
	f := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	r := f.NewEmptyRange(0)
	for i := range members {
		_ = r.Append(rfc6962.DefaultHasher.HashLeaf(members[i][:]), nil) // fails only beyond 2^63 members
	}
	if r.End() == 0 {
		return [32]byte(rfc6962.DefaultHasher.EmptyRoot())
	}
	root, _ := r.GetRootHash(nil) // fails only for a range that does not begin at 0
	return [32]byte(root)
}

// BulkPath is the inclusion proof of the member i.
func BulkPath(members [][32]byte, i int) ([][32]byte, error) {
	if i < 0 || i >= len(members) {
		return nil, fmt.Errorf("member %d of %d", i, len(members))
	}
	nodes, err := proof.Inclusion(uint64(i), uint64(len(members)))
	if err != nil {
		return nil, fmt.Errorf("member %d of %d: %w", i, len(members), err)
	}
	hashes := make([][]byte, len(nodes.IDs))
	for k, id := range nodes.IDs {
		from, to := id.Coverage()
		h := BulkRoot(members[min(from, uint64(len(members))):min(to, uint64(len(members)))])
		hashes[k] = h[:]
	}
	hashes, err = nodes.Rehash(hashes, rfc6962.DefaultHasher.HashChildren)
	if err != nil {
		return nil, fmt.Errorf("member %d of %d: %w", i, len(members), err)
	}
	out := make([][32]byte, len(hashes))
	for k, h := range hashes {
		out[k] = [32]byte(h)
	}
	return out, nil
}

// VerifyBulk checks that member is the i-th of n under root.
func VerifyBulk(root, member [32]byte, i, n int, path [][32]byte) bool {
	if i < 0 || n < 0 {
		return false
	}
	hashes := make([][]byte, len(path))
	for k := range path {
		hashes[k] = path[k][:]
	}
	h := rfc6962.DefaultHasher
	return proof.VerifyInclusion(h, uint64(i), uint64(n), h.HashLeaf(member[:]), hashes, root[:]) == nil
}
