package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"beffroi.dev/internal/app"
	"beffroi.dev/internal/secret"
)

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}

func runVersion(e *env, args []string) error {
	if _, err := e.parse(args, 0, 0); err != nil {
		return err
	}
	_, err := fmt.Fprintln(e.stdout, "beffroi", version())
	return err
}

func runServe(e *env, args []string) error {
	c := app.Config{Version: version()}
	e.flags.StringVar(&c.Data, "data", defaultData, "directory in which the node keeps everything")
	e.flags.StringVar(&c.Listen, "listen", "127.0.0.1:8420", "address of the API and the hooks")
	e.flags.StringVar(&c.Private, "private", "127.0.0.1:8421", "address of health and metrics; off for none")
	e.flags.StringVar(&c.Region, "region", "default", "name of the region")
	level := slog.LevelInfo
	e.flags.TextVar(&level, "log", slog.LevelInfo, "least level of the log: DEBUG, INFO, WARN or ERROR")
	if _, err := e.parse(args, 0, 0); err != nil {
		return err
	}
	c.Log = slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: level}))
	c.FirstToken = func(t secret.String) {
		fmt.Fprintf(e.stderr, "This is the first start. The admin token is shown this once:\n\n")
		fmt.Fprintln(e.stdout, t.Reveal())
		fmt.Fprintf(e.stderr, "\nexport BEFFROI_TOKEN=… lets the other commands in.\n")
	}
	c.Ready = func(addr string) { fmt.Fprintf(e.stderr, "beffroi serves http://%s\n", addr) }
	tuneMemory(e.getenv)
	n, err := app.Open(e.ctx, c)
	if err != nil {
		return err
	}
	return errors.Join(n.Run(e.ctx), n.Close())
}

// tuneMemory lets the heap grow while it is small, which spares a tenth of the
// processor under load, and keeps it near 100 MiB. Whoever sets GOGC or
// GOMEMLIMIT knows better.
func tuneMemory(getenv func(string) string) {
	if getenv("GOGC") != "" || getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(96 << 20)
}
