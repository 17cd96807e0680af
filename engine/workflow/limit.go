package workflow

import (
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
)

// A run whose history is full takes no new work: no signals, updates, attached
// requests, nor commands that begin something. What has begun is still recorded,
// up to a limit a quarter further on, and its worker can complete it or continue
// it as new at any time. Only what nobody asked for just now (a timeout, the
// answer of an activity) can then take it beyond, and ends it. This differs from
// the reference server, which terminates the run at the first limit
// (spec/workflow.md 3.12); the texts are the same.

// The texts of the limits.
const (
	historyTooLarge     = "Workflow history size exceeds limit."
	historyTooLong      = "Workflow history count exceeds limit."
	stateTooLarge       = "Workflow mutable state size exceeds limit."
	transactionTooLarge = "Transaction size exceeds limit."
)

// full names the limit at which the run takes no new work; "" if it has room.
func (d *draft) full() string {
	l, info := d.env.Limits, d.base.Info
	switch {
	case info.HistorySizeBytes >= l.HistoryFullBytes:
		return historyTooLarge
	case info.NextEventID > l.HistoryFullEvents:
		return historyTooLong
	}
	return ""
}

// checkRoom refuses new work to a run whose history is full.
func (d *draft) checkRoom() error {
	if text := d.full(); text != "" {
		return engine.Invalid("%s The run takes no new work until it completes or continues as new.", text)
	}
	return nil
}

// checkCommandsFit refuses commands that begin something to a run whose history
// is full, unless the completion also closes it.
func (c *completion) checkCommandsFit() error {
	text := c.full()
	commands := c.req.GetCommands()
	if text == "" || len(commands) > 0 && closesRun(commands[len(commands)-1].GetCommandType()) {
		return nil
	}
	for _, cmd := range commands {
		if begins(cmd.GetCommandType()) {
			return failTask(limitCause, "%s The run can only complete or continue as new; %s would begin something.",
				text, cmd.GetCommandType())
		}
	}
	return nil
}

// begins reports whether a command asks for something that was not there before.
func begins(t enumspb.CommandType) bool {
	switch t {
	case enumspb.COMMAND_TYPE_CANCEL_TIMER,
		enumspb.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK,
		enumspb.COMMAND_TYPE_REQUEST_CANCEL_NEXUS_OPERATION,
		enumspb.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION,
		enumspb.COMMAND_TYPE_PROTOCOL_MESSAGE: // the answer to an update it has taken
		return false
	}
	return !closesRun(t)
}

// limitCause is why a workflow task fails whose completion is beyond a limit: the
// API has no cause of its own for it, and this is the one that the reference
// server writes there.
const limitCause = enumspb.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND

// withinLimits lets a step stand unless it takes the run beyond a hard limit.
// Then the step is dropped. A request is refused, a completion fails its
// workflow task, and what nobody can be refused ends the run: it could not even
// record its end otherwise. A step that closes the run stands in any case, and so
// does the start of a workflow task: what is refused to a worker's poll would
// only be asked again.
func withinLimits(env *engine.Env, run *Run, in Input, res *Result) (*Result, error) {
	if res.Run == nil || res.Run.Closed || !run.Open() {
		return res, nil
	}
	if _, ok := in.(*StartWorkflowTask); ok {
		return res, nil
	}
	text := exceeded(env.Limits, run, res.Run)
	if text == "" {
		return res, nil
	}
	switch in := in.(type) {
	case *CompleteWorkflowTask:
		return failCompletion(env, run, in, failTask(limitCause, "%s", text))
	case *Signal, *UpdateWorkflow, *StartWorkflow, *SignalWithStart, *UpdateWithStart, *HeartbeatActivity, *UpdateActivityOptions:
		return nil, engine.Invalid("%s", text)
	}
	d := newDraft(run.own(env), run)
	d.terminateRun(termination{reason: text, identity: systemIdentity})
	return d.result(committed(engine.Invalid("%s", text))), nil
}

// exceeded names the limit a change breaks, if any.
func exceeded(l *engine.Limits, run *Run, c *Change) string {
	added := c.Info.HistorySizeBytes - run.Info.HistorySizeBytes
	switch {
	case added > 0 && c.Info.HistorySizeBytes > l.HistoryMaxBytes:
		return historyTooLarge
	case added > 0 && c.Info.NextEventID-1 > l.HistoryMaxEvents:
		return historyTooLong
	case added > l.TransactionBytes:
		return transactionTooLarge
	case c.Info.StateBytes > run.Info.StateBytes && c.Info.StateBytes > l.StateBytes:
		return stateTooLarge
	}
	return ""
}

// boundedFailure is f, or a stand-in that says it was too large.
func boundedFailure(f *failurepb.Failure, maxBytes int) *failurepb.Failure {
	if f == nil {
		return nil
	}
	return activity.InWorkflow.Shrink(f, maxBytes, true)
}
