package memstore

import (
	"hash/maphash"
	"strings"

	"github.com/perdure/perdure/store"
)

// node is a node of a persistent treap: an ordered map that is never changed in
// place. Every change makes a new root that shares what did not change, so a
// snapshot, a crash image or a consistent scan is nothing but a kept pointer.
//
// Invariant: keys are in order from left to right; no child outranks its parent.
// Invariant: nothing reachable from a root that has been handed out changes.
type node struct {
	key         string // see encodeKey
	value       []byte
	rank        uint64
	size        int // number of keys below, this one included
	left, right *node
}

// rankSeed makes the shape of a tree a function of its keys within one process.
// The shape cannot be observed through the package's API.
var rankSeed = maphash.MakeSeed()

// encodeKey gives the bytes whose order is the order of store.Key.
func encodeKey(k store.Key) string {
	var b strings.Builder
	b.Grow(3 + len(k.Name))
	b.WriteByte(byte(k.Family))
	b.WriteByte(byte(k.Slot >> 8))
	b.WriteByte(byte(k.Slot))
	b.Write(k.Name)
	return b.String()
}

func decodeKey(s string) store.Key {
	return store.Key{
		Family: store.Family(s[0]),
		Slot:   store.Slot(s[1])<<8 | store.Slot(s[2]),
		Name:   []byte(s[3:]),
	}
}

func count(n *node) int {
	if n == nil {
		return 0
	}
	return n.size
}

// with returns a copy of n with other children.
func (n *node) with(left, right *node) *node {
	c := *n
	c.left, c.right = left, right
	c.size = 1 + count(left) + count(right)
	return &c
}

// split cuts the tree into the keys below at, and the others.
func split(n *node, at string) (below, rest *node) {
	if n == nil {
		return nil, nil
	}
	if n.key < at {
		low, high := split(n.right, at)
		return n.with(n.left, low), high
	}
	low, high := split(n.left, at)
	return low, n.with(high, n.right)
}

// join puts two trees together, all keys of a being below those of b.
func join(a, b *node) *node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.rank >= b.rank:
		return a.with(a.left, join(a.right, b))
	default:
		return b.with(join(a, b.left), b.right)
	}
}

// put returns the tree with value under key.
func put(root *node, key string, value []byte) *node {
	below, rest := split(root, key)
	_, above := split(rest, key+"\x00")
	leaf := &node{key: key, value: value, rank: maphash.String(rankSeed, key), size: 1}
	return join(join(below, leaf), above)
}

// cut returns the tree without the keys of [from, to).
func cut(root *node, from, to string) *node {
	if from >= to {
		return root
	}
	below, rest := split(root, from)
	_, above := split(rest, to)
	return join(below, above)
}

// get returns the value under key.
func get(n *node, key string) ([]byte, bool) {
	for n != nil {
		switch {
		case key < n.key:
			n = n.left
		case key > n.key:
			n = n.right
		default:
			return n.value, true
		}
	}
	return nil, false
}

// walk visits the keys of [from, to) in order, until visit returns false.
func walk(n *node, from, to string, visit func(*node) bool) bool {
	if n == nil {
		return true
	}
	if from < n.key && !walk(n.left, from, to, visit) {
		return false
	}
	if from <= n.key && n.key < to && !visit(n) {
		return false
	}
	return n.key >= to || walk(n.right, from, to, visit)
}

// apply returns the tree after the operations.
func apply(root *node, ops []store.Op) *node {
	for _, op := range ops {
		key := encodeKey(op.Key)
		switch {
		case op.Until != nil:
			root = cut(root, key, encodeKey(store.Key{Family: op.Key.Family, Slot: op.Key.Slot, Name: op.Until}))
		case op.Value == nil:
			root = cut(root, key, key+"\x00")
		default:
			root = put(root, key, op.Value)
		}
	}
	return root
}
