// Package standalone is the machine of an activity execution that stands alone:
// started by a client under an id of its own, not by a workflow. It is pure: see
// package engine.
//
// What an activity is (attempts, retries, timeouts, heartbeats, cancellation,
// pause, reset) is decided by the machine in package activity, which is the same
// inside a workflow. This package puts round it what makes it an execution: the
// id policies, the status and the outcome that clients read, the operators'
// requests and their repetitions, retention and deletion, the row in the
// visibility index. The rules are those of spec/activity.md section 11.
//
// # States
//
// The states of a run, by the names that refusals show. All but the last five
// are states of the activity within:
//
//	         Scheduled <--> Paused        no worker has it
//	          |    ^          ^
//	    start |    | retry    | retry while pausing
//	          v    |          |
//	         Started <--> PauseRequested  a worker has it
//	          |    |          |
//	          |    +----------+-> CancelRequested, ResetRequested
//	          v
//	Completed, Failed, Canceled, Terminated, TimedOut
//
// Of an attempt that a worker has, at most one of cancellation, reset and pause
// is asked for at a time: it is what the worker hears when it heartbeats.
//
// # Guarantees
//
// A run that has closed has an outcome, which never changes. It is kept, with the
// activity as it last was, until the namespace's retention is over.
package standalone
