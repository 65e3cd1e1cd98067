package exercise

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// role of a host decides what it logs, and when.
type hostRole int

const (
	desk   hostRole = iota // office hours
	shift                  // staffed day and night
	server                 // nobody sits at it
	edge                   // proxy, resolver, bastion: logs of their own kind
)

type host struct {
	name  string
	ip    string
	role  hostRole
	users []string // who works at it; of a shift host one a shift
}

// fleet is the Harbour's forty hosts and what runs on them. The roster is fixed; it does not depend on the seed.
type fleet struct {
	hosts                                  []host
	desks, shifts, servers                 []int // into hosts
	mail, proxy, proxy1, resolver, bastion int
	byName                                 map[string]int
}

const domain = "HARBOUR"

var surnames = strings.Fields("tolvik ravn dahl sorensen amundsen berg fosse garder halden iversen jansen kvale lunde moen " +
	"nygaard opsahl prestby rosvik solheim teige ulven vang wiik aasen bakke dokken eide flaten grande haug iden kolstad")

func makeFleet() *fleet {
	f := &fleet{byName: map[string]int{}}
	people := 0
	nextUser := func() string {
		u := fmt.Sprintf("%c.%s", "abehijklmnoprst"[people%15], surnames[people%len(surnames)])
		people++
		return u
	}
	add := func(role hostRole, subnet, number int, name string) int {
		h := host{name: name, ip: fmt.Sprintf("10.40.%d.%d", subnet, number), role: role}
		switch role {
		case desk:
			h.users = []string{nextUser()}
			f.desks = append(f.desks, len(f.hosts))
		case shift:
			h.users = []string{nextUser(), nextUser(), nextUser()}
			f.shifts = append(f.shifts, len(f.hosts))
		case server:
			h.users = []string{"svc-" + strings.ToLower(strings.Split(name, "-")[1])}
			f.servers = append(f.servers, len(f.hosts))
		}
		f.byName[name] = len(f.hosts)
		f.hosts = append(f.hosts, h)
		return len(f.hosts) - 1
	}
	f.mail = add(server, 10, 25, "HA-MAIL-01")
	for i := range 12 {
		add(shift, 11, 10+i, fmt.Sprintf("HA-OPS-%02d", i+1))
	}
	add(server, 12, 5, "HA-CRANE-GW")
	f.proxy1 = add(edge, 10, 31, "HA-PROXY-01")
	f.proxy = add(edge, 10, 32, "HA-PROXY-02")
	f.resolver = add(edge, 10, 53, "HA-DNS-01")
	add(server, 10, 11, "HA-DC-01")
	add(server, 10, 12, "HA-DC-02")
	add(server, 10, 41, "HA-FS-01")
	add(server, 10, 42, "HA-FS-02")
	for i := range 8 {
		add(desk, 13, 10+i, fmt.Sprintf("HA-ADM-%02d", i+1))
	}
	for i := range 4 {
		add(shift, 14, 10+i, fmt.Sprintf("HA-VTS-%02d", i+1))
	}
	for i := range 4 {
		add(shift, 15, 10+i, fmt.Sprintf("HA-GATE-%02d", i+1))
	}
	f.bastion = add(edge, 10, 22, "HA-BASTION-01")
	add(server, 10, 61, "HA-BKP-01")
	add(server, 10, 62, "HA-PRINT-01")
	return f
}

// Hosts gives the names of the Harbour's hosts.
func Hosts() []string {
	f := makeFleet()
	out := make([]string, len(f.hosts))
	for i, h := range f.hosts {
		out[i] = h.name
	}
	return out
}

func (f *fleet) host(name string) *host { return &f.hosts[f.byName[name]] }

// program is an executable with the command lines that it is ordinarily started with; %u is the user, %d a number.
type program struct {
	image, hashes string
	parent        *program
	lines         []string
}

func makeProgram(image string, parent *program, lines ...string) *program {
	return &program{image: image, hashes: sysmonHashes("ordinary program " + image), parent: parent, lines: lines}
}

// sysmonHashes writes hashes as Sysmon does; they are of a sentence, not of a program.
func sysmonHashes(sentence string) string {
	return "MD5=" + strings.ToUpper(fakeHash("md5 " + sentence)[:32]) + ",SHA256=" + strings.ToUpper(fakeHash(sentence))
}

func fakeHash(sentence string) string {
	sum := sha256.Sum256([]byte("halvern exercise: " + sentence))
	return hex.EncodeToString(sum[:])
}

const (
	sys32    = `C:\Windows\System32\`
	progDir  = `C:\Program Files\`
	pwsh     = sys32 + `WindowsPowerShell\v1.0\powershell.exe`
	scribe   = progDir + `Lettermark\scribe.exe`
	mailApp  = progDir + `Lettermark\pouch.exe`
	browser  = progDir + `Fairlead\fairlead.exe`
	planner  = progDir + `Berthline\berthline.exe`
	bulwark  = progDir + `Bulwark\bulwark.exe`
	mailgate = progDir + `Mailgate\mailgate.exe`
	backup   = progDir + `Nightkeep\nightkeep.exe`
	craneMon = progDir + `Cranewatch\cranewatch.exe`
)

// programs of the ordinary day, by the role of the host. Some come close to what the rules look for, and must not
// be taken for it: an administrator's script, the backup's archiver, the crane monitor's pings.
type programs struct {
	desk, server, crane, backup, mail []*program
	agents                            []*program // network, file and registry activity
}

func makePrograms() *programs {
	services := makeProgram(sys32+"services.exe", nil, sys32+"services.exe")
	explorer := makeProgram(`C:\Windows\explorer.exe`, nil, `C:\Windows\Explorer.EXE`)
	svchost := makeProgram(sys32+"svchost.exe", services,
		sys32+"svchost.exe -k netsvcs -p -s Schedule", sys32+"svchost.exe -k LocalService -p", sys32+"svchost.exe -k DcomLaunch -p")
	taskhost := makeProgram(sys32+"taskhostw.exe", svchost, "taskhostw.exe", "taskhostw.exe Install")
	browse := makeProgram(browser, explorer, `"`+browser+`"`, `"`+browser+`" --tab --profile=%u`)
	tab := makeProgram(browser, browse, `"`+browser+`" --type=renderer --id=%d`)
	mail := makeProgram(mailApp, explorer, `"`+mailApp+`" /recycle`, `"`+mailApp+`"`)
	write := makeProgram(scribe, explorer, `"`+scribe+`" "S:\shift\handover-%d.scr1"`, `"`+scribe+`" "C:\Users\%u\Documents\notice-%d.scr1"`)
	fromMail := makeProgram(scribe, mail, `"`+scribe+`" "C:\Users\%u\AppData\Local\Lettermark\MailCache\tide-table-%d.scr1"`)
	calc := makeProgram(progDir+`Lettermark\ledgercalc.exe`, explorer, `"`+progDir+`Lettermark\ledgercalc.exe" "S:\berths\week-%d.sheet"`)
	plan := makeProgram(planner, explorer, `"`+planner+`" --screen=%d`)
	tiles := makeProgram(progDir+`Berthline\charttiles.exe`, plan, `"`+progDir+`Berthline\charttiles.exe" --refresh`)
	update := makeProgram(progDir+`Bulwark\bwupdate.exe`, services, `"`+progDir+`Bulwark\bwupdate.exe" /silent /channel:%d`)
	guard := makeProgram(bulwark, services, `"`+bulwark+`" /scan /scope:memory`, `"`+bulwark+`" /service`)
	search := makeProgram(sys32+"SearchProtocolHost.exe", svchost, `"`+sys32+`SearchProtocolHost.exe" Global\UsGthrFltPipe%d`)
	cmd := makeProgram(sys32+"cmd.exe", explorer, `"`+sys32+`cmd.exe" /c S:\tools\map-drives.cmd`)
	conhost := makeProgram(sys32+"conhost.exe", cmd, `\??\`+sys32+`conhost.exe 0xffffffff -ForceV1`)
	admin := makeProgram(pwsh, explorer, `powershell.exe -File S:\tools\inventory.ps1 -Site harbour`, `powershell.exe -NoProfile -Command Get-Printer`)
	tasks := makeProgram(sys32+"schtasks.exe", cmd, `schtasks.exe /query /fo csv`, `schtasks.exe /run /tn "\Harbour\MapDrives"`)
	gp := makeProgram(sys32+"gpupdate.exe", svchost, "gpupdate.exe /target:computer")
	wmi := makeProgram(sys32+`wbem\WmiPrvSE.exe`, svchost, sys32+`wbem\wmiprvse.exe -secured -Embedding`)
	keep := makeProgram(backup, services, `"`+backup+`" --set nightly-%d`)
	tar := makeProgram(sys32+"tar.exe", keep, `tar.exe -cf C:\ProgramData\Nightkeep\set-%d.tar S:\berths`)
	crane := makeProgram(craneMon, services, `"`+craneMon+`" --interval 60`)
	ping := makeProgram(sys32+"PING.EXE", crane, `ping.exe -n 1 -w 500 10.40.20.11`, `ping.exe -n 1 -w 500 10.40.20.12`, `ping.exe -n 1 -w 500 10.40.20.13`)
	gate := makeProgram(mailgate, services, `"`+mailgate+`" --worker %d`)

	everywhere := []*program{svchost, taskhost, update, guard, search, gp, wmi}
	p := &programs{
		desk:   append([]*program{browse, tab, tab, tab, mail, write, write, fromMail, calc, plan, tiles, cmd, conhost, admin, tasks}, everywhere...),
		server: append([]*program{cmd, conhost, admin, tasks}, everywhere...),
		crane:  append([]*program{crane, ping, ping, ping, ping}, everywhere...),
		backup: append([]*program{keep, tar, tar}, everywhere...),
		mail:   append([]*program{gate, gate, gate}, everywhere...),
		agents: []*program{browse, tab, mail, svchost, guard, update, plan, tiles},
	}
	return p
}

func (p *programs) of(h *host) []*program {
	switch {
	case h.name == "HA-CRANE-GW":
		return p.crane
	case h.name == "HA-BKP-01":
		return p.backup
	case h.name == "HA-MAIL-01":
		return p.mail
	case h.role == server:
		return p.server
	}
	return p.desk
}
