package archtest

// rule says what a package and the packages below its folder may import of this module. More specific rules win. Packages under one rule may import each other.
type rule struct {
	pkg string
	may []string // folders; each stands for everything below it
}

// Named groups, lowest first. A later group may import all earlier ones.
var (
	public = []string{"stix", "sigma", "evtx", "taxii"}
	// pure needs no store.
	pure = append([]string{"internal/marking", "internal/untrusted", "internal/attack", "internal/egress", "internal/event",
		"internal/ledger/leaf", "internal/ledger/checkpoint", "internal/ledger/policy", "internal/ledger/verify", "internal/ledger/witness"}, public...)
	core   = append([]string{"internal/store", "internal/ledger", "internal/access", "internal/blob", "internal/job", "internal/measure", "internal/document"}, pure...)
	intel  = append([]string{"internal/intel"}, core...)
	ingest = append([]string{"internal/ingest"}, intel...)
	// The stages, in the order in which data flows.
	detect      = append([]string{"internal/detect"}, ingest...)
	incident    = append([]string{"internal/incident"}, detect...)
	attribution = append([]string{"internal/attribution"}, incident...)
	response    = append([]string{"internal/response"}, attribution...)
	sharing     = append([]string{"internal/sharing"}, response...)
	strategy    = append([]string{"internal/strategy"}, sharing...)
)

var table = []rule{
	{"stix", []string{"stix/pattern"}},
	{"stix/pattern", nil},
	{"sigma", nil},
	{"evtx", nil},
	{"taxii", []string{"stix"}},

	{"internal/archtest", nil},
	{"internal/untrusted", nil},
	{"internal/attack", nil},
	{"internal/egress", nil},
	{"internal/marking", []string{"stix"}},
	{"internal/event", []string{"sigma", "internal/untrusted"}},
	{"internal/ledger/leaf", nil},
	{"internal/ledger/checkpoint", nil},
	{"internal/ledger/policy", []string{"internal/ledger/checkpoint"}},
	{"internal/ledger/witness", []string{"internal/ledger/checkpoint", "internal/ledger/policy", "internal/egress"}},
	// Anyone can run the verifier: it needs no store.
	{"internal/ledger/verify", []string{"internal/ledger/leaf", "internal/ledger/checkpoint", "internal/ledger/policy"}},

	{"internal/store", []string{"stix", "internal/marking", "internal/ledger/leaf", "internal/untrusted"}},
	{"internal/ledger", append([]string{"internal/store"}, pure...)},
	{"internal/access", append([]string{"internal/store"}, pure...)},
	{"internal/blob", nil},
	{"internal/job", append([]string{"internal/store"}, pure...)},
	{"internal/measure", append([]string{"internal/store"}, pure...)},
	{"internal/document", pure},

	{"internal/intel", core},
	{"internal/ingest", append([]string{"internal/ingest/jsonlines"}, intel...)},
	// Judges and reads lines without a server, too.
	{"internal/ingest/jsonlines", []string{"internal/event"}},
	{"internal/detect", ingest},
	{"internal/incident", detect},
	{"internal/attribution", incident},
	{"internal/response", attribution},
	{"internal/sharing", response},
	{"internal/strategy", sharing},
	{"internal/exercise", strategy},

	{"internal/web", append([]string{"internal/web/ui", "internal/web/assets"}, strategy...)},
	{"internal/web/assets", nil},
	{"internal/web/ui", append([]string{"internal/web/assets"}, strategy...)},
	{"internal/app", append([]string{"internal/web", "internal/exercise"}, strategy...)},
	{"cmd", append([]string{"internal/app", "internal/web", "internal/exercise"}, strategy...)},
}

// systemReaders are the files that may read as marking.System, with what for. A file here that no longer does so fails the test.
var systemReaders = map[string]string{
	"internal/marking/reader.go":  "defines it",
	"internal/store/mark.go":      "keeps the system reader's line of the allow table",
	"internal/store/store.go":     "makes that line at the start",
	"internal/detect/snapshot.go": "matching reads every rule and indicator in force; findings carry the join of their marks",
	"internal/access/machine.go":  "who somebody is has to be known before there is a reader",
	"internal/incident/follow.go": "gathers findings into incidents, which carry their labels",
	"internal/app/repair.go":      "the operator's repair of database and ledger, before anybody can log in",
	"internal/ingest/register.go": "the gateway reads the register of sources to accept or refuse",
}

// dialers are the files outside internal/egress that may name what dials, with what for.
var dialers = map[string]string{
	"internal/app/app.go":                  "the exercise's sensor delivers to this server's own listener, whatever address it is asked for",
	"internal/ledger/witness/rehearsal.go": "the transport is in-process: it calls the witness's handler",
}

// longFiles are the hand-written files allowed beyond maxLines, with their ceiling.
var longFiles = map[string]int{
	"sigma/parse.go": 660,
	"stix/scan.go":   610,
}

const maxLines = 600

// hot packages decode on the event path, where encoding/json costs ten times the matching.
var hot = []string{"sigma", "evtx", "internal/event", "internal/ingest", "internal/detect"}

// storyPaths are the files whose log events, recorded or told, name a Unix temporary directory.
var storyPaths = []string{"internal/exercise/", "sigma/", "internal/detect/", "internal/event/", "internal/incident/"}
