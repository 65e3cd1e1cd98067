package pattern_test

import (
	"fmt"
	"time"

	"vigil/stix/pattern"
)

func ExampleParse() {
	p, err := pattern.Parse("[domain-name:value=='update.quaymar.example'   OR (url:value LIKE '%/gate')] WITHIN +5 SECONDS")
	fmt.Println(p, err)
	_, err = pattern.Parse("[file:hashes.SHA-256 = 'aa']")
	fmt.Println(err)
	// Output:
	// [domain-name:value = 'update.quaymar.example' OR url:value LIKE '%/gate'] WITHIN 5 SECONDS <nil>
	// pattern 1:14: the key SHA-256 has a hyphen and must stand in quotes
}

func ExampleIndex() {
	p, err := pattern.Parse("[ipv4-addr:value = '192.0.2.7'] OR [file:name = 'a.exe' AND file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']")
	if err != nil {
		fmt.Println(err)
		return
	}
	terms, ok := pattern.Index(p)
	fmt.Println(ok, pattern.Exact(p))
	for _, t := range terms {
		fmt.Println(t.Path, t.Op, t.Value.Text)
	}
	// Output:
	// true false
	// ipv4-addr:value = 192.0.2.7
	// file:hashes.MD5 = d41d8cd98f00b204e9800998ecf8427e
}

func ExampleMatcher() {
	p, err := pattern.Parse("[user-account:user_id = 'root'] REPEATS 3 TIMES WITHIN 60 SECONDS")
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := pattern.Compile(p, pattern.Budget{})
	if err != nil {
		fmt.Println(err)
		return
	}
	at := time.Date(2030, 3, 1, 12, 0, 0, 0, time.UTC)
	for range 3 {
		matched, err := m.Add(&pattern.Observation{First: at, Objects: map[string]map[string]any{
			"0": {"type": "user-account", "user_id": "root"},
		}})
		fmt.Println(matched, err)
		at = at.Add(20 * time.Second)
	}
	// Output:
	// false <nil>
	// false <nil>
	// true <nil>
}
