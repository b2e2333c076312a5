package playbook

import "reflect"

// These make the JSON Schema of what can be written in more than one way. A
// reflect.Type stands for its own schema: see document.Schemer.

func anyOf(forms ...any) map[string]any { return map[string]any{"anyOf": forms} }

func either[A, B any]() map[string]any { return anyOf(reflect.TypeFor[A](), reflect.TypeFor[B]()) }

func oneOrMore[T any]() map[string]any { return either[T, []T]() }

func number(most int) map[string]any {
	return map[string]any{"type": "integer", "minimum": 1, "maximum": most}
}

func mapOf[T any]() map[string]any {
	return map[string]any{"type": "object", "additionalProperties": reflect.TypeFor[T]()}
}
