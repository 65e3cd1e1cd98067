package exercise

import (
	"fmt"
	"strings"
	"time"
)

// OrdinaryEvents is how many events of the 48 hours are nothing but the Harbour's day.
const OrdinaryEvents = 40_000

// window is how long before the start the events begin; quiet is how long before it the last ordinary one may be.
const (
	window = 48 * time.Hour
	quiet  = 30 * time.Second
)

// officeHours and shiftHours say how busy a local hour is; Halvern is one hour ahead of UTC.
var (
	officeHours = [24]int{1, 1, 1, 1, 1, 3, 8, 16, 22, 22, 20, 18, 13, 19, 21, 19, 15, 10, 5, 3, 2, 2, 1, 1}
	shiftHours  = [24]int{7, 6, 6, 6, 7, 11, 14, 14, 13, 13, 12, 12, 12, 13, 14, 14, 13, 12, 11, 10, 10, 9, 9, 8}
)

func localHour(t time.Time) int { return t.UTC().Add(time.Hour).Hour() }

// busy is the weight of one hour for the whole Harbour.
func busy(t time.Time) int {
	h := localHour(t)
	office := officeHours[h]
	if wd := t.UTC().Add(time.Hour).Weekday(); wd == time.Saturday || wd == time.Sunday {
		office = min(office, 4)
	}
	return 10*office + 22*shiftHours[h]
}

// ordinary writes the Harbour's day.
type ordinary struct {
	r     *rng
	f     *fleet
	p     *programs
	sites []site
}

type site struct {
	host, addr string
	paths      []string
	upload     bool
}

func makeOrdinary(r *rng) *ordinary {
	return &ordinary{r: r, f: makeFleet(), p: makePrograms(), sites: []site{
		{host: "intranet.halvern-harbour.example", addr: "10.40.10.80", paths: []string{"/", "/roster", "/berths/today", "/phone"}},
		{host: "mail.halvern-harbour.example", addr: "10.40.10.25", paths: []string{"/box", "/box/poll", "/calendar"}},
		{host: "weather.coastwatch.example", addr: "203.0.113.14", paths: []string{"/gale", "/api/v2/wind?station=7", "/tide/harbour.json"}},
		{host: "ais.shiptrack.example", addr: "203.0.113.40", paths: []string{"/v1/positions?box=halvern", "/v1/vessel/eta"}},
		{host: "updates.bulwark.example", addr: "192.0.2.60", paths: []string{"/sig/daily.bin", "/agent/check"}},
		{host: "updates.fairlead.example", addr: "192.0.2.61", paths: []string{"/channel/stable"}},
		{host: "news.gull.example", addr: "203.0.113.91", paths: []string{"/", "/world", "/ports", "/img/lead.jpg"}},
		{host: "customs.halvern.example", addr: "192.0.2.18", paths: []string{"/declare", "/manifest/status"}},
		{host: "pilots.halvern.example", addr: "192.0.2.19", paths: []string{"/slots", "/book"}},
		{host: "forum.dockers.example", addr: "203.0.113.120", paths: []string{"/t/latest", "/t/cranes"}},
		{host: "files.tidewire.example", addr: "203.0.113.77", paths: []string{"/u/harbour-plans", "/api/list"}, upload: true},
		{host: "video.lanternfish.example", addr: "203.0.113.130", paths: []string{"/watch", "/seg/1.ts"}},
	}}
}

// user is who sits at the host at that time: one a shift, or the one whose desk it is.
func (o *ordinary) user(h *host, at time.Time) string {
	if len(h.users) == 3 {
		return h.users[(localHour(at)+2)/8%3]
	}
	return h.users[0]
}

// next writes one event of that moment.
func (o *ordinary) next(at time.Time) (source string, b []byte) {
	office, shifts := officeHours[localHour(at)], shiftHours[localHour(at)]
	switch o.r.weighted([]int{100 + 6*office, 6*office + 10*shifts/3, 60 + 3*office, 14}) {
	case 0:
		return SourceWindows, o.windows(at, o.someone(at))
	case 1:
		return SourceProxy, o.web(at, o.someone(at))
	case 2:
		return SourceDNS, o.lookup(at)
	}
	if o.r.n(3) == 0 {
		return SourceAudit, o.audit(at)
	}
	return SourceAuth, o.auth(at)
}

// someone is a Windows host, as likely as it is busy at that hour.
func (o *ordinary) someone(at time.Time) *host {
	h := localHour(at)
	sets := [][]int{o.f.desks, o.f.shifts, o.f.servers}
	set := sets[o.r.weighted([]int{2 * officeHours[h], 5 * shiftHours[h], 30})]
	return &o.f.hosts[pick(o.r, set)]
}

func (o *ordinary) fill(s string, user string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	s = strings.ReplaceAll(s, "%u", user)
	return strings.ReplaceAll(s, "%d", fmt.Sprint(o.r.in(2, 60)))
}

func (o *ordinary) windows(at time.Time, h *host) []byte {
	r, user := o.r, o.user(h, at)
	account, pid := domain+`\`+user, 4*r.in(200, 4000)
	agent := pick(r, o.p.agents)
	if h.role == server {
		agent = pick(r, o.p.of(h))
	}
	switch r.weighted([]int{30, 15, 14, 17, 5, 12, 7, 4, 6, 1}) {
	case 0:
		p := pick(r, o.p.of(h))
		s := started{image: p.image, hashes: p.hashes, command: o.fill(pick(r, p.lines), user), user: account, level: "Medium", pid: pid, ppid: 4 * r.in(100, 3000)}
		if p.parent != nil {
			s.parent, s.parentCommand = p.parent.image, o.fill(p.parent.lines[0], user)
		}
		if strings.HasPrefix(p.image, sys32) && h.role == server {
			s.user, s.level = `NT AUTHORITY\SYSTEM`, "System"
		}
		return s.line(at, h.name).done()
	case 1:
		to, name, port := "10.40.10.32", "HA-PROXY-02", 3128
		switch r.n(4) {
		case 0:
			to, name, port = "10.40.10.11", "HA-DC-01", pick(r, []int{88, 389, 445})
		case 1:
			to, name, port = "10.40.10.41", "HA-FS-01", 445
		}
		image := agent.image
		if port == 88 {
			image = sys32 + "lsass.exe" // nothing else asks for tickets
		}
		return connection(at, h.name, image, account, h.ip, to, name, r.in(49152, 65535), port, pid).done()
	case 2:
		w := pick(r, writes)
		if h.name == "HA-MAIL-01" {
			w = pick(r, mailWrites)
		} else if h.role == server {
			w = writes[0] // nobody works at it
		}
		return fileMade(at, h.name, w.image, account, o.fill(w.target, user), pid).done()
	case 3:
		w := pick(r, settings)
		if h.role == server {
			w = settings[r.n(2)]
		}
		return registrySet(at, h.name, w.image, account, o.fill(w.target, user), "Binary Data", pid).done()
	case 4:
		if r.n(3) == 0 {
			return access(at, h.name, bulwark, sys32+"lsass.exe", `NT AUTHORITY\SYSTEM`, "0x1410", sys32+"ntdll.dll+9d1e4|"+progDir+`Bulwark\scan.dll+11c20`).done()
		}
		return access(at, h.name, sys32+"svchost.exe", pick(r, []string{sys32 + "lsass.exe", browser, planner}), `NT AUTHORITY\SYSTEM`,
			pick(r, []string{"0x1000", "0x1400", "0x3000"}), sys32+"ntdll.dll+9d1e4|"+sys32+"KERNELBASE.dll+2c13e").done()
	case 5:
		kind, from, station := 3, pick(r, o.f.hosts).ip, "-"
		if h.role != server {
			kind, from, station = pick(r, []int{2, 7, 3}), "127.0.0.1", h.name
		}
		return logon(at, h.name, user, from, station, kind, r.in(0x10000, 0xfffff)).done()
	case 6:
		return securityLine(at, h.name, 4634).s("TargetUserName", user).s("TargetDomainName", domain).
			s("TargetLogonId", fmt.Sprintf("0x%x", r.in(0x10000, 0xfffff))).s("LogonType", "3").done()
	case 7:
		return securityLine(at, h.name, 4672).s("SubjectUserName", h.name+"$").s("SubjectDomainName", domain).
			s("PrivilegeList", "SeSecurityPrivilege SeBackupPrivilege SeRestorePrivilege").done()
	case 8:
		return sysmonLine(at, h.name, 5).i("ProcessId", pid).s("Image", pick(r, o.p.of(h)).image).s("User", account).done()
	}
	return serviceInstalled(at, h.name, fmt.Sprintf("Bulwark Update %d", r.in(100, 999)), progDir+`Bulwark\bwupdate.exe /service`, "LocalSystem").done()
}

// written is a file or a registry value and the program that writes it.
type written struct{ image, target string }

var (
	writes = []written{
		{progDir + `Bulwark\bwupdate.exe`, `C:\ProgramData\Bulwark\sig\part-%d.bin`},
		{mailApp, `C:\Users\%u\AppData\Local\Temp\~lm%d.tmp`},
		{mailApp, `C:\Users\%u\AppData\Local\Lettermark\MailCache\tide-table-%d.scr1`},
		{browser, `C:\Users\%u\AppData\Local\Fairlead\cache\f_%d`},
		{scribe, `S:\shift\handover-%d.scr1`},
		{progDir + `Berthline\charttiles.exe`, `C:\ProgramData\Berthline\tiles\%d.png`},
	}
	mailWrites = []written{
		{mailgate, `D:\Mailgate\transit\notice-%d.scr1`},
		{mailgate, `D:\Mailgate\transit\manifest-%d.sheet`},
		{mailgate, `D:\Mailgate\queue\%d.eml`},
	}
	settings = []written{
		{bulwark, `HKLM\SOFTWARE\Bulwark\Agent\LastCheck`},
		{sys32 + "svchost.exe", `HKLM\System\CurrentControlSet\Services\bam\State\UserSettings\%d`},
		{scribe, `HKU\S-1-5-21-4040-40-%d\Software\Lettermark\Recent\Item1`},
		{planner, `HKU\S-1-5-21-4040-40-%d\Software\Berthline\Layout`},
		{browser, `HKU\S-1-5-21-4040-40-%d\Software\Fairlead\Session`},
	}
)

const fairlead = "Fairlead/7.2 (desktop)"

func (o *ordinary) web(at time.Time, h *host) []byte {
	r, s := o.r, pick(o.r, o.sites)
	q := request{proxy: "HA-PROXY-02", client: h.ip, user: o.user(h, at), method: "GET", host: s.host, to: s.addr, agent: fairlead,
		status: 200, up: r.in(380, 1400), down: r.in(600, 90_000), millis: r.in(8, 900)}
	if h.role == server { // servers fetch updates and nothing else
		s = o.sites[4]
		q.host, q.to, q.agent = s.host, s.addr, "bwupdate/4.1"
	}
	if r.n(3) == 0 {
		q.proxy = "HA-PROXY-01"
	}
	switch k := r.n(100); {
	case s.upload && k < 20: // plans go to the surveyors this way, also big ones
		q.method, q.up, q.down = "POST", r.in(40_000, 34_000_000), r.in(200, 900)
	case k < 6:
		q.method, q.up = "POST", r.in(600, 9000)
	case k < 8:
		q.status, q.down = 404, 512
	case k < 9:
		q.status, q.down = 304, 0
	case k < 10:
		q.status, q.down = 407, 300
	}
	q.uri = "http://" + s.host + pick(r, s.paths)
	return q.line(at).done()
}

func (o *ordinary) lookup(at time.Time) []byte {
	r, client := o.r, o.f.hosts[o.f.proxy].ip
	switch k := r.n(100); {
	case k < 45:
		h := o.someone(at)
		to := pick(r, o.f.hosts)
		return asked(at, h.ip, strings.ToLower(to.name)+".halvern-harbour.example", "A", to.ip, "NOERROR").done()
	case k < 55:
		return asked(at, o.someone(at).ip, "_ldap._tcp.dc._msdcs.halvern-harbour.example", "SRV", "ha-dc-01.halvern-harbour.example", "NOERROR").done()
	case k < 60:
		return asked(at, o.someone(at).ip, "printer.local.halvern-harbour.example", "A", "", "NXDOMAIN").done()
	case k < 66:
		s := pick(r, o.sites)
		return asked(at, client, s.host, "AAAA", fmt.Sprintf("2001:db8:40::%x", r.in(16, 4000)), "NOERROR").done()
	}
	if r.n(30) == 0 {
		return asked(at, client, TilesHost, "A", tilesAddr, "NOERROR").done()
	}
	s := pick(r, o.sites)
	return asked(at, client, s.host, "A", s.addr, "NOERROR").done()
}

var admins = []string{"crane-maint", "a.sysadm", "k.sysadm", "vendor-vts"}

func (o *ordinary) auth(at time.Time) []byte {
	r, who := o.r, pick(o.r, admins)
	from := o.f.hosts[pick(o.r, o.f.desks)].ip
	l := newLine().t("@timestamp", at, stamp).s("Hostname", "HA-BASTION-01")
	switch k := r.n(100); {
	case k < 35:
		return l.s("process", "sshd").i("pid", r.in(900, 30000)).s("user", who).s("src_ip", from).s("method", "publickey").s("result", "accepted").
			s("message", "Accepted publickey for "+who+" from "+from).done()
	case k < 41:
		return l.s("process", "sshd").i("pid", r.in(900, 30000)).s("user", who).s("src_ip", from).s("method", "password").s("result", "failed").
			s("message", "Failed password for "+who+" from "+from).done()
	case k < 70:
		return l.s("process", "sshd").i("pid", r.in(900, 30000)).s("user", who).s("src_ip", from).s("result", "closed").
			s("message", "session closed for user "+who).done()
	case k < 78: // the crane's own maintainer may read its routes
		return sudo(l, "crane-maint", "/usr/bin/less /etc/crane/routes.conf", "pts/1").done()
	}
	return sudo(l, who, pick(r, []string{"/usr/bin/systemctl status chronyd", "/usr/bin/apt-get update", "/usr/bin/journalctl -n 100", "/usr/bin/tail /var/log/messages"}), "pts/0").done()
}

func sudo(l *line, user, command, tty string) *line {
	return l.s("process", "sudo").s("user", user).s("tty", tty).s("runas", "root").s("command", command).
		s("message", user+" : TTY="+tty+" ; USER=root ; COMMAND="+command)
}

func (o *ordinary) audit(at time.Time) []byte {
	r, l := o.r, newLine().t("@timestamp", at, stamp).s("Hostname", "HA-BASTION-01")
	if r.n(3) == 0 {
		return l.s("type", "PATH").s("auid", pick(r, admins)).s("exe", "/usr/bin/less").s("name", pick(r, []string{"/var/log/messages", "/etc/hosts", "/etc/ssh/sshd_config"})).s("success", "yes").done()
	}
	return l.s("type", "EXECVE").s("auid", pick(r, admins)).s("exe", "/usr/bin/ssh").s("key", "jump").s("a0", "ssh").
		s("a1", pick(r, []string{"crane-gw", "vts-01", "gate-02"})).s("success", "yes").done()
}
