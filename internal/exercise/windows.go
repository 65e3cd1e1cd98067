package exercise

import (
	"fmt"
	"strings"
	"time"
)

// The fields that each source is registered for; a test holds every generated line to them.

// WindowsFields are those of the Harbour's Windows fleet: Sysmon, and the Security, System and Application channels.
func WindowsFields() []string {
	return strings.Fields("@timestamp Hostname Channel SourceName EventID UtcTime ProcessGuid ProcessId Image CommandLine CurrentDirectory " +
		"User IntegrityLevel Hashes ParentProcessId ParentImage ParentCommandLine OriginalFileName Protocol Initiated SourceIp SourcePort " +
		"DestinationIp DestinationHostname DestinationPort EventType TargetObject Details TargetFilename SourceImage TargetImage " +
		"GrantedAccess CallTrace TargetUserName TargetDomainName TargetLogonId LogonType IpAddress WorkstationName " +
		"AuthenticationPackageName SubjectUserName SubjectDomainName PrivilegeList ServiceName ImagePath ServiceType StartType " +
		"AccountName Message Application FaultModule SymbolPath QueryName QueryResults")
}

// ProxyFields are those of the web proxies.
func ProxyFields() []string {
	return strings.Fields("@timestamp Hostname src_ip dst_ip cs-username cs-method cs-host c-uri sc-status cs-bytes sc-bytes c-useragent time-taken")
}

// DNSFields are those of the resolver.
func DNSFields() []string {
	return strings.Fields("@timestamp Hostname src_ip query record_type answer rcode")
}

// AuthFields are those of the bastion's log-ins.
func AuthFields() []string {
	return strings.Fields("@timestamp Hostname process pid user src_ip method result tty runas command message")
}

// AuditFields are those of the bastion's audit trail.
func AuditFields() []string {
	return strings.Fields("@timestamp Hostname type auid exe key a0 a1 a2 name success")
}

func sysmonLine(at time.Time, host string, id int) *line {
	return newLine().t("@timestamp", at, stamp).s("Hostname", host).s("Channel", "Microsoft-Windows-Sysmon/Operational").
		s("SourceName", "Microsoft-Windows-Sysmon").i("EventID", id).t("UtcTime", at.Add(-3*time.Millisecond), sysmon)
}

func channelLine(at time.Time, host, channel, source string, id int) *line {
	return newLine().t("@timestamp", at, stamp).s("Hostname", host).s("Channel", channel).s("SourceName", source).i("EventID", id)
}

func securityLine(at time.Time, host string, id int) *line {
	return channelLine(at, host, "Security", "Microsoft-Windows-Security-Auditing", id)
}

// guid looks like Sysmon's process guid: machine, time and process.
func guid(host string, at time.Time, pid int) string {
	var h uint32
	for i := range len(host) {
		h = h*31 + uint32(host[i])
	}
	return fmt.Sprintf("{%08x-%04x-%04x-%04x-%012x}", h, uint16(at.Unix()>>16), uint16(at.Unix()), uint16(pid), uint64(at.UnixMilli())&0xffffffff)
}

// started is a process start (Sysmon 1).
type started struct {
	image, command, parent, parentCommand string
	user, level, hashes, dir              string
	pid, ppid                             int
}

func (s started) line(at time.Time, host string) *line {
	if s.dir == "" {
		s.dir = sys32
	}
	return sysmonLine(at, host, 1).s("ProcessGuid", guid(host, at, s.pid)).i("ProcessId", s.pid).s("Image", s.image).
		s("CommandLine", s.command).s("CurrentDirectory", s.dir).s("User", s.user).s("IntegrityLevel", s.level).
		s("Hashes", s.hashes).s("OriginalFileName", s.image[strings.LastIndexByte(s.image, '\\')+1:]).
		i("ParentProcessId", s.ppid).s("ParentImage", s.parent).s("ParentCommandLine", s.parentCommand)
}

// connection is a network connection (Sysmon 3).
func connection(at time.Time, host, image, user, from, to, name string, sport, dport, pid int) *line {
	return sysmonLine(at, host, 3).i("ProcessId", pid).s("Image", image).s("User", user).s("Protocol", "tcp").s("Initiated", "true").
		s("SourceIp", from).i("SourcePort", sport).s("DestinationIp", to).s("DestinationHostname", name).i("DestinationPort", dport)
}

// fileMade is a file that was created (Sysmon 11).
func fileMade(at time.Time, host, image, user, target string, pid int) *line {
	return sysmonLine(at, host, 11).i("ProcessId", pid).s("Image", image).s("User", user).s("TargetFilename", target)
}

// registrySet is a value that was set (Sysmon 13).
func registrySet(at time.Time, host, image, user, object, details string, pid int) *line {
	return sysmonLine(at, host, 13).s("EventType", "SetValue").i("ProcessId", pid).s("Image", image).s("User", user).
		s("TargetObject", object).s("Details", details)
}

// access is one process opening another (Sysmon 10).
func access(at time.Time, host, source, target, user, granted, trace string) *line {
	return sysmonLine(at, host, 10).s("SourceImage", source).s("TargetImage", target).s("User", user).
		s("GrantedAccess", granted).s("CallTrace", trace)
}

// logon is a successful log-in (Security 4624). kind: 2 at the keyboard, 3 over the network, 5 a service.
func logon(at time.Time, host, user, from, station string, kind, id int) *line {
	return securityLine(at, host, 4624).s("SubjectUserName", "-").s("TargetUserName", user).s("TargetDomainName", "HARBOUR").
		s("TargetLogonId", fmt.Sprintf("0x%x", id)).s("LogonType", fmt.Sprint(kind)).s("AuthenticationPackageName", "Negotiate").
		s("IpAddress", from).s("WorkstationName", station)
}

// serviceInstalled is a new service (System 7045).
func serviceInstalled(at time.Time, host, name, path, account string) *line {
	return channelLine(at, host, "System", "Service Control Manager", 7045).s("ServiceName", name).s("ImagePath", path).
		s("ServiceType", "user mode service").s("StartType", "demand start").s("AccountName", account)
}

// request is a line of the web proxy. up and down are bytes.
type request struct {
	proxy, client, user, method, host, uri, agent, to string
	status, up, down, millis                          int
}

func (q request) line(at time.Time) *line {
	return newLine().t("@timestamp", at, stamp).s("Hostname", q.proxy).s("src_ip", q.client).s("dst_ip", q.to).s("cs-username", q.user).
		s("cs-method", q.method).s("cs-host", q.host).s("c-uri", q.uri).i("sc-status", q.status).i("cs-bytes", q.up).
		i("sc-bytes", q.down).s("c-useragent", q.agent).i("time-taken", q.millis)
}

// asked is a line of the resolver.
func asked(at time.Time, client, name, kind, answer, rcode string) *line {
	return newLine().t("@timestamp", at, stamp).s("Hostname", "HA-DNS-01").s("src_ip", client).s("query", name).
		s("record_type", kind).s("answer", answer).s("rcode", rcode)
}
