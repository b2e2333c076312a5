// Package expr is the expression language of every document: CEL
// (github.com/cel-expr/cel-spec, the language definition) with the functions
// that security work needs, and text with expressions inside: `${{ … }}`.
//
// It promises that
//
//   - a wrong path, name, operator or type is found when a document is
//     planned, with the column and the remedy, not when an alert arrives;
//   - the same values give the same result: no clock (the caller supplies the
//     variable now), no randomness, and maps are walked in the order of their
//     keys;
//   - results are data. A value that contains "${{ x }}" comes out as it went
//     in; nothing is ever evaluated twice;
//   - evaluation ends: size of source, depth, work and size of the result are
//     limited (see limits.go);
//   - programs, templates and trees may be used by many goroutines at once.
//
// Values are those of JSON: nil, bool, int64, float64, string, []any and
// map[string]any; time.Time may also go in. Results may share structure with
// the values that went in: treat both as read-only.
//
// The package never reads files, the network, the environment or the time.
package expr
