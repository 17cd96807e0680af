// Package pebblestore keeps a database in a folder of the local disk, on Pebble.
// It is the default driver: one database for all shards of the process.
//
// # One sync for many
//
// Every shard has two goroutines. The applier takes committed batches in order,
// gives them to Pebble (which appends them to its write-ahead log and makes
// them visible to reads) and does not wait for the disk. The teller waits, in
// the same order, until the log is synced up to each batch, and calls its done
// function. Pebble syncs its log again as soon as the last sync has ended, for
// everything appended meanwhile by any shard. So the number of syncs per second
// is the disk's, however many batches there are, and a batch that arrives alone
// waits for nobody.
//
// A batch is visible to reads before it is durable, which the contract allows.
//
// # Owners
//
// The folder has one process, by a file lock. Within it the driver knows the
// owner of each slot. Open forbids the former owners' appliers to give Pebble
// anything more, then appends the new epoch to the log and syncs it: whatever a
// former owner had appended lies before the epoch in the same log and is
// durable as well, whatever it had not is refused with store.ErrFenced. The
// epoch is one counter for the whole database.
//
// # When the disk fails
//
// A failed write or sync of the log, or of the list of tables, cannot be
// survived by the process: what the operating system still has of the failed
// pages is not known. Pebble reports these through a Fatalf that is meant not to
// return; ours records the error, closes Fatal's channel and parks the
// goroutine, so that nothing can act on a state that is not on the disk, such
// as deleting a log that a lost list of tables still needs. Batches in flight
// end with store.ErrUnknown. The process must then end; the next one recovers.
//
// A damaged block of a table is no such end: whoever reads it gets
// store.ErrCorrupt, and the rest goes on. Only when it has to be compacted does
// the database end, because that would be tried for ever and stall commits later.
//
// # Ids that are new
//
// Shard.Absent, which every start asks, is answered from a filter in memory of all
// names of store.FamilyCurrent that may be stored: see roll. It is filled in the
// background, and again when names that were deleted have filled it up. With more
// than four million ids, and the default cache, there is none, and new ids are
// looked for in the tables.
//
// # Cost
//
// A batch of ten records costs some 25 µs of CPU and 25 allocations, Pebble's
// part included. On a disk that syncs in 1 ms one shard with one batch in
// flight does 860 batches a second at one sync each; four shards with sixteen
// in flight each do 16,000 at one sync for 26 (BenchmarkCommit, two cores).
//
// # Torn or damaged
//
// See tail.go for how a log that a power cut has torn is told from one that was
// damaged later, and for what cannot be told.
package pebblestore
