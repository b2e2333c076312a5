package ledger

// Read returns the line of one record. It is shared and must not be changed.
func (l *Log) Read(seq uint64) ([]byte, error) {
	s := l.state()
	if seq >= s.size() {
		return nil, notFound("there is no record %d", seq)
	}
	if n := s.sealed.records(); seq >= n {
		return s.lines[seq-n], nil
	}
	b, err := l.packs.bundle(s.sealed, seq/tileWidth)
	if err != nil {
		return nil, err
	}
	return b.lines[seq%tileWidth], nil
}

// Range calls f with the lines of the records from, from+1, …, to-1, and stops
// at the first error. f may keep a line but must not change it.
func (l *Log) Range(from, to uint64, f func(seq uint64, line []byte) error) error {
	s := l.state()
	if to > s.size() {
		return notFound("there is no record %d", to-1)
	}
	sealed := s.sealed.records()
	for seq := from; seq < min(to, sealed); {
		b, err := l.packs.stream(s.sealed, seq/tileWidth)
		if err != nil {
			return err
		}
		for end := min(to, (seq/tileWidth+1)*tileWidth); seq < end; seq++ {
			if err := f(seq, b.lines[seq%tileWidth]); err != nil {
				return err
			}
		}
	}
	for seq := max(from, sealed); seq < to; seq++ {
		if err := f(seq, s.lines[seq-sealed]); err != nil {
			return err
		}
	}
	return nil
}
