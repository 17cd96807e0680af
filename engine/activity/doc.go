// Package activity is the machine of the activity execution, used twice: inside
// a workflow, where its outcome becomes events, and standing alone. It is pure:
// see package engine.
//
// An activity is a chain of attempts. At any moment it waits for a worker or a
// worker has it; cancellation, pause and reset are flags beside that. The
// transitions, which are the list in transition.go:
//
//	              schedule
//	                 |
//	                 v       start
//	   offer +--> queued ---------------> started <--+ heartbeat
//	 request |      |  ^                   |  |      | requestCancel
//	  Cancel |      |  |                   |  |      | pause, unpause
//	 *       +---   |  +-------------------+  |  +---+ reset, setOptions
//	                |       retry, abort      |
//	                |                         |        * and pause, unpause,
//	                |                         |          reset, setOptions, recall
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
//	pause          queued          -> queued   not handed out until unpaused
//	pause          started         -> started  the worker will hear of it; its failure leads to a pause
//	unpause        queued          -> queued   handed out now, or within the jitter
//	unpause        started         -> started  as if it had not been paused
//	reset          queued          -> queued   attempt 1, handed out now, or within the jitter
//	reset          started         -> started  attempt 1; the worker will hear of it
//	setOptions     queued          -> queued   handed out anew under the new options
//	setOptions     started         -> started  the attempt's deadlines move
//	recall         queued          -> queued   off its task queue: the workflow is paused
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
// must be void: start, abort, retry, and while queued pause, unpause, reset, recall
// and setOptions. An offer carries the stamp of the queued
// state, a token that of the started state, so that no two starts of one
// activity are ever both valid (DESIGN I5).
//
// The rules are those of spec/activity.md: AT-10 to AT-22 (schedule.go), AT-50
// to AT-53 (start.go), AT-72, AT-80 to AT-87 and AT-133 (respond.go), AT-90 to
// AT-98 (timeout.go), AT-100 to AT-109 (attempt.go), AT-120 to AT-126
// (heartbeat.go), AT-130 to AT-132 (cancel.go), AT-161 and AT-162 (pause.go),
// AT-163 to AT-165 (reset.go), AT-166 and AT-167 (options.go).
//
// # Houses
//
// An activity in a workflow and one that stands alone differ in a few points, each
// a rule with a name in house.go (AX-10, AX-40 to AX-52). Nothing else asks where
// it lives.
//
// # Pause
//
// While it is paused nothing is due of an activity in a workflow (AT-94): Next is
// never; one that stands alone is but kept from being handed out. What
// became overdue meanwhile is due the moment it is unpaused, except that the
// time allowed until a worker comes begins anew with the new hand-out. Nothing of
// this holds for the pause of the workflow it belongs to, which is no concern of
// the activity: its attempt is taken off the queue (hold.go), its timeouts go on.
package activity
