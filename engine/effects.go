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
	// Deliveries are tries to call completion callbacks, made once the change is
	// durable. They are not stored: the callbacks' own state makes them again.
	Deliveries []Delivery
	// Visibility is the run's new row in the index; nil when it need not change.
	Visibility *VisibilityRecord

	// Closed: the run ended in this step.
	Closed bool
	// Deleted: every trace of the run is to be removed.
	Deleted bool
	// Deferrable: nothing here must be durable before the reply (a heartbeat's
	// details, see DESIGN I1). The shell may write it a few seconds later.
	Deferrable bool
	// Trivial: of what is deferrable only times and counts are new, which nobody
	// needs after a crash. The shell may write it much later, but no later than
	// the run leaves memory.
	Trivial bool
}

// Asks are the effects of a change that embeds them: what the shell reads of a
// change whose archetype it does not know.
func (e *Effects) Asks() *Effects { return e }

// Silent reports whether nobody but the run itself is concerned: no task, no
// message, no row in the index, neither its end nor its removal.
func (e *Effects) Silent() bool {
	return len(e.Offers)+len(e.Withdrawn)+len(e.Messages)+len(e.Deliveries) == 0 && e.Visibility == nil && !e.Closed && !e.Deleted
}

// Input is one thing that happens to an execution: an input of the machine of
// its archetype, where the list is closed (workflow.Input, standalone.Input).
type Input any
