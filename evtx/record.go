package evtx

import (
	"iter"
	"time"
)

// A Record is one event. It and all bytes that it hands out belong to the
// [Reader] and hold until the next call of [Reader.Next].
type Record struct {
	ID        uint64    // EventRecordID as the log service numbered it
	Time      time.Time // when the record was written, UTC; 100 ns steps
	Chunk     int       // index of the chunk in the file
	Offset    int64     // byte offset of the record in the file
	Size      int       // bytes of the record in the file
	Recovered bool      // found where the file's headers do not count it
	Suspect   bool      // a checksum over it is wrong: its content may have been altered

	d        *decoder
	from, to int // its binary XML in the chunk
	groups   groups
	x        xmlWriter
}

// A Value is one field's value as text.
type Value struct {
	b       []byte
	typ     Type
	section Section
}

// Bytes is the value as UTF-8, as Windows writes it in the event's XML but
// not escaped. It was written by whoever caused the event: do not trust it.
func (v Value) Bytes() []byte { return v.b }

// Type is the type that the provider gave to the value; TypeString for text
// that was put together.
func (v Value) Type() Type { return v.typ }

// Section is the part of the event that the value comes from. Only
// [SectionSystem] is written by Windows itself.
func (v Value) Section() Section { return v.section }

// IsNull says that the event has the field but gives no value.
func (v Value) IsNull() bool { return v.typ == TypeNull }

// Fields calls yield for each field in the order of the event's XML, the
// System section first, until yield returns false. The names are those that
// Sigma rules use (see the package comment); a name may come several times.
func (rec *Record) Fields(yield func(name string, value Value) bool) {
	d := rec.d
	for i := range d.fields {
		f := &d.fields[i]
		if !yield(f.name, Value{d.text[f.from:f.to:f.to], f.typ, f.section}) {
			return
		}
	}
}

// All is [Record.Fields] for a range loop.
func (rec *Record) All() iter.Seq2[string, Value] { return rec.Fields }

// Len is the number of fields.
func (rec *Record) Len() int { return len(rec.d.fields) }

// Field returns field i of Len, in the order of Fields.
func (rec *Record) Field(i int) (name string, value Value) {
	f := &rec.d.fields[i]
	return f.name, Value{rec.d.text[f.from:f.to:f.to], f.typ, f.section}
}

// Get returns the first field of a name.
func (rec *Record) Get(name string) (Value, bool) {
	for i := range rec.d.fields {
		if f := &rec.d.fields[i]; f.name == name {
			return Value{rec.d.text[f.from:f.to:f.to], f.typ, f.section}, true
		}
	}
	return Value{}, false
}

// System returns the value of a System field (Channel, Provider_Name …) and
// never that of a field to which the event's provider gave the same name.
func (rec *Record) System(name string) []byte {
	for i := range rec.d.fields {
		if f := &rec.d.fields[i]; f.section == SectionSystem && f.name == name {
			return rec.d.text[f.from:f.to:f.to]
		}
	}
	return nil
}
