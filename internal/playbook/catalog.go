package playbook

// A Catalog knows the operations that call steps may use.
type Catalog interface {
	// Operation returns what is known of an operation.
	Operation(name string) (Operation, bool)
	// Names returns the names of all operations.
	Names() []string
}

// An Operation is one thing that can be called.
type Operation struct {
	Connection bool           // it needs a connection; without, it cannot have one
	Args       map[string]Arg // the arguments that it takes; nil: any
}

// An Arg is one argument of an operation.
type Arg struct {
	Required bool
}
