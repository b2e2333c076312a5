package ledger

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"unicode/utf8"

	"beffroi.dev/internal/merkle"
)

// Append makes a block of records durable, all or none, with one fsync. Each
// line is a record's line with the next sequence number. What is refused for
// its form leaves the log as it was; after any other error the log is broken.
func (l *Log) Append(ctx context.Context, lines [][]byte) error {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	if err := l.ready(ctx, lines); err != nil || len(lines) == 0 {
		return err
	}
	s := l.state()
	if s.bytes > l.c.limits.waiting {
		if err := l.seal(); err != nil {
			return err
		}
		s = l.state()
	}
	block, inside := encodeBlock(s.size(), lines)
	written := make(chan error, 1)
	go func() { written <- l.writeBlock(s.size(), block) }()
	tree, leaves := grow(s.tree, inside)
	if err := <-written; err != nil {
		return l.fail(fmt.Errorf("append to the ledger's tail: %w", err))
	}
	l.publish(tree, inside, leaves)
	return nil
}

// ready says whether lines can be appended.
func (l *Log) ready(ctx context.Context, lines [][]byte) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("append to the ledger: %w", err)
	}
	if err := l.usable(); err != nil {
		return err
	}
	size, total := l.Size(), 0
	var want []byte
	for i, line := range lines {
		seq := size + uint64(i)
		if len(line) > MaxLine {
			return fmt.Errorf("append record %d of %d bytes: %w", seq, len(line), ErrTooLarge)
		}
		want = append(strconv.AppendUint(append(want[:0], `{"seq":`...), seq, 10), ',')
		if !bytes.HasPrefix(line, want) || line[len(line)-1] != '}' || bytes.IndexByte(line, '\n') >= 0 || !utf8.Valid(line) {
			return fmt.Errorf("append record %d: the line is not a record with this number", seq)
		}
		total += 2 + len(line)
	}
	if total > maxBlock {
		return fmt.Errorf("append %d records of %d bytes together: %w", len(lines), total, ErrTooLarge)
	}
	return nil
}

// usable says whether the log can write.
func (l *Log) usable() error {
	if l.c.ReadOnly {
		return errReadOnly
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.broken
}

// fail breaks the log for ever.
func (l *Log) fail(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken == nil {
		l.broken = fmt.Errorf("%w: %w", ErrBroken, err)
		l.c.Log.Error("ledger stopped", "err", err)
	}
	return l.broken
}

// writeBlock writes a block and waits until it is durable.
func (l *Log) writeBlock(first uint64, block []byte) error {
	if t := l.tail; t != nil && t.size < l.c.limits.tail {
		if _, err := t.file.WriteAt(block, t.size); err != nil {
			return err
		}
		t.size += int64(len(block))
		return t.file.Sync()
	}
	return l.nextTail(first, block)
}

// nextTail begins a tail file with its first block.
func (l *Log) nextTail(first uint64, block []byte) error {
	if l.tail != nil {
		if err := l.tail.file.Close(); err != nil {
			return err
		}
		l.tail = nil
	}
	f, err := l.c.FS.OpenFile(l.path(tailDir, fileName(first)), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	l.tail = &tailWriter{file: f, first: first}
	b := append(encodeTailHead(first), block...)
	if _, err := f.WriteAt(b, 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	l.tail.size = int64(len(b))
	return l.c.FS.SyncDir(l.path(tailDir))
}

// grow returns the tree with more records, and the hashes of these.
func grow(tree merkle.Frontier, lines [][]byte) (merkle.Frontier, []merkle.Hash) {
	leaves := leafHashes(lines)
	tree = tree.Clone()
	for _, h := range leaves {
		tree.Add(h)
	}
	return tree, leaves
}

func leafHashes(lines [][]byte) []merkle.Hash {
	leaves := make([]merkle.Hash, len(lines))
	for i, line := range lines {
		leaves[i] = merkle.LeafHash(line)
	}
	return leaves
}

// publish shows readers the records of a durable block.
func (l *Log) publish(tree merkle.Frontier, lines [][]byte, leaves []merkle.Hash) {
	l.mu.Lock()
	l.s.tree = tree
	l.s.lines = append(l.s.lines, lines...)
	l.s.leaves = append(l.s.leaves, leaves...)
	for _, line := range lines {
		l.s.bytes += len(line)
	}
	if first := l.tail.first; len(l.tails) == 0 || l.tails[len(l.tails)-1] != first {
		l.tails = append(l.tails, first)
	}
	full := len(l.s.lines) >= l.c.limits.seal
	l.mu.Unlock()
	if full {
		select {
		case l.kick <- struct{}{}:
		default: // asked already
		}
	}
}
