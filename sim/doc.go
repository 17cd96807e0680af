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
//   - workload.go, script.go, worker.go: clients that start, signal, cancel and
//     terminate; workflows as scripts; workers that poll and answer. standalone.go:
//     the same of activities without a workflow.
//   - faults.go: what goes wrong, how often, and how often it really did.
//   - auditor.go: what the server has acknowledged and handed out.
//   - linear_*.go: clients that call about one workflow id all at once, and whether
//     one order of their calls explains what they were told (package linear).
//   - check_*.go: the invariants of the design, each checker named for its own,
//     looked at on the disk as a crash at this moment would leave it.
//
// A run has two parts. First faults and load; then everything heals, no new
// work comes, and all that is open must end (liveness).
package main
