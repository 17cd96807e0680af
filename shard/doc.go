// Package shard is the shell round the core: load, step, commit, perform.
//
// A Host opens the slots as a number of shards. A shard is one loop that owns
// everything that happens to its executions, one input at a time. The loop is a
// plain function, turn, that never waits: reads of the store run beside it and
// report back, commits are asynchronous, and whoever calls the shard from
// outside leaves a note in its inbox. A turn is run by whatever Options.Spawn
// makes of it: a goroutine in production, an entry of the schedule in a
// simulation. A shard with nothing to do has no goroutine and no timer (I12).
//
// # The life of an input
//
//	Submit → inbox → entry (loaded, or queued behind its load)
//	       → step   the core says what changed; memory changes at once
//	       → fuse   a task just made is started for a poller that waits
//	       → open batch
//	commit: the batch is sealed into rows and goes to the store while the next
//	       one fills; at most Options.MaxFlying are under way
//	perform: when the batch is durable, and only then, in this order: visibility
//	       feed, replies, tasks to matching, messages, long polls
//
// A reply, also a refusal or a mere look, waits for the last batch that changed
// the execution, so that nobody learns of what a power cut could undo (I1).
//
// # What is in memory
//
// Entries (one an execution id) with the runs that are loaded. Whatever has
// changes that are not durable stays in memory until they are; that is the
// whole overlay: a run in memory is newer than the store, a run not in memory
// is exactly what the store holds. See entry.go for what else keeps a run.
//
// # Faults
//
// When a commit ends in anything but success the shard object is finished: it
// answers everyone with ErrUnavailable and forgets its memory; the host opens
// the slots again, under a new epoch, in a new object. A bug that shows itself
// as a panic inside the core is confined to its execution, which is set aside:
// the core is pure, so nothing has changed. A panic anywhere else drops the
// open batch and ends the shard object likewise.
package shard
