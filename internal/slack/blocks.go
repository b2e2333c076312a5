package slack

// Slack's limits (docs.slack.dev, Block Kit reference), in characters. A
// message has at most 50 blocks; with the last four limits, which are ours,
// it cannot reach them.
const (
	maxHeader    = 150
	maxSection   = 3000
	maxField     = 2000
	maxContext   = 2000
	maxButtons   = 25 // in one actions block
	maxLabel     = 75 // of a button
	maxToken     = 255
	maxConfirm   = 300
	maxTitle     = 24 // of a window and its buttons
	maxFallback  = 3000
	maxReason    = 3000
	fieldRows    = 5 // of two fields each in a section
	maxAnswers   = 100
	maxFields    = 60
	maxTextParts = 4
)

// A block is one Block Kit block, with the few fields that we use.
type block struct {
	Type     string     `json:"type"`
	BlockID  string     `json:"block_id,omitempty"`
	Text     *textObj   `json:"text,omitempty"`
	Fields   []textObj  `json:"fields,omitempty"`
	Elements []any      `json:"elements,omitempty"` // of buttons or texts
	Label    *textObj   `json:"label,omitempty"`
	Element  *inputText `json:"element,omitempty"`
}

// A textObj is a text object. Markup is always verbatim, so that Slack turns
// nothing into a link or a mention by itself.
type textObj struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Verbatim bool   `json:"verbatim,omitempty"`
}

type button struct {
	Type     string   `json:"type"`
	ActionID string   `json:"action_id"`
	Text     textObj  `json:"text"`
	Value    string   `json:"value"`
	Style    Style    `json:"style,omitempty"`
	Confirm  *confirm `json:"confirm,omitempty"`
}

type confirm struct {
	Title   textObj `json:"title"`
	Text    textObj `json:"text"`
	Confirm textObj `json:"confirm"`
	Deny    textObj `json:"deny"`
	Style   Style   `json:"style,omitempty"`
}

type inputText struct {
	Type      string `json:"type"`
	ActionID  string `json:"action_id"`
	Multiline bool   `json:"multiline"`
	MinLength int    `json:"min_length"`
	MaxLength int    `json:"max_length"`
	Focus     bool   `json:"focus_on_load"`
}

// A view is a window (docs.slack.dev, "Modal views").
type view struct {
	Type       string   `json:"type"`
	CallbackID string   `json:"callback_id"`
	Title      textObj  `json:"title"`
	Submit     *textObj `json:"submit,omitempty"`
	Close      *textObj `json:"close,omitempty"`
	Metadata   string   `json:"private_metadata,omitempty"`
	Blocks     []block  `json:"blocks"`
}

// plain is text without any markup.
func plain(s string, maxUnits int) textObj {
	if s = shown(s, maxUnits); s == "" {
		s = "\u2013"
	}
	return textObj{Type: "plain_text", Text: s}
}

// markup is text that was made by shown, bold, link and mention.
func markup(s string) textObj { return textObj{Type: "mrkdwn", Text: s, Verbatim: true} }

func section(t textObj) block { return block{Type: "section", Text: &t} }

func header(s string) block {
	t := plain(s, maxHeader)
	return block{Type: "header", Text: &t}
}

func contextLine(s string) block { return block{Type: "context", Elements: []any{markup(s)}} }
