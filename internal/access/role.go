package access

import "slices"

// Role is what a person comes for. A person has one; somebody with two jobs has two accounts, which count as one
// person wherever several people must agree.
type Role string

// The roles, in the order of the work.
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

// Roles lists every role.
func Roles() []Role {
	return []Role{WatchOfficer, Analyst, DecisionMaker, LegalAdviser, DiplomaticLiaison, PoliceLiaison, PartnerOfficer, Constituent, Overseer, ProgrammeManager, Administrator}
}

var roleWords = map[Role]string{
	WatchOfficer: "watch officer", Analyst: "intelligence analyst", DecisionMaker: "decision maker", LegalAdviser: "legal adviser",
	DiplomaticLiaison: "liaison, diplomatic", PoliceLiaison: "liaison, police", PartnerOfficer: "partner", Constituent: "constituent",
	Overseer: "overseer", ProgrammeManager: "programme manager", Administrator: "administrator",
}

// String is the role in words.
func (r Role) String() string {
	if w, ok := roleWords[r]; ok {
		return w
	}
	return "unknown role"
}

// Known says whether the role exists.
func (r Role) Known() bool { return roleWords[r] != "" }

// Action is something a person may be allowed to do. Those that end in ".read" leave no entry; all others do, under
// this name.
type Action string

// The actions. A new one belongs in the table below, or nobody may do it.
const (
	SituationRead Action = "situation.read"
	DetectionRead Action = "detection.read"
	IncidentRead  Action = "incident.read"
	IntelRead     Action = "intel.read"
	RecordRead    Action = "record.read"
	PeopleRead    Action = "people.read"
	SourceRead    Action = "source.read"

	RuleChange       Action = "rule.change"        // take a detection rule in, switch it on or off
	FindingJudge     Action = "finding.judge"      // say what a finding is; suppress with a reason
	IncidentOpen     Action = "incident.open"      // open one by hand
	IncidentChange   Action = "incident.change"    // state, severity, owner, title, narrative
	IncidentTask     Action = "incident.task"      // tasks and notes
	EvidenceAdd      Action = "evidence.add"       // put a file into custody
	EvidenceTransfer Action = "evidence.transfer"  // hand over, or take over, what is in custody
	EvidenceRead     Action = "evidence.read"      // take a copy of a file
	IntelImport      Action = "intel.import"       // take a bundle in
	IntelWrite       Action = "intel.write"        // write an object of the house's own
	MarkResolve      Action = "marking.resolve"    // say what an unknown marking means
	IntelExport      Action = "intel.export"       // take objects out as a bundle
	SourceRegister   Action = "source.register"    // enter a log source
	SourceChange     Action = "source.change"      // renew, suspend or withdraw one
	PersonAdd        Action = "person.add"         // make an account
	PersonChange     Action = "person.change"      // lock one, change its role or compartments, end its sessions
	PersonInvite     Action = "person.invite"      // make the one-time link with which a person sets a password
	BodyAdd          Action = "body.add"           // enter an organisation
	BodyChange       Action = "body.change"        // its agreement, ceiling, groups
	SelfChange       Action = "person.self-change" // one's own password, passkeys and tokens
	SessionOpen      Action = "session.open"       // log in
	SessionClose     Action = "session.close"      // log out
	QuestionAsk      Action = "oversight.question" // ask what must be answered
)

var everybodyInside = []Role{WatchOfficer, Analyst, DecisionMaker, LegalAdviser, DiplomaticLiaison, PoliceLiaison, Overseer, ProgrammeManager}

// may is who may do what. What a role may see of it is then up to the marking gate.
var may = map[Action][]Role{
	SituationRead: append([]Role{Administrator}, everybodyInside...),
	DetectionRead: {WatchOfficer, Analyst, Overseer},
	IncidentRead:  append([]Role{Constituent}, everybodyInside...),
	IntelRead:     append([]Role{PartnerOfficer, Constituent}, everybodyInside...),
	RecordRead:    {Overseer, DecisionMaker, LegalAdviser, Administrator, WatchOfficer, Analyst},
	PeopleRead:    append([]Role{Administrator}, everybodyInside...),
	SourceRead:    {WatchOfficer, Analyst, LegalAdviser, Overseer, ProgrammeManager, Administrator},

	RuleChange:       {Analyst, WatchOfficer},
	FindingJudge:     {WatchOfficer, Analyst},
	IncidentOpen:     {WatchOfficer},
	IncidentChange:   {WatchOfficer},
	IncidentTask:     {WatchOfficer, Analyst},
	EvidenceAdd:      {WatchOfficer, Analyst, PoliceLiaison},
	EvidenceTransfer: {WatchOfficer, Analyst, PoliceLiaison, Constituent},
	EvidenceRead:     {WatchOfficer, Analyst, PoliceLiaison},
	IntelImport:      {Analyst, WatchOfficer},
	IntelWrite:       {Analyst},
	MarkResolve:      {Analyst},
	IntelExport:      {Analyst, WatchOfficer},
	SourceRegister:   {Administrator, LegalAdviser},
	SourceChange:     {Administrator, LegalAdviser},
	PersonAdd:        {Administrator},
	PersonChange:     {Administrator},
	PersonInvite:     {Administrator},
	BodyAdd:          {Administrator},
	BodyChange:       {Administrator},
	SelfChange:       Roles(),
	SessionOpen:      Roles(),
	SessionClose:     Roles(),
	QuestionAsk:      {Overseer},
}

// Actions lists every action that somebody may do.
func Actions() []Action {
	out := make([]Action, 0, len(may))
	for a := range may {
		out = append(out, a)
	}
	slices.Sort(out)
	return out
}

// May says whether the role allows the action.
func (r Role) May(a Action) bool { return slices.Contains(may[a], r) }
