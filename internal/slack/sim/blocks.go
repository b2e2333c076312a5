package sim

import (
	"fmt"
	"unicode/utf16"
)

// A checker holds blocks to Slack's rules (docs.slack.dev, "Block Kit").
type checker struct {
	problems []string
	ids      map[string]bool
}

func (c *checker) bad(path, format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...)+" [json-pointer:"+path+"]")
}

// checkBlocks returns what is wrong with the blocks of a message, or of a
// window.
func checkBlocks(blocks []any, window bool) []string {
	c := &checker{ids: map[string]bool{}}
	limit := 50
	if window {
		limit = 100
	}
	if len(blocks) > limit {
		c.bad("/blocks", "no more than %d items allowed", limit)
	}
	for i, b := range blocks {
		c.block(fmt.Sprintf("/blocks/%d", i), object(b), window)
	}
	return c.problems
}

// checkView returns what is wrong with a window.
func checkView(v map[string]any) []string {
	c := &checker{}
	if v["type"] != "modal" {
		c.bad("/view/type", "must be modal")
	}
	c.text("/view/title", v["title"], 24, "plain_text", true)
	c.text("/view/submit", v["submit"], 24, "plain_text", false)
	c.text("/view/close", v["close"], 24, "plain_text", false)
	c.short("/view/private_metadata", v["private_metadata"], 3000)
	c.short("/view/callback_id", v["callback_id"], 255)
	blocks := list(v["blocks"])
	for _, b := range blocks {
		if object(b)["type"] == "input" && v["submit"] == nil {
			c.bad("/view/submit", "missing required field: submit")
		}
	}
	return append(c.problems, checkBlocks(blocks, true)...)
}

func (c *checker) block(at string, b map[string]any, window bool) {
	c.short(at+"/block_id", b["block_id"], 255)
	if id := str(b["block_id"]); id != "" {
		if c.ids[id] {
			c.bad(at+"/block_id", "block_id already exists")
		}
		c.ids[id] = true
	}
	switch b["type"] {
	case "header":
		c.text(at+"/text", b["text"], 150, "plain_text", true)
	case "section":
		c.section(at, b)
	case "context":
		c.count(at+"/elements", list(b["elements"]), 10)
		for i, e := range list(b["elements"]) {
			c.text(fmt.Sprintf("%s/elements/%d", at, i), e, 3000, "", true)
		}
	case "actions":
		c.count(at+"/elements", list(b["elements"]), 25)
		seen := map[string]bool{}
		for i, e := range list(b["elements"]) {
			p := fmt.Sprintf("%s/elements/%d", at, i)
			c.button(p, object(e))
			if id := str(object(e)["action_id"]); seen[id] {
				c.bad(p+"/action_id", "action_id already exists")
			} else {
				seen[id] = true
			}
		}
	case "divider":
	case "input":
		if !window {
			c.bad(at, "unsupported type: input")
		}
		c.text(at+"/label", b["label"], 2000, "plain_text", true)
		c.input(at+"/element", object(b["element"]))
	default:
		c.bad(at, "unsupported type: %v", b["type"])
	}
}

func (c *checker) section(at string, b map[string]any) {
	fields := list(b["fields"])
	if b["text"] == nil && len(fields) == 0 {
		c.bad(at, "must have text or fields")
	}
	c.text(at+"/text", b["text"], 3000, "", false)
	if len(fields) > 10 {
		c.bad(at+"/fields", "no more than 10 items allowed")
	}
	for i, f := range fields {
		c.text(fmt.Sprintf("%s/fields/%d", at, i), f, 2000, "", true)
	}
}

func (c *checker) button(at string, e map[string]any) {
	if e["type"] != "button" {
		c.bad(at, "unsupported type: %v", e["type"])
		return
	}
	c.text(at+"/text", e["text"], 75, "plain_text", true)
	c.short(at+"/action_id", e["action_id"], 255)
	c.short(at+"/value", e["value"], 2000)
	c.style(at, e["style"])
	if e["confirm"] != nil {
		o := object(e["confirm"])
		c.text(at+"/confirm/title", o["title"], 100, "plain_text", true)
		c.text(at+"/confirm/text", o["text"], 300, "", true)
		c.text(at+"/confirm/confirm", o["confirm"], 30, "plain_text", true)
		c.text(at+"/confirm/deny", o["deny"], 30, "plain_text", true)
		c.style(at+"/confirm", o["style"])
	}
}

func (c *checker) input(at string, e map[string]any) {
	if e["type"] != "plain_text_input" {
		c.bad(at, "unsupported type: %v", e["type"])
	}
	c.short(at+"/action_id", e["action_id"], 255)
	for _, k := range []string{"min_length", "max_length"} {
		if n, ok := e[k].(float64); ok && (n < 0 || n > 3000) {
			c.bad(at+"/"+k, "must be between 0 and 3000")
		}
	}
}

func (c *checker) style(at string, v any) {
	if v != nil && v != "primary" && v != "danger" {
		c.bad(at+"/style", "must be primary or danger")
	}
}

func (c *checker) count(at string, items []any, limit int) {
	if len(items) == 0 {
		c.bad(at, "must have at least 1 item")
	}
	if len(items) > limit {
		c.bad(at, "no more than %d items allowed", limit)
	}
}

// text checks a text object. want is its type, "" for either.
func (c *checker) text(at string, v any, limit int, want string, required bool) {
	if v == nil {
		if required {
			c.bad(at, "missing required field")
		}
		return
	}
	o := object(v)
	t := str(o["type"])
	if t != "plain_text" && t != "mrkdwn" || want != "" && t != want {
		c.bad(at+"/type", "unsupported type: %q", t)
	}
	if str(o["text"]) == "" {
		c.bad(at+"/text", "must be more than 0 characters")
	}
	if o["verbatim"] != nil && t != "mrkdwn" {
		c.bad(at+"/verbatim", "is for mrkdwn only")
	}
	c.short(at+"/text", o["text"], limit)
}

func (c *checker) short(at string, v any, limit int) {
	if len(utf16.Encode([]rune(str(v)))) > limit {
		c.bad(at, "must be less than %d characters", limit+1)
	}
}
