package untrusted

import (
	"regexp"
	"strings"
	"unicode"
)

// DefangedLimit is how many bytes are put on a clipboard.
const DefangedLimit = 16 << 10

var (
	scheme = regexp.MustCompile(`(?i)(h)tt(ps?)`)
	// colon: what makes a URL of what follows; the named schemes need no slashes.
	colon  = regexp.MustCompile(`(?i)\b(javascript|data|vbscript|mailto|file|tel|sms|blob|ms-[a-z-]+|search-ms):`)
	slashy = regexp.MustCompile(`:([/\\]{2})`)
)

// Defanged renders the text for copying: hxxp, [.], [@] and [:]// in the places that would make a link or an address of it, so that neither a mail program nor a chat
// turns it live.
func (t Text) Defanged() string {
	s := t.Cut(DefangedLimit).plain()
	s = scheme.ReplaceAllString(s, "${1}xx${2}")
	s = slashy.ReplaceAllString(s, "[:]$1")
	s = colon.ReplaceAllString(s, "$1[:]")
	var b strings.Builder
	b.Grow(len(s) + 16)
	rs := []rune(s)
	word := func(i int) bool {
		return i >= 0 && i < len(rs) && (unicode.In(rs[i], unicode.L, unicode.N, unicode.M) || strings.ContainsRune("-_%*[]", rs[i]))
	}
	for i, r := range rs {
		switch {
		case r == '@' || r == '＠':
			b.WriteString("[@]")
		case isDot(r) && word(i+1) && (word(i-1) || i > 0 && isDot(rs[i-1])):
			b.WriteString("[.]")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isDot lists the characters that name resolution takes for a full stop (UTS 46).
func isDot(r rune) bool { return r == '.' || r == '。' || r == '．' || r == '｡' }
