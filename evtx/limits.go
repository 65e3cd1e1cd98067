package evtx

// Sizes fixed by the format (libyal, "Windows XML Event Log (EVTX)").
const (
	fileHeaderSize  = 4096  // header block; the first 128 bytes carry data
	chunkSize       = 65536 // every chunk
	chunkHeaderSize = 512   // header, string table and template table
	recordOverhead  = 28    // signature, size, identifier, time, size again
)

// Limits that the reader declares for outside input. An event beyond one of
// them is refused with a [Damage]; the events after it are still read.
const (
	MaxRecordSize    = chunkSize - chunkHeaderSize // bytes of one record; a record never leaves its chunk
	MaxTemplateSize  = 48 << 10                    // bytes of one template definition
	MaxTemplates     = 2048                        // template definitions compiled from one chunk
	MaxDepth         = 32                          // elements open at once in one fragment
	MaxNesting       = 8                           // fragments within fragments
	MaxAttributes    = 64                          // attributes of one element
	MaxSubstitutions = 4096                        // values of one template instance
	MaxFields        = 8192                        // fields of one record
	MaxNameLength    = 1024                        // UTF-16 code units of an element or attribute name
	MaxText          = 4 << 20                     // bytes of all field values of one record, as UTF-8
	MaxXML           = 16 << 20                    // bytes of one record as XML
	MaxRecordWork    = 8 << 20                     // tokens read plus bytes rendered for one record: the bound on time
	MaxChunkWork     = 64 << 20                    // the same for one chunk
)

// Bounds on the names kept between chunks; past them the table starts anew.
const (
	maxNames     = 1 << 15
	maxNameBytes = 2 << 20
)
