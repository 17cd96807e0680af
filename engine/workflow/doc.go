// Package workflow is the machine of the workflow execution: from a run's state
// and an input it computes what changes, and what is to be done about it. It is
// pure; see package engine for what that means, and spec/workflow.md for the
// rules it carries out.
//
// # The run
//
//	            start, signal with start,
//	            child of another run, successor of a closed one
//	                          |
//	                          v
//	     +--------------> running --------------+
//	     |  (in back-off: no workflow task yet) |
//	     |                    |                 |
//	     |     a command      | from outside    | its time is over
//	     |                    |                 |
//	completed  failed  canceled  continued-as-new  terminated  timed out
//	     |        |                    |                           |
//	     |        +--- retry ----------|---------------------------+
//	     +------------ cron -----------+---> the next run of the chain
//
// A closed run is kept for the namespace's retention and then forgotten. A run
// that has a successor is not the end of its chain: parents hear nothing.
//
// # The workflow task
//
//	none --wantTask--> scheduled --poll--> started --+--> completed
//	  ^                    |                 | ^     |
//	  |                    |          abort  | | poll|
//	  |   sticky worker    |                 v |     |
//	  |   gone: timed out  |             reoffered   |
//	  +--------------------+-------------------------+--> failed, timed out
//
// While one is started, whatever else happens is buffered (buffer.go), so that
// the history does not move under the worker. What a step calls for is scheduled
// once, at its end (settle). A second and later attempt is transient: its events
// are virtual until it completes (task.go).
//
// # How a step is made
//
// Step makes a draft over the run, which it leaves alone, lets the one function
// that knows the input change it, and turns it into a Change: new history in
// batches, the parts that differ, offers, messages. Run.Apply brings it in. A
// completion whose third command is bad is undone by forgetting its draft.
//
// # Updates
//
//	admitted --start of a workflow task--> sent --+--> accepted --> completed
//	    ^                                     |   +--> rejected (no trace)
//	    +-- the task failed or timed out -----+
//
// Proposals, the updates no worker has accepted, and the speculative workflow
// task that brings one to a worker are in memory only (update.go,
// speculative.go, docs/design/0002-updates.md).
//
// # Completion callbacks
//
// Callbacks that wait for the run or for one of its updates are parts of the
// run. What ends asks for a try of each, and a closed run is looked at again
// until all have been told (callbacks.go, package callback).
//
// # Pause, and time
//
// A paused run is open and takes whatever happens, but nothing of it is handed to
// a worker until it is unpaused (pause.go). A run whose time may be skipped lives
// in a time of its own, ahead of the shard's (skip.go).
//
// Not built yet: Nexus operations. Commands and requests that ask for them are
// refused in so many words.
package workflow
