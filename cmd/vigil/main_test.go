package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"vigil": main})
}

// TestScripts tries each verb as somebody at a terminal would, also with rubbish.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: func(e *testscript.Env) error {
		return os.MkdirAll(e.WorkDir+"/tmp", 0o755)
	}})
}
