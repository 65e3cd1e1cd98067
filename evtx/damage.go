package evtx

import (
	"errors"
	"fmt"
)

// ErrFormat is what [NewReader] returns for input that is no event log file.
var ErrFormat = errors.New("evtx: not a Windows event log (no ElfFile signature)")

// DamageKind says what part of a file a [Damage] concerns.
type DamageKind uint8

const (
	DamageFile     DamageKind = iota // the file header, or the file ends within a chunk
	DamageChunk                      // a chunk was skipped, or none of its header can be trusted
	DamageChecksum                   // a checksum is wrong; the records are read all the same and marked Suspect
	DamageRecord                     // one record, or the bytes between two records, were skipped
)

func (k DamageKind) String() string {
	switch k {
	case DamageFile:
		return "file"
	case DamageChunk:
		return "chunk"
	case DamageChecksum:
		return "checksum"
	default:
		return "record"
	}
}

// Damage is the error that [Reader.Next] returns for a part of the file that
// could not be read, or not be trusted. It is survivable: call Next again.
type Damage struct {
	Kind   DamageKind
	Chunk  int    // index of the chunk in the file, -1 for the file header
	Offset int64  // byte offset in the file where the damage begins
	Record uint64 // identifier of the record, 0 where it is not known
	Reason string
	Err    error // the cause from below (reading failed), or nil
}

func (d *Damage) Error() string {
	switch {
	case d.Chunk < 0:
		return fmt.Sprintf("evtx: file header at 0x%x: %s", d.Offset, d.Reason)
	case d.Record != 0:
		return fmt.Sprintf("evtx: chunk %d: record %d at 0x%x: %s", d.Chunk, d.Record, d.Offset, d.Reason)
	default:
		return fmt.Sprintf("evtx: chunk %d: %s at 0x%x: %s", d.Chunk, d.Kind, d.Offset, d.Reason)
	}
}

func (d *Damage) Unwrap() error { return d.Err }

// The reasons for which one record is refused.
var (
	errShort        = errors.New("binary XML ends too early")
	errToken        = errors.New("unexpected binary XML token")
	errName         = errors.New("element or attribute name is outside the chunk or not terminated")
	errDepth        = fmt.Errorf("elements nested deeper than %d", MaxDepth)
	errNesting      = fmt.Errorf("fragments nested deeper than %d", MaxNesting)
	errAttributes   = fmt.Errorf("element has more than %d attributes", MaxAttributes)
	errValues       = fmt.Errorf("template instance has more than %d values", MaxSubstitutions)
	errValueData    = errors.New("template value reaches beyond the record")
	errTemplate     = errors.New("template definition is outside the chunk")
	errTemplateID   = errors.New("template identifier differs from its definition")
	errTemplateSize = fmt.Errorf("template definition is larger than %d bytes", MaxTemplateSize)
	errTemplates    = fmt.Errorf("chunk has more than %d templates", MaxTemplates)
	errFields       = fmt.Errorf("record has more than %d fields", MaxFields)
	errText         = fmt.Errorf("field values exceed %d bytes", MaxText)
	errXML          = fmt.Errorf("XML exceeds %d bytes", MaxXML)
	errWork         = fmt.Errorf("record costs more than %d steps, or its chunk more than %d", MaxRecordWork, MaxChunkWork)
	errNothing      = errors.New("record holds no event")
)
