package ledger

import (
	"container/list"
	"sync"
)

// An lru keeps the values that were asked for last, up to a sum of weights.
type lru[V any] struct {
	max int

	mu   sync.Mutex // guards what follows
	sum  int
	used *list.List // of *lruItem[V], newest first
	byN  map[uint64]*list.Element
}

type lruItem[V any] struct {
	n      uint64
	v      V
	weight int
}

func newLRU[V any](limit int) *lru[V] {
	return &lru[V]{max: limit, used: list.New(), byN: map[uint64]*list.Element{}}
}

func (c *lru[V]) get(n uint64) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byN[n]
	if !ok {
		return v, false
	}
	c.used.MoveToFront(e)
	return item[V](e).v, true
}

func (c *lru[V]) put(n uint64, v V, weight int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byN[n]; ok || weight > c.max {
		return
	}
	c.byN[n] = c.used.PushFront(&lruItem[V]{n, v, weight})
	for c.sum += weight; c.sum > c.max; {
		e := c.used.Back()
		old := item[V](e)
		c.used.Remove(e)
		delete(c.byN, old.n)
		c.sum -= old.weight
	}
}

func item[V any](e *list.Element) *lruItem[V] {
	i, ok := e.Value.(*lruItem[V])
	if !ok {
		panic("internal error: a stranger in the cache")
	}
	return i
}
