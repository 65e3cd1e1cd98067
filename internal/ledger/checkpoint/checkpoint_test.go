package checkpoint

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

// The example of C2SP tlog-checkpoint.
const example = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n" +
	"— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"

func TestParseReadsTheSpecificationsExample(t *testing.T) {
	c, err := Parse([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if c.Origin != "example.com/behind-the-sofa" || c.Size != 20852163 || c.Root[0] != 0x0a || len(c.Signatures) != 1 || c.Signatures[0].KeyHash != 0x033de0ae {
		t.Errorf("%+v", c)
	}
	if string(c.WithSignatures(c.Signatures[0])) != example {
		t.Error("a signature that is there is added again")
	}
}

func TestParseRefuses(t *testing.T) {
	sig := example[strings.Index(example, "—"):]
	for name, s := range map[string]string{
		"empty":             "",
		"no signature":      example[:strings.Index(example, "—")],
		"extension line":    strings.Replace(example, "\n\n", "\nextension\n\n", 1),
		"leading zero":      strings.Replace(example, "\n2", "\n02", 1),
		"negative":          strings.Replace(example, "\n2", "\n-2", 1),
		"size beyond 2^63":  strings.Replace(example, "20852163", "9223372036854775808", 1),
		"short root":        strings.Replace(example, "CsUYapGG", "", 1),
		"loose base64":      strings.Replace(example, "q2I=", "q2J=", 1),
		"space in origin":   strings.Replace(example, "example.com/b", "example.com b", 1),
		"no final newline":  strings.TrimSuffix(example, "\n"),
		"hyphen for dash":   strings.Replace(example, "—", "-", 1),
		"invalid UTF-8":     example + "— x\xff AAAAAAAA\n",
		"65 signatures":     example + strings.Repeat(sig, 64),
		"one more newline":  example + "\n",
		"carriage returns":  strings.ReplaceAll(example, "\n", "\r\n"),
		"signature of four": example + "— x " + base64.StdEncoding.EncodeToString([]byte("four")) + "\n",
	} {
		if _, err := Parse([]byte(s)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(example))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err != nil {
			return
		}
		s := c.Text + "\n"
		for _, x := range c.Signatures {
			s += x.Line + "\n"
		}
		if s != string(b) {
			t.Fatalf("%q is read as %q", b, s)
		}
	})
}
