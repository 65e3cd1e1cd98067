package ledger

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"vigil/internal/ledger/leaf"
)

// crashChild is the other process of the crash test: it appends until it is killed and prints each entry that it was told is durable. Witnesses are not
// asked, so that only the ledger's own durability is tried.
func crashChild() bool {
	dir := os.Getenv("VIGIL_LEDGER_CRASH_DIR")
	if dir == "" {
		return false
	}
	first, _ := strconv.ParseUint(os.Getenv("VIGIL_LEDGER_CRASH_SEQ"), 10, 64)
	fail := func(err error) {
		fmt.Println("error", err)
		os.Exit(3)
	}
	l, err := Open(context.Background(), crashConfig(dir, fail))
	if err != nil {
		fail(err)
	}
	seqs := make(chan uint64)
	go func() {
		for s := first; ; s++ {
			seqs <- s
		}
	}()
	lines := make(chan string)
	for range 8 {
		go func() {
			for s := range seqs {
				b, err := leaf.New(s, "crash.try", "p-1", "", time.Unix(1, 0), [32]byte{}, nil).Marshal()
				if err != nil {
					fail(err)
				}
				idx, err := l.Append(context.Background(), b)
				if err != nil {
					fail(err)
				}
				lines <- fmt.Sprintf("done %d %d", s, idx)
			}
		}()
	}
	for s := range lines {
		fmt.Println(s)
	}
	return true
}

func crashConfig(dir string, fail func(error)) Config {
	r, err := Rehearse(dir+"/w", origin, []byte("a seed of the test, not a secret"), time.Now)
	if err != nil {
		fail(err)
	}
	return Config{Dir: dir + "/l", Origin: origin, Signer: r.Signer}
}

func TestKilledProcessLosesAndDoublesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	acked := map[uint64]uint64{} // seq to index
	next := uint64(1)
	for round := range 5 {
		cmd := exec.Command(exe)
		cmd.Env = append(os.Environ(), "VIGIL_LEDGER_CRASH_DIR="+dir, "VIGIL_LEDGER_CRASH_SEQ="+strconv.FormatUint(next, 10))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		sc := bufio.NewScanner(out)
		got := 0
		for sc.Scan() {
			f := strings.Fields(sc.Text())
			if f[0] != "done" {
				t.Fatalf("child: %s", sc.Text())
			}
			seq, _ := strconv.ParseUint(f[1], 10, 64)
			idx, _ := strconv.ParseUint(f[2], 10, 64)
			acked[seq] = idx
			if got++; got == 37+29*round { // another phase of the writing each time
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait()
		if got < 37 {
			t.Fatalf("child ended after %d entries", got)
		}
		next += 10_000
	}
	l := open(t, crashConfig(dir, func(err error) { t.Fatal(err) }))
	tail, err := l.Tail(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	at := map[uint64]uint64{}
	for _, p := range tail {
		if old, twice := at[p.Seq]; twice {
			t.Errorf("seq %d stands at %d and %d", p.Seq, old, p.Index)
		}
		at[p.Seq] = p.Index
	}
	for seq, idx := range acked {
		if got, ok := at[seq]; !ok || got != idx {
			t.Errorf("seq %d was acknowledged at %d: now at %d, there %v", seq, idx, got, ok)
		}
	}
	t.Logf("%d acknowledged, %d in the log", len(acked), len(tail))
}
