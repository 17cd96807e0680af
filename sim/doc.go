// Command sim runs the server's shell and core, its matching and its memory
// store in one goroutine under one seed, with a simulated clock, scripted
// workers and clients, and faults. What happens is a function of the seed: a
// failure is replayed by its number.
//
//	go run ./sim -seed 7            one world, told as a story
//	go run ./sim -seed 1 -seeds 500 many, only failures are told
//	go run ./sim -ledger FILE -steps 1000 -for 30m
//	                                goes on after the last seed of the file, and adds to it
//	go run ./sim -ledger FILE -report
//
// The parts are kept apart:
//
//   - schedule.go: simulated time, and everything that is to happen in it. What
//     the server would do in goroutines is put here, with a delay by chance.
//   - process.go: one life of the server, from its start on a disk to its crash.
//     disk.go, owners.go, network.go, index.go: what it stands on: the database
//     and what a crash leaves of it, another owner of the same shards, the ways of
//     requests and messages, the visibility index.
//   - workload.go: clients that start, signal, cancel and terminate. script.go,
//     steps_*.go, past.go: workflows as scripts, their steps, and what a script reads
//     in a history. worker*.go: workers that poll and answer. standalone.go: the same
//     of activities without a workflow.
//   - faults.go: what goes wrong, how often, and how often it really did.
//   - auditor.go: what the server has acknowledged and handed out.
//   - linear_*.go: clients that call about one workflow id all at once, and whether
//     one order of their calls explains what they were told (package linear).
//   - observer*.go, life.go: what is on the disk, as a crash at this moment would leave
//     it, and all that was ever seen there. check_*.go: the invariants of the design,
//     looked at there.
//   - ledger.go: how runs add up.
//
// How the invariants are checked (docs/reliability.md says what each is):
//
//	I1   every acknowledgement is looked for on the disk, one in four at once, all
//	     at the next look; readers, receivers of callbacks and workers are told
//	     nothing that the disk does not have (auditor.go, reader.go, receivers.go)
//	I2   every event ever seen is compared, its bytes as well; histories are
//	     replayed and give the state (observer.go, resets.go)
//	I3   one open run per id, and the pointer leads to it (check_state.go)
//	I4   the sequence of workflow task events; start versions handed out and
//	     completions accepted, by the books (check_history.go, auditor.go)
//	I5   the same of activities, and of tokens of the wrong type (wrongtype.go)
//	I6   what is pending in the history is pending in the state; what is on offer
//	     is in the backlog; each ends once (check_activity.go, check_state.go,
//	     check_work.go)
//	I7   event times against time-outs; deadline rows are never too late; after
//	     everything heals all ends (check_activity.go, check_time.go, check_work.go,
//	     world.go)
//	I8   signals, children, updates and external requests take effect once;
//	     callbacks are delivered once for all (check_messages.go, check_work.go,
//	     receivers.go)
//	I9   a batch of a former owner never succeeds, whoever opened the slots after
//	     it: another process, or itself (disk.go)
//	I10  the index as a list would see it, with what waits taken in: when a start
//	     or an end is acknowledged, two seconds after any change, and for every
//	     run at the end, deleted ones too (check_index.go)
//	I11  batches under way, their bytes, inputs accepted and not answered, against
//	     bounds that are small in some worlds (check_bounds.go)
//	I12  at the end of every fourth world: an hour in which idle workflows cost no
//	     step, no commit and no memory, and after which they answer (idle.go)
//
// and the calls of clients about one id are linearizable (linear_*.go).
//
// A run has two parts. First faults and load; then everything heals, no new
// work comes, and all that is open must end (liveness).
package main
