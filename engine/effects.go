package engine

// Effects are what a step asks for beside the state it changes, whatever the
// archetype of the execution. A machine's Change embeds them, and the shell
// carries them out by one piece of code: offers, messages and the visibility
// record are committed together with the state and take effect once that is
// durable.
type Effects struct {
	// Offers are tasks to be handed out; Withdrawn are offers made earlier (or
	// in this very change) that are void now: started, cancelled, replaced.
	Offers    []Task
	Withdrawn []Task
	// Messages to other executions, committed with the change.
	Messages []Message
	// Visibility is the run's new row in the index; nil when it need not change.
	Visibility *VisibilityRecord

	// Closed: the run ended in this step.
	Closed bool
	// Deleted: every trace of the run is to be removed.
	Deleted bool
	// Deferrable: nothing here must be durable before the reply (a heartbeat's
	// details, see DESIGN I1). The shell may write it a few seconds later.
	Deferrable bool
}
