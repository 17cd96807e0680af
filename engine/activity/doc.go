// Package activity is the machine of the activity execution, used twice: inside
// a workflow, where its outcome becomes events, and standing alone. It is pure:
// see package engine.
//
// An activity is a chain of attempts. At any moment it waits for a worker or a
// worker has it; cancellation is a flag beside that. The transitions, which are
// the list in transition.go:
//
//	              schedule
//	                 |
//	                 v       start
//	   offer +--> queued ---------------> started <--+ heartbeat
//	 request +---   |  ^                   |  |  +---+ requestCancel
//	  Cancel        |  |                   |  |
//	                |  +-------------------+  |
//	                |       retry, abort      |
//	                |                         |
//	complete (by id)|                         | complete, fail,
//	timeOut, cancel |                         | timeOut, cancel
//	                +---------> none <--------+
//
//	schedule       none            -> queued   first attempt, due now
//	offer          queued          -> queued   the back-off is over: the attempt goes to its task queue
//	start          queued          -> started  a worker takes the attempt
//	abort          started         -> queued   the worker was gone before it got the attempt
//	heartbeat      started         -> started  the worker reports, and hears of a cancellation
//	requestCancel  started         -> started  the worker will hear of it
//	requestCancel  queued          -> queued   nobody has it: cancel follows
//	retry          started         -> queued   the attempt failed or timed out; another follows
//	complete       queued, started -> none     a result (while queued: by id only)
//	fail           started         -> none     a failure and no further attempt
//	timeOut        queued, started -> none     a timeout and no further attempt
//	cancel         queued, started -> none     cancelled before it started, or accepted by the worker
//
// A transition takes a *State, leaves it alone and returns a Step: the next
// state, or the Outcome when there is none. A workflow turns an Outcome into
// events; a standalone activity keeps it.
//
// # What is guarded by the start version
//
// State.Stamp grows with every transition after which an earlier offer or token
// must be void: start, abort, retry. An offer carries the stamp of the queued
// state, a token that of the started state, so that no two starts of one
// activity are ever both valid (DESIGN I5).
//
// The rules are those of spec/activity.md: AT-10 to AT-22 (schedule.go), AT-50
// to AT-53 (start.go), AT-72, AT-80 to AT-87 and AT-133 (respond.go), AT-90 to
// AT-98 (timeout.go), AT-100 to AT-109 (attempt.go), AT-120 to AT-126
// (heartbeat.go), AT-130 to AT-132 (cancel.go). Of pause and reset the state
// holds the flags.
package activity
