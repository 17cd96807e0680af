package record

import (
	"strings"
	"sync/atomic"
)

// namespace is what names and slots are made of that begin with a namespace's id.
// A workflow of two steps has a dozen rows and as many look-ups: to go through the
// same 36 characters each time was a third of what its names cost.
type namespace struct {
	id   string
	hash uint64 // SlotOf's, as far as the id goes
	name []byte // as appendID appends it
}

// namespaces are some of those asked for last. Two that have the same place take
// turns, which costs what it would without.
var namespaces [64]atomic.Pointer[namespace]

func namespaceOf(id string) *namespace {
	place := &namespaces[0]
	if n := len(id); n > 1 {
		place = &namespaces[(id[n-1]*16+id[n-2])%byte(len(namespaces))]
	}
	if n := place.Load(); n != nil && n.id == id {
		return n
	}
	n := &namespace{id: strings.Clone(id), hash: hashOf(id), name: appendID(nil, id)}
	place.Store(n)
	return n
}
