// Package catalog is what ships inside the program: alert sources with the
// events that test them, objectives, and the alerts of the demo. It is data;
// the packages that read it know what it means.
//
// Event files are real events of the products; sources/NOTICE.md says where
// each comes from and under which licence. Nothing here is fetched or written
// at run time.
package catalog

import (
	"embed"
	"encoding/json"
	"io/fs"
	"strings"
)

//go:embed sources objectives playbooks demo
var files embed.FS

// Sources returns the documents of kind source, *.yaml at the top, and the
// event files that their tests name.
func Sources() fs.FS { return sub("sources") }

// Objectives returns the documents of kind objective.
func Objectives() fs.FS { return sub("objectives") }

// Playbooks returns the documents of kind playbook.
func Playbooks() fs.FS { return sub("playbooks") }

// DemoDocuments returns the people, the workspace and the connections of the
// demo, with {{SLACK}} and {{TOOLS}} for addresses that are known when it runs.
func DemoDocuments() fs.FS { return sub("demo/documents") }

// A DemoAlert is one call of a tool in the story that the demo tells.
type DemoAlert struct {
	Source string `json:"source"` // name of the document: posted to /hooks/SOURCE
	Event  string `json:"event"`  // file in Sources
	Note   string `json:"note"`   // what the story says of it
}

// DemoAlerts returns the story in order.
func DemoAlerts() ([]DemoAlert, error) {
	b, err := files.ReadFile("demo/alerts.jsonl")
	if err != nil {
		return nil, err
	}
	var out []DemoAlert
	for line := range strings.Lines(string(b)) {
		var a DemoAlert
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

func sub(dir string) fs.FS {
	f, err := fs.Sub(files, dir)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	return f
}
