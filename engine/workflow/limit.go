package workflow

import (
	failurepb "go.temporal.io/api/failure/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
)

// withinLimits lets a step stand unless it takes the history beyond a hard
// limit. Then the step is dropped, and the run is terminated instead: a run that
// could not even record its end would be stuck for ever (spec/workflow.md 3.12).
// A step that closes the run stands in any case, and so does the start of a
// workflow task: what is refused to a worker's poll would only be asked again.
func withinLimits(env *engine.Env, run *Run, in Input, res *Result) *Result {
	if res.Run == nil || res.Run.Closed || !run.Open() {
		return res
	}
	if _, ok := in.(*StartWorkflowTask); ok {
		return res
	}
	text := exceeded(env.Limits, run, res.Run)
	if text == "" {
		return res
	}
	d := newDraft(env, run)
	d.terminateRun(termination{reason: text, identity: systemIdentity})
	return d.result(committed(engine.Invalid("%s", text)))
}

// exceeded names the limit a change breaks, if any.
func exceeded(l *engine.Limits, run *Run, c *Change) string {
	added := c.Info.HistorySizeBytes - run.Info.HistorySizeBytes
	switch {
	case added > 0 && c.Info.HistorySizeBytes > l.HistoryMaxBytes:
		return "Workflow history size exceeds limit."
	case added > 0 && c.Info.NextEventID-1 > l.HistoryMaxEvents:
		return "Workflow history count exceeds limit."
	case added > l.TransactionBytes:
		return "Transaction size exceeds limit."
	case c.Info.StateBytes > run.Info.StateBytes && c.Info.StateBytes > l.StateBytes:
		return "Workflow mutable state size exceeds limit."
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
