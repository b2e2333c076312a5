package expr

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// syntaxError explains why CEL could not parse src: by the habit of another
// language that is in it, by what is not closed, or else by where CEL stopped.
func syntaxError(src, celMsg string, column int) *Error {
	tokens := lex(src)
	if err := unfinished(src, tokens); err != nil {
		return err
	}
	if len(tokens) > 0 && tokens[0].text == "{{" {
		return &Error{Column: tokens[0].at + 1, Msg: "{{ begins nothing here", Hint: "leave out {{ }}: this is an expression already"}
	}
	for i := range tokens {
		if err := habit(tokens, i); err != nil {
			return err
		}
	}
	if err := unbalanced(tokens); err != nil {
		return err
	}
	return stopped(tokens, celMsg, column, runes(strings.TrimRightFunc(src, unicode.IsSpace)))
}

// unfinished finds a string that never ends, and one with an escape that CEL
// does not know.
func unfinished(_ string, tokens []token) *Error {
	for _, t := range tokens {
		if t.kind == openString {
			return &Error{Column: t.at + 1, Msg: "the quoted text never ends", Hint: "close it with " + t.text[:1]}
		}
		if t.kind != stringToken || strings.ContainsAny(t.text[:1], "rR") || strings.ContainsAny(t.text[1:2], "rR") {
			continue
		}
		if i := badEscape(t.text); i >= 0 {
			return &Error{
				Column: t.at + runes(t.text[:i]) + 1, Msg: "the text has the unknown escape " + t.text[i:i+2],
				Hint: `write \` + t.text[i:i+2] + `, or put r before the quotes: r"\d+"`,
			}
		}
	}
	return nil
}

// badEscape returns where a backslash begins nothing that CEL knows, or -1.
func badEscape(s string) int {
	for i := 0; i+1 < len(s); i++ {
		if s[i] != '\\' {
			continue
		}
		if i++; !strings.ContainsRune("abfnrtv\\?\"'`xXuU01234567", rune(s[i])) && s[i] < 0x80 {
			return i - 1
		}
	}
	return -1
}

// replacements of signs that CEL does not have.
var replacements = map[string]string{
	"=": "write == to compare", "===": "write ==", "!==": "write !=", "<>": "write !=", "&": "write &&", "|": "write ||",
	"=~": `write text.matches("expression")`, "!~": `write !text.matches("expression")`,
	"??": "write value.?field.orValue(other)", "?:": "write value.?field.orValue(other)", "?.": "write .? instead: value.?field",
	"=>": "a macro names its variable first: list.filter(x, x > 1)", "->": "a macro names its variable first: list.filter(x, x > 1)",
	";": "write one expression", "++": "values cannot be changed; write x + 1", "--": "values cannot be changed; write x - 1",
	"+=": "values cannot be changed; write x + y", "-=": "values cannot be changed; write x - y", ":=": "write cel.bind(name, value, expression)",
	"$": "variables are written without $", "${{": "leave out ${{ }}: this is an expression already", "**": "there is no power operator",
	"::": "write a dot between names", "#": "a comment begins with //", "@": "leave out the @", "`": `quote text with "`,
	"“": `write straight quotes: "`, "”": `write straight quotes: "`, "‘": "write straight quotes: '", "’": "write straight quotes: '",
}

// words that stand where CEL wants an operator.
var infix = map[string]string{
	"and": "write && instead", "or": "write || instead", "is": "write == instead", "eq": "write == instead", "ne": "write != instead",
	"gt": "write >", "lt": "write <", "ge": "write >=", "le": "write <=", "xor": "write a != b",
	"contains": `write text.contains("part")`, "startswith": `write text.startsWith("start")`, "endswith": `write text.endsWith("end")`,
	"like": `write text.contains("part") or text.matches("expression")`, "matches": `write text.matches("expression")`,
	"mod": "write %", "div": "write /", "then": "write condition ? one : other", "else": "write condition ? one : other",
}

// habit recognises what other languages have at tokens[i].
func habit(tokens []token, i int) *Error {
	t := tokens[i]
	if t.kind == signToken {
		if hint, ok := replacements[t.text]; ok {
			return &Error{Column: t.at + 1, Msg: t.text + " is not an operator here", Hint: hint}
		}
		return nil
	}
	if t.kind != wordToken || i > 0 && (tokens[i-1].text == "." || tokens[i-1].text == ".?") {
		return nil
	}
	word := strings.ToLower(t.text)
	afterValue := i > 0 && tokens[i-1].endsOperand()
	next := ""
	if i+1 < len(tokens) {
		next = tokens[i+1].text
	}
	switch {
	case word == "if" && !afterValue:
		return &Error{Column: t.at + 1, Msg: "there is no if", Hint: "write condition ? one : other"}
	case (word == "let" || word == "var") && !afterValue:
		return &Error{Column: t.at + 1, Msg: "there is no " + t.text, Hint: "write cel.bind(name, value, expression)"}
	case word == "not" && afterValue && next == "in":
		return &Error{Column: t.at + 1, Msg: `"not in" is not an operator`, Hint: "write !(value in list)"}
	case word == "not" && !afterValue && next != "" && next != "(" && next != "." && i+1 < len(tokens):
		return &Error{Column: t.at + 1, Msg: strconv.Quote(t.text) + " is not an operator", Hint: "write ! instead"}
	case afterValue && word == "is" && next == "not":
		return &Error{Column: t.at + 1, Msg: `"is not" is not an operator`, Hint: "write !="}
	case afterValue && infix[word] != "":
		return &Error{Column: t.at + 1, Msg: strconv.Quote(t.text) + " is not an operator", Hint: infix[word]}
	}
	return nil
}

var closes = map[string]string{")": "(", "]": "[", "}": "{"}

// unbalanced finds the bracket that is not closed, or that closes nothing.
func unbalanced(tokens []token) *Error {
	var open []token
	for _, t := range singleBrackets(tokens) {
		switch t.text {
		case "(", "[", "{":
			open = append(open, t)
		case ")", "]", "}":
			if len(open) == 0 {
				return &Error{Column: t.at + 1, Msg: t.text + " closes nothing", Hint: "remove it, or open it with " + closes[t.text]}
			}
			if last := open[len(open)-1]; last.text != closes[t.text] {
				return &Error{Column: t.at + 1, Msg: t.text + " does not close the " + last.text + " at column " + strconv.Itoa(last.at+1)}
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		last := open[len(open)-1]
		for c, o := range closes {
			if o == last.text {
				return &Error{Column: last.at + 1, Msg: last.text + " is never closed", Hint: "close it with " + c}
			}
		}
	}
	return nil
}

// singleBrackets splits the signs that are two brackets.
func singleBrackets(tokens []token) []token {
	var out []token
	for _, t := range tokens {
		if t.kind != signToken {
			continue
		}
		switch t.text {
		case "{{", "}}":
			out = append(out, token{signToken, t.text[:1], t.at}, token{signToken, t.text[1:], t.at + 1})
		case "[?":
			out = append(out, token{signToken, "[", t.at})
		default:
			out = append(out, t)
		}
	}
	return out
}

var quotedInput = regexp.MustCompile(`(?s)(?:input|at:|at) '(.*?)'(?: expecting|$)`)

// stopped says where CEL stopped.
func stopped(tokens []token, celMsg string, column, length int) *Error {
	if column > length || strings.Contains(celMsg, "<EOF>' expecting") {
		return &Error{Column: max(1, min(column, length)), Msg: "the expression ends too early", Hint: "something must follow here"}
	}
	for _, t := range tokens {
		if t.at+1 == column || t.at < column && column <= t.at+runes(t.text) {
			return &Error{Column: t.at + 1, Msg: "unexpected " + t.text, Hint: unexpectedHint(tokens, t)}
		}
	}
	if m := quotedInput.FindStringSubmatch(celMsg); m != nil {
		return &Error{Column: column, Msg: "unexpected " + strconv.Quote(m[1])}
	}
	return &Error{Column: column, Msg: "the expression is not complete"}
}

func unexpectedHint(tokens []token, at token) string {
	for i, t := range tokens {
		if t == at && i > 0 && tokens[i-1].endsOperand() && (t.kind != signToken) {
			return "an operator such as && or == is missing before it"
		}
	}
	return ""
}
