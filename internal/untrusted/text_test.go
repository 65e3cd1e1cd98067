package untrusted

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html"
	"html/template"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

const secret = "NORTH KILN\x1b[31m<b>"

func TestNothingLeaksThroughFormatting(t *testing.T) {
	x := New(secret)
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%X", "%d", "%10s", "%T %v"} {
		for _, v := range []any{x, &x, []Text{x}, struct{ T Text }{x}, map[string]Text{"k": x}} {
			got := fmt.Sprintf(strings.ReplaceAll(verb, "%T ", ""), v)
			if strings.Contains(got, "KILN") || strings.Contains(strings.ToLower(got), fmt.Sprintf("%x", "KILN")) {
				t.Errorf("%s of %T prints the text: %q", verb, v, got)
			}
		}
	}
	if got := fmt.Sprint(x); got != "[untrusted text, 18 bytes]" {
		t.Errorf("placeholder: %q", got)
	}
	if err := fmt.Errorf("open %v", x); strings.Contains(err.Error(), "KILN") {
		t.Errorf("error text: %q", err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("seen", "field", x)
	slog.New(slog.NewTextHandler(&log, nil)).Info("seen", "field", x)
	if strings.Contains(log.String(), "KILN") {
		t.Errorf("log: %s", log.String())
	}
	var page bytes.Buffer
	if err := template.Must(template.New("").Parse(`<p title="{{.}}">{{.}}</p>`)).Execute(&page, x); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(page.String(), "KILN") {
		t.Errorf("template without a renderer: %s", page.String())
	}
	if _, ok := any(x).(fmt.Stringer); ok {
		t.Error("Text has a String method")
	}
}

func TestVisible(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := New(in).Terminal(); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	f("", "")
	f("plain text, ünïcode, 漢字", "plain text, ünïcode, 漢字")
	f("\x1b[31mred\x1b[0m", "␛[31mred␛[0m")
	f("\x1b]0;title\a", "␛]0;title␇")
	f("a\tb\r\nc\x00", "a␉b␍␊c␀")
	f("\u009b31m", "[U+009B]31m")
	f("invoice\u202egnp.exe", "invoice[U+202E]gnp.exe")
	f("a\u200bb\ufeffc\u00add", "a[U+200B]b[U+FEFF]c[U+00AD]d")
	f("no\u00a0break\u3000wide", "no[U+00A0]break[U+3000]wide")
	f("\xff\xc3(", `\xFF\xC3(`)
	f("\xed\xa0\x80", `\xED\xA0\x80`)
	f("\ufffd", "\ufffd")
	f("e\u0301", "e\u0301")
	f("z"+strings.Repeat("\u0300", 6), "z"+strings.Repeat("\u0300", 4)+"[U+0300][U+0300]")
	f("\U000e0041", "[U+E0041]")
	f("\ue000", "[U+E000]")
}

// Every control, bidirectional, format and space character, on every sink that a person looks at.
func TestEveryControlCharacterOnEverySink(t *testing.T) {
	sinks := map[string]func(Text) string{
		"html": func(x Text) string { return string(x.HTML()) }, "block": func(x Text) string { return string(x.HTMLBlock()) },
		"csv": Text.CSV, "terminal": Text.Terminal, "json": Text.JSON, "defanged": Text.Defanged,
		"width": func(x Text) string { return x.TerminalWidth(40) }, "pad": func(x Text) string { return x.PadTerminal(40) },
		"title": func(x Text) string { return x.Title(40) },
	}
	n := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		bad := unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Cf, unicode.Zl, unicode.Zp) || (unicode.Is(unicode.Zs, r) && r != ' ')
		if !bad {
			continue
		}
		n++
		x := New("a" + string(r) + "b")
		for name, render := range sinks {
			if name == "block" && (r == '\n' || r == '\t') {
				continue
			}
			if got := render(x); strings.ContainsRune(got, r) {
				t.Errorf("%s: U+%04X passes: %q", name, r, got)
			}
		}
	}
	if n < 200 {
		t.Fatalf("only %d characters were tried", n)
	}
	for c := 0x80; c < 0x100; c++ {
		for name, render := range sinks {
			if got := render(New([]byte{'a', byte(c), 'b'})); !utf8.ValidString(got) {
				t.Errorf("%s: byte %#x gives invalid UTF-8: %q", name, c, got)
			}
		}
	}
}

func TestHTML(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := string(New(in).HTML()); got != `<code class="raw"><bdi>`+want+`</bdi></code>` {
			t.Errorf("%q: got %q", in, got)
		}
	}
	f(`<script>alert(1)</script>`, `&lt;script&gt;alert(1)&lt;/script&gt;`)
	f(`" hx-get="/x" '`, `&#34; hx-get&#61;&#34;/x&#34; &#39;`)
	f(`https://evil.example/`, `https://evil.example/`)
	f("a\x1bb", `a<span class="ctl">␛</span>b`)
	f("</bdi></code>", "&lt;/bdi&gt;&lt;/code&gt;")
	f("a\nb", `a<span class="ctl">␊</span>b`)
	if got := string(New("a\n\tb\r").HTMLBlock()); got != `<pre class="rawblock"><code class="raw"><bdi>`+"a\n\tb"+`<span class="ctl">␍</span></bdi></code></pre>` {
		t.Errorf("block: %q", got)
	}
	long := string(New(strings.Repeat("x", HTMLLimit+5)).HTML())
	if !strings.Contains(long, "… [5 more bytes]") || len(long) > HTMLLimit+100 {
		t.Errorf("limit: %d bytes, ends %q", len(long), long[len(long)-60:])
	}
}

func TestCSV(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := New(in).CSV(); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	f("", `""`)
	f("plain", `"plain"`)
	f(`=HYPERLINK("http://evil.example")`, `"'=HYPERLINK(""http://evil.example"")"`)
	f("+1", `"'+1"`)
	f("-2", `"'-2"`)
	f("@SUM(A1)", `"'@SUM(A1)"`)
	f("\t=1", `"'␉=1"`)
	f("\r=1", `"'␍=1"`)
	f("  =1", `"  '=1"`)
	f(`"=1`, `"""'=1"`)
	f("＝1", `"'＝1"`)
	f("a;=cmd|' /C calc'!A0", `"a;'=cmd|' /C calc'!A0"`)
	f("a-b=c", `"a-b=c"`)
	f("a,b", `"a,b"`)
	f("a\r\nb", `"a␍␊b"`)
}

func TestTerminalWidth(t *testing.T) {
	f := func(in string, cols int, want string) {
		t.Helper()
		if got := New(in).TerminalWidth(cols); got != want {
			t.Errorf("%q in %d: got %q, want %q", in, cols, got, want)
		}
	}
	f("abc", 3, "abc")
	f("abcd", 3, "ab…")
	f("abcd", 1, "…")
	f("abcd", 0, "")
	f("漢字漢", 6, "漢字漢")
	f("漢字漢", 5, "漢字…")
	f("漢字漢", 4, "漢…")
	f("e\u0301e\u0301", 2, "e\u0301e\u0301")
	f("a\x1bb", 3, "a␛b")
	f("a\u202eb", 5, "a…")
	if got := New("漢").PadTerminal(4); got != "漢  " {
		t.Errorf("pad: %q", got)
	}
	if got := New("漢a").Columns(); got != 3 {
		t.Errorf("columns: %d", got)
	}
}

func TestJSON(t *testing.T) {
	for _, in := range []string{"", "plain", `q"b\`, "a\x00\x1b\x7f\n\r\t", "<b>&'", "\u202e\u2028\U000e0041", "漢字😀"} {
		var back string
		if err := json.Unmarshal([]byte(New(in).JSON()), &back); err != nil || back != in {
			t.Errorf("%q: back %q, %v", in, back, err)
		}
	}
	if got := New("\xff").JSON(); got != `"\ufffd"` {
		t.Errorf("invalid UTF-8: %s", got)
	}
	if b, err := json.Marshal(map[string]Text{"k": New("a<b")}); err != nil || string(b) != `{"k":"a\u003cb"}` {
		t.Errorf("in a document: %s, %v", b, err)
	}
}

func TestDefanged(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := New(in).Defanged(); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	f("https://evil.example/a.php?x=1", "hxxps[:]//evil[.]example/a[.]php?x=1")
	f("HTTP://evil.example", "HxxP[:]//evil[.]example")
	f("who@evil.example", "who[@]evil[.]example")
	f("192.0.2.7", "192[.]0[.]2[.]7")
	f("ftp://evil.example", "ftp[:]//evil[.]example")
	f("javascript:alert(1)", "javascript[:]alert(1)")
	f(`\\evil.example\share`, `\\evil[.]example\share`)
	f("evil。example", "evil[.]example")
	f("End of sentence. Next", "End of sentence. Next")
	f(`C:\a`, `C:\a`)
}

func TestTitle(t *testing.T) {
	f := func(in string, n int, want string) {
		t.Helper()
		if got := New(in).Title(n); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	f("", 5, "")
	f("  a \n\t b  ", 9, "a b")
	f("abcdef", 6, "abcdef")
	f("abcdefg", 6, "abcde…")
	f("a\u202eb", 20, "a[U+202E]b")
	f("x", 0, "")
	f(strings.Repeat("y", 100000), 4, "yyy…")
}

func TestCut(t *testing.T) {
	f := func(in string, n int, want string) {
		t.Helper()
		if got := New(in).Cut(n).Terminal(); got != want {
			t.Errorf("%q at %d: got %q, want %q", in, n, got, want)
		}
	}
	f("abc", 3, "abc")
	f("abc", 2, "ab… [1 more bytes]")
	f("aé", 2, "a… [2 more bytes]")
	f("\x80\x80\x80\x80\x80", 4, `\x80\x80\x80\x80… [1 more bytes]`)
	f("abc", -1, "… [3 more bytes]")
	if got := New("abcdef").Cut(4).Cut(2).Terminal(); got != "ab… [4 more bytes]" {
		t.Errorf("twice: %q", got)
	}
}

var ownTags = regexp.MustCompile(`</?(?:code|bdi|pre|span)(?: class="(?:raw|rawblock|ctl)")?>`)

func FuzzSinks(f *testing.F) {
	for _, s := range []string{"", secret, "=1;@x", "<span class=\"ctl\">", "http://a.b@c.d", "\u202e\xff", "漢字", "z\u0300\u0300\u0300\u0300\u0300\u0300", "hthttptp://", ".a..b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x := New(s)
		for _, h := range []string{string(x.HTML()), string(x.HTMLBlock())} {
			rest := ownTags.ReplaceAllString(h, "")
			if strings.ContainsAny(rest, "<>\"'`") {
				t.Errorf("markup passes: %q", h)
			}
			if n := strings.Count(h, "<bdi>"); n != 1 {
				t.Errorf("%d wrappers in %q", n, h)
			}
			if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f || r >= 0x80 }) && len(s) < HTMLLimit {
				if html.UnescapeString(rest) != s {
					t.Errorf("plain text changed: %q to %q", s, rest)
				}
			}
		}
		rows, err := csv.NewReader(strings.NewReader(x.CSV() + "," + x.CSV() + "\r\n")).ReadAll()
		if err != nil || len(rows) != 1 || len(rows[0]) != 2 {
			t.Fatalf("cell breaks the row: %q, %v", x.CSV(), err)
		}
		if c := strings.TrimLeft(rows[0][0], " \""); c != "" && strings.ContainsAny(c[:1], "=+-@\t\r\n") {
			t.Errorf("formula: %q", rows[0][0])
		}
		for _, out := range []string{x.Terminal(), x.TerminalWidth(17), x.Title(17), x.Defanged()} {
			if !utf8.ValidString(out) || strings.ContainsFunc(out, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
				t.Errorf("control passes: %q", out)
			}
		}
		if n := columns(x.TerminalWidth(17)); n > 17 {
			t.Errorf("%d columns: %q", n, x.TerminalWidth(17))
		}
		if n := columns(x.PadTerminal(17)); n != 17 {
			t.Errorf("padded to %d columns", n)
		}
		if n := utf8.RuneCountInString(x.Title(17)); n > 17 {
			t.Errorf("title of %d characters", n)
		}
		if d := strings.ToLower(x.Defanged()); strings.Contains(d, "http") || strings.Contains(d, "://") {
			t.Errorf("still live: %q", d)
		}
		var back string
		if err := json.Unmarshal([]byte(x.JSON()), &back); err != nil || back != strings.ToValidUTF8(fixInvalid(s), "\ufffd") {
			t.Errorf("json: %q back %q, %v", s, back, err)
		}
		x.Cut(len(s) / 2).HTML()
	})
}

// fixInvalid replaces each single invalid byte, as ranging over a string does (ToValidUTF8 replaces runs).
func fixInvalid(s string) string { return string([]rune(s)) }
