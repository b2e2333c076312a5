package view

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"zombiezen.com/go/sqlite"
)

// compare notes where stored differs from right: first in its tables and
// indexes, and if they are the same, in their rows.
func (e *DamageError) compare(stored, right *Tx) error {
	schema := table{
		name: "sqlite_schema", keys: 1, columns: []string{"name", "type", "tbl_name", "sql"},
		query: `SELECT name, type, tbl_name, sql FROM sqlite_schema ORDER BY name`,
	}
	if err := e.rows(schema, stored, right); err != nil || len(e.Differences) > 0 {
		return err
	}
	tables, err := tablesOf(right)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if err := e.rows(t, stored, right); err != nil {
			return err
		}
	}
	return nil
}

// A table is what is compared: its key columns come first and order its rows.
type table struct {
	name    string
	columns []string
	keys    int
	query   string
}

// tablesOf lists the stores' tables.
func tablesOf(tx *Tx) ([]table, error) {
	var out []table
	err := tx.Query(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name <> 'view_meta' ORDER BY name`, func(r Row) error {
		t, err := describe(tx, r.Text(0))
		out = append(out, t)
		return err
	})
	return out, err
}

func describe(tx *Tx, name string) (table, error) {
	t := table{name: name}
	var rest []string
	err := tx.Query(`SELECT name, pk FROM pragma_table_info(?) ORDER BY pk, cid`, func(r Row) error {
		if r.Int(1) > 0 {
			t.columns = append(t.columns, r.Text(0))
		} else {
			rest = append(rest, r.Text(0))
		}
		return nil
	}, name)
	if len(t.columns) == 0 {
		t.columns = []string{"rowid"}
	}
	t.keys = len(t.columns)
	t.columns = append(t.columns, rest...)
	quoted := make([]string, len(t.columns))
	for i, c := range t.columns {
		quoted[i] = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
	}
	t.query = fmt.Sprintf(`SELECT %s FROM "%s" ORDER BY %s`, strings.Join(quoted, ", "), strings.ReplaceAll(name, `"`, `""`), strings.Join(quoted[:t.keys], ", "))
	return t, err
}

// rows notes the rows of t that stored lacks, has in excess or has otherwise.
func (e *DamageError) rows(t table, stored, right *Tx) error {
	nextStored, stopStored := iter.Pull2(stored.values(t.query))
	defer stopStored()
	nextRight, stopRight := iter.Pull2(right.values(t.query))
	defer stopRight()
	var is, ought []any
	var errIs, errOught error
	advance := func(order int) error {
		if order <= 0 {
			is, errIs, _ = nextStored()
		}
		if order >= 0 {
			ought, errOught, _ = nextRight()
		}
		return errors.Join(errIs, errOught)
	}
	for order := 0; len(e.Differences) < maxDifferences; {
		if err := advance(order); err != nil {
			return fmt.Errorf("compare table %s: %w", t.name, err)
		}
		if is == nil && ought == nil {
			return nil
		}
		order = t.note(e, is, ought)
	}
	return nil
}

// note compares one row of each, nil where there are no more, and says which
// comes first.
func (t table) note(e *DamageError, is, ought []any) (order int) {
	switch {
	case ought == nil:
		order = -1
	case is == nil:
		order = 1
	default:
		order = slices.CompareFunc(is[:t.keys], ought[:t.keys], compareValues)
	}
	switch {
	case order < 0:
		e.Differences = append(e.Differences, Difference{t.name, t.key(is), "the ledger knows no such row"})
	case order > 0:
		e.Differences = append(e.Differences, Difference{t.name, t.key(ought), "is missing"})
	default:
		for i := t.keys; i < len(is); i++ {
			if compareValues(is[i], ought[i]) != 0 {
				e.Differences = append(e.Differences, Difference{t.name, t.key(is), t.columns[i] + " is not what the ledger says"})
				break
			}
		}
	}
	return order
}

func (t table) key(row []any) string {
	parts := make([]string, t.keys)
	for i := range parts {
		switch v := row[i].(type) {
		case string:
			parts[i] = fmt.Sprintf("%s=%q", t.columns[i], v)
		case []byte:
			parts[i] = fmt.Sprintf("%s=%x", t.columns[i], v)
		default:
			parts[i] = fmt.Sprintf("%s=%v", t.columns[i], v)
		}
	}
	return strings.Join(parts, " ")
}

// values yields the rows of a query.
func (tx *Tx) values(query string) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		err := tx.query(query, func(r Row) (bool, error) {
			row := make([]any, r.stmt.ColumnCount())
			for i := range row {
				row[i] = r.value(i)
			}
			return yield(row, nil), nil
		}, nil)
		if err != nil {
			yield(nil, err)
		}
	}
}

// value is column i as SQLite stores it.
func (r Row) value(i int) any {
	switch r.stmt.ColumnType(i) {
	case sqlite.TypeNull:
		return nil
	case sqlite.TypeInteger:
		return r.Int(i)
	case sqlite.TypeFloat:
		return r.stmt.ColumnFloat(i)
	case sqlite.TypeText:
		return r.Text(i)
	default:
		return r.Bytes(i)
	}
}

// compareValues orders values as SQLite does (sqlite.org/datatype3.html,
// section 4.1): null, numbers, text, blobs.
func compareValues(a, b any) int {
	rank := func(v any) int {
		switch v.(type) {
		case nil:
			return 0
		case int64:
			return 1
		case float64:
			return 2
		case string:
			return 3
		default:
			return 4
		}
	}
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	switch a := a.(type) {
	case int64:
		return cmp.Compare(a, b.(int64)) //nolint:errcheck // of the same rank
	case float64:
		return cmp.Compare(a, b.(float64)) //nolint:errcheck // of the same rank
	case string:
		return cmp.Compare(a, b.(string)) //nolint:errcheck // of the same rank
	case []byte:
		return slices.Compare(a, b.([]byte)) //nolint:errcheck // of the same rank
	default:
		return 0
	}
}
