package marking

import "fmt"

// TLP is a level of the Traffic Light Protocol 2.0, ordered: a higher one bounds onward sharing more.
type TLP uint8

// The five levels of TLP 2.0. TLP 1's WHITE is Clear; its AMBER is Amber.
const (
	Clear TLP = iota
	Green
	Amber
	AmberStrict
	Red
)

var tlpWords = [...]string{"TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"}

// String gives the level as FIRST writes it, such as "TLP:AMBER+STRICT".
func (t TLP) String() string {
	if int(t) < len(tlpWords) {
		return tlpWords[t]
	}
	return fmt.Sprintf("TLP(%d)", uint8(t))
}

// ParseTLP reads a level with or without the "TLP:" before it, in either case, in the words of TLP 1 or 2.0.
// What it does not know is an error: the caller must hold the thing, never guess.
func ParseTLP(s string) (TLP, error) {
	switch lower(trimPrefixFold(s, "tlp:")) {
	case "clear", "white":
		return Clear, nil
	case "green":
		return Green, nil
	case "amber":
		return Amber, nil
	case "amber+strict", "amber-strict":
		return AmberStrict, nil
	case "red":
		return Red, nil
	}
	return Red, fmt.Errorf("no TLP level is called %q", s)
}

// PAP is a level of the Permissible Actions Protocol, ordered: a higher one permits less.
type PAP uint8

// The four levels of PAP.
const (
	PAPClear PAP = iota
	PAPGreen
	PAPAmber
	PAPRed
)

var papWords = [...]string{"PAP:CLEAR", "PAP:GREEN", "PAP:AMBER", "PAP:RED"}

// String gives the level as it is written, such as "PAP:AMBER".
func (p PAP) String() string {
	if int(p) < len(papWords) {
		return papWords[p]
	}
	return fmt.Sprintf("PAP(%d)", uint8(p))
}

// ParsePAP reads a level with or without the "PAP:" before it. An unknown level answers PAPRed with an error, so
// that a caller who goes on anyway has the strictest.
func ParsePAP(s string) (PAP, error) {
	switch lower(trimPrefixFold(s, "pap:")) {
	case "clear", "white":
		return PAPClear, nil
	case "green":
		return PAPGreen, nil
	case "amber":
		return PAPAmber, nil
	case "red":
		return PAPRed, nil
	}
	return PAPRed, fmt.Errorf("no PAP level is called %q", s)
}

// Action is a class of acts that PAP gates.
type Action uint8

// The classes, from the one that nobody can notice to the one that an attacker can.
const (
	// OwnLogs looks into logs that the house holds already.
	OwnLogs Action = iota
	// PassiveCheck asks third parties, without touching what is asked about.
	PassiveCheck
	// Block changes what one's own systems let through.
	Block
)

// Permits says whether a label's PAP allows an act of class a: RED own logs only, AMBER adds passive checks by
// third parties, GREEN adds blocking. A held label permits nothing.
func (l Label) Permits(a Action) bool {
	if l.held {
		return false
	}
	switch a {
	case OwnLogs:
		return true
	case PassiveCheck:
		return l.pap <= PAPAmber
	case Block:
		return l.pap <= PAPGreen
	}
	return false
}

func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func trimPrefixFold(s, prefix string) string {
	if len(s) >= len(prefix) && lower(s[:len(prefix)]) == prefix {
		return s[len(prefix):]
	}
	return s
}
