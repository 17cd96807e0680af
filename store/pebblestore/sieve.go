package pebblestore

import "sync/atomic"

// sieve is a set of names that knows them by their hashes alone, and those only
// roughly: what was put in it holds, and it may seem to hold others as well. The
// four bits of a name lie in one word, so that it takes one look into memory, and
// no lock. (It is a Bloom filter with blocks of 64 bits.) Of 100 names that were
// not put in it seems to hold 3 when it has eight names a word, 18 when it has
// sixteen, 56 when it has thirty-two.
type sieve struct {
	words []atomic.Uint64 // as many as a power of two
	names atomic.Int64    // put in, but for those it seemed to hold

	// room is how many names it takes until another one is made. Set before
	// others see the sieve.
	room int64
}

// newSieve makes an empty sieve of so many words, a power of two.
func newSieve(words int) *sieve { return &sieve{words: make([]atomic.Uint64, words)} }

// place is where the name with this hash leaves its bits, and which.
func (s *sieve) place(hash uint64) (word *atomic.Uint64, bits uint64) {
	bits = 1<<(hash&63) | 1<<(hash>>6&63) | 1<<(hash>>12&63) | 1<<(hash>>18&63)
	return &s.words[hash>>32&uint64(len(s.words)-1)], bits
}

func (s *sieve) put(hash uint64) {
	if word, bits := s.place(hash); word.Or(bits)&bits != bits {
		s.names.Add(1)
	}
}

// holds reports whether the name was put in, perhaps. False is certain.
func (s *sieve) holds(hash uint64) bool {
	word, bits := s.place(hash)
	return word.Load()&bits == bits
}
