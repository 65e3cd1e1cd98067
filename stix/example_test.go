package stix_test

import (
	"fmt"
	"os"
	"strings"
	"time"

	"vigil/stix"
)

func ExampleParse() {
	raw := []byte(`{"type":"tool","spec_version":"2.1","id":"tool--11111111-1111-4111-8111-111111111111",
		"created":"2030-01-01T00:00:00.000Z","modified":"2030-01-01T00:00:00.000Z","name":"Quiet Loom","confidence":150}`)
	_, _, err := stix.Parse(raw, stix.Options{})
	fmt.Println(err)
	o, notes, err := stix.Parse(raw, stix.Options{Mode: stix.Lenient})
	fmt.Println(o.Name, o.Modified, notes, err)
	// Output:
	// confidence at byte 197: 150 is outside 0 to 100
	// Quiet Loom 2030-01-01T00:00:00.000Z [confidence: 150 is outside 0 to 100] <nil>
}

func ExampleReadBundle() {
	bundle := `{"type":"bundle","id":"bundle--11111111-1111-4111-8111-111111111111","objects":[
		{"type":"url","id":"url--22222222-2222-4222-8222-222222222222","value":"https://quaymar.example/gate"},
		{"type":"url","id":"url--33333333-3333-4333-8333-333333333333"}]}`
	err := stix.ReadBundle(strings.NewReader(bundle), stix.Options{}, func(it stix.Item) error {
		if it.Err != nil {
			fmt.Printf("object %d: %v\n", it.Index, it.Err)
			return nil
		}
		fmt.Println(it.Object.ID, it.Object.Name)
		return nil
	})
	fmt.Println(err)
	// Output:
	// url--22222222-2222-4222-8222-222222222222 https://quaymar.example/gate
	// object 1: at byte 0: property value is required
	// <nil>
}

func ExampleMake() {
	now := time.Date(2030, 3, 1, 12, 0, 0, 0, time.UTC)
	o, err := stix.Make("domain-name", now, stix.Props{"value": "update.quaymar.example"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(o.Raw))
	// Output:
	// {"type":"domain-name","spec_version":"2.1","id":"domain-name--5f12c015-eab0-5cc3-b9ee-8da60e5b77dd","value":"update.quaymar.example"}
}

func ExampleBundleWriter() {
	w := stix.NewBundleWriter(os.Stdout, "bundle--11111111-1111-4111-8111-111111111111")
	w.Write([]byte(`{"type":"url","id":"url--22222222-2222-4222-8222-222222222222","value":"https://quaymar.example/"}`))
	w.Close()
	// Output:
	// {"type":"bundle","id":"bundle--11111111-1111-4111-8111-111111111111","objects":[{"type":"url","id":"url--22222222-2222-4222-8222-222222222222","value":"https://quaymar.example/"}]}
}
