package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"
)

func open(t *testing.T, dir string, quota int64) *Store {
	t.Helper()
	s, err := New(Config{Dir: dir, Quota: quota})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *Store, content string) Ref {
	t.Helper()
	ref, err := s.Put(t.Context(), strings.NewReader(content), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

const object = "artifact--3d7a36d5-2bd6-4c0b-8f0f-0e2f4f8f0b11"

func read(s *Store, sha [32]byte) (string, error) {
	r, err := s.Open(GrantFor(object, sha))
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}

// files lists all regular files below the directory, half-written ones too.
func files(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			rel, _ := filepath.Rel(dir, p)
			out = append(out, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPutAndOpen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 0)
	for _, content := range []string{"", "memory image", strings.Repeat("disk ", 100_000)} {
		ref := put(t, s, content)
		if ref.SHA256 != sha256.Sum256([]byte(content)) || ref.Size != int64(len(content)) {
			t.Errorf("ref %+v", ref)
		}
		if got, err := read(s, ref.SHA256); err != nil || got != content {
			t.Errorf("read back %d bytes, %v", len(got), err)
		}
		if err := s.Verify(t.Context(), GrantFor(object, ref.SHA256)); err != nil {
			t.Error(err)
		}
	}
	used := s.Used()
	again := put(t, s, "memory image")
	if s.Used() != used || len(files(t, dir)) != 3 {
		t.Errorf("same content twice: %d then %d bytes, files %v", used, s.Used(), files(t, dir))
	}
	if info, err := os.Stat(s.path(again.SHA256)); err != nil || info.Mode().Perm() != 0o400 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if got := open(t, dir, 0).Used(); got != used {
		t.Errorf("opened anew: %d bytes used, was %d", got, used)
	}
}

func TestNoGrantNoFile(t *testing.T) {
	s := open(t, t.TempDir(), 0)
	ref := put(t, s, "x")
	if _, err := s.Open(Grant{}); !errors.Is(err, ErrNoGrant) {
		t.Errorf("zero grant: %v", err)
	}
	if _, err := s.Open(GrantFor("", ref.SHA256)); !errors.Is(err, ErrNoGrant) {
		t.Errorf("hash alone: %v", err)
	}
	if err := s.Verify(t.Context(), GrantFor("", ref.SHA256)); !errors.Is(err, ErrNoGrant) {
		t.Errorf("verify by hash alone: %v", err)
	}
	if err := s.Delete(GrantFor("", ref.SHA256), Reason{Ordered, "x"}); !errors.Is(err, ErrNoGrant) {
		t.Errorf("delete by hash alone: %v", err)
	}
	if _, err := s.Open(GrantFor(object, [32]byte{1})); !errors.Is(err, ErrMissing) {
		t.Errorf("missing: %v", err)
	}
}

func TestDamageIsSeen(t *testing.T) {
	f := func(name string, damage func(path string) error) {
		t.Helper()
		s := open(t, t.TempDir(), 0)
		const content = "the original bytes"
		ref := put(t, s, content)
		path := s.path(ref.SHA256)
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := damage(path); err != nil {
			t.Fatal(err)
		}
		if _, err := read(s, ref.SHA256); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: read: %v", name, err)
		}
		if err := s.Verify(t.Context(), GrantFor(object, ref.SHA256)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: verify: %v", name, err)
		}
		before, _ := os.ReadFile(path)
		if _, err := s.Put(t.Context(), strings.NewReader(content), Limits{}); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: put over it: %v", name, err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Errorf("%s: put overwrote a file", name)
		}
	}
	f("one byte", func(p string) error { return os.WriteFile(p, []byte("the 0riginal bytes"), 0o600) })
	f("cut", func(p string) error { return os.Truncate(p, 5) })
	f("empty", func(p string) error { return os.Truncate(p, 0) })
	f("longer", func(p string) error { return os.WriteFile(p, []byte("the original bytes."), 0o600) })
}

func TestLimits(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 100)
	if _, err := s.Put(t.Context(), strings.NewReader("12345"), Limits{MaxSize: 5}); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := s.Put(t.Context(), strings.NewReader("123456"), Limits{MaxSize: 5}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
	if _, err := s.Put(t.Context(), strings.NewReader(strings.Repeat("q", 96)), Limits{}); !errors.Is(err, ErrQuota) {
		t.Errorf("over the quota: %v", err)
	}
	if _, err := s.Put(t.Context(), iotest.OneByteReader(strings.NewReader(strings.Repeat("q", 96))), Limits{}); !errors.Is(err, ErrQuota) {
		t.Errorf("over the quota, byte by byte: %v", err)
	}
	broken := errors.New("cable pulled")
	if _, err := s.Put(t.Context(), io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)), Limits{}); !errors.Is(err, broken) {
		t.Errorf("broken source: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Put(ctx, strings.NewReader("x"), Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if s.Used() != 5 || len(files(t, dir)) != 1 {
		t.Errorf("refusals left something: %d bytes, %v", s.Used(), files(t, dir))
	}
	if _, err := s.Put(t.Context(), strings.NewReader(strings.Repeat("q", 95)), Limits{}); err != nil {
		t.Errorf("filling the quota: %v", err)
	}
}

func TestConcurrentPuts(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 0)
	content := strings.Repeat("same", 50_000)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := s.Put(t.Context(), strings.NewReader(content), Limits{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s.Used() != int64(len(content)) || len(files(t, dir)) != 1 {
		t.Errorf("%d bytes, files %v", s.Used(), files(t, dir))
	}
}

func TestDelete(t *testing.T) {
	s := open(t, t.TempDir(), 0)
	ref := put(t, s, "x")
	g := GrantFor(object, ref.SHA256)
	for _, r := range []Reason{{}, {Why: "tidy", Text: "t"}, {Why: Ordered}} {
		if err := s.Delete(g, r); err == nil {
			t.Errorf("deleted for %+v", r)
		}
	}
	if err := s.Delete(g, Reason{RetentionExpired, "source 12, 90 days"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(g); !errors.Is(err, ErrMissing) || s.Used() != 0 {
		t.Errorf("after delete: %v, %d bytes", err, s.Used())
	}
	if err := s.Delete(g, Reason{RetentionExpired, "again"}); !errors.Is(err, ErrMissing) {
		t.Errorf("twice: %v", err)
	}
}

func TestOrphans(t *testing.T) {
	s := open(t, t.TempDir(), 0)
	kept, lost, young := put(t, s, "kept"), put(t, s, "lost"), put(t, s, "young")
	past := time.Now().Add(-2 * time.Hour)
	for _, r := range []Ref{kept, lost} {
		if err := os.Chtimes(s.path(r.SHA256), past, past); err != nil {
			t.Fatal(err)
		}
	}
	cited := func(sha [32]byte) (bool, error) { return sha == kept.SHA256, nil }
	list, err := s.Orphans(t.Context(), time.Now().Add(-time.Hour), cited)
	if err != nil || len(list) != 1 || list[0].Ref != lost {
		t.Fatalf("orphans %v, %v", list, err)
	}
	put(t, s, "lost") // cited anew before the sweep comes to it
	if gone, err := s.DeleteOrphan(list[0], cited); gone || err != nil {
		t.Errorf("put again: %v, %v", gone, err)
	}
	if err := os.Chtimes(s.path(lost.SHA256), past, past); err != nil {
		t.Fatal(err)
	}
	if gone, err := s.DeleteOrphan(list[0], func([32]byte) (bool, error) { return true, nil }); gone || err != nil {
		t.Errorf("cited meanwhile: %v, %v", gone, err)
	}
	if gone, err := s.DeleteOrphan(list[0], cited); !gone || err != nil {
		t.Errorf("orphan: %v, %v", gone, err)
	}
	if s.Used() != kept.Size+young.Size {
		t.Errorf("%d bytes used", s.Used())
	}
}

func TestForeignFileIsNamed(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, 0)
	if err := os.Mkdir(filepath.Join(dir, "ab"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ab", "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "notes.txt") {
		t.Errorf("%v", err)
	}
}

// TestCrash kills a child process at each step of a Put. What is visible afterwards is whole; what is not was never there.
func TestCrash(t *testing.T) {
	const content = "evidence that must be whole "
	whole := strings.Repeat(content, 40_000) // several writes
	sha := sha256.Sum256([]byte(whole))
	if at := os.Getenv("BLOB_CRASH_AT"); at != "" {
		writes := 0
		step = func(name string) {
			if name == "write" {
				writes++
			}
			if name == at && (name != "write" || writes == 3) {
				p, _ := os.FindProcess(os.Getpid())
				_ = p.Kill()
				select {}
			}
		}
		s, err := New(Config{Dir: os.Getenv("BLOB_CRASH_DIR")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(context.Background(), strings.NewReader(whole), Limits{}); err != nil {
			t.Fatal(err)
		}
		return
	}
	f := func(at string, killed, visible bool) {
		t.Helper()
		dir := t.TempDir()
		child := exec.Command(os.Args[0], "-test.run=^TestCrash$")
		child.Env = append(os.Environ(), "BLOB_CRASH_AT="+at, "BLOB_CRASH_DIR="+dir)
		out, err := child.CombinedOutput()
		if (err != nil) != killed {
			t.Fatalf("%s: the child ended with %v\n%s", at, err, out)
		}
		left := files(t, dir)
		if killed && len(left) == 0 {
			t.Errorf("%s: killed before anything was written: the test shows nothing", at)
		}
		s := open(t, dir, 0)
		got, err := read(s, sha)
		if visible && (err != nil || got != whole) || !visible && !errors.Is(err, ErrMissing) {
			t.Errorf("%s: %d bytes, %v", at, len(got), err)
		}
		after := files(t, dir)
		if visible && len(after) != 1 || !visible && len(after) != 0 {
			t.Errorf("%s: files left: %v", at, after)
		}
		if ref := put(t, s, whole); ref.SHA256 != sha || s.Used() != int64(len(whole)) {
			t.Errorf("%s: put after the crash: %d bytes used", at, s.Used())
		}
	}
	f("never", false, true)
	f("write", true, false)
	f("before sync", true, false)
	f("before publish", true, false)
	f("published", true, true)
}
