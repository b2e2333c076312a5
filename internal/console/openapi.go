package console

import (
	"encoding"
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"time"
)

// Description is the OpenAPI 3.1 document of the routes
// (https://spec.openapis.org/oas/v3.1.0). It is made from the very table that
// serves them, so it cannot say otherwise.
func (a *API) Description() map[string]any {
	s := schemas{defs: map[string]any{}}
	paths := map[string]map[string]any{}
	for _, r := range a.routes {
		path := strings.ReplaceAll(prefix+r.path, "...}", "}")
		if paths[path] == nil {
			paths[path] = map[string]any{}
		}
		paths[path][strings.ToLower(r.method)] = s.operation(r)
	}
	paths["/hooks/{source}"] = map[string]any{"post": map[string]any{
		"summary": "What a tool sends, verified by its source's own scheme", "security": []any{},
		"parameters":  []any{parameter("path", "source", "name of the source document", true)},
		"requestBody": map[string]any{"required": true, "content": map[string]any{"application/json": map[string]any{}, "application/x-ndjson": map[string]any{}}},
		"responses":   map[string]any{"202": map[string]any{"description": "durable: the ids of the alerts"}, "default": problemResponse},
	}}
	s.defs["Problem"] = map[string]any{
		"type": "object", "description": "RFC 9457",
		"properties": map[string]any{
			"type": map[string]any{"type": "string"}, "title": map[string]any{"type": "string"}, "status": map[string]any{"type": "integer"},
			"detail": map[string]any{"type": "string"}, "instance": map[string]any{"type": "string"}, "hint": map[string]any{"type": "string"},
			"issues": map[string]any{"type": "array", "items": map[string]any{"type": "object"}},
		},
	}
	return map[string]any{
		"openapi": "3.1.0",
		"info":    map[string]any{"title": "Beffroi", "version": a.c.Version, "license": map[string]any{"name": "Apache-2.0", "identifier": "Apache-2.0"}},
		"paths":   paths,
		"components": map[string]any{
			"schemas":         s.defs,
			"securitySchemes": map[string]any{"token": map[string]any{"type": "http", "scheme": "bearer", "description": "an API token: bft_…"}},
		},
		"security": []any{map[string]any{"token": []any{}}},
	}
}

var problemResponse = map[string]any{
	"description": "what is wrong, and what to do about it",
	"content":     map[string]any{"application/problem+json": map[string]any{"schema": map[string]any{"$ref": "#/components/schemas/Problem"}}},
}

var pathParam = regexp.MustCompile(`\{(\w+)(\.\.\.)?\}`)

func parameter(in, name, doc string, required bool) map[string]any {
	return map[string]any{"in": in, "name": name, "description": doc, "required": required, "schema": map[string]any{"type": "string"}}
}

func (s *schemas) operation(r route) map[string]any {
	media := r.media
	if media == "" {
		media = "application/json"
	}
	content := map[string]any{media: map[string]any{}}
	if r.out != nil {
		content = map[string]any{media: map[string]any{"schema": s.of(r.out)}}
	}
	op := map[string]any{
		"summary":     r.summary,
		"operationId": operationID(r),
		"responses":   map[string]any{"200": map[string]any{"description": "done", "content": content}, "default": problemResponse},
	}
	switch r.may {
	case public:
		op["security"] = []any{}
	case "":
	default:
		op["description"] = "Needs the permission " + string(r.may) + "."
	}
	params := []any{}
	for _, m := range pathParam.FindAllStringSubmatch(r.path, -1) {
		params = append(params, parameter("path", m[1], "", true))
	}
	for _, q := range r.query {
		params = append(params, parameter("query", q.name, q.doc, false))
	}
	if len(params) > 0 {
		op["parameters"] = params
	}
	if r.in != nil && r.in.NumField() > 0 {
		op["requestBody"] = map[string]any{"required": true, "content": map[string]any{"application/json": map[string]any{"schema": s.of(r.in)}}}
	}
	return op
}

// operationID names a route for generated clients: get-runs-id-proof.
func operationID(r route) string {
	id := strings.ToLower(r.method) + strings.NewReplacer("/", "-", "{", "", "}", "", "...", "", ".", "-").Replace(r.path)
	if r.method == http.MethodGet && !strings.Contains(r.path, "{") {
		id = "list" + strings.TrimPrefix(id, "get")
	}
	return id
}

// schemas collects the schemas of named types.
type schemas struct{ defs map[string]any }

var (
	timeType    = reflect.TypeFor[time.Time]()
	rawType     = reflect.TypeFor[json.RawMessage]()
	textEncoder = reflect.TypeFor[encoding.TextMarshaler]()
	jsonEncoder = reflect.TypeFor[json.Marshaler]()
)

func (s *schemas) of(t reflect.Type) map[string]any {
	switch {
	case t == timeType:
		return map[string]any{"type": "string", "format": "date-time"}
	case t == rawType, t.Kind() == reflect.Interface:
		return map[string]any{}
	case t.Implements(textEncoder):
		return map[string]any{"type": "string"}
	case t.Implements(jsonEncoder):
		return map[string]any{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float64, reflect.Float32:
		return map[string]any{"type": "number"}
	case reflect.Slice, reflect.Array:
		return map[string]any{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		return s.object(t)
	default:
		return map[string]any{"type": "integer"}
	}
}

func (s *schemas) object(t reflect.Type) map[string]any {
	name := strings.NewReplacer("[", "Of", "]", "", "*", "", "/", "-", "beffroi.dev-internal-", "").Replace(t.String())
	ref := map[string]any{"$ref": "#/components/schemas/" + name}
	if _, ok := s.defs[name]; ok {
		return ref
	}
	props := map[string]any{}
	s.defs[name] = map[string]any{"type": "object", "properties": props}
	s.fields(t, props)
	return ref
}

func (s *schemas) fields(t reflect.Type, props map[string]any) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			s.fields(f.Type, props)
		case !f.IsExported() || name == "-":
		default:
			if name == "" {
				name = f.Name
			}
			props[name] = s.of(f.Type)
		}
	}
}
