package slack

import (
	"net/url"
	"strings"

	"beffroi.dev/internal/document"
	"beffroi.dev/internal/errs"
)

// How clicks come in.
const (
	ModeHTTP   = "http"   // Slack calls us
	ModeSocket = "socket" // we call Slack, and need no public address
)

// Settings are a document of kind slack: one workspace. Secrets stand in it by
// name only.
type Settings struct {
	Mode          string    `yaml:"mode" required:"true" enum:"http,socket" doc:"how presses of buttons come in: \"http\" when Slack can reach this node, \"socket\" (Socket Mode) when it cannot"`
	BotToken      SecretRef `yaml:"bot_token" required:"true" doc:"the app's bot token (xoxb-…)"`
	SigningSecret SecretRef `yaml:"signing_secret,omitempty" doc:"the app's signing secret; needed with mode http"`
	AppToken      SecretRef `yaml:"app_token,omitempty" doc:"an app-level token with connections:write (xapp-…); needed with mode socket"`
	Channel       string    `yaml:"channel,omitempty" doc:"where messages go that name no channel, for example \"#security\""`
	APIURL        string    `yaml:"api_url,omitempty" doc:"the Web API's address; for GovSlack or a simulated workspace"`
}

// A SecretRef names a secret.
type SecretRef struct {
	Secret string `yaml:"secret" required:"true" doc:"the name it was given by: beffroi secret set NAME"`
}

// DocumentKind is the document kind slack. It compiles to a [Settings].
func DocumentKind() document.Kind {
	return document.Kind{
		Name: "slack", Title: "Slack workspace",
		Doc:     "A Slack workspace in which questions are asked and answered.",
		Spec:    Settings{},
		Compile: compile,
	}
}

func compile(d document.Document, _ document.Set) (any, error) {
	var s Settings
	if err := d.Decode(&s); err != nil {
		return nil, err
	}
	issue := func(path, hint, msg string) (any, error) {
		i := d.Issue(path, "%s", msg)
		i.Hint = hint
		return nil, errs.Issues{i}
	}
	switch {
	case s.Mode == ModeHTTP && s.SigningSecret.Secret == "":
		return issue("mode", "add signing_secret: {secret: NAME}", "with mode http the signing secret is needed: presses of buttons cannot be trusted without it")
	case s.Mode == ModeSocket && s.AppToken.Secret == "":
		return issue("mode", "add app_token: {secret: NAME}", "with mode socket an app-level token is needed")
	case s.Channel != "" && !strings.HasPrefix(s.Channel, "#") && !channelID.MatchString(s.Channel):
		return issue("channel", `write "#name" in quotes, or the channel's id`, "not a channel")
	}
	if s.APIURL != "" {
		if u, err := url.Parse(s.APIURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || !strings.HasSuffix(u.Path, "/") {
			return issue("api_url", `for example "https://slack-gov.com/api/"`, "not the address of a Web API: it starts with http and ends with a slash")
		}
	}
	return s, nil
}
