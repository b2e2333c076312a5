package ledger_test

// A dice throws numbers that are the same for the same seed (splitmix64).
type dice struct{ seed uint64 }

func newDice(seeds ...uint64) *dice {
	d := &dice{}
	for _, s := range seeds {
		d.seed = d.Uint64() ^ s
	}
	return d
}

func (d *dice) Uint64() uint64 {
	d.seed += 0x9e3779b97f4a7c15
	z := (d.seed ^ d.seed>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Below is a number from 0 to n-1.
func (d *dice) Below(n int) int { return int(d.Uint64() % uint64(n)) }

func (d *dice) noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(d.Uint64())
	}
	return b
}
