package sigma

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRegressionJSON fires each published regression event, in its JSON form, at the rule it belongs to.
func TestRegressionJSON(t *testing.T) {
	set, _ := allRules(t)
	e, _ := Compile(set, Options{})
	m := e.NewMatcher()
	dir := dataDir(t, "sigma", "regression_data")
	n, ok := 0, 0
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".json") {
			return err
		}
		n++
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		id := strings.TrimSuffix(filepath.Base(p), ".json")
		found := false
		for _, ev := range splitJSON(data) {
			if err := m.MatchJSON(ev, Logsource{}, func(h Match) { found = found || h.Rule.ID == id }); err != nil {
				t.Errorf("%s: %v", p, err)
			}
		}
		if found {
			ok++
		} else {
			t.Errorf("rule %s does not fire on %s", id, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d events fire their rule", ok, n)
}

// splitJSON cuts concatenated JSON objects.
func splitJSON(b []byte) [][]byte {
	var out [][]byte
	depth, start, str := 0, 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case str && c == '\\':
			i++
		case c == '"':
			str = !str
		case str:
		case c == '{':
			if depth == 0 {
				start = i
			}
			depth++
		case c == '}':
			if depth--; depth == 0 {
				out = append(out, b[start:i+1])
			}
		}
	}
	return out
}

// TestLoadAll loads every published rule file. The only refusals are rules with placeholders that nothing gives values to: "If the tool
// isn't able to handle placeholders, it must reject the rule" (rules specification, "Placeholders"). With a pipeline that fills them, every
// rule loads.
func TestLoadAll(t *testing.T) {
	set, errs := allRules(t)
	for _, err := range errs {
		t.Error(err)
	}
	e, errs := Compile(set, Options{})
	var got []string
	for _, err := range errs {
		if !strings.Contains(err.Reason, "placeholder %") {
			t.Error(err)
		}
		got = append(got, filepath.Base(err.File))
	}
	slices.Sort(got)
	if diff := cmp.Diff(refusedRules, got); diff != "" {
		t.Errorf("refused rules (-listed +found):\n%s", diff)
	}
	if n := len(e.Rules()) + len(errs); n != 3776 {
		t.Errorf("%d rules, 3,776 published", n)
	}
	p, err := ParsePipeline("p", []byte("transformations: [{type: wildcard_placeholders}]"))
	if err != nil {
		t.Fatal(err)
	}
	if _, errs := Compile(set, Options{Pipelines: []*Pipeline{p}}); len(errs) > 0 {
		t.Errorf("with placeholders filled: %v", errs)
	}
}

// refusedRules are the rules that need the values of placeholders.
var refusedRules = []string{
	"aws_cloudtrail_console_login_success_from_susp_locations.yml",
	"azure_ad_account_created_deleted_nonapproved_user.yml",
	"azure_ad_auth_to_important_apps_using_single_factor_auth.yml",
	"azure_ad_authentications_from_countries_you_do_not_operate_out_of.yml",
	"azure_ad_failed_auth_from_countries_you_do_not_operate_out_of.yml",
	"azure_ad_guest_users_invited_to_tenant_by_non_approved_inviters.yml",
	"azure_privileged_account_sigin_expected_controls.yml",
	"azure_users_authenticating_to_other_azure_ad_tenants.yml",
	"dns_query_win_wscript_cscript_resolution.yml",
	"net_connection_win_certsvc_outbound_smb_ldap.yml",
	"net_connection_win_susp_rdp_from_domain_controller.yml",
	"okta_session_impersonation_granted.yml",
	"proc_creation_win_userdomain_variable_enumeration.yml",
	"win_security_adcs_certighost_cdc_chase_request.yml",
	"win_security_adcs_certighost_cert_issued_via_chase.yml",
	"win_security_admin_logon.yml",
	"win_security_dc_machine_account_logon_non_dc_ip.yml",
	"win_security_dc_machine_account_tgs_non_dc_ip.yml",
	"win_security_dc_machine_accoutn_tgt_non_dc_ip.yml",
	"win_security_exploit_cve_2020_1472.yml",
	"win_security_modification_of_msds_dmsa_link_attribute.yml",
	"win_security_msds_dmsa_object_creation.yml",
	"win_security_potential_pass_the_hash.yml",
	"win_security_remote_registry_management_via_reg.yml",
	"win_security_susp_interactive_logons.yml",
}
