package document

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"beffroi.dev/internal/errs"
)

// ReadFS parses all *.yaml and *.yml files below root, in the order of their
// names, so that the same tree always gives the same list. Files and folders
// whose names begin with a dot are skipped. The issues of all files come
// together as [errs.Issues]; any other error is one of reading.
func ReadFS(fsys fs.FS, root string) ([]Document, error) {
	var docs []Document
	var issues errs.Issues
	err := fs.WalkDir(fsys, root, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(e.Name(), ".") && name != root:
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case e.IsDir() || path.Ext(name) != ".yaml" && path.Ext(name) != ".yml":
			return nil
		}
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		got, err := Parse(name, src)
		var bad errs.Issues
		if errors.As(err, &bad) {
			issues = append(issues, bad...)
		}
		docs = append(docs, got...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read documents: %w", err)
	}
	if len(issues) > 0 {
		return nil, issues
	}
	return docs, nil
}
