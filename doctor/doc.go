// Package doctor examines the data folder of a stopped server: it reads every
// byte that is in force, checks it against its checksums and formats, and checks
// every invariant (docs/reliability.md) that can be checked at rest. It is behind
// `perdure doctor`.
//
// # What it does
//
// The store is opened read-only and gone through slot by slot: all runs of an id
// lie in one slot, so whatever must agree is in memory together, and memory does
// not grow with the number of executions. Of each run the state is loaded as the
// server would, and its history is read event by event and compared with what the
// state says is pending. Deadlines, tasks and messages are compared with what the
// state asks for. Then the visibility index is verified and compared with the
// executions.
//
// # What it promises
//
// It changes nothing, and never runs beside a server (the folder's lock sees to
// that). One finding does not keep it from making others, unless the store cannot
// be opened at all. Every kind of finding has a name that does not change, says
// which invariant it breaks, and what to do (check.go); docs/doctor.md lists them,
// and a test plants each.
//
// It repairs nothing: what is derived the server makes anew by itself, and
// for the rest a checkpoint is better than a guess.
package doctor
