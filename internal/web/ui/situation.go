package ui

import "io"

// SituationPage answers the six questions. The order of Bands is the order on the page; the six are made by SixBands.
type SituationPage struct {
	Frame
	Bands []Band
}

// Band is one question: a number with its trend, then at most three things that want a person.
type Band struct {
	Question string // "Are we under attack?"
	Of       string // what the number counts: "open incidents, 30 days"
	Number   string // the one number, short: "2", "5 h 12 min", "14 / 19"
	Under    string // the words under it: "1 new tonight"
	Measured bool   // false: this edition has no such function, or nothing was measured; then Number is not shown
	Missing  string // when not Measured: what is missing to measure it: "no source delivers"
	Trend    Trend
	Wants    []Want // up to three; more are not shown
	Calm     string // what to say when nothing wants a person: "Nothing waits."
}

// Want is one thing that wants a person.
type Want struct {
	Tone Tone
	Line Line
	Go   string // the imperative: "Open", "Review"
	Href string
}

// SixBands gives the six questions, unmeasured, for a handler to fill.
func SixBands() []Band {
	return []Band{
		{Question: "Are we under attack?", Of: "open incidents, 30 days", Calm: "Nothing waits for a person."},
		{Question: "By whom, and how sure?", Of: "assessments in work", Calm: "No assessment waits."},
		{Question: "What may we do?", Of: "decisions open", Calm: "No decision waits."},
		{Question: "Who must know?", Of: "clocks and releases", Calm: "No clock runs."},
		{Question: "Does the strategy work?", Of: "objectives on course", Calm: "Every objective is on course."},
		{Question: "Who checks us?", Of: "record and oversight", Calm: "No question is open."},
	}
}

// numbered gives the first want of each band the number key that opens it.
func (p SituationPage) numbered() []numberedBand {
	n := 0
	out := make([]numberedBand, 0, len(p.Bands))
	for _, b := range p.Bands {
		if len(b.Wants) > 3 {
			b.Wants = b.Wants[:3]
		}
		nb := numberedBand{Band: b}
		for i, w := range b.Wants {
			nw := numberedWant{Want: w}
			if i == 0 && w.Href != "" && n < 9 {
				n++
				nw.Key = n
			}
			nb.Numbered = append(nb.Numbered, nw)
		}
		out = append(out, nb)
	}
	return out
}

type numberedBand struct {
	Band
	Numbered []numberedWant
}

type numberedWant struct {
	Want
	Key int // 1 to 9; 0: none
}

// Situation writes the opening page.
func Situation(w io.Writer, p SituationPage) error {
	if p.Title == "" {
		p.Title = "Situation"
	}
	p.At = PlaceSituation
	return render(w, "situation", struct {
		SituationPage
		Rows []numberedBand
	}{p, p.numbered()})
}
