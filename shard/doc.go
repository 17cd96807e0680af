// Package shard is the shell around the core: load, step, commit, perform. One
// loop owns each range of slots; everything that happens to an execution
// happens in its shard's loop, one input at a time. See docs/ARCHITECTURE.md.
package shard
