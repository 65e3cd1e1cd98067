package evtx

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"testing/quick"
	"time"
	"unicode/utf16"
)

func TestValues(t *testing.T) {
	f := func(typ Type, b []byte, want string) {
		t.Helper()
		if g := string(appendValue([]byte("+"), typ, b)); g != "+"+want {
			t.Errorf("type %#x of % x: %q, want %q", typ, b, g, want)
		}
	}
	le := binary.LittleEndian
	f32 := func(v float32) []byte { return le.AppendUint32(nil, math.Float32bits(v)) }
	f64 := func(v float64) []byte { return le.AppendUint64(nil, math.Float64bits(v)) }

	f(TypeNull, nil, "")
	f(TypeNull, []byte{1, 2}, "")
	f(TypeString, u16s("Quaymar"), "Quaymar")
	f(TypeString, u16s("ab\x00\x00"), "ab")
	f(TypeString, u16s("a\x00b"), "a\x00b")
	f(TypeString, append(u16s("ab"), 'c'), "ab")
	f(TypeString, u16s("ünïcödé 😀 日本語"), "ünïcödé 😀 日本語")
	f(TypeString, []byte{0x00, 0xdc, 'x', 0}, "\ufffdx")
	f(TypeString, []byte{0x3d, 0xd8, 'x', 0}, "\ufffdx")
	f(TypeANSI, []byte("plain\x00"), "plain")
	f(TypeANSI, []byte("gr\xfc\xdfe \x80"), "grüße €")
	f(TypeANSI, []byte("grüße"), "grüße")
	f(TypeInt8, []byte{0xff}, "-1")
	f(TypeUint8, []byte{0xff}, "255")
	f(TypeInt16, []byte{0, 0x80}, "-32768")
	f(TypeUint16, []byte{0, 0x80}, "32768")
	f(TypeInt32, le.AppendUint32(nil, 0xfffffffe), "-2")
	f(TypeUint32, le.AppendUint32(nil, 0xfffffffe), "4294967294")
	f(TypeInt64, le.AppendUint64(nil, 1<<63), "-9223372036854775808")
	f(TypeUint64, le.AppendUint64(nil, 1<<63), "9223372036854775808")
	f(TypeInt32, []byte{0xfe, 0xff}, "-2")
	f(TypeUint32, nil, "")
	f(TypeFloat32, f32(1.5), "1.5")
	f(TypeFloat64, f64(0), "0")
	f(TypeFloat64, f64(-123456.25), "-123456.25")
	f(TypeFloat64, f64(1e300), "1e+300")
	f(TypeFloat64, f64(math.Inf(1)), "1.#INF")
	f(TypeFloat64, f64(math.Inf(-1)), "-1.#INF")
	f(TypeFloat64, f64(math.NaN()), "-1.#IND")
	f(TypeFloat64, []byte{1, 2}, "0102")
	f(TypeBool, []byte{1, 0, 0, 0}, "true")
	f(TypeBool, []byte{0, 0, 0, 0}, "false")
	f(TypeBool, []byte{1}, "true")
	f(TypeBinary, []byte{0, 0xab, 0xff}, "00ABFF")
	f(TypeGUID, testGUID, "{76543210-ba98-fedc-0123-456789abcdef}")
	f(TypeGUID, []byte{1, 2}, "0102")
	f(TypeSize, le.AppendUint64(nil, 0x7ffe0000), "0x7ffe0000")
	f(TypeHex32, le.AppendUint32(nil, 0xC0000064), "0xc0000064")
	f(TypeHex64, le.AppendUint64(nil, 0), "0x0")
	f(TypeSID, testSID, "S-1-5-18")
	f(TypeSID, []byte{1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0}, "S-1-5-32-544")
	f(TypeSID, []byte{1, 1, 0x12, 0x34, 0, 0, 0, 5, 7, 0, 0, 0}, "S-1-0x123400000005-7")
	f(TypeSID, []byte{1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0}, "010500000000000515000000")
	f(TypeFileTime, le.AppendUint64(nil, 0), "1601-01-01T00:00:00.0000000Z")
	f(TypeFileTime, le.AppendUint64(nil, math.MaxUint64), "60056-05-28T05:36:10.9551615Z")
	f(TypeFileTime, le.AppendUint64(nil, toFT(testTime)), "2031-05-17T08:30:12.3456789Z")
	f(TypeSysTime, []byte{0xef, 7, 5, 0, 6, 0, 17, 0, 8, 0, 30, 0, 12, 0, 0x59, 1}, "2031-05-17T08:30:12.345Z")
	f(Type(0x70), []byte{0xa0}, "A0")
}

// TestFileTimeAgrees compares the calendar with that of package time.
func TestFileTimeAgrees(t *testing.T) {
	err := quick.Check(func(ft uint64) bool {
		ft %= toFT(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))
		return string(appendFileTime(nil, ft)) == fileTime(ft).Format("2006-01-02T15:04:05.0000000Z")
	}, &quick.Config{MaxCount: 20000})
	if err != nil {
		t.Error(err)
	}
}

// TestUTF16Agrees compares the conversion with that of package utf16.
func TestUTF16Agrees(t *testing.T) {
	err := quick.Check(func(units []uint16, ascii bool) bool {
		var b []byte
		for i := range units {
			if ascii && i%7 != 0 {
				units[i] &= 0x7f
			} else if i%3 == 0 {
				units[i] = 0xd800 | units[i]&0x7ff
			}
			b = binary.LittleEndian.AppendUint16(b, units[i])
		}
		return string(appendUTF16([]byte("x"), b)) == "x"+string(utf16.Decode(units))
	}, &quick.Config{MaxCount: 20000})
	if err != nil {
		t.Error(err)
	}
}

func TestArrays(t *testing.T) {
	f := func(typ Type, b []byte, want ...string) {
		t.Helper()
		if g := string(appendArray(nil, typ|typeArray, b)); g != strings.Join(want, ",") {
			t.Errorf("%q, want %q", g, want)
		}
	}
	f(TypeString, u16s("a\x00b\x00"), "a", "b")
	f(TypeString, u16s("a\x00\x00"), "a", "")
	f(TypeANSI, []byte("a\x00b"), "a", "b")
	f(TypeUint16, []byte{1, 0, 2, 0}, "1", "2")
	f(TypeInt8, []byte{1, 0xff}, "1", "-1")
	f(TypeBool, []byte{1, 0, 0, 0, 0, 0, 0, 0}, "true", "false")
	f(TypeHex32, []byte{16, 0, 0, 0, 17, 0, 0, 0}, "0x10", "0x11")
	f(TypeHex64, []byte{16, 0, 0, 0, 0, 0, 0, 0}, "0x10")
	f(TypeSID, append(testSID, testSID...), "S-1-5-18", "S-1-5-18")
	f(TypeGUID, testGUID, "{76543210-ba98-fedc-0123-456789abcdef}")
	f(TypeGUID, testGUID[:3], "103254")
	f(TypeUint32, []byte{1, 0, 0, 0, 9}, "1", "9")
	f(TypeUint32, nil)
}
