package taxii_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"vigil/taxii"
	"vigil/taxii/memory"
)

// A server with one API root, two collections and a token for each partner.
// The store decides per reader what may be read and written.
func Example_server() {
	store := memory.New(memory.Options{
		May: func(r taxii.Reader, root string, c *taxii.Collection) (read, write bool) {
			return c.CanRead, c.CanWrite && r.Key == "lorrin"
		},
	})
	check(store.AddRoot(taxii.Root{Name: "exchange", Title: "Halvern sector exchange"}))
	check(store.AddCollection("exchange", taxii.Collection{
		ID: "7c9f3d0e-5b1a-4b6f-9a51-0d0b0d3c7a10", Title: "Bulletins", CanRead: true}))
	check(store.AddCollection("exchange", taxii.Collection{
		ID: "0d6c9a54-2f3f-4d0c-8f11-6c1f3c1f7b21", Title: "Reports", CanRead: true, CanWrite: true}))

	var tokens taxii.Tokens
	tokens.Set("token of Lorrin's gateway", taxii.Reader{Key: "lorrin"})
	tokens.Set("token of Quaymar's gateway", taxii.Reader{Key: "quaymar"})

	key := make([]byte, 32) // keep it: cursors outlive restarts only with it
	rand.Read(key)
	server, err := taxii.NewServer(taxii.Config{
		Title:        "Halvern exchange",
		DefaultRoot:  "exchange",
		Store:        store,
		Authenticate: taxii.TokenAuth(tokens.Check),
		Challenges:   []string{`Bearer realm="TAXII"`},
		CursorKey:    key,
	})
	check(err)
	mux := http.NewServeMux()
	mux.Handle("/taxii2/", server)

	r := httptest.NewRequest("GET", "/taxii2/exchange/collections/", nil)
	r.Header.Set("Accept", taxii.MediaType)
	r.Header.Set("Authorization", "Bearer token of Quaymar's gateway")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	var list struct{ Collections []taxii.Collection }
	check(json.Unmarshal(w.Body.Bytes(), &list))
	for _, c := range list.Collections {
		fmt.Println(c.Title, c.CanRead, c.CanWrite)
	}
	// Output:
	// Bulletins true false
	// Reports true false
}

// Poll what is new since last time, and keep the cursor for the next time.
func ExampleClient_Objects() {
	server := exampleServer()
	defer server.Close()
	client, err := taxii.NewClient(taxii.ClientConfig{
		URL:       server.URL + "/taxii2/",
		HTTP:      server.Client(), // yours: with proxy, certificates, address checks
		Authorize: taxii.BasicCredentials("quaymar", "secret"),
	})
	check(err)
	ctx := context.Background()
	found, err := client.Discover(ctx)
	check(err)

	kept := []byte(`{}`) // from a file or a database row
	for range 2 {
		var cursor taxii.Cursor
		check(json.Unmarshal(kept, &cursor))
		n := 0
		for object, err := range client.Objects(ctx, found.Default, "bulletins", taxii.Filter{Types: []string{"indicator"}}, &cursor) {
			check(err)
			if object.Problem != nil {
				fmt.Println("not valid:", object.ID, object.Problem)
				continue
			}
			fmt.Println(object.ID)
			n++
		}
		kept, err = json.Marshal(cursor)
		check(err)
		fmt.Println(n, "new")
	}
	// Output:
	// indicator--252c7c11-daf2-42bd-843b-be65edca9f61
	// 1 new
	// 0 new
}

// Post objects and read each one's verdict.
func ExampleClient_Add() {
	server := exampleServer()
	defer server.Close()
	client, err := taxii.NewClient(taxii.ClientConfig{
		URL: server.URL + "/taxii2/exchange/", HTTP: server.Client(), Authorize: taxii.BasicCredentials("lorrin", "secret"),
	})
	check(err)
	ctx := context.Background()
	status, err := client.Add(ctx, "", "bulletins", [][]byte{
		[]byte(`{"type":"ipv4-addr","spec_version":"2.1","id":"ipv4-addr--ff26c055-6336-5bc5-b98d-13d6226742dd","value":"198.51.100.3"}`),
		[]byte(`{"type":"ipv4-addr","value":"198.51.100.4"}`),
	})
	check(err)
	status, err = client.Await(ctx, "", status)
	check(err)
	fmt.Println(status.SuccessCount, "added")
	for _, v := range status.Failures {
		fmt.Println(v.ID, v.Message)
	}
	// Output:
	// 1 added
	// objects[1] has no id
}

func exampleServer() *httptest.Server {
	store := memory.New(memory.Options{})
	check(store.AddRoot(taxii.Root{Name: "exchange", Title: "Halvern sector exchange"}))
	check(store.AddCollection("exchange", taxii.Collection{
		ID: "7c9f3d0e-5b1a-4b6f-9a51-0d0b0d3c7a10", Title: "Bulletins", Alias: "bulletins", CanRead: true, CanWrite: true}))
	s, err := taxii.NewServer(taxii.Config{
		Title: "Halvern exchange", DefaultRoot: "exchange", Store: store, CursorKey: make([]byte, 32), // an example's key
		Authenticate: taxii.BasicAuth(func(user, password string) (taxii.Reader, error) {
			if password != "secret" {
				return taxii.Reader{}, taxii.ErrUnauthorized
			}
			return taxii.Reader{Key: user}, nil
		}),
	})
	check(err)
	server := httptest.NewTLSServer(s)
	client, err := taxii.NewClient(taxii.ClientConfig{URL: server.URL + "/taxii2/exchange/", HTTP: server.Client(), Authorize: taxii.BasicCredentials("lorrin", "secret")})
	check(err)
	_, err = client.Add(context.Background(), "", "bulletins", [][]byte{
		[]byte(`{"type":"indicator","spec_version":"2.1","id":"indicator--252c7c11-daf2-42bd-843b-be65edca9f61","created":"2027-01-01T00:00:00Z",` +
			`"modified":"2027-01-01T00:00:00Z","pattern":"[ipv4-addr:value = '198.51.100.3']","pattern_type":"stix","valid_from":"2027-01-01T00:00:00Z"}`),
		[]byte(`{"type":"identity","spec_version":"2.1","id":"identity--023d105b-752e-4e3c-941c-7d3f3cb15e9e","created":"2027-01-01T00:00:00Z",` +
			`"modified":"2027-01-01T00:00:00Z","name":"Brightwater"}`),
	})
	check(err)
	return server
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
