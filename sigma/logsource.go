package sigma

import (
	"slices"
	"strconv"
	"strings"
)

// source is a logsource that an event belongs to and the built-in pipeline that fits rules to its fields ("" for none).
type source struct {
	ls       Logsource
	pipeline string
}

// channelRow says what events of a Windows event channel are. Rows with Events hold for those ids only; When restricts to values of
// the field EventType.
type channelRow struct {
	channel  string
	events   []int
	when     []string
	product  string // "" is windows
	category string
	service  string
	pipeline string
}

// channelRows is the table of Windows (and Sysmon for Linux) channels. An event takes the categories of every row that fits, each
// together with the service of the channel.
var channelRows = slices.Concat(services(map[string][]string{
	"security":                             {"Security"},
	"application":                          {"Application"},
	"system":                               {"System"},
	"sysmon":                               {"Microsoft-Windows-Sysmon/Operational"},
	"powershell":                           {"Microsoft-Windows-PowerShell/Operational", "PowerShellCore/Operational"},
	"powershell-classic":                   {"Windows PowerShell"},
	"taskscheduler":                        {"Microsoft-Windows-TaskScheduler/Operational"},
	"wmi":                                  {"Microsoft-Windows-WMI-Activity/Operational"},
	"dns-server":                           {"DNS Server"},
	"dns-server-audit":                     {"Microsoft-Windows-DNS-Server/Audit"},
	"dns-server-analytic":                  {"Microsoft-Windows-DNS-Server/Analytical"},
	"dns-client":                           {"Microsoft-Windows-DNS Client Events/Operational", "Microsoft-Windows-DNS-Client/Operational"},
	"driver-framework":                     {"Microsoft-Windows-DriverFrameworks-UserMode/Operational"},
	"ntlm":                                 {"Microsoft-Windows-NTLM/Operational"},
	"dhcp":                                 {"Microsoft-Windows-DHCP-Server/Operational"},
	"msexchange-management":                {"MSExchange Management"},
	"printservice-admin":                   {"Microsoft-Windows-PrintService/Admin"},
	"printservice-operational":             {"Microsoft-Windows-PrintService/Operational"},
	"codeintegrity-operational":            {"Microsoft-Windows-CodeIntegrity/Operational"},
	"smbclient-security":                   {"Microsoft-Windows-SmbClient/Security"},
	"smbclient-connectivity":               {"Microsoft-Windows-SmbClient/Connectivity"},
	"smbserver-connectivity":               {"Microsoft-Windows-SMBServer/Connectivity"},
	"firewall-as":                          {"Microsoft-Windows-Windows Firewall With Advanced Security/Firewall"},
	"bits-client":                          {"Microsoft-Windows-Bits-Client/Operational"},
	"windefend":                            {"Microsoft-Windows-Windows Defender/Operational"},
	"terminalservices-localsessionmanager": {"Microsoft-Windows-TerminalServices-LocalSessionManager/Operational"},
	"servicebus-client":                    {"Microsoft-ServiceBus-Client", "Microsoft-ServiceBus-Client/Operational", "Microsoft-ServiceBus-Client/Admin"},
	"microsoft-servicebus-client":          {"Microsoft-ServiceBus-Client", "Microsoft-ServiceBus-Client/Operational", "Microsoft-ServiceBus-Client/Admin"},
	"ldap":                                 {"Microsoft-Windows-LDAP-Client/Debug"},
	"ldap_debug":                           {"Microsoft-Windows-LDAP-Client/Debug"},
	"security-mitigations":                 {"Microsoft-Windows-Security-Mitigations/Kernel Mode", "Microsoft-Windows-Security-Mitigations/User Mode"},
	"diagnosis-scripted":                   {"Microsoft-Windows-Diagnosis-Scripted/Operational"},
	"shell-core":                           {"Microsoft-Windows-Shell-Core/Operational"},
	"openssh":                              {"OpenSSH/Operational"},
	"bitlocker":                            {"Microsoft-Windows-BitLocker/BitLocker Management"},
	"vhdmp":                                {"Microsoft-Windows-VHDMP/Operational", "Microsoft-Windows-VHDMP-Operational"},
	"appxdeployment-server":                {"Microsoft-Windows-AppXDeploymentServer/Operational"},
	"appxpackaging-om":                     {"Microsoft-Windows-AppxPackaging/Operational"},
	"appmodel-runtime":                     {"Microsoft-Windows-AppModel-Runtime/Admin"},
	"lsa-server":                           {"Microsoft-Windows-LSA/Operational"},
	"capi2":                                {"Microsoft-Windows-CAPI2/Operational"},
	"iis-configuration":                    {"Microsoft-IIS-Configuration/Operational", "Microsoft-IIS-Configuration/Administrative"},
	"certificateservicesclient-lifecycle-system": {"Microsoft-Windows-CertificateServicesClient-Lifecycle-System/Operational"},
	"kernel-event-tracing":                       {"Microsoft-Windows-Kernel-EventTracing/Admin"},
	"sense":                                      {"Microsoft-Windows-SENSE/Operational"},
	"hyper-v-worker":                             {"Microsoft-Windows-Hyper-V-Worker-Admin"},
	"kernel-shimengine":                          {"Microsoft-Windows-Kernel-ShimEngine/Operational", "Microsoft-Windows-Kernel-ShimEngine/Diagnostic"},
	"applocker": {"Microsoft-Windows-AppLocker/MSI and Script", "Microsoft-Windows-AppLocker/EXE and DLL",
		"Microsoft-Windows-AppLocker/Packaged app-Deployment", "Microsoft-Windows-AppLocker/Packaged app-Execution"},
}), categories("Microsoft-Windows-Sysmon/Operational", "", "sysmon", sysmonCategories), categories("Linux-Sysmon/Operational", "linux",
	"sysmon", sysmonCategories), []channelRow{
	{channel: "Linux-Sysmon/Operational", product: "linux", service: "sysmon"},
	{channel: "Microsoft-Windows-Sysmon/Operational", events: []int{12}, when: []string{"CreateKey"}, category: "registry_add", service: "sysmon"},
	{channel: "Microsoft-Windows-Sysmon/Operational", events: []int{12}, when: []string{"DeleteKey", "DeleteValue"},
		category: "registry_delete", service: "sysmon"},
	{channel: "Security", events: []int{4688}, category: "process_creation", service: "security", pipeline: "windows-security"},
	{channel: "Microsoft-Windows-PowerShell/Operational", events: []int{4103}, category: "ps_module", service: "powershell"},
	{channel: "Microsoft-Windows-PowerShell/Operational", events: []int{4104}, category: "ps_script", service: "powershell"},
	{channel: "PowerShellCore/Operational", events: []int{4103}, category: "ps_module", service: "powershell"},
	{channel: "PowerShellCore/Operational", events: []int{4104}, category: "ps_script", service: "powershell"},
	{channel: "Windows PowerShell", events: []int{400}, category: "ps_classic_start", service: "powershell-classic"},
	{channel: "Windows PowerShell", events: []int{600}, category: "ps_classic_provider_start", service: "powershell-classic"},
	{channel: "Windows PowerShell", events: []int{800}, category: "ps_classic_script", service: "powershell-classic"},
})

// sysmonCategories are the categories by Sysmon event id.
var sysmonCategories = map[int][]string{
	1: {"process_creation"}, 2: {"file_change"}, 3: {"network_connection"}, 4: {"sysmon_status"}, 5: {"process_termination"},
	6: {"driver_load"}, 7: {"image_load"}, 8: {"create_remote_thread"}, 9: {"raw_access_thread"}, 10: {"process_access"},
	11: {"file_event"}, 12: {"registry_event"}, 13: {"registry_set", "registry_event"}, 14: {"registry_rename", "registry_event"},
	15: {"create_stream_hash"}, 16: {"sysmon_status"}, 17: {"pipe_created"}, 18: {"pipe_created"}, 19: {"wmi_event"}, 20: {"wmi_event"},
	21: {"wmi_event"}, 22: {"dns_query"}, 23: {"file_delete"}, 24: {"clipboard_change"}, 25: {"process_tampering"},
	26: {"file_delete", "file_delete_detected"}, 27: {"file_block_executable"}, 28: {"file_block_shredding"},
	29: {"file_executable_detected"}, 255: {"sysmon_error"},
}

func services(m map[string][]string) []channelRow {
	var out []channelRow
	for s, cs := range m {
		for _, c := range cs {
			out = append(out, channelRow{channel: c, service: s})
		}
	}
	slices.SortFunc(out, func(a, b channelRow) int {
		return strings.Compare(a.channel+"\x00"+a.service, b.channel+"\x00"+b.service)
	})
	return out
}

func categories(channel, product, service string, m map[int][]string) []channelRow {
	var out []channelRow
	for id, cs := range m {
		for _, c := range cs {
			out = append(out, channelRow{channel: channel, events: []int{id}, product: product, category: c, service: service})
		}
	}
	slices.SortFunc(out, func(a, b channelRow) int {
		if a.events[0] != b.events[0] {
			return a.events[0] - b.events[0]
		}
		return strings.Compare(a.category, b.category)
	})
	return out
}

// shapeRow recognises JSON events of other systems by fields that only they have. Every field must be present, and Where, if set, must
// hold the value. ServiceField names a field whose value is the service.
type shapeRow struct {
	fields       []string
	where, value string
	ls           Logsource
	serviceField string
	pipeline     string
}

// shapeRows is tried in order for events without a Windows channel when the caller states no logsource. All rows that fit count.
var shapeRows = []shapeRow{
	{fields: []string{"eventSource", "eventName", "awsRegion"}, ls: Logsource{Product: "aws", Service: "cloudtrail"}},
	{fields: []string{"event_type", "flow_id"}, where: "event_type", value: "dns", ls: Logsource{Category: "dns", Product: "suricata"}, pipeline: "suricata"},
	{fields: []string{"event_type", "flow_id"}, where: "event_type", value: "http", ls: Logsource{Category: "proxy", Product: "suricata"}, pipeline: "suricata"},
	{fields: []string{"event_type", "flow_id"}, where: "event_type", value: "http", ls: Logsource{Category: "webserver", Product: "suricata"}, pipeline: "suricata"},
	{fields: []string{"event_type", "flow_id"}, where: "event_type", value: "flow", ls: Logsource{Category: "firewall", Product: "suricata"}, pipeline: "suricata"},
	{fields: []string{"event_type", "flow_id"}, where: "event_type", value: "flow", ls: Logsource{Category: "network_connection", Product: "suricata"}, pipeline: "suricata"},
	{fields: []string{"event_type", "flow_id"}, ls: Logsource{Product: "suricata"}, serviceField: "event_type"},
	{fields: []string{"_path", "uid"}, where: "_path", value: "dns", ls: Logsource{Category: "dns", Product: "zeek", Service: "dns"}, pipeline: "zeek"},
	{fields: []string{"_path", "uid"}, where: "_path", value: "http", ls: Logsource{Category: "proxy", Product: "zeek", Service: "http"}, pipeline: "zeek"},
	{fields: []string{"_path", "uid"}, where: "_path", value: "conn", ls: Logsource{Category: "firewall", Product: "zeek", Service: "conn"}, pipeline: "zeek"},
	{fields: []string{"_path", "uid"}, where: "_path", value: "conn", ls: Logsource{Category: "network_connection", Product: "zeek", Service: "conn"}, pipeline: "zeek"},
	{fields: []string{"_path"}, ls: Logsource{Product: "zeek"}, serviceField: "_path"},
	{fields: []string{"protoPayload.methodName"}, ls: Logsource{Product: "gcp", Service: "gcp.audit"}},
	{fields: []string{"auditID", "objectRef.resource"}, ls: Logsource{Category: "application", Product: "kubernetes", Service: "audit"}},
	{fields: []string{"objectRef.resource", "verb", "stage"}, ls: Logsource{Category: "application", Product: "kubernetes", Service: "audit"}},
	{fields: []string{"eventType", "actor.alternateId", "published"}, ls: Logsource{Product: "okta", Service: "okta"}},
}

// explicitRows adds what a logsource that the caller states implies: categories of events and the pipeline that fits the rules.
var explicitRows = []struct {
	ls    Logsource
	where string // field that must be present; "" for none
	value string // and hold this
	as    source
}{
	{Logsource{Product: "linux", Service: "auditd"}, "exe", "", source{Logsource{Category: "process_creation", Product: "linux", Service: "auditd"}, "auditd"}},
	{Logsource{Product: "zeek", Service: "dns"}, "", "", source{Logsource{Category: "dns", Product: "zeek", Service: "dns"}, "zeek"}},
	{Logsource{Product: "zeek", Service: "http"}, "", "", source{Logsource{Category: "proxy", Product: "zeek", Service: "http"}, "zeek"}},
	{Logsource{Product: "zeek", Service: "conn"}, "", "", source{Logsource{Category: "firewall", Product: "zeek", Service: "conn"}, "zeek"}},
	{Logsource{Product: "zeek", Service: "conn"}, "", "", source{Logsource{Category: "network_connection", Product: "zeek", Service: "conn"}, "zeek"}},
	{Logsource{Product: "suricata"}, "event_type", "dns", source{Logsource{Category: "dns", Product: "suricata"}, "suricata"}},
	{Logsource{Product: "suricata"}, "event_type", "http", source{Logsource{Category: "proxy", Product: "suricata"}, "suricata"}},
	{Logsource{Product: "suricata"}, "event_type", "http", source{Logsource{Category: "webserver", Product: "suricata"}, "suricata"}},
	{Logsource{Product: "suricata"}, "event_type", "flow", source{Logsource{Category: "firewall", Product: "suricata"}, "suricata"}},
	{Logsource{Product: "suricata"}, "event_type", "flow", source{Logsource{Category: "network_connection", Product: "suricata"}, "suricata"}},
	{Logsource{Category: "webserver"}, "", "", source{Logsource{Category: "webserver"}, "web-access"}},
	{Logsource{Service: "apache"}, "", "", source{Logsource{Category: "webserver", Service: "apache"}, "web-access"}},
	{Logsource{Service: "nginx"}, "", "", source{Logsource{Category: "webserver", Service: "nginx"}, "web-access"}},
}

// providerChannels gives the channel for events that carry a provider only.
var providerChannels = map[string]string{
	"microsoft-windows-sysmon": "microsoft-windows-sysmon/operational", "linux-sysmon": "linux-sysmon/operational",
	"microsoft-windows-security-auditing": "security", "powershell": "windows powershell",
	"microsoft-windows-powershell": "microsoft-windows-powershell/operational", "service control manager": "system",
}

// classifier answers, for the discriminating fields of an event, which sources it belongs to. It is read-only after newClassifier.
type classifier struct {
	channels  map[string]int32 // folded channel → index
	providers map[string]int32
	rows      [][]channelRow
	events    [][]int   // ids that rows of the channel name
	typed     []bool    // some row of the channel looks at EventType
	types     []string  // values of EventType that rows name, folded
	other     Logsource // of a channel that is not in the table
}

func newClassifier() *classifier {
	c := &classifier{channels: map[string]int32{}, providers: map[string]int32{}, other: Logsource{Product: "windows"}}
	for _, r := range channelRows {
		k := foldString(r.channel)
		i, ok := c.channels[k]
		if !ok {
			i = int32(len(c.rows))
			c.channels[k] = i
			c.rows = append(c.rows, nil)
		}
		c.rows[i] = append(c.rows[i], r)
	}
	c.events, c.typed = make([][]int, len(c.rows)), make([]bool, len(c.rows))
	for i, rows := range c.rows {
		for _, r := range rows {
			c.events[i] = append(c.events[i], r.events...)
			for _, w := range r.when {
				c.typed[i] = true
				if w = foldString(w); !slices.Contains(c.types, w) {
					c.types = append(c.types, w)
				}
			}
		}
		slices.Sort(c.events[i])
		c.events[i] = slices.Compact(c.events[i])
	}
	for p, ch := range providerChannels {
		c.providers[p] = c.channels[ch]
	}
	return c
}

// noChannel and unknownChannel are channel indexes outside the table.
const (
	noChannel      = -1
	unknownChannel = -2
)

// channel maps the folded channel and provider of an event to an index.
func (c *classifier) channel(ch, provider []byte) int32 {
	if len(ch) > 0 {
		if i, ok := c.channels[string(ch)]; ok {
			return i
		}
		return unknownChannel
	}
	if len(provider) > 0 {
		if i, ok := c.providers[string(provider)]; ok {
			return i
		}
	}
	return noChannel
}

// sources lists what an event of a channel with an id and an EventType (folded) is.
func (c *classifier) sources(ch int32, event int, eventType string) []source {
	switch ch {
	case noChannel:
		return nil
	case unknownChannel:
		return []source{{ls: c.other}}
	}
	var out []source
	for _, r := range c.rows[ch] {
		if len(r.events) > 0 && !slices.Contains(r.events, event) {
			continue
		}
		if len(r.when) > 0 && !slices.ContainsFunc(r.when, func(w string) bool { return foldString(w) == eventType }) {
			continue
		}
		p := r.product
		if p == "" {
			p = "windows"
		}
		out = append(out, source{Logsource{r.category, p, r.service}, r.pipeline})
	}
	return out
}

// Classify tells the logsources of a Windows event by its channel (or provider) and event id, as the matcher does for events that
// carry them. eventType is the field EventType of Sysmon registry events, otherwise empty.
func Classify(channel, provider string, eventID int, eventType string) []Logsource {
	c := newClassifier()
	var out []Logsource
	for _, s := range c.sources(c.channel([]byte(foldString(channel)), []byte(foldString(provider))), eventID, foldString(eventType)) {
		out = append(out, s.ls)
	}
	return out
}

func parseEventID(b []byte) int {
	n, err := strconv.Atoi(asString(b))
	if err != nil {
		return -1
	}
	return n
}
