// Package pattern reads, prints and evaluates STIX 2.1 patterns.
package pattern

// Check reports the first fault of a pattern.
func Check(text string) error { return nil }
