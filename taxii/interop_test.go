package taxii_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"vigil/taxii"
	"vigil/taxii/memory"
	"vigil/taxii/taxiitest"
)

// python finds an interpreter that has a module, or skips. TAXII_PYTHON names
// one that is not on the path.
func python(t *testing.T, module string) string {
	t.Helper()
	name := os.Getenv("TAXII_PYTHON")
	if name == "" {
		name = "python3"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s here", name)
	}
	if err := exec.Command(path, "-c", "import "+module).Run(); err != nil {
		t.Skipf("%s has no module %s; pip install taxii2-client", path, module)
	}
	return path
}

// oasisScript makes every call that the OASIS client has and prints what it
// got as JSON.
const oasisScript = `
import json, sys, datetime
from taxii2client.v21 import Server, ApiRoot, Collection, Status, as_pages
from taxii2client.common import TokenAuth
from requests.exceptions import HTTPError
url, feed = sys.argv[1], sys.argv[2]
out = {}
server = Server(url, user="quaymar", password="secret")
out["title"], out["contact"] = server.title, server.contact
root = server.default
out["root"] = [root.title, root.versions, root.max_content_length]
out["collections"] = [[c.title, c.can_read, c.can_write] for c in root.collections]
col = [c for c in root.collections if c.id == feed][0]
def sdo(n, s):
    return {"type": "indicator", "spec_version": "2.1", "id": "indicator--00000000-0000-4000-8000-%012d" % n,
            "created": "2027-01-01T00:00:00Z", "modified": "2027-01-01T00:00:%02d.000Z" % s, "name": "n%d" % n}
st = col.add_objects({"objects": [sdo(n, 1) for n in range(25)] + [{"type": "indicator", "id": "indicator--25"}]}, poll_interval=0)
out["added"] = [st.status, st.success_count, st.failure_count, st.failures[0]["message"]]
out["status"] = root.get_status(st.id).success_count
st2 = col.add_objects(json.dumps({"objects": [sdo(3, 2), sdo(4, 2)]}), wait_for_completion=False)
st2.wait_until_final(poll_interval=0)
out["pages"] = [[o["id"][-2:] for o in e.get("objects", [])] for e in as_pages(col.get_objects, per_request=7)]
out["manifest pages"] = [len(e.get("objects", [])) for e in as_pages(col.get_manifest, per_request=10)]
out["all"] = len(col.get_objects(version="all")["objects"])
out["by type"] = dict(col.get_objects(type=["malware", "tool"]))
out["by id"] = len(col.get_objects(id=[sdo(1, 1)["id"], sdo(2, 1)["id"]])["objects"])
out["by version"] = len(col.get_objects(version="2027-01-01T00:00:02.000Z")["objects"])
after = col.get_manifest(limit=5)["objects"][-1]["date_added"]
out["after"] = len(col.get_objects(added_after=after)["objects"])
out["after datetime"] = len(col.get_objects(added_after=datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc))["objects"])
out["object"] = col.get_object(sdo(3, 1)["id"])["objects"][0]["modified"]
out["versions"] = col.object_versions(sdo(3, 1)["id"])["versions"]
col.delete_object(sdo(3, 1)["id"], version="2027-01-01T00:00:02.000Z")
out["versions after"] = col.object_versions(sdo(3, 1)["id"])["versions"]
col.delete_object(sdo(3, 1)["id"])
try:
    col.get_object(sdo(3, 1)["id"])
except HTTPError as e:
    out["deleted"] = e.response.status_code
try:
    Server(url, user="quaymar", password="wrong").title
except HTTPError as e:
    out["wrong password"] = e.response.status_code
out["token"] = Server(url, auth=TokenAuth("t0ken")).title
print(json.dumps(out, sort_keys=True))
`

// The OASIS client makes all its calls against the server, synchronous and
// queued, and is content.
func TestOASISClient(t *testing.T) {
	interpreter := python(t, "taxii2client")
	for _, queue := range []bool{false, true} {
		t.Run(fmt.Sprintf("queue=%v", queue), func(t *testing.T) {
			store := newStore(t, memory.Options{Queue: queue})
			if queue {
				go store.Run(t.Context())
			}
			var tokens taxii.Tokens
			tokens.Set("t0ken", taxii.Reader{Key: "lorrin"})
			s := httptest.NewServer(newServer(t, store, func(c *taxii.Config) {
				c.Authenticate = taxii.AnyOf(byUser, taxii.TokenAuth(tokens.Check))
			}))
			defer s.Close()
			var stderr bytes.Buffer
			cmd := exec.Command(interpreter, "-c", oasisScript, s.URL+"/taxii2/", feed)
			cmd.Stderr = &stderr
			raw, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, stderr.String())
			}
			got := map[string]json.RawMessage{}
			if err := json.Unmarshal(raw, &got); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{
				"title": `"Halvern exchange"`, "contact": `"desk@halvern.example"`,
				"root":           `["Halvern sector exchange", ["application/taxii+json;version=2.1"], 33554432]`,
				"collections":    `[["Feed", true, true], ["Bulletins", true, false], ["Reports", false, true]]`,
				"added":          `["complete", 25, 1, "id is not its type, two hyphens and a UUID"]`,
				"status":         `25`,
				"pages":          `[["00", "01", "02", "05", "06", "07", "08"], ["09", "10", "11", "12", "13", "14", "15"], ["16", "17", "18", "19", "20", "21", "22"], ["23", "24", "03", "04"]]`,
				"manifest pages": `[10, 10, 5]`,
				"all":            `27`, "by type": `{}`, "by id": `2`, "by version": `2`, "after": `20`, "after datetime": `25`,
				"object":         `"2027-01-01T00:00:02.000Z"`,
				"versions":       `["2027-01-01T00:00:01.000Z", "2027-01-01T00:00:02.000Z"]`,
				"versions after": `["2027-01-01T00:00:01.000Z"]`,
				"deleted":        `404`, "wrong password": `401`, "token": `"Halvern exchange"`,
			}
			for k, w := range want {
				if string(got[k]) != w {
					t.Errorf("%s: %s, want %s", k, got[k], w)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d results, want %d", len(got), len(want))
			}
			if s := stderr.String(); strings.Contains(s, "Warning") && !strings.Contains(s, "urllib3") {
				t.Logf("the client said: %s", s)
			}
		})
	}
}

// TestForeignServer polls and posts to a TAXII 2.1 server that is running
// already: TAXII_SERVER is an API root's URL, TAXII_COLLECTION an id,
// TAXII_USER and TAXII_PASSWORD the credentials (or TAXII_TOKEN alone, or none).
func TestForeignServer(t *testing.T) {
	apiRoot, collection := os.Getenv("TAXII_SERVER"), os.Getenv("TAXII_COLLECTION")
	if apiRoot == "" || collection == "" {
		t.Skip("TAXII_SERVER and TAXII_COLLECTION are not set")
	}
	c, _ := newClient(t, &httptest.Server{URL: apiRoot}, func(cfg *taxii.ClientConfig) {
		cfg.URL = apiRoot
		cfg.HTTP = httptest.NewServer(nil).Client()
		cfg.Authorize = nil
		if user := os.Getenv("TAXII_USER"); user != "" {
			cfg.Authorize = taxii.BasicCredentials(user, os.Getenv("TAXII_PASSWORD"))
		}
		if token := os.Getenv("TAXII_TOKEN"); token != "" {
			cfg.Authorize = taxii.TokenCredentials(token)
		}
	})
	ctx := t.Context()
	if info, err := c.Root(ctx, ""); err != nil || info.Title == "" {
		t.Fatal(info, err)
	}
	if list, err := c.Collections(ctx, ""); err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	var before taxii.Cursor
	held := 0
	for o, err := range c.Objects(ctx, "", collection, taxii.Filter{PageSize: 3}, &before) {
		if err != nil {
			t.Fatal(err)
		}
		if held++; o.Problem != nil {
			t.Errorf("%s: %v", o.ID, o.Problem)
		}
	}
	var objects [][]byte
	for n := range 10 {
		o := strings.Replace(taxiitest.SDO("campaign", n, 1), "00000000-0000-4000-8000", fmt.Sprintf("%08x-0000-4000-8000", os.Getpid()), 1)
		objects = append(objects, []byte(o))
	}
	st, err := c.Add(ctx, "", collection, objects)
	if err == nil {
		st, err = c.Await(ctx, "", st)
	}
	if err != nil || st.SuccessCount != 10 {
		t.Fatal(st, err)
	}
	added := 0
	cursor := before
	for o, err := range c.Objects(ctx, "", collection, taxii.Filter{PageSize: 3}, &cursor) {
		if err != nil {
			t.Fatal(err)
		}
		if o.Type == "campaign" {
			added++
		}
	}
	if added != 10 {
		t.Errorf("%d objects held before; of 10 added, %d came", held, added)
	}
	records := 0
	for _, err := range c.Manifest(ctx, "", collection, taxii.Filter{PageSize: 4}) {
		if err != nil {
			t.Fatal(err)
		}
		records++
	}
	if records < held+10 {
		t.Errorf("manifest has %d records, the collection %d objects", records, held+10)
	}
	t.Logf("%d objects held before, %d in the manifest after", held, records)
}
