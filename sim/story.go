package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"os"
	"regexp"
	"slices"
	"strings"
)

// story tells what happens, for a person. It is a function of the seed: its
// digest is how two runs are compared.
type story struct {
	world  *world
	digest hash.Hash
	lines  []string
}

// When a world ends badly so many lines are told of those who are concerned and of
// what went wrong in the world, and so many of everybody, from the end.
const (
	linesConcerned = 80
	linesOfAll     = 25
)

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
	s.lines = append(s.lines, line)
}

// sum is the digest of all lines so far.
func (s *story) sum() string { return hex.EncodeToString(s.digest.Sum(nil)) }

// ids are the executions that a text speaks of.
var ids = regexp.MustCompile(`\b(wf|act|child|hot|idle)-[\w-]+`)

// worldly is how lines begin that concern everybody.
var worldly = []string{"the server", "the world", "the disk", "a commit", "another owner", "the former owner", "everything", "server log"}

// ending is what a person needs of the story to see what came to this.
func (s *story) ending(wrong string) string {
	concerned := map[string]bool{}
	for _, id := range ids.FindAllString(wrong, -1) {
		concerned[id] = true
	}
	var about []string
	for _, line := range s.lines {
		if text := line[min(14, len(line)):]; slices.ContainsFunc(worldly, func(p string) bool { return strings.HasPrefix(text, p) }) ||
			slices.ContainsFunc(ids.FindAllString(text, -1), func(id string) bool { return concerned[id] }) {
			about = append(about, line)
		}
	}
	var b strings.Builder
	if len(concerned) > 0 {
		fmt.Fprintf(&b, "of %s, and of the world:\n", strings.Join(sortedKeys(concerned), ", "))
		b.WriteString(lastOf(about, linesConcerned))
		b.WriteString("of everybody:\n")
		b.WriteString(lastOf(s.lines, linesOfAll))
		return b.String()
	}
	return lastOf(s.lines, linesConcerned)
}

// lastOf are the last lines, and how many there were before.
func lastOf(lines []string, most int) string {
	var b strings.Builder
	if n := len(lines) - most; n > 0 {
		fmt.Fprintf(&b, "%14s(%d lines before)\n", "", n)
		lines = lines[n:]
	}
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	return b.String()
}
