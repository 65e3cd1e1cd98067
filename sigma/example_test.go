package sigma_test

import (
	"fmt"
	"log"
	"time"

	"vigil/sigma"
)

const rule = `
title: Archive Tool Writes To A Share
id: 7d1c7a30-6f0e-4c35-9d5f-0e0f6b1c2a11
name: archive_to_share
level: medium
tags: [attack.t1560.001]
logsource: {category: process_creation, product: windows}
detection:
  tool:
    Image|endswith: ['\rar.exe', '\7z.exe']
  share:
    CommandLine|contains: ' \\\\files.quaymar.example\'
  condition: tool and share
`

const event = `{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":1,"Computer":"ws-02.halvern.example",` +
	`"Image":"C:\\Tools\\7Z.exe","CommandLine":"7z a \\\\files.quaymar.example\\out\\x.7z ."}`

func Example() {
	set, refused := sigma.Parse("archive.yml", []byte(rule))
	for _, err := range refused {
		log.Fatal(err)
	}
	engine, refused := sigma.Compile(set, sigma.Options{Fields: []string{"Computer"}})
	for _, err := range refused {
		log.Fatal(err)
	}
	m := engine.NewMatcher()
	err := m.MatchJSON([]byte(event), sigma.Logsource{}, func(hit sigma.Match) {
		host, _ := hit.Field("Computer")
		fmt.Println(hit.Rule.Title, hit.Rule.Techniques(), string(host))
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: Archive Tool Writes To A Share [T1560.001] ws-02.halvern.example
}

func ExampleEngine_Explain() {
	set, _ := sigma.Parse("archive.yml", []byte(rule))
	engine, _ := sigma.Compile(set, sigma.Options{})
	x, err := engine.Explain(set.Rules[0], []byte(`{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":1,"Image":"C:\\7z.exe"}`),
		sigma.Logsource{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(x)
	// Output:
	// ✗ rule Archive Tool Writes To A Share
	//   ✓ logsource category=process_creation product=windows covers the event
	//   ✗ all of
	//     ✓ detection tool
	//       ✓ Image ends with "\\7z.exe" or ends with "\\rar.exe"  — ["C:\\7z.exe"]
	//     ✗ detection share
	//       ✗ CommandLine contains " \\\\files.quaymar.example\\"
}

func ExampleCorrelator() {
	set, _ := sigma.Parse("both.yml", []byte(rule+`---
title: Many Archives
correlation: {type: event_count, rules: [archive_to_share], group-by: [Computer], timespan: 5m, condition: {gte: 2}}
`))
	engine, _ := sigma.Compile(set, sigma.Options{})
	m, c := engine.NewMatcher(), engine.NewCorrelator(sigma.CorrelatorOptions{})
	report := func(hit sigma.Match) {
		fmt.Println(hit.Correlation.Title, hit.Window.Group, hit.Window.Count, hit.Window.Refs)
	}
	start := time.Date(2031, 3, 4, 5, 0, 0, 0, time.UTC)
	for i := range 2 {
		err := m.MatchJSON([]byte(event), sigma.Logsource{}, func(hit sigma.Match) {
			c.Add(hit, start.Add(time.Duration(i)*time.Minute), fmt.Sprint("event-", i), report)
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	// Output: Many Archives [{Computer ws-02.halvern.example}] 2 [event-0 event-1]
}
