// Package document reads, checks, formats and plans documents: the YAML files
// by which all behaviour of Beffroi is changed. docs/format/documents.md is
// the reference for those who write them.
//
// A document is a YAML 1.2 map with a kind and a name. What else it holds is
// the business of its kind: [Kind] has the struct that it decodes into, the
// function that checks what it says, and the one that runs the tests inside
// it. Everything else is the same for all kinds and is here:
//
//   - [Parse] reads strictly. Anchors, aliases, tags, merge keys and keys that
//     stand twice are refused, and so is text that a reviewer would see
//     otherwise than the program. An unquoted scalar is what its place asks
//     for: in a string it is the text as written, so that no, 1.10 and 007
//     are themselves; where any value may stand, the core schema (YAML 1.2.2
//     section 10.3) decides, and what would lose digits is an error.
//   - [Document.Decode] reports all that is wrong, each with file, line,
//     column, path and, where one is near, the word that was meant.
//   - [Format] writes the canonical form, and the version of a document is the
//     SHA-256 of that form, comments included. Format changes no value, loses
//     no comment, and leaves its own output alone.
//   - [Kinds.Plan] says what an apply would do. It compiles the whole set that
//     would result, so that a change which breaks another document is found.
//   - [Kinds.Schema] tells editors what a kind may hold.
//
// The package never reads a file or a clock on its own, and never runs
// anything that a document says: expressions are text to it.
package document
