package app_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"vigil/internal/app"
	"vigil/internal/exercise"
)

// startExercise runs the exercise in a directory of its own, as serve --demo does.
func startExercise(t testing.TB) (*app.App, *app.Played) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	a, err := app.New(ctx, app.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Demo: true, Exercise: "Harbour", House: exercise.IdentityID(exercise.TheWorld().House), Place: "Halvern", Local: time.FixedZone("HVT", 3600)})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the exercise ended with: %v", err)
		}
		a.Close()
	})
	p, err := a.Play(ctx, 1, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	return a, p
}

func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium on the path: the browser test needs one")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("no-first-run", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	alloc, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	return ctx
}

// eval runs a line of script in the page and gives what it says.
func eval[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return v
}

// pick takes somebody's seat at the door: the button that bears the name is focused and pressed by key.
func pick(name string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		script := `[...document.querySelectorAll("button")].find(b => b.innerText.includes("` + name + `")).focus(); true`
		if _, err := chromedp.Evaluate[bool](script)(ctx, t); err != nil {
			return chromedp.Void{}, err
		}
		return chromedp.KeyEvent("\r")(ctx, t)
	}
}

// TestPagesByKeyboard logs in as the watch officer and walks every page without a mouse. Screenshots go to the folder
// that VIGIL_ARTIFACTS names.
func TestPagesByKeyboard(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes a while")
	}
	ctx := browser(t)
	a, _ := startExercise(t)
	do := func(what string, actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		step, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		if err := chromedp.Do(step, actions...); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	artifacts := os.Getenv("VIGIL_ARTIFACTS")
	shot := func(name string) {
		t.Helper()
		if artifacts == "" {
			return
		}
		do("settling", chromedp.Sleep(200*time.Millisecond))
		png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatalf("screenshot %s: %v", name, err)
		}
		if err := os.MkdirAll(artifacts, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(artifacts, name+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	at := func() string {
		t.Helper()
		return eval[string](t, ctx, `location.pathname`)
	}
	wants := func(selector, text string) {
		t.Helper()
		do("waiting for "+selector, chromedp.WaitReady(chromedp.CSS(selector)))
		got := eval[string](t, ctx, `document.querySelector("`+selector+`").innerText`)
		if !strings.Contains(got, text) {
			t.Errorf("%s: %q does not stand in %q", at(), text, got)
		}
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 820)); err != nil { // the first call starts the browser: no limit on its context
		t.Fatal(err)
	}
	do("opening", chromedp.EmulateViewport(1280, 820), chromedp.Navigate(a.Origin+"/"))
	if p := at(); p != "/login" {
		t.Fatalf("nobody is logged in, and the page is %s", p)
	}
	shot("login")
	do("taking the watch officer's seat", pick("Ines Varga"), chromedp.WaitReady(chromedp.CSS("main section")))
	wants("main", "Are we under attack?")
	wants("main", "Harbour Authority")
	shot("situation")
	do("the first key opens what is most urgent", chromedp.KeyEvent("1"), chromedp.WaitReady(chromedp.CSS(".lanes, svg")))
	if p := at(); !strings.HasPrefix(p, "/incidents/") {
		t.Fatalf("key 1 leads to %s", p)
	}
	wants("main", "HA-OPS-07")
	shot("incident")
	for _, page := range []struct{ path, text string }{
		{"/detections", "Memory of the credential process read"}, {"/rules", "Loader known for NORTH KILN"}, {"/incidents", "INC-"}, {"/intelligence", "intrusion"},
		{"/intelligence/types/intrusion-set", "QUIET LOOM"}, {"/search?q=loader", "loader"}, {"/oversight", "incident open"}, {"/oversight/3", "commit"}, {"/people", "Edda Roth"}, {"/sources", "resolver"},
		{"/strategy", "Strategy"}, {"/attribution", "Attribution"}, {"/decisions", "Decisions"}, {"/partners", "Partners"},
	} {
		do(page.path, chromedp.Navigate(a.Origin+page.path), chromedp.WaitReady(chromedp.CSS("main h1")))
		body := eval[string](t, ctx, `document.querySelector("main").innerText.toLowerCase()`)
		if !strings.Contains(body, strings.ToLower(page.text)) {
			t.Errorf("%s does not say %q", page.path, page.text)
		}
		shot(strings.Trim(strings.NewReplacer("/", "-", "?", "-", "=", "-").Replace(page.path), "-"))
	}
	// The keyboard: / goes to the search, ? lists the keys, j and enter open a row.
	do("search by key", chromedp.Navigate(a.Origin+"/detections"), chromedp.WaitReady(chromedp.CSS("main h1")), chromedp.KeyEvent("/"))
	if focused := eval[string](t, ctx, `document.activeElement.name || document.activeElement.tagName`); focused != "q" {
		t.Errorf("the key / focuses %q", focused)
	}
	do("first row by key", chromedp.Navigate(a.Origin+"/detections"), chromedp.WaitReady(chromedp.CSS("main h1")), chromedp.KeyEvent("j"), chromedp.KeyEvent("\r"), chromedp.WaitReady(chromedp.CSS("#events")))
	if p := at(); !strings.HasPrefix(p, "/detections/finding--") {
		t.Errorf("j and enter lead to %s", p)
	}
	shot("finding")
	do("the keys", chromedp.KeyEvent("?"), chromedp.WaitVisible(chromedp.CSS("dialog[open]")))
	shot("keys")
	// Taking the incident lands on the record, and the page says so.
	do("taking it", chromedp.Navigate(a.Origin+"/"), chromedp.WaitReady(chromedp.CSS("main h1")), chromedp.KeyEvent("1"), chromedp.WaitReady(chromedp.CSS(`form[action$="/own"]`)), chromedp.Submit(chromedp.CSS(`form[action$="/own"]`)), chromedp.WaitReady(chromedp.CSS("main h1")))
	wants("main", "Ines Varga")
	// Dark, and a phone.
	eval[string](t, ctx, `document.documentElement.dataset.theme = "dark"`)
	shot("incident-dark")
	do("phone", chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile), chromedp.Navigate(a.Origin+"/"), chromedp.WaitReady(chromedp.CSS("main h1")))
	if eval[bool](t, ctx, `document.documentElement.scrollWidth > innerWidth + 1`) {
		t.Error("the situation scrolls sideways on a phone")
	}
	shot("phone-situation")
}
