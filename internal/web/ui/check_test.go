package ui

import "testing"

func checkPage(t *testing.T, html string) {}
