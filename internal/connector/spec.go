package connector

import "time"

// A Spec is a connection as its document says it.
type Spec struct {
	BaseURL       string            `yaml:"base_url" json:"base_url" required:"true" doc:"Where the API is; every path is appended to it. https, unless allow_insecure says otherwise."`
	AllowInsecure bool              `yaml:"allow_insecure,omitempty" json:"allow_insecure,omitempty" doc:"Permit http, where credentials and data can be read on the way. Not needed for loopback addresses."`
	Auth          Auth              `yaml:"auth,omitempty" json:"auth" doc:"As whom the API is called."`
	Headers       map[string]string `yaml:"headers,omitempty" json:"headers,omitempty" doc:"Fixed headers of every call. Never credentials: see auth and secret_headers."`
	SecretHeaders map[string]string `yaml:"secret_headers,omitempty" json:"secret_headers,omitempty" doc:"Further headers that carry secrets: the name of the header, and the name of the secret."`
	AllowPrivate  []string          `yaml:"allow_private,omitempty" json:"allow_private,omitempty" doc:"Addresses, ranges (10.1.0.0/16) and host names inside your network that calls may reach. All others are denied."`
	Timeout       time.Duration     `yaml:"timeout,omitempty" json:"timeout,omitempty" max:"10m" doc:"How long one call may take in all; 30s unless said, at most 10m."`
	MaxResponse   string            `yaml:"max_response,omitempty" json:"max_response,omitempty" doc:"The largest answer that is read, for example 512KiB; 16MiB unless said, which is also the most."`
	Rate          *Rate             `yaml:"rate,omitempty" json:"rate,omitempty" doc:"How often the API may be called. Calls beyond it wait."`
	Redirects     string            `yaml:"redirects,omitempty" json:"redirects,omitempty" enum:"same_host,none" doc:"same_host (the default) follows redirects that stay on the host; none follows none."`
	TLS           TLS               `yaml:"tls,omitempty" json:"tls" doc:"For servers with a private certificate authority, or that ask for a certificate."`
}

// AuthType is a way of proving who calls.
type AuthType string

// The ways of proving who calls.
const (
	NoAuth     AuthType = "none"
	BasicAuth  AuthType = "basic"
	BearerAuth AuthType = "bearer"
	HeaderAuth AuthType = "header"
	OAuth2     AuthType = "oauth2" // client credentials
)

// Auth says as whom an API is called. Secrets are named, never written.
type Auth struct {
	Type      AuthType `yaml:"type,omitempty" json:"type,omitempty" enum:"none,basic,bearer,header,oauth2" doc:"none, basic, bearer, header, or oauth2 (client credentials)."`
	Secret    string   `yaml:"secret,omitempty" json:"secret,omitempty" doc:"The name of the secret that holds the password, token or client secret. Set it with: beffroi secret set NAME"`
	Username  string   `yaml:"username,omitempty" json:"username,omitempty" doc:"basic: the user name."`
	Header    string   `yaml:"header,omitempty" json:"header,omitempty" doc:"header: the header that carries the secret, for example X-Api-Key."`
	Prefix    string   `yaml:"prefix,omitempty" json:"prefix,omitempty" doc:"header: what stands before the secret, for example \"SSWS \" with the space."`
	TokenURL  string   `yaml:"token_url,omitempty" json:"token_url,omitempty" doc:"oauth2: where tokens are issued."`
	ClientID  string   `yaml:"client_id,omitempty" json:"client_id,omitempty" doc:"oauth2: the client's identifier."`
	Scopes    []string `yaml:"scopes,omitempty" json:"scopes,omitempty" doc:"oauth2: what is asked for."`
	Audience  string   `yaml:"audience,omitempty" json:"audience,omitempty" doc:"oauth2: the audience of the token, where the issuer wants one."`
	AuthStyle string   `yaml:"auth_style,omitempty" json:"auth_style,omitempty" enum:"basic,body" doc:"oauth2: how the client proves itself to the issuer: basic (the default) or body."`
}

// Rate is a token bucket.
type Rate struct {
	PerSecond float64 `yaml:"per_second" json:"per_second" required:"true" doc:"Calls a second in the long run, for example 0.5."`
	Burst     int     `yaml:"burst,omitempty" json:"burst,omitempty" doc:"Calls that may follow one another at once; 1 unless said."`
}

// TLS says whom to trust and what to show.
type TLS struct {
	CA          string `yaml:"ca,omitempty" json:"ca,omitempty" doc:"The certificates (PEM) of the authorities to trust instead of the public ones."`
	Certificate string `yaml:"certificate,omitempty" json:"certificate,omitempty" doc:"The name of the secret that holds the client certificate chain (PEM)."`
	Key         string `yaml:"key,omitempty" json:"key,omitempty" doc:"The name of the secret that holds the client's private key (PEM)."`
}
