package alert

import "strings"

// shorthand returns the object that a short value stands for, so that a source
// may say `src_endpoint: event.ip` and `hashes: [event.sha256]`. It returns nil
// when the value does not say enough.
func shorthand(name string, v any) map[string]any {
	s, ok := scalarText(v)
	if s = strings.TrimSpace(s); !ok || s == "" {
		return nil
	}
	switch name {
	case "device", "network_endpoint":
		if ip, ok := parseIP(s); ok {
			return map[string]any{"ip": ip.String()}
		}
		if placeholder(s) || strings.Contains(s, " ") {
			return map[string]any{"name": s}
		}
		return map[string]any{"hostname": s}
	case "user":
		if strings.Contains(s, "@") {
			return map[string]any{"name": s, "email_addr": s}
		}
		return map[string]any{"name": s}
	case "actor":
		return map[string]any{"user": s}
	case "resource_details", "account", "tactic", "technique", "sub_technique":
		return identifier(name, s)
	case "fingerprint":
		return fingerprintOf(s)
	case "file":
		return map[string]any{"path": s, "name": base(s)}
	case "url":
		return map[string]any{"url_string": s}
	case "os":
		return map[string]any{"name": s}
	case "location":
		return map[string]any{"country": s}
	case "attack":
		return attackOf(s)
	case "analytic", "group", "organization", "product", "policy", "rule", "malware", "process", "service":
		return map[string]any{"name": s}
	case "cve":
		return map[string]any{"uid": s}
	case "vulnerability":
		return map[string]any{"cve": map[string]any{"uid": s}}
	case "remediation":
		return map[string]any{"desc": s}
	}
	return nil
}

// identifier says whether a word is an id or a name.
func identifier(name, s string) map[string]any {
	switch name {
	case "tactic":
		if t, ok := tactics[s]; ok {
			return map[string]any{"uid": s, "name": t}
		}
		if id := tacticID(s); id != "" {
			return map[string]any{"uid": id, "name": tactics[id]}
		}
		return map[string]any{"name": s}
	case "technique", "sub_technique":
		if len(s) > 1 && s[0] == 'T' && s[1] >= '0' && s[1] <= '9' {
			return map[string]any{"uid": s}
		}
		return map[string]any{"name": s}
	}
	return map[string]any{"uid": s}
}

func tacticID(name string) string {
	name = strings.ReplaceAll(strings.ReplaceAll(name, "-", " "), "_", " ")
	for id, t := range tactics {
		if strings.EqualFold(t, name) {
			return id
		}
	}
	return ""
}

// attackOf reads "TA0006:T1110.003", "TA0006", "T1110" or a tactic's name.
func attackOf(s string) map[string]any {
	tactic, technique, both := strings.Cut(s, ":")
	if !both && strings.HasPrefix(s, "T") && !strings.HasPrefix(s, "TA") && tacticID(s) == "" {
		tactic, technique = "", s
	}
	out := map[string]any{}
	if tactic != "" {
		out["tactic"] = tactic
	}
	if parent, sub, nested := strings.Cut(technique, "."); nested {
		out["technique"], out["sub_technique"] = parent, parent+"."+sub
	} else if technique != "" {
		out["technique"] = technique
	}
	return out
}

// completeAttack names the tactic of which only the id is known, or the other
// way round, and moves a sub-technique to its place.
func completeAttack(m map[string]any) {
	if t, ok := m["tactic"].(map[string]any); ok {
		id, _ := t["uid"].(string)
		name, _ := t["name"].(string)
		fill(t, "name", tactics[id])
		fill(t, "uid", tacticID(name))
	}
	t, ok := m["technique"].(map[string]any)
	if !ok {
		return
	}
	id, _ := t["uid"].(string)
	if parent, _, nested := strings.Cut(id, "."); nested && m["sub_technique"] == nil {
		m["sub_technique"] = t
		m["technique"] = map[string]any{"uid": parent}
	}
}

// fingerprintOf recognises a hash by its length.
func fingerprintOf(s string) map[string]any {
	if _, after, ok := strings.Cut(s, ":"); ok { // "sha256:…"
		s = after
	}
	id := map[int]int64{32: 1, 40: 2, 64: 3, 128: 4}[len(s)]
	if id == 0 || strings.Trim(strings.ToLower(s), "0123456789abcdef") != "" {
		return nil
	}
	return map[string]any{"algorithm_id": id, "value": strings.ToLower(s)}
}
