package slack

import (
	"cmp"
	"encoding/json"
	"fmt"
)

const (
	reasonCallback = "beffroi_reason"
	reasonBlock    = "reason"
	reasonInput    = "text"
)

// reasonMeta is what the window of a reason carries from the press to the
// submission, through Slack and signed by it.
type reasonMeta struct {
	Token   string `json:"token"`
	Channel string `json:"channel"`
	TS      string `json:"ts"`
}

// reasonView is the window that asks for a reason.
func reasonView(f Form, meta reasonMeta) (view, error) {
	b, err := json.Marshal(meta)
	if err != nil {
		return view{}, fmt.Errorf("encode window: %w", err)
	}
	label := plain(cmp.Or(f.Prompt, "Why?"), maxField)
	submit, cancel := plain(cmp.Or(f.Submit, "Answer"), maxTitle), plain("Cancel", maxTitle)
	return view{
		Type: "modal", CallbackID: reasonCallback, Metadata: string(b),
		Title:  plain(cmp.Or(f.Title, "Reason"), maxTitle),
		Submit: &submit, Close: &cancel,
		Blocks: []block{{
			Type: "input", BlockID: reasonBlock, Label: &label,
			Element: &inputText{
				Type: "plain_text_input", ActionID: reasonInput,
				Multiline: true, MinLength: 1, MaxLength: maxReason, Focus: true,
			},
		}},
	}, nil
}

// sayView is the window that takes the place of the form when the answer does
// not count.
func sayView(say string) view {
	done := plain("Close", maxTitle)
	return view{
		Type: "modal", CallbackID: "beffroi_say", Title: plain("Not answered", maxTitle),
		Close: &done, Blocks: []block{section(plain(say, maxSection))},
	}
}

// viewAnswer is what a submission is answered with.
type viewAnswer struct {
	Action string            `json:"response_action"`
	Errors map[string]string `json:"errors,omitempty"`
	View   *view             `json:"view,omitempty"`
}
