package main

import (
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"beffroi": main})
}

// TestScripts runs the program as people do: testdata/script has a file a
// story. The command ready waits for the node of the script, and lets it in.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			e.Setenv("LISTEN", l.Addr().String())
			e.Setenv("BEFFROI_URL", "http://"+l.Addr().String())
			return l.Close()
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"ready": ready, "token": token},
	})
}

// ready waits until the node of the script answers.
func ready(ts *testscript.TestScript, _ bool, _ []string) {
	for range 500 {
		res, err := new(http.Client).Get(ts.Getenv("BEFFROI_URL") + "/api/v1/openapi.json")
		if err == nil {
			ts.Check(res.Body.Close())
			return
		}
		<-time.After(20 * time.Millisecond)
	}
	ts.Fatalf("the node does not answer")
}

// token takes the token out of a file for the commands that follow.
func token(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: token FILE")
	}
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Setenv("BEFFROI_TOKEN", strings.TrimSpace(string(b)))
}
