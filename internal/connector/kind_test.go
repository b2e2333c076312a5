package connector_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"beffroi.dev/internal/connector"
	"beffroi.dev/internal/document"
)

var update = flag.Bool("update", false, "write what the code says into testdata")

// compile returns what the kind makes of a document, as text.
func compile(name string, src []byte) string {
	docs, err := document.Parse(name+".yaml", src)
	if err != nil {
		return err.Error() + "\n"
	}
	v, err := connector.ConnectionKind().Compile(docs[0], document.Set{docs[0].ID: docs[0]})
	if err != nil {
		return err.Error() + "\n"
	}
	c, ok := v.(*connector.Connection)
	if !ok {
		return fmt.Sprintf("compiled to %T\n", v)
	}
	headers, err := json.Marshal(c.Headers)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s: %s auth=%s token_url=%v headers=%s secrets=%v timeout=%v max=%d rate=%v/%d follow=%v\n",
		c.Name, c.Base, c.Auth.Type, c.TokenURL, headers, c.SecretNames(), c.Timeout, c.MaxResponse, c.PerSecond, c.Burst, c.Follow)
}

func TestConnectionDocuments(t *testing.T) {
	const file = "testdata/connections.txt"
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	var docs []txtar.File
	for _, f := range ar.Files {
		if name, ok := strings.CutSuffix(f.Name, ".want"); ok {
			want[name] = string(f.Data)
		} else {
			docs = append(docs, f)
		}
	}
	ar.Files = nil
	for _, f := range docs {
		got := compile(f.Name, f.Data)
		ar.Files = append(ar.Files, f, txtar.File{Name: f.Name + ".want", Data: []byte(got)})
		if diff := cmp.Diff(want[f.Name], got); diff != "" && !*update {
			t.Errorf("%s (-want +got):\n%s", f.Name, diff)
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(ar), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheGuideShowsConnectionsThatWork(t *testing.T) {
	guide, err := os.ReadFile("../../docs/connections.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for i, part := range strings.Split(string(guide), "```") {
		if src, ok := strings.CutPrefix(part, "yaml\n"); ok && i%2 == 1 && strings.HasPrefix(src, "kind: connection") {
			shown++
			if got := compile("guide", []byte(src)); !strings.Contains(got, "auth=") {
				t.Errorf("%s\n%s", src, got)
			}
		}
	}
	if shown == 0 {
		t.Error("the guide shows no connection")
	}
}

func TestVersionChangesWithEverythingThatACallDependsOn(t *testing.T) {
	a := connection(t, connector.Spec{BaseURL: "https://api.example.com"})
	b := connection(t, connector.Spec{BaseURL: "https://api.example.com", Auth: connector.Auth{Type: connector.BearerAuth, Secret: "x"}})
	again := connection(t, connector.Spec{BaseURL: "https://api.example.com"})
	if a.Version == b.Version || a.Version != again.Version || a.Version == "" {
		t.Errorf("versions %q, %q, %q", a.Version, b.Version, again.Version)
	}
}

func TestConnectionSchemaIsMade(t *testing.T) {
	k := connector.ConnectionKind()
	b, err := document.Kinds{k.Name: k}.Schema(k.Name)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{`"base_url"`, `"allow_private"`, `"token_url"`, `"same_host"`} {
		if !strings.Contains(string(b), key) {
			t.Errorf("schema lacks %s", key)
		}
	}
}
