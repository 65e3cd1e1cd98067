// Package evtx reads Windows event log files (.evtx, format 3.1 and 3.2).
//
// The events' binary XML is turned straight into named fields: a template is
// compiled once a chunk into the list of fields that it makes, and a record
// then costs little more than the conversion of its values to text. There is
// no document in between, and in the steady state nothing is allocated.
//
//	f, err := os.Open("Security.evtx")
//	…
//	r, err := evtx.NewReader(f, size, evtx.Options{})
//	for {
//		rec, err := r.Next()
//		if err == io.EOF {
//			break
//		}
//		var damage *evtx.Damage
//		if errors.As(err, &damage) {
//			log.Print(damage) // names place and reason; what can be read is still read
//			continue
//		}
//		for name, value := range rec.All() {
//			…
//		}
//	}
//
// # Names of fields
//
// Fields are named as Sigma rules name them:
//
//   - System: an element's text by the element's name (EventID, Level,
//     Channel, Computer, EventRecordID …), an attribute by element,
//     underscore, attribute (Provider_Name, Provider_Guid,
//     EventID_Qualifiers, Correlation_ActivityID, Execution_ProcessID,
//     Security_UserID …). TimeCreated is that element's SystemTime.
//   - EventData: <Data Name="Image"> is Image. <Data> without a name is Data,
//     every time: an event with three of them has three fields Data. Rules
//     that search Data mean any of them, and a template's array of strings,
//     which Windows writes as one <Data> an item, has no fixed count. Other
//     elements (Binary) go by their own name.
//   - UserData and other sections: each leaf by the name of its element, an
//     attribute as above, the namespace left out.
//   - RenderingInfo of forwarded events: Message is Message; the others have
//     RenderingInfo_ in front (RenderingInfo_Level), since System has fields
//     of the same names.
//
// An optional element or attribute whose value is null is absent, as in
// Windows' own XML (MS-EVEN6 3.1.4.7.2); an element that is there without
// content is a field with an empty value. A provider may name a field of its
// own like one of the System section: both are yielded, that of System first,
// and [Value.Section] and [Record.System] tell them apart.
//
// # Values
//
// Values have the text that Windows gives them in XML: GUIDs in braces, SIDs
// as S-1-…, FILETIME and SYSTEMTIME as ISO 8601 in UTC, the hexadecimal types
// with 0x, binary data as hexadecimal digits, booleans as true and false. An
// array repeats its field. 8-bit text is UTF-8 or else Windows-1252.
//
// # Damage
//
// Files come from crashed, running and hostile systems. Checksums are
// verified; a wrong one is reported and the records are read all the same,
// marked [Record].Suspect. A record that cannot be read is reported with its
// offset and the reason, and reading goes on with the next. Records that a
// dirty file's headers do not count yet are found too, and with
// [Options].Recover also those in slack and in chunks that have lost their
// header. Time and memory are bounded by the limits declared in this package,
// whatever the file says. Nothing here panics or runs on.
//
// Sources: MS-EVEN6 ("EventLog Remoting Protocol Version 6.0") for binary XML,
// and libyal's "Windows XML Event Log (EVTX)" for the file.
package evtx
