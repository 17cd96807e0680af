// Command model plays random inputs to the workflow machine and compares what it
// does with an oracle. It is the machine alone: no shard, no store, no clock, so
// that a core plays tens of thousands of steps a second.
//
// A world is a small script under a seed: a handful of workflow ids that start,
// signal, cancel, update and end each other; workers that answer well, badly, too
// late or twice; messages that arrive late, twice, or not at all for a while;
// operators; deadlines; and crashes, which put every run through the codecs of
// package record and forget what is in memory only. At its end a world heals:
// every message is delivered, every task answered, every deadline comes, and
// then every run must be able to close.
//
// The oracle (ledger.go, expect_*.go) is told what is asked and what was
// answered. From that alone it says of each input whether it must be taken, and
// which events must come of it, in which order; it keeps its own book of timers,
// attempts, tokens, buffered events, messages and updates. It reads the machine's
// state in three places only, where its own arithmetic would repeat the machine's:
// the attempt and due time of an activity after a retry, what an operator changed,
// and which task is sticky.
//
// Checked after every step, by the numbers of docs/reliability.md:
//
//	I2  ids are 1, 2, 3…; nothing follows a close; what is stored is what was lived
//	I3  one open run for each id
//	I4  one workflow task; only the token of its latest start is good, and only once
//	I5  a start of an activity takes an offer that nobody has taken; older tokens are refused
//	I6  an activity ends once, and with what its worker said
//	I7  nothing fires early; after Due nothing is due
//	I8  a message takes effect once, however often it is delivered
//
// and that nobody waits for ever: an event a worker has not seen has a workflow
// task, and no step leaves a worker's answer, a signal or a message without effect.
package main
