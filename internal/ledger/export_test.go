package ledger

// SmallLimits lets tests see tail files and seals without many records.
func (c Config) SmallLimits() Config {
	c.limits = limits{tail: 4 << 10, seal: 1 << 30, waiting: 1 << 20}
	return c
}

// Settle does what the log does every second.
func (l *Log) Settle() error { return l.settle() }

// Tail file parts, for tests that make their own.
var (
	EncodeTailHead = encodeTailHead
	EncodeBlock    = encodeBlock
	ScanTail       = func(first uint64, b []byte) ([][]byte, int, bool) {
		s, damage := scanTail(first, b)
		return s.lines, s.torn, damage != nil
	}
)
