package expr

// What one document, and what arrives from outside, can make us do.
const (
	maxSource     = 16 << 10  // runes of one expression
	maxNodes      = 4000      // nodes of its tree, macros expanded
	maxNesting    = 250       // how deep it nests
	maxLiterals   = 50        // lists and maps written inside each other
	maxLoops      = 8         // macros that loop, inside each other
	maxBinds      = 60        // cel.bind inside each other
	maxTemplate   = 1 << 20   // bytes of one template
	maxParts      = 1000      // expressions in one template
	maxDepth      = 200       // nesting of JSON read, written and built
	maxResult     = 16 << 20  // bytes of a result, or of a string on the way to it
	maxCost       = 5_000_000 // units of work (about a second) of one evaluation
	maxRegex      = 1000      // bytes of a regular expression
	maxRegexNodes = 5000      // instructions of a compiled regular expression
	maxRegexWork  = 1 << 28   // bytes of text times instructions, of one match
	maxRange      = 100_000   // numbers that lists.range makes
	maxItems      = 250_000   // elements of a list that a function makes
)
