// Package sigma reads Sigma 2.1 rules, correlations and filters, and matches events against them.
//
// [Parse] and [LoadFS] read rules, [Compile] turns them into an [Engine], and each goroutine matches with a [Matcher] of its own:
//
//	set, refused := sigma.LoadFS(os.DirFS("rules"), ".")
//	engine, more := sigma.Compile(set, sigma.Options{})
//	m := engine.NewMatcher()
//	err := m.MatchJSON(line, sigma.Logsource{}, func(hit sigma.Match) { fmt.Println(hit.Rule.Title) })
//
// A rule that cannot be honoured is refused with file, line and reason; it never silently matches nothing or everything.
package sigma
