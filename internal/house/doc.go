// Package house holds the rules of the house that no linter knows, as tests:
// what may not appear in the core, how long a file may grow, what a test must not
// do. It has no code of its own.
package house
