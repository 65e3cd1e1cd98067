package ui

import (
	"fmt"
	"html/template"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Untrusted is text that an attacker may have written: log fields, names in foreign objects, patterns, file names. A page shows it by the functions of
// this file and by nothing else.
type Untrusted string

// rawLimit bounds what one piece shows, in runes; a longer one says how much is left out.
const rawLimit = 20_000

// raw shows a piece within a line.
func raw(s Untrusted) template.HTML { return rawTag(s, rawLimit) }

// rawShort shows at most n runes, for table cells.
func rawShort(s Untrusted, n int) template.HTML { return rawTag(s, n) }

func rawTag(s Untrusted, limit int) template.HTML {
	var b strings.Builder
	b.WriteString(`<bdi class="raw">`)
	left := writeInert(&b, string(s), limit)
	b.WriteString(`</bdi>`)
	if left > 0 {
		fmt.Fprintf(&b, ` <span class="cut">… %s more</span>`, some(int64(left), "character", "characters"))
	}
	return template.HTML(b.String())
}

// defanged shows an address, domain or URL in the form that nothing turns into a link: hxxp, [.] and [@].
func defanged(s Untrusted) template.HTML { return raw(Untrusted(Defang(string(s)))) }

// writeInert escapes s and makes controls visible, after limit runes it stops and returns how many it left out.
func writeInert(b *strings.Builder, s string, limit int) int {
	n := 0
	for i, r := range s {
		if n == limit {
			return utf8.RuneCountInString(s[i:])
		}
		n++
		switch {
		case r == '\n' || r == '\t':
			b.WriteRune(r)
		case r == utf8.RuneError:
			b.WriteString(`<span class="ctl">not UTF-8</span>`)
		case hidden(r):
			fmt.Fprintf(b, `<span class="ctl">%s</span>`, controlName(r))
		default:
			b.WriteString(template.HTMLEscapeString(string(r)))
		}
	}
	return 0
}

// hidden reports runes that would show nothing, or move what stands around them.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) ||
		unicode.Is(unicode.Co, r) || r == 0x115F || r == 0x1160 || r == 0x3164 || r == 0xFFA0 || r == 0x034F ||
		r >= 0xFE00 && r <= 0xFE0F || r >= 0xE0000 && r <= 0xE0FFF
}

func controlName(r rune) string {
	switch r {
	case 0x1b:
		return "ESC"
	case 0:
		return "NUL"
	case '\r':
		return "CR"
	case 0x200b:
		return "zero-width space"
	case 0x202e:
		return "right-to-left override"
	}
	return fmt.Sprintf("U+%04X", r)
}

// Visible replaces hidden characters by their names in angle brackets, for places that hold plain text only (an SVG label, a title).
func Visible(s string) string {
	clean := true
	for _, r := range s {
		if r == utf8.RuneError || hidden(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t':
			b.WriteByte(' ')
		case r == utf8.RuneError:
			b.WriteString("‹not UTF-8›")
		case hidden(r):
			b.WriteString("‹" + controlName(r) + "›")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Defang rewrites what mail readers and editors would make a link: http to hxxp, the dots of hosts and addresses to [.], @ to [@]. Text that holds no
// such thing is left alone, and defanging twice changes nothing more. The page's script does the same when text is copied.
func Defang(s string) string {
	words := strings.SplitAfter(s, " ")
	for i, w := range words {
		words[i] = defangWord(w)
	}
	return strings.Join(words, "")
}

func defangWord(w string) string {
	if i := strings.Index(w, "://"); i > 0 {
		scheme := strings.NewReplacer("http", "hxxp", "HTTP", "HXXP", "ftp", "fxp", "FTP", "FXP").Replace(w[:i])
		host, rest := w[i+3:], ""
		if j := strings.IndexAny(host, "/?#"); j >= 0 {
			host, rest = host[:j], host[j:]
		}
		return scheme + "://" + guardDots(host) + rest
	}
	if strings.ContainsAny(w, `\/`) || !looksLikeHost(w) {
		return w
	}
	return guardDots(w)
}

// looksLikeHost holds for words with a dot or an @ between letters or digits: domains, addresses, mail addresses. File names pass too; harmless.
func looksLikeHost(w string) bool {
	for i := 1; i+1 < len(w); i++ {
		if (w[i] == '.' || w[i] == '@') && alnum(w[i-1]) && alnum(w[i+1]) {
			return true
		}
	}
	return false
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func guardDots(h string) string {
	var b strings.Builder
	for i := 0; i < len(h); i++ {
		c := h[i]
		if (c == '.' || c == '@') && i > 0 && i+1 < len(h) && alnum(h[i-1]) && alnum(h[i+1]) {
			b.WriteString("[" + string(c) + "]")
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// highlighted shows JSON as attacker text with its names and values told apart. It only looks for quotes: text that is not JSON is shown as it is.
func highlighted(s Untrusted) template.HTML {
	var b strings.Builder
	b.WriteString(`<bdi class="raw">`)
	text, budget := string(s), rawLimit*5
	for text != "" && budget > 0 {
		i := strings.IndexByte(text, '"')
		if i < 0 {
			i = len(text)
		}
		budget -= i
		writeInert(&b, text[:i], rawLimit*5)
		if text = text[i:]; text == "" {
			break
		}
		j := 1
		for j < len(text) && text[j] != '"' {
			if text[j] == '\\' {
				j++
			}
			j++
		}
		j = min(j+1, len(text))
		class := "js"
		if rest := strings.TrimLeft(text[j:], " \t"); strings.HasPrefix(rest, ":") {
			class = "jn"
		}
		b.WriteString(`<span class="` + class + `">`)
		writeInert(&b, text[:j], rawLimit*5)
		b.WriteString(`</span>`)
		budget -= j
		text = text[j:]
	}
	b.WriteString(`</bdi>`)
	if text != "" {
		fmt.Fprintf(&b, ` <span class="cut">… %s more</span>`, size(int64(len(text))))
	}
	return template.HTML(b.String())
}
