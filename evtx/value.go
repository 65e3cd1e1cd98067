package evtx

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"
)

// Type is the type that the event's provider gave to a value (MS-EVEN6
// 2.2.12). It tells how the value's text came about.
type Type uint8

const (
	TypeNull     Type = 0x00
	TypeString   Type = 0x01 // also text that stands in a template
	TypeANSI     Type = 0x02
	TypeInt8     Type = 0x03
	TypeUint8    Type = 0x04
	TypeInt16    Type = 0x05
	TypeUint16   Type = 0x06
	TypeInt32    Type = 0x07
	TypeUint32   Type = 0x08
	TypeInt64    Type = 0x09
	TypeUint64   Type = 0x0a
	TypeFloat32  Type = 0x0b
	TypeFloat64  Type = 0x0c
	TypeBool     Type = 0x0d // true, false
	TypeBinary   Type = 0x0e // upper-case hexadecimal without a prefix
	TypeGUID     Type = 0x0f // {8-4-4-4-12}, lower case
	TypeSize     Type = 0x10 // 0x…
	TypeFileTime Type = 0x11 // 2006-01-02T15:04:05.1234567Z
	TypeSysTime  Type = 0x12 // 2006-01-02T15:04:05.123Z
	TypeSID      Type = 0x13 // S-1-5-18
	TypeHex32    Type = 0x14 // 0x…, lower case
	TypeHex64    Type = 0x15 // 0x…, lower case
	typeBinXML   Type = 0x21
	typeEvtXML   Type = 0x23

	typeArray Type = 0x80
)

// IsInteger says whether the value's text is a decimal integer.
func (t Type) IsInteger() bool { return t >= TypeInt8 && t <= TypeUint64 }

// appendValue appends the text of one scalar the way Windows renders it in an
// event's XML. Widths that do not fit the type are read as they are: some
// providers write a boolean in one byte.
func appendValue(dst []byte, t Type, b []byte) []byte {
	if len(b) == 0 {
		return dst
	}
	switch t {
	case TypeNull:
		return dst
	case TypeString, typeEvtXML:
		return appendUTF16(dst, trimNUL16(b))
	case TypeANSI:
		return appendANSI(dst, b)
	case TypeInt8, TypeInt16, TypeInt32, TypeInt64:
		return strconv.AppendInt(dst, signed(b), 10)
	case TypeUint8, TypeUint16, TypeUint32, TypeUint64:
		return strconv.AppendUint(dst, unsigned(b), 10)
	case TypeFloat32:
		if len(b) == 4 {
			return appendFloat(dst, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), 32)
		}
	case TypeFloat64:
		if len(b) == 8 {
			return appendFloat(dst, math.Float64frombits(binary.LittleEndian.Uint64(b)), 64)
		}
	case TypeBool:
		for _, c := range b {
			if c != 0 {
				return append(dst, "true"...)
			}
		}
		return append(dst, "false"...)
	case TypeGUID:
		if len(b) == 16 {
			return appendGUID(dst, b)
		}
	case TypeSize, TypeHex32, TypeHex64:
		return strconv.AppendUint(append(dst, "0x"...), unsigned(b), 16)
	case TypeFileTime:
		if len(b) == 8 {
			return appendFileTime(dst, binary.LittleEndian.Uint64(b))
		}
	case TypeSysTime:
		if len(b) == 16 {
			return appendSysTime(dst, b)
		}
	case TypeSID:
		if n := sidLen(b); n > 0 && n <= len(b) {
			return appendSID(dst, b[:n])
		}
	}
	return appendHex(dst, b)
}

const hexUpper = "0123456789ABCDEF"

func appendHex(dst, b []byte) []byte {
	for _, c := range b {
		dst = append(dst, hexUpper[c>>4], hexUpper[c&15])
	}
	return dst
}

func unsigned(b []byte) (u uint64) {
	for i := min(len(b), 8) - 1; i >= 0; i-- {
		u = u<<8 | uint64(b[i])
	}
	return u
}

func signed(b []byte) int64 {
	shift := 64 - 8*min(len(b), 8)
	return int64(unsigned(b)<<shift) >> shift
}

// appendFloat writes a number as the C library of Windows does: no trailing
// zeros, and its own words for what is no number.
func appendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "-1.#IND"...)
	case math.IsInf(f, 1):
		return append(dst, "1.#INF"...)
	case math.IsInf(f, -1):
		return append(dst, "-1.#INF"...)
	}
	if a := math.Abs(f); a == 0 || a >= 1e-5 && a < 1e15 {
		return strconv.AppendFloat(dst, f, 'f', -1, bits)
	}
	return strconv.AppendFloat(dst, f, 'e', -1, bits)
}

const hexLower = "0123456789abcdef"

func appendGUID(dst, b []byte) []byte {
	dst = append(dst, '{')
	for i, at := range [16]byte{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15} {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, hexLower[b[at]>>4], hexLower[b[at]&15])
	}
	return append(dst, '}')
}

// sidLen is the length that a SID states, or 0.
func sidLen(b []byte) int {
	if len(b) < 8 || b[1] > 15 {
		return 0
	}
	return 8 + 4*int(b[1])
}

func appendSID(dst, b []byte) []byte {
	dst = append(dst, "S-"...)
	dst = strconv.AppendUint(dst, uint64(b[0]), 10)
	var auth uint64
	for _, c := range b[2:8] {
		auth = auth<<8 | uint64(c)
	}
	dst = append(dst, '-')
	if auth > math.MaxUint32 { // MS-DTYP 2.4.2.1
		dst = strconv.AppendUint(append(dst, "0x"...), auth, 16)
	} else {
		dst = strconv.AppendUint(dst, auth, 10)
	}
	for b = b[8:]; len(b) >= 4; b = b[4:] {
		dst = strconv.AppendUint(append(dst, '-'), uint64(binary.LittleEndian.Uint32(b)), 10)
	}
	return dst
}

// filetimeEpoch is 1601-01-01 in seconds before 1970-01-01.
const filetimeEpoch = 11644473600

// fileTime converts 100 ns units since 1601.
func fileTime(ft uint64) time.Time {
	return time.Unix(int64(ft/1e7)-filetimeEpoch, int64(ft%1e7)*100).UTC()
}

func appendFileTime(dst []byte, ft uint64) []byte {
	secs := ft / 1e7
	year, month, day := civil(int64(secs / 86400))
	s := int(secs % 86400)
	dst = appendDate(dst, year, month, day, s/3600, s/60%60, s%60)
	dst = append(dst, '.')
	dst = appendPadded(dst, int(ft%1e7), 7)
	return append(dst, 'Z')
}

func appendSysTime(dst, b []byte) []byte {
	at := func(i int) int { return int(binary.LittleEndian.Uint16(b[i:])) }
	dst = appendDate(dst, at(0), at(2), at(6), at(8), at(10), at(12))
	dst = append(dst, '.')
	dst = appendPadded(dst, at(14), 3)
	return append(dst, 'Z')
}

// civil turns days since 1601-01-01 into a Gregorian date (Hinnant,
// "chrono-compatible low-level date algorithms").
func civil(days int64) (year, month, day int) {
	z := days + 584694 // days from 0000-03-01
	era := z / 146097
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day = int(doy - (153*mp+2)/5 + 1)
	month = int(mp) + 3
	year = int(yoe + era*400)
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}

func appendDate(dst []byte, y, mo, d, h, mi, s int) []byte {
	if y > 9999 || mo|d|h|mi|s > 63 { // only in damaged values
		dst = append(appendPadded(dst, y, 4), '-')
		dst = append(appendPadded(dst, mo, 2), '-')
		dst = append(appendPadded(dst, d, 2), 'T')
		dst = append(appendPadded(dst, h, 2), ':')
		dst = append(appendPadded(dst, mi, 2), ':')
		return appendPadded(dst, s, 2)
	}
	t := [19]byte{4: '-', 7: '-', 10: 'T', 13: ':', 16: ':'}
	put2(t[0:], y/100)
	put2(t[2:], y%100)
	put2(t[5:], mo)
	put2(t[8:], d)
	put2(t[11:], h)
	put2(t[14:], mi)
	put2(t[17:], s)
	return append(dst, t[:]...)
}

// put2 writes a number below 100 as two digits.
func put2(b []byte, n int) { b[0], b[1] = byte('0'+n/10), byte('0'+n%10) }

func appendPadded(dst []byte, n, width int) []byte {
	var t [20]byte
	i := len(t)
	for n > 0 || width > 0 {
		i--
		t[i] = byte('0' + n%10)
		n /= 10
		width--
	}
	return append(dst, t[i:]...)
}

// arrayItem cuts the first item from an array's data. ok is false at its end.
func arrayItem(t Type, b []byte) (item, rest []byte, ok bool) {
	if len(b) == 0 {
		return nil, nil, false
	}
	width := 0
	switch t &^ typeArray {
	case TypeString:
		for i := 0; i+1 < len(b); i += 2 {
			if b[i] == 0 && b[i+1] == 0 {
				return b[:i], b[i+2:], true
			}
		}
		return b, nil, true
	case TypeANSI:
		for i, c := range b {
			if c == 0 {
				return b[:i], b[i+1:], true
			}
		}
		return b, nil, true
	case TypeInt8, TypeUint8:
		width = 1
	case TypeInt16, TypeUint16:
		width = 2
	case TypeInt32, TypeUint32, TypeFloat32, TypeBool, TypeHex32:
		width = 4
	case TypeInt64, TypeUint64, TypeFloat64, TypeFileTime, TypeHex64, TypeSize:
		width = 8
	case TypeGUID, TypeSysTime:
		width = 16
	case TypeSID:
		width = sidLen(b)
	}
	if width == 0 || width > len(b) {
		return b, nil, true
	}
	return b[:width], b[width:], true
}
