package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vigil/internal/marking"
	"vigil/internal/store"
)

type world struct {
	*Directory
	t   *testing.T
	now time.Time
}

const goodPassword = "four calm words here"

func newWorld(t *testing.T, demo bool) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	s, err := store.Open(context.Background(), store.Options{Dir: t.TempDir(), Schemas: []store.Schema{Schema}, Now: func() time.Time { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if w.Directory, err = New(context.Background(), s, Config{Demo: demo}); err != nil {
		t.Fatal(err)
	}
	w.params = params{1, 64, 1}
	return w
}

func (w *world) setup() Principal {
	w.t.Helper()
	ctx := context.Background()
	token, err := w.SetupLink(ctx)
	if err != nil || token == "" {
		w.t.Fatal(token, err)
	}
	id, err := w.CompleteSetup(ctx, token, Body{Name: "National CSIRT of Halvern", Kind: "csirt"}, Person{Login: "kas.winter", Name: "Kas Winter"}, goodPassword)
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := w.as(ctx, id, "password")
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) entries(action string) int {
	w.t.Helper()
	v, err := w.store.View(context.Background(), marking.System("test"))
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := v.Entries(context.Background(), store.Entries{Action: action})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(p.Entries)
}

func TestSetupOnce(t *testing.T) {
	w := newWorld(t, false)
	ctx := context.Background()
	first, err := w.SetupLink(ctx)
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.SetupLink(ctx)
	if err != nil {
		t.Fatal(err)
	}
	house, admin := Body{Name: "CSIRT", Kind: "csirt"}, Person{Login: "kas", Name: "Kas"}
	if _, err := w.CompleteSetup(ctx, first, house, admin, goodPassword); !errors.Is(err, ErrLink) {
		t.Errorf("a link that was replaced: %v", err)
	}
	if _, err := w.CompleteSetup(ctx, second, house, admin, "short"); err == nil {
		t.Error("a short password was taken")
	}
	w.now = w.now.Add(25 * time.Hour)
	if _, err := w.CompleteSetup(ctx, second, house, admin, goodPassword); !errors.Is(err, ErrLink) {
		t.Errorf("a link that has run out: %v", err)
	}
	third, err := w.SetupLink(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.CompleteSetup(ctx, third, house, admin, goodPassword); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CompleteSetup(ctx, third, house, Person{Login: "mallory", Name: "M"}, goodPassword); !errors.Is(err, ErrLink) {
		t.Errorf("the same link again: %v", err)
	}
	if again, err := w.SetupLink(ctx); err != nil || again != "" {
		t.Errorf("another link although there is an administrator: %q %v", again, err)
	}
}

func TestLoginSessionAndItsEnd(t *testing.T) {
	w := newWorld(t, false)
	ctx := context.Background()
	admin := w.setup()
	text, p, err := w.Login(ctx, " Kas.Winter ", goodPassword, From{Address: "192.0.2.1"})
	if err != nil || p.Person != admin.Person || p.Means != "password" {
		t.Fatalf("%+v %v", p, err)
	}
	ask := func(c *http.Cookie) Principal {
		var got Principal
		r := httptest.NewRequest("GET", "/", nil)
		if c != nil {
			r.AddCookie(c)
		}
		w.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = FromContext(r.Context()) })).ServeHTTP(httptest.NewRecorder(), r)
		return got
	}
	if ask(w.Cookie(text)).Person != admin.Person {
		t.Error("the session is not known")
	}
	if ask(nil).Person != "" || ask(w.Cookie("vses_wrong")).Person != "" {
		t.Error("somebody without a session is somebody")
	}
	c := w.Cookie(text)
	if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" {
		t.Errorf("the cookie is %v", c)
	}
	w.now = w.now.Add(90 * time.Minute)
	if ask(w.Cookie(text)).Person == "" {
		t.Error("a session in use ended before its time")
	}
	w.now = w.now.Add(2*time.Hour + time.Second)
	if ask(w.Cookie(text)).Person != "" {
		t.Error("an idle session holds")
	}
	text, _, err = w.Login(ctx, "kas.winter", goodPassword, From{})
	if err != nil {
		t.Fatal(err)
	}
	for range 13 {
		w.now = w.now.Add(time.Hour)
		ask(w.Cookie(text))
	}
	if ask(w.Cookie(text)).Person != "" {
		t.Error("a session holds beyond its term although it was used")
	}
	text, p, err = w.Login(ctx, "kas.winter", goodPassword, From{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Logout(ctx, p, text); err != nil || ask(w.Cookie(text)).Person != "" {
		t.Errorf("logged out and still known: %v", err)
	}
}

func TestLockEndsSessionsAndLogins(t *testing.T) {
	w := newWorld(t, false)
	ctx := context.Background()
	admin := w.setup()
	id, err := w.AddPerson(ctx, admin, Person{Login: "ines.varga", Name: "Ines Varga", Body: w.House(), Role: WatchOfficer})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Login(ctx, "ines.varga", goodPassword, From{}); !errors.Is(err, ErrLogin) {
		t.Errorf("logged in without a password: %v", err)
	}
	invite, err := w.Invite(ctx, admin, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.AcceptInvite(ctx, invite, goodPassword); err != nil {
		t.Fatal(err)
	}
	if err := w.AcceptInvite(ctx, invite, "another password"); !errors.Is(err, ErrLink) {
		t.Errorf("an invitation worked twice: %v", err)
	}
	text, _, err := w.Login(ctx, "ines.varga", goodPassword, From{})
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	if err := w.ChangePerson(ctx, admin, id, Change{Locked: &yes}, "left the house"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.session(ctx, text); err == nil {
		t.Error("a locked account's session holds")
	}
	if _, _, err := w.Login(ctx, "ines.varga", goodPassword, From{}); !errors.Is(err, ErrLogin) {
		t.Errorf("a locked account logged in: %v", err)
	}
}

func TestGuessingIsSlowedAndEnteredOnce(t *testing.T) {
	w := newWorld(t, false)
	ctx := context.Background()
	w.setup()
	var wait *Wait
	n := 0
	for range 20 {
		_, _, err := w.Login(ctx, "kas.winter", "wrong", From{Address: "192.0.2.9"})
		if errors.As(err, &wait) {
			break
		}
		if !errors.Is(err, ErrLogin) {
			t.Fatal(err)
		}
		n++
	}
	if n != freeAttempts || wait == nil {
		t.Errorf("%d free attempts, want %d", n, freeAttempts)
	}
	if _, _, err := w.Login(ctx, "nobody", "wrong", From{Address: "192.0.2.9"}); !errors.As(err, &wait) {
		t.Errorf("the address is free to try another name: %v", err)
	}
	w.now = w.now.Add(maxPause)
	if _, _, err := w.Login(ctx, "kas.winter", goodPassword, From{Address: "192.0.2.9"}); err != nil {
		t.Errorf("after the pause: %v", err)
	}
	if got := w.entries("refused.session.open"); got != 1 {
		t.Errorf("%d entries of failed log-ins, want 1", got)
	}
}

func TestGuessesAtTheSameMomentCountEachOther(t *testing.T) {
	w := newWorld(t, false)
	w.setup()
	for name, from := range map[string]func(int) string{
		"one address": func(int) string { return "192.0.2.9" },
		"one network": func(i int) string { return fmt.Sprintf("2001:db8:1:2::%x", i+1) },
	} {
		var compared atomic.Int32
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				if _, _, err := w.Login(context.Background(), fmt.Sprintf("%s%d", name[:3], i), "wrong", From{Address: from(i)}); errors.Is(err, ErrLogin) {
					compared.Add(1)
				}
			})
		}
		all.Wait()
		if n := compared.Load(); n != freeAttempts {
			t.Errorf("%s: %d guesses of 40 were compared, want %d", name, n, freeAttempts)
		}
	}
}

func TestNoCredentialFromAToken(t *testing.T) {
	w := newWorld(t, false)
	ctx := context.Background()
	admin := w.setup()
	text, err := w.AddToken(ctx, admin, "nightly", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.token(ctx, text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.AddToken(ctx, p, "for longer", 300*24*time.Hour); !errors.Is(err, ErrRefused) {
		t.Errorf("a token made a token: %v", err)
	}
	if _, err := w.Invite(ctx, p, admin.Person); !errors.Is(err, ErrRefused) {
		t.Errorf("a token made an invitation: %v", err)
	}
}

func TestDemoLoginOnlyInAnExercise(t *testing.T) {
	real, demo := newWorld(t, false), newWorld(t, true)
	admin := real.setup()
	if _, err := real.DemoLogin(context.Background(), admin.Person); !errors.Is(err, ErrRefused) {
		t.Errorf("picked outside an exercise: %v", err)
	}
	admin = demo.setup()
	p, err := demo.DemoLogin(context.Background(), admin.Person)
	if err != nil || p.Means != "demo" {
		t.Errorf("%+v %v", p, err)
	}
}

// The whole matrix: who may do what. A change of it is a decision, so it stands here a second time.
func TestRoleMatrix(t *testing.T) {
	letters := map[Role]byte{WatchOfficer: 'w', Analyst: 'a', DecisionMaker: 'd', LegalAdviser: 'l', DiplomaticLiaison: 'f', PoliceLiaison: 'p', PartnerOfficer: 'x', Constituent: 'c', Overseer: 'o', ProgrammeManager: 'm', Administrator: 'k'}
	want := map[Action]string{
		SituationRead: "wadlfpomk", DetectionRead: "wao", IncidentRead: "wadlfpcom", IntelRead: "wadlfpxcom", RecordRead: "wadlok", PeopleRead: "wadlfpomk", SourceRead: "walomk",
		RuleChange: "wa", FindingJudge: "wa", IncidentOpen: "w", IncidentChange: "w", IncidentTask: "wa", EvidenceAdd: "wap", EvidenceTransfer: "wapc", EvidenceRead: "wap",
		IntelImport: "wa", IntelWrite: "a", MarkResolve: "a", IntelExport: "wa", SourceRegister: "lk", SourceChange: "lk", PersonAdd: "k", PersonChange: "k", PersonInvite: "k",
		BodyAdd: "k", BodyChange: "k", SelfChange: "wadlfpxcomk", SessionOpen: "wadlfpxcomk", SessionClose: "wadlfpxcomk", QuestionAsk: "o",
	}
	for _, a := range Actions() {
		set, known := want[a]
		if !known {
			t.Errorf("%s is not in the matrix", a)
		}
		for _, r := range Roles() {
			if got := r.May(a); got != strings.Contains(set, string(letters[r])) {
				t.Errorf("%s may %s = %v", r, a, got)
			}
			if (Principal{Role: r}).May(a) {
				t.Errorf("nobody, in the role of %s, may %s", r, a)
			}
		}
	}
	if len(want) != len(Actions()) {
		t.Errorf("%d actions, %d in the matrix", len(Actions()), len(want))
	}
	for _, r := range append(Roles(), "stranger") {
		if r.May("made.up") {
			t.Errorf("%s may do what does not exist", r)
		}
	}
}

func TestTokensExpire(t *testing.T) {
	w := newWorld(t, false)
	ctx := context.Background()
	admin := w.setup()
	text, err := w.AddToken(ctx, admin, "nightly", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := w.token(ctx, text); err != nil || p.Person != admin.Person || p.Means != "token" {
		t.Errorf("%+v %v", p, err)
	}
	w.now = w.now.Add(time.Hour)
	if _, err := w.token(ctx, text); err == nil {
		t.Error("an expired token works")
	}
}

func FuzzParseHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=65536,t=3,p=2$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=4294967295,t=3,p=2$AAAA$AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		p, salt, sum, err := parseHash(s)
		if err == nil && (p.memory > maxMemory || p.time > maxTime || len(salt) != saltSize || len(sum) != hashSize) {
			t.Fatalf("%q was read as %+v", s, p)
		}
	})
}
