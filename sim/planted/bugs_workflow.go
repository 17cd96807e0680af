package main

// The machine of workflows.
var workflowBugs = []bug{
	{
		name: "stale-workflow-task", what: "an answer with the token of an earlier start is accepted", hunter: byModel,
		edits: []edit{{"engine/workflow/task_start.go",
			"t.Attempt != token.Attempt || t.Stamp != token.Stamp {", "false {"}},
	},
	{
		name: "stale-offer", what: "a workflow task is started twice", hunter: byModel,
		edits: []edit{{"engine/workflow/task_start.go", `if in.Poller.RequestID == "" || t.RequestID != in.Poller.RequestID {`, "if false {"}},
	},
	{
		name: "timer-early", what: "a timer fires up to two seconds early", hunter: bySim,
		edits: []edit{
			{"engine/workflow/event_timer_fired.go", "!t.FireTime.After(d.env.Now)", "!t.FireTime.After(d.env.Now.Add(2e9))"},
			{"engine/workflow/deadlines.go", "d.push(deadline{at: t.FireTime, timer: id})", "d.push(deadline{at: t.FireTime.Add(-2e9), timer: id})"},
			{"engine/workflow/deadlines.go", "t != nil && t.FireTime.Equal(e.at)", "t != nil && t.FireTime.Add(-2e9).Equal(e.at)"},
		},
	},
	{
		name: "event-id-reused", what: "an event now and then gets the id of the one before", hunter: byModel,
		edits: []edit{{"engine/workflow/draft.go", "\td.info.NextEventID++\n\td.open", "\tif ev.EventId%7 != 0 {\n\t\td.info.NextEventID++\n\t}\n\td.open"}},
	},
	{
		name: "signal-twice", what: "a signal that is sent again under its request id is taken again", hunter: byModel,
		edits: []edit{{"engine/workflow/signal.go", `if requestID != "" && d.requests.get(requestID) != nil {`, `if requestID == "-" {`}},
	},
	{
		name: "signal-wakes-nobody", what: "a signal is recorded and no workflow task follows", hunter: byModel,
		edits: []edit{{"engine/workflow/signal.go", "d.recordSignal(s)\n\td.wantTask()\n\treturn reply, nil", "d.recordSignal(s)\n\treturn reply, nil"}},
	},
	{
		name: "child-wakes-nobody", what: "a child's end is recorded and no workflow task follows", hunter: byModel,
		edits: []edit{{"engine/workflow/child_closed.go", "d.arrive(d.childClosedEvent(c, m.From.RunID, m.Event))\n\td.wantTask()", "d.arrive(d.childClosedEvent(c, m.From.RunID, m.Event))"}},
	},
	{
		name: "lost-child", what: "a child that ends tells its parent nothing", hunter: byModel,
		edits: []edit{{"engine/workflow/close.go", `p != nil && newRunID == ""`, `p != nil && newRunID == "-"`}},
	},
	{
		name: "answer-twice", what: "the end of a child is recorded once for each delivery", hunter: byModel,
		edits: []edit{{"engine/workflow/child_closed.go", "\td.children.remove(c.InitiatedEventID)\n", ""}},
	},
	{
		name: "closes-not-last", what: "a close that was buffered may come before its start", hunter: byModel,
		edits: []edit{{"engine/workflow/buffer.go", "if closesOther(ev.EventType) {\n\t\t\tcloses", "if false {\n\t\t\tcloses"}},
	},
	{
		name: "buffered-forgotten", what: "events that came during a workflow task are dropped when it fails", hunter: byModel,
		edits: []edit{{"engine/workflow/buffer.go", "\tkeys := d.buffered.keys()\n", "\tkeys := d.buffered.keys()\n\tif len(keys) > 1 {\n\t\td.buffered.remove(keys[0])\n\t\tkeys = keys[1:]\n\t}\n"}},
	},
	{
		name: "no-task-timeout", what: "a workflow task whose worker has vanished never times out", hunter: bySim,
		edits: []edit{{"engine/workflow/deadlines.go", "return t.StartedTime.Add(t.Timeout)", "return time.Time{}"}},
	},
	{
		name: "retention-early", what: "a closed run is forgotten at once", hunter: bySim,
		edits: []edit{{"engine/workflow/close.go", "d.info.DeleteAt = d.env.Now.Add(d.env.Namespace.Retention)", "d.info.DeleteAt = d.env.Now"}},
	},
	{
		name: "start-beside-open", what: "a workflow is started beside one of its id that is open", hunter: bySim,
		edits: []edit{{"engine/workflow/start.go", "\tdefault:\n\t\treturn nil, alreadyRunning(current)\n", ""}},
	},
	{
		name: "reuse-policy-forgotten", what: "an id is used again although the policy forbids it", hunter: bySim,
		edits: []edit{{"engine/workflow/start.go", "case enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE:", "case -1:"}},
	},
	{
		name: "signal-dropped", what: "a signal that comes during a workflow task is acknowledged and dropped", hunter: bySim,
		edits: []edit{{"engine/workflow/signal.go", "\td.recordSignal(s)\n\td.wantTask()\n", "\tif d.taskStarted() {\n\t\treturn reply, nil\n\t}\n\td.recordSignal(s)\n\td.wantTask()\n"}},
	},
	{
		name: "buffer-reversed", what: "events that waited for a workflow task to end change places", hunter: bySim,
		edits: []edit{{"engine/workflow/buffer.go", "\tstarted := make(map[int64]int64) // scheduled or initiated id -> started id\n",
			"\tstarted := make(map[int64]int64) // scheduled or initiated id -> started id\n\tfor i, j := 0, len(keys)-1; i < j; i, j = i+1, j-1 {\n\t\tkeys[i], keys[j] = keys[j], keys[i]\n\t}\n"}},
	},
	{
		name: "cancel-forgotten", what: "a request to cancel is acknowledged and dropped while a worker has the workflow task", hunter: bySim,
		edits: []edit{{"engine/workflow/signal.go", "if !d.isOpen() || d.info.CancelRequested {", "if !d.isOpen() || d.info.CancelRequested || d.taskStarted() {"}},
	},
	{
		name: "signal-input-lost", what: "a signal comes without what was sent with it", hunter: bySim,
		edits: []edit{{"engine/workflow/signal.go", "Input:                     s.input,", ""}},
	},
	{
		name: "child-result-lost", what: "a parent hears of its child's end, and not of its result", hunter: bySim,
		edits: []edit{{"engine/workflow/child_closed.go", "Result:    last.GetWorkflowExecutionCompletedEventAttributes().GetResult(),", ""}},
	},
	{
		name: "next-run-input-lost", what: "a run that continues another does not get its input", hunter: bySim,
		edits: []edit{{"engine/workflow/successor.go", "a.Input = next.input", "_ = next"}},
	},
	{
		name: "child-left-behind", what: "children do not hear that their parent has ended", hunter: bySim,
		edits: []edit{{"engine/workflow/close_pending.go", "d.sendParentClosed(c, c.RunID, c.ParentClosePolicy)", "_ = c"}},
	},
	{
		name: "kept-for-good", what: "a closed run is never forgotten", hunter: bySim,
		edits: []edit{{"engine/workflow/close.go", "if d.env.Namespace.Retention > 0 {", "if d.env.Namespace.Retention < 0 {"}},
	},
	{
		name: "former-parent-back", what: "a child goes to the run that was reset, whose start message was overtaken", hunter: hunter{sim: 300, tests: "./engine/workflow ParentDoesNot"},
		edits: []edit{{"engine/workflow/start.go", "if !in.Child.Inherited() {", "if false {"}},
	},
}
