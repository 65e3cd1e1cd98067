package exercise

import (
	"time"

	"vigil/internal/marking"
)

// World is who takes part, before anything happened. Every id is stable: other parts of the exercise refer to it.
type World struct {
	Nation       string
	House        string // id of the body that runs this Vigil; marking.OwnStaff are its people
	Bodies       []Body
	People       []Person
	Groups       []Group
	Compartments []Compartment
	Sources      []LogSource
	Witnesses    []Witness
}

// BodyKind says what sort of organisation a body is.
type BodyKind string

const (
	Headquarters BodyKind = "headquarters"
	Cabinet      BodyKind = "cabinet"
	Ministry     BodyKind = "ministry"
	Police       BodyKind = "police"
	Prosecutor   BodyKind = "prosecutor"
	Defence      BodyKind = "defence"
	CSIRT        BodyKind = "csirt"
	SectorCSIRT  BodyKind = "sector-csirt"
	Operator     BodyKind = "operator"
	Oversight    BodyKind = "oversight"
	Audit        BodyKind = "audit"
	PartnerState BodyKind = "partner-state"
	PartnerGroup BodyKind = "partner-group"
	SecurityFirm BodyKind = "security-company"
	ResponseFirm BodyKind = "response-firm"
)

// Body is an organisation. Own, Constituent and Agreement say how it stands to the house, as the marking gate asks.
type Body struct {
	ID, Name string
	Kind     BodyKind
	Own      bool // the house itself
	// Constituent bodies are those that the house serves: they may read what it received under AMBER.
	Constituent bool
	// Agreement is the arrangement that names the body; empty where there is none.
	Agreement string
	// Ceiling is the highest level that the agreement lets go to the body. It does not bind the house.
	Ceiling marking.TLP
	// DefaultTLP is the level of what the body sends without one; nil where nothing was agreed.
	DefaultTLP *marking.TLP
	Domain     string // mail and web domain, under .example
	Group      string // id of the group that it belongs to, or ""
}

// Role is what a person comes for. One person has one.
type Role string

const (
	WatchOfficer      Role = "watch-officer"
	Analyst           Role = "analyst"
	DecisionMaker     Role = "decision-maker"
	LegalAdviser      Role = "legal-adviser"
	DiplomaticLiaison Role = "liaison-diplomatic"
	PoliceLiaison     Role = "liaison-police"
	PartnerOfficer    Role = "partner"
	Constituent       Role = "constituent"
	Overseer          Role = "overseer"
	ProgrammeManager  Role = "programme-manager"
	Administrator     Role = "administrator"
)

// Roles gives every role, in the order in which log-ins are shown.
func Roles() []Role {
	return []Role{WatchOfficer, Analyst, DecisionMaker, LegalAdviser, DiplomaticLiaison, PoliceLiaison,
		PartnerOfficer, Constituent, Overseer, ProgrammeManager, Administrator}
}

// Person is somebody with an account. Login is unique and lower case.
type Person struct {
	Login, Name string
	Body        string // id
	Title       string
	Role        Role
	// Compartments are the ids of those the person was admitted to.
	Compartments []string
	// Shown people are printed at start-up, one for each role.
	Shown bool
}

// Group is a set of bodies that a release can name at once.
type Group struct {
	ID, Name string
	Members  []string // body ids
}

// Compartment bounds need-to-know within the house.
type Compartment struct{ ID, Name, Why string }

// Witness countersigns the record. In the exercise both run on the same machine and are called rehearsal witnesses.
type Witness struct{ ID, Name, Body string }

// LogSource is an entry of the register of log sources. Product, Service and Category are Sigma's.
type LogSource struct {
	ID, Name                   string
	Owner                      string // body id
	Basis                      string // consent or legal basis, as a person would cite it
	Consent                    bool   // the basis is the owner's consent
	Purpose                    string
	Fields                     []string // what is delivered; nothing else may be
	Retention                  time.Duration
	Registered                 time.Duration // before the start
	Expires                    time.Duration // after the start; negative has lapsed
	Product, Service, Category string
}

// Lapsed says whether the entry had ended when the exercise starts.
func (s LogSource) Lapsed() bool { return s.Expires <= 0 }

func level(l marking.TLP) *marking.TLP { return &l }

const day = 24 * time.Hour

// TheWorld gives the Republic of Halvern and its partners. It is a new copy each time.
func TheWorld() World {
	const statute = "Cyber-security Act, arrangement of the bodies of the Republic"
	return World{
		Nation: "Republic of Halvern",
		House:  "csirt",
		Bodies: []Body{
			{ID: "csirt", Name: "National CSIRT of Halvern", Kind: CSIRT, Own: true, Ceiling: marking.Red, Domain: "csirt.halvern.example"},
			{ID: "headquarters", Name: "Strategy Headquarters", Kind: Headquarters, Constituent: true, Agreement: statute, Ceiling: marking.Red, Domain: "headquarters.halvern.example"},
			{ID: "cabinet", Name: "Cabinet Office", Kind: Cabinet, Constituent: true, Agreement: statute, Ceiling: marking.Red, Domain: "cabinet.halvern.example"},
			{ID: "foreign", Name: "Foreign Ministry", Kind: Ministry, Constituent: true, Agreement: statute, Ceiling: marking.Red, Domain: "foreign.halvern.example"},
			{ID: "police", Name: "National Police, Cyber Department", Kind: Police, Constituent: true, Agreement: statute, Ceiling: marking.Red, Domain: "police.halvern.example"},
			{ID: "prosecutor", Name: "Public Prosecutor", Kind: Prosecutor, Constituent: true, Agreement: statute, Ceiling: marking.Red, Domain: "prosecutor.halvern.example"},
			{ID: "defence", Name: "Defence Cyber Command (land, sea and air units)", Kind: Defence, Constituent: true, Agreement: statute, Ceiling: marking.Red, Domain: "defence.halvern.example"},
			{ID: "energy-csirt", Name: "Energy Sector CSIRT", Kind: SectorCSIRT, Constituent: true, Agreement: statute, Ceiling: marking.AmberStrict, Domain: "energy-csirt.halvern.example"},
			{ID: "ports-csirt", Name: "Ports Sector CSIRT", Kind: SectorCSIRT, Constituent: true, Agreement: statute, Ceiling: marking.AmberStrict, Domain: "ports-csirt.halvern.example"},
			{ID: "harbour", Name: "Harbour Authority", Kind: Operator, Constituent: true, Agreement: "Sensor programme, second year, annex 4", Ceiling: marking.AmberStrict, Domain: "halvern-harbour.example"},
			{ID: "commissioner", Name: "Parliamentary Oversight Commissioner", Kind: Oversight, Agreement: "Cyber-security Act, part 5", Ceiling: marking.AmberStrict, Domain: "commissioner.halvern.example"},
			{ID: "audit", Name: "Court of Audit", Kind: Audit, Agreement: "Court of Audit Act", Ceiling: marking.Amber, Domain: "audit.halvern.example"},
			{ID: "seawall", Name: "Seawall Response", Kind: ResponseFirm, Agreement: "Framework contract for first response", Ceiling: marking.Amber, Domain: "seawall.example"},
			{ID: "lorrin", Name: "National CSIRT of Lorrin", Kind: PartnerState, Agreement: "Sensor agreement with Lorrin, signed", Ceiling: marking.AmberStrict, DefaultTLP: level(marking.AmberStrict), Domain: "csirt.lorrin.example"},
			{ID: "tessary", Name: "National CSIRT of Tessary", Kind: PartnerState, Agreement: "Memorandum with Tessary", Ceiling: marking.Amber, DefaultTLP: level(marking.Amber), Domain: "csirt.tessary.example"},
			{ID: "quaymar", Name: "Quaymar Association", Kind: PartnerGroup, Agreement: "Quaymar charter, schedule of exchange", Ceiling: marking.Green, DefaultTLP: level(marking.Green), Domain: "quaymar.example", Group: "quaymar-coast"},
			{ID: "brightwater", Name: "Brightwater", Kind: SecurityFirm, Ceiling: marking.Clear, DefaultTLP: level(marking.Clear), Domain: "brightwater.example"},
		},
		Groups: []Group{
			{ID: "state", Name: "Bodies of the Republic", Members: []string{"csirt", "headquarters", "cabinet", "foreign", "police", "prosecutor", "defence"}},
			{ID: "sector", Name: "Sector CSIRTs", Members: []string{"energy-csirt", "ports-csirt"}},
			{ID: "quaymar-coast", Name: "Quaymar Association of seven coastal states", Members: []string{"quaymar"}},
			{ID: "sensor-partners", Name: "Partners of the sensor agreement", Members: []string{"lorrin"}},
		},
		Compartments: []Compartment{
			{ID: "harbour-case", Name: "Harbour case", Why: "names of the Harbour's staff and the lay-out of the crane-control network"},
			{ID: "police-hold", Name: "Police hold", Why: "what an open investigation asks to be kept back"},
		},
		People: []Person{
			{Login: "ines.varga", Name: "Ines Varga", Body: "csirt", Title: "watch officer", Role: WatchOfficer, Compartments: []string{"harbour-case", "police-hold"}, Shown: true},
			{Login: "yara.nyst", Name: "Yara Nyst", Body: "csirt", Title: "watch officer, day shift", Role: WatchOfficer, Compartments: []string{"harbour-case"}},
			{Login: "mira.oduya", Name: "Mira Oduya", Body: "csirt", Title: "intelligence analyst", Role: Analyst, Compartments: []string{"harbour-case"}, Shown: true},
			{Login: "leo.sander", Name: "Leo Sander", Body: "csirt", Title: "intelligence analyst", Role: Analyst, Compartments: []string{"harbour-case"}},
			{Login: "freya.holm", Name: "Freya Holm", Body: "defence", Title: "analyst, sea unit", Role: Analyst},
			{Login: "anneke.brandt", Name: "Anneke Brandt", Body: "csirt", Title: "director", Role: DecisionMaker, Compartments: []string{"harbour-case", "police-hold"}},
			{Login: "dana.kolk", Name: "Dana Kolk", Body: "foreign", Title: "deputy minister", Role: DecisionMaker, Compartments: []string{"harbour-case"}, Shown: true},
			{Login: "ruben.aster", Name: "Ruben Aster", Body: "cabinet", Title: "secretary to the Cabinet", Role: DecisionMaker},
			{Login: "nadia.ferro", Name: "Nadia Ferro", Body: "foreign", Title: "legal adviser", Role: LegalAdviser, Compartments: []string{"harbour-case", "police-hold"}, Shown: true},
			{Login: "joren.saal", Name: "Joren Saal", Body: "foreign", Title: "diplomatic liaison", Role: DiplomaticLiaison, Shown: true},
			{Login: "petra.lind", Name: "Petra Lind", Body: "police", Title: "police liaison", Role: PoliceLiaison, Compartments: []string{"harbour-case", "police-hold"}, Shown: true},
			{Login: "otto.marsh", Name: "Otto Marsh", Body: "prosecutor", Title: "prosecutor on call", Role: PoliceLiaison, Compartments: []string{"police-hold"}},
			{Login: "sanne.brook", Name: "Sanne Brook", Body: "lorrin", Title: "exchange officer", Role: PartnerOfficer, Shown: true},
			{Login: "ilko.dray", Name: "Ilko Dray", Body: "tessary", Title: "duty officer", Role: PartnerOfficer, Shown: true},
			{Login: "amara.vell", Name: "Amara Vell", Body: "quaymar", Title: "secretariat", Role: PartnerOfficer, Shown: true},
			{Login: "rui.castan", Name: "Rui Castan", Body: "brightwater", Title: "researcher", Role: PartnerOfficer, Shown: true},
			{Login: "hanne.tolvik", Name: "Hanne Tolvik", Body: "harbour", Title: "duty manager, systems", Role: Constituent, Shown: true},
			{Login: "pia.enger", Name: "Pia Enger", Body: "ports-csirt", Title: "sector desk", Role: Constituent},
			{Login: "sten.amdal", Name: "Sten Amdal", Body: "energy-csirt", Title: "sector desk", Role: Constituent},
			{Login: "dario.penn", Name: "Dario Penn", Body: "seawall", Title: "responder", Role: Constituent},
			{Login: "edda.roth", Name: "Edda Roth", Body: "commissioner", Title: "Commissioner's office", Role: Overseer, Shown: true},
			{Login: "bram.oster", Name: "Bram Oster", Body: "audit", Title: "auditor", Role: Overseer},
			{Login: "tomas.reil", Name: "Tomas Reil", Body: "headquarters", Title: "programme office", Role: ProgrammeManager, Shown: true},
			{Login: "kas.winter", Name: "Kas Winter", Body: "csirt", Title: "administrator", Role: Administrator, Shown: true},
		},
		Sources: sources(),
		Witnesses: []Witness{
			{ID: "witness-commissioner", Name: "rehearsal witness of the Commissioner", Body: "commissioner"},
			{ID: "witness-audit", Name: "rehearsal witness of the Court of Audit", Body: "audit"},
		},
	}
}

// Ids of the log sources, as events name them.
const (
	SourceWindows = "harbour-windows"
	SourceProxy   = "harbour-proxy"
	SourceDNS     = "harbour-dns"
	SourceAuth    = "harbour-bastion-auth"
	SourceAudit   = "harbour-bastion-audit"
	SourceLapsed  = "harbour-gate-readers"
)

func sources() []LogSource {
	const consent = "consent of the Harbour Authority, sensor programme annex 4"
	const purpose = "find and contain attacks on the port's services"
	return []LogSource{
		{ID: SourceWindows, Name: "Harbour, Windows fleet", Owner: "harbour", Basis: consent, Consent: true, Purpose: purpose,
			Fields: WindowsFields(), Retention: 90 * day, Registered: 400 * day, Expires: 330 * day, Product: "windows"},
		{ID: SourceProxy, Name: "Harbour, web proxy", Owner: "harbour", Basis: consent, Consent: true, Purpose: purpose,
			Fields: ProxyFields(), Retention: 30 * day, Registered: 400 * day, Expires: 330 * day, Category: "proxy"},
		{ID: SourceDNS, Name: "Harbour, resolver", Owner: "harbour", Basis: consent, Consent: true, Purpose: purpose,
			Fields: DNSFields(), Retention: 30 * day, Registered: 400 * day, Expires: 330 * day, Category: "dns"},
		{ID: SourceAuth, Name: "Harbour, bastion log-ins", Owner: "harbour", Basis: consent, Consent: true, Purpose: purpose,
			Fields: AuthFields(), Retention: 180 * day, Registered: 210 * day, Expires: 155 * day, Product: "linux", Service: "auth"},
		{ID: SourceAudit, Name: "Harbour, bastion audit trail", Owner: "harbour", Basis: "Ports order 12 (3): duty to keep an audit trail of administrators", Purpose: "show what administrators did on the bastion",
			Fields: AuditFields(), Retention: 365 * day, Registered: 210 * day, Expires: 155 * day, Product: "linux", Service: "auditd"},
		{ID: SourceLapsed, Name: "Harbour, gate readers", Owner: "harbour", Basis: "consent of the Harbour Authority for the pilot year", Consent: true, Purpose: "tell a stolen card from a stolen account",
			Fields: []string{"@timestamp", "Hostname", "reader", "card", "result"}, Retention: 14 * day, Registered: 376 * day, Expires: -11 * day, Product: "gate", Category: "physical-access"},
	}
}
