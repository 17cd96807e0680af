// Package matching is where waiting pollers and waiting tasks meet. It knows
// queues, not workflows, and keeps everything in memory: tasks are durable in
// the shards that own the executions (shard.Backlog), and a restart builds the
// queues again from what they offer.
//
// # What it guarantees
//
// Order. A queue hands out its tasks by priority, then by the time they became
// due, over all shards together, exactly as far as the shards' heads reach:
// each (shard, queue) has a bounded window here, and the shard keeps what comes
// after it. Pollers are served first come, first served (TQ-4, TQ-21, TQ-32).
//
// At most one poller. A task leaves the queue when it is given to a poller and
// comes back only when its shard says that the start failed. The shard decides
// at the start whether the offer still holds; a void one costs one question,
// and the next task is tried for the same poller (TQ-22, TQ-24).
//
// No task is lost to a vanished poller. A poller that leaves is out of the
// queue at once; a start that was under way for it is taken back (TQ-5).
//
// # The life of a poller and of a task
//
//	poller:  waiting ──match──▶ starting ──started──▶ answered
//	           │  ▲────stale, failed──┘ │
//	           │  ▲──────Release──────┐ └─gone: AbortTask
//	           └─────Reserve──────▶ reserved ──Deliver──▶ answered
//
//	offer:   waiting ──match──▶ starting ──started, stale──▶ forgotten
//	           ▲                    │
//	           └──── resting ◀─failed
//
// A poller that is starting or reserved does not expire; its time is looked at
// again when it would wait on.
//
// # Locks
//
// One mutex a queue, one for the table of queues, one for the reservations,
// taken in that order of which never two queues' at once. None is held while
// calling out: what a turn under the lock wants to say is noted in the queue
// (answers to pollers, calls to shards) and said after the unlock; calls to
// shards by one goroutine a queue at a time, never on the shard's own stack.
//
// # Cost
//
// A task that meets a waiting poller by Reserve: two locks, one map insert, one
// Handover. A task from the backlog: one lock for the offer, one for the match,
// one for the outcome, one map entry, no goroutine of its own. Polls that
// wait: one timer a queue. An idle queue costs its few hundred bytes until its poller
// history has aged out (5 minutes), then nothing.
package matching
