//go:build race

package pebblestore

// underRace: the race detector makes everything ten times slower; tests that
// repeat one thing very often repeat it less often.
const underRace = true
