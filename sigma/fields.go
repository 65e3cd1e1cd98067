package sigma

import (
	"encoding/binary"
	"strings"
)

// fieldTable knows every field that a predicate reads, and by which path of JSON keys an event gives it. Paths form a trie whose
// edges lie in one hash table; a key that no rule reads costs one probe.
type fieldTable struct {
	ids   map[string]int32
	names []string
	edges []edge
	nodes int32
	any   map[int32]int32 // node → child for whatever key
	mask  uint32
	table []int32 // edge index + 1
	byKey map[edgeKey]int32
	own   []edge  // by field: an edge that leads to it alone
	child []int32 // any, by node; 0 for none
}

type edgeKey struct {
	node int32
	key  string
}

// edge leads from a node by a key to a child node and to the fields whose value stands there.
type edge struct {
	key    string
	node   int32
	next   int32 // -1 for none
	fields []int32
}

// containers are wrappers whose members count as the event's own fields: the forms in which Windows events are shipped.
var containers = []string{"Event.System", "Event.EventData", "Event.UserData", "Event.UserData.*", "System", "EventData", "UserData",
	"UserData.*", "winlog.event_data", "winlog.user_data", "event_data"}

// fieldAliases are other names under which shippers give fields of the Sigma taxonomy.
var fieldAliases = map[string][]string{
	"Channel":       {"winlog.channel", "log_name"},
	"EventID":       {"Event.System.EventID.#text", "System.EventID.#text", "winlog.event_id", "EventId", "event_id"},
	"Provider_Name": {"SourceName", "winlog.provider_name", "ProviderName", "source_name", "Event.System.Provider.@Name"},
	"Computer":      {"winlog.computer_name", "computer_name", "Hostname"},
	"Data":          {"Event.EventData.Data.#text"},
}

// discriminators are read to tell the logsource of an event, whatever the rules read.
var discriminators = []string{"Channel", "EventID", "Provider_Name", "EventType"}

func newFieldTable() *fieldTable {
	t := &fieldTable{ids: map[string]int32{}, nodes: 1, any: map[int32]int32{}, byKey: map[edgeKey]int32{}}
	return t
}

// add registers a field and returns its id.
func (t *fieldTable) add(name string) int32 {
	if id, ok := t.ids[name]; ok {
		return id
	}
	id := int32(len(t.names))
	t.ids[name] = id
	t.names = append(t.names, name)
	t.dotted(name, id)
	for _, a := range fieldAliases[name] {
		t.dotted(a, id)
	}
	if strings.Contains(name, ".") {
		return id
	}
	for _, c := range containers {
		if strings.HasSuffix(c, "*") {
			t.path(append(strings.Split(c, "."), name), id)
		} else {
			t.dotted(c+"."+name, id)
		}
	}
	if el, attr, ok := strings.Cut(name, "_"); ok { // Provider_Name is the attribute Name of the element Provider
		for _, sys := range []string{"Event.System.", "System."} {
			t.path(strings.Split(sys+el+".#attributes."+attr, "."), id)
			t.path(strings.Split(sys+el+"."+attr, "."), id)
		}
	}
	return id
}

// dotted enters every way to cut a dotted name into nested keys, since a key may itself contain dots.
func (t *fieldTable) dotted(name string, id int32) {
	parts := strings.Split(name, ".")
	n := len(parts) - 1
	if n > 6 {
		t.path(parts, id)
		t.path([]string{name}, id)
		return
	}
	for cut := range 1 << n {
		keys := []string{parts[0]}
		for i := range n {
			if cut&(1<<i) != 0 {
				keys = append(keys, parts[i+1])
			} else {
				keys[len(keys)-1] += "." + parts[i+1]
			}
		}
		t.path(keys, id)
	}
}

func (t *fieldTable) path(keys []string, id int32) {
	node := int32(0)
	for i, k := range keys {
		if k == "*" {
			if t.any[node] == 0 {
				t.any[node] = t.nodes
				t.nodes++
			}
			node = t.any[node]
			continue
		}
		ek := edgeKey{node, k}
		ei, ok := t.byKey[ek]
		if !ok {
			ei = int32(len(t.edges))
			t.edges = append(t.edges, edge{key: k, node: node, next: -1})
			t.byKey[ek] = ei
		}
		e := &t.edges[ei]
		if i == len(keys)-1 {
			for _, f := range e.fields {
				if f == id {
					return
				}
			}
			e.fields = append(e.fields, id)
			return
		}
		if e.next < 0 {
			e.next = t.nodes
			t.nodes++
		}
		node = e.next
	}
}

// seal builds the lookup table; nothing can be added afterwards.
func (t *fieldTable) seal() {
	size := uint32(256)
	for int(size) < 3*len(t.edges) {
		size *= 2
	}
	t.mask = size - 1
	t.table = make([]int32, size)
	for i, e := range t.edges {
		h := keyHash(e.node, []byte(e.key)) & t.mask
		for t.table[h] != 0 {
			h = (h + 1) & t.mask
		}
		t.table[h] = int32(i) + 1
	}
	t.byKey = nil
	for i := range t.names {
		t.own = append(t.own, edge{next: -1, fields: []int32{int32(i)}})
	}
	t.child = make([]int32, t.nodes)
	for n, c := range t.any {
		t.child[n] = c
	}
}

// keyHash mixes a node and the ends and length of a key: a constant number of loads whatever the length.
func keyHash(node int32, k []byte) uint32 {
	n := len(k)
	var a, b uint64
	switch {
	case n >= 8:
		a = binary.LittleEndian.Uint64(k)
		b = binary.LittleEndian.Uint64(k[n-8:])
	case n >= 4:
		a = uint64(binary.LittleEndian.Uint32(k))
		b = uint64(binary.LittleEndian.Uint32(k[n-4:]))
	case n > 0:
		a = uint64(k[0]) | uint64(k[n/2])<<8 | uint64(k[n-1])<<16
	}
	h := (a^uint64(n)<<56^uint64(node)*0x9E3779B97F4A7C15)*0xD6E8FEB86659FD93 ^ b*0xA0761D6478BD642F
	h ^= h >> 32
	return uint32(h * 0xE7037ED1A0B428DB >> 32)
}

// find returns the edge for a key at a node, or nil.
func (t *fieldTable) find(node int32, k []byte) *edge {
	for h := keyHash(node, k) & t.mask; ; h = (h + 1) & t.mask {
		i := t.table[h]
		if i == 0 {
			return nil
		}
		if e := &t.edges[i-1]; e.node == node && e.key == string(k) {
			return e
		}
	}
}
