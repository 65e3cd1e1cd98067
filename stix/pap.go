package stix

// Official markings of the Permissible Actions Protocol (OASIS common object
// repository, PAP marking definition of 28 November 2022). The specification
// fixes ids and levels; published copies differ in their creation day.
const (
	PAPWhite ID = "marking-definition--a3bea94c-b469-41dc-9cfe-d6e7daba7730"
	PAPClear ID = "marking-definition--ad15a0cd-55b6-4588-a14c-a66105329b92"
	PAPGreen ID = "marking-definition--c43594d1-4b11-4c59-93ab-1c9b14d53ce9"
	PAPAmber ID = "marking-definition--60f8932b-e51e-4458-b265-a2e8be9a80ab"
	PAPRed   ID = "marking-definition--740d36e5-7714-4c30-961a-3ae632ceee0e"

	// PAPExtension is the extension definition that the PAP markings use.
	PAPExtension ID = "extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b"
)

// OfficialPAP is one of the official PAP marking definitions.
type OfficialPAP struct {
	ID    ID
	Level string // white, clear, green, amber, red
	Raw   []byte // the official content
}

var officialPAP = func() map[ID]OfficialPAP {
	m := make(map[ID]OfficialPAP)
	for id, level := range map[ID]string{PAPWhite: "white", PAPClear: "clear", PAPGreen: "green", PAPAmber: "amber", PAPRed: "red"} {
		m[id] = OfficialPAP{ID: id, Level: level, Raw: []byte(`{"type":"marking-definition","spec_version":"2.1","id":"` + string(id) +
			`","created":"2022-10-01T00:00:00.000Z","name":"PAP:` + upper(level) + `","extensions":{"` + string(PAPExtension) +
			`":{"extension_type":"property-extension","pap":"` + level + `"}}}`)}
	}
	return m
}()

// OfficialPAPMarking gives the official PAP marking definition of that id. Its
// Raw must not be changed.
func OfficialPAPMarking(id ID) (OfficialPAP, bool) {
	p, ok := officialPAP[id]
	return p, ok
}
