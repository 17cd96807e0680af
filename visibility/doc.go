// Package visibility is the index behind list, count and search. It is derived:
// everything in it comes from the executions, through the feed that each step
// which changes a row writes to (shard.Feed), and all of it can be made anew.
//
// # Parts
//
// An Index is a SQLite file with its one writer and a few readers. The Indexer
// takes the feed, keeps what has not been written in memory (the latest record
// of each run only: a workflow that starts and ends within a batch costs one
// row), and writes it in batches on one goroutine. With each batch it writes how
// far it got in each slot, in the same transaction. The list filter comes from
// package filter and is translated to SQL with bound parameters only.
//
// # Promises
//
//   - Read your writes: List and Count first have everything written that was
//     appended before the call (Indexer.Flush). If that takes longer than a bound
//     they answer UNAVAILABLE, never a silently old page (DESIGN I10).
//   - The feed is told that an entry is done only when it is on stable storage.
//     Batches are committed without a sync, about once a second one commit is
//     synced, and then all before it are acknowledged. A power cut costs the
//     index nothing: the feed brings again what was not acknowledged, and rows
//     carry a version by which older ones are ignored.
//   - Rows carry a checksum. A file that cannot be read, or a row whose checksum
//     is wrong, sets the file aside and the index is built anew from the
//     executions (Source); meanwhile calls answer UNAVAILABLE.
//   - Namespaces do not see each other, nor do workflows and activities that stand
//     alone: every statement names one namespace and one archetype.
//
// # Cost
//
// A row costs about 13 microseconds of CPU and ten objects, 32 put in by one
// statement, and 1.1 KB of log; one row a workflow when it is short. docs/design/0001-visibility-index.md
// and docs/performance.md have the figures and what was dropped.
//
// What the index leaves to others: which attributes exist (the namespaces' own),
// retention (a closed run's deletion comes through the feed), and permission.
package visibility
