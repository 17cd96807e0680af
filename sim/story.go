package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"os"
)

// story tells what happens, for a person. It is a function of the seed: its
// digest is how two runs are compared.
type story struct {
	world  *world
	digest hash.Hash
	recent []string // the last lines, when it is not printed
}

// keptLines of a story are told when a world ends badly.
const keptLines = 80

func newStory(w *world) *story { return &story{world: w, digest: sha256.New()} }

// say adds a line.
func (s *story) say(format string, args ...any) {
	if s.world.wrong != nil {
		return // what a broken server does next is of no interest
	}
	at := s.world.now.Sub(epoch)
	line := fmt.Sprintf("%12.6f  %s", at.Seconds(), fmt.Sprintf(format, args...))
	s.digest.Write([]byte(line + "\n"))
	if s.world.tell {
		fmt.Fprintln(os.Stdout, line)
	}
	if len(s.recent) >= 2*keptLines {
		s.recent = append(s.recent[:0], s.recent[keptLines:]...)
	}
	s.recent = append(s.recent, line)
}

// sum is the digest of all lines so far.
func (s *story) sum() string { return hex.EncodeToString(s.digest.Sum(nil)) }

// tail are the last lines.
func (s *story) tail() []string { return s.recent[max(0, len(s.recent)-keptLines):] }
