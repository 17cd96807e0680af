package main

// The machine of activities, in a workflow and standing alone.
var activityBugs = []bug{
	{
		name: "stale-activity-answer", what: "an answer with the token of an earlier attempt is accepted", hunter: byModel,
		edits: []edit{{"engine/activity/transition.go", "if s.Status != StatusStarted || stamp != ByID && stamp != s.Stamp {", "if s.Status != StatusStarted {"}},
	},
	{
		name: "activity-started-twice", what: "the same offer starts the activity once more", hunter: byModel,
		edits: []edit{{"engine/activity/start.go", "if s.Status != StatusQueued || stamp != s.Stamp {", "if s.Status != StatusQueued {"}},
	},
	{
		name: "start-version-kept", what: "a start keeps the start version", hunter: byModel,
		edits: []edit{{"engine/activity/start.go", "\t\tnext.Stamp++\n\t\tnext.Offered = false\n\t\tnext.RetryInterval", "\t\tnext.Offered = false\n\t\tnext.RetryInterval"}},
	},
	{
		name: "attempts-not-counted", what: "a retry does not count", hunter: byModel,
		edits: []edit{{"engine/activity/attempt.go", "\t\tnext.Attempt++\n", ""}},
	},
	{
		name: "retry-after-cancel", what: "an attempt that fails after its cancellation was asked for is retried", hunter: byModel,
		edits: []edit{{"engine/activity/attempt.go", "if s.CancelRequested {", "if s.CancelRequested && s.Attempt < 0 {"}},
	},
	{
		name: "heartbeat-timeout-early", what: "a heartbeat timeout fires in half its time", hunter: byActivityTests,
		edits: []edit{{"engine/activity/timeout.go", "s.HeartbeatFloor).Add(s.Heartbeat)", "s.HeartbeatFloor).Add(s.Heartbeat / 2)"}},
	},
	{
		name: "heartbeat-details-lost", what: "what an attempt has reported is not there for the next", hunter: byActivityTests,
		edits: []edit{{"engine/activity/start.go", "\ts.endReset()\n\ts.StartedTime", "\ts.endReset()\n\ts.HeartbeatDetails = nil\n\ts.StartedTime"}},
	},
	{
		name: "two-open-runs", what: "a standalone activity is started beside one that is open", hunter: bySim,
		edits: []edit{{"engine/standalone/start.go", "return nil, alreadyStarted(current)\n\t}\n\treturn begin", "}\n\treturn begin"}},
	},
	{
		name: "start-repeated", what: "a repeated start of a standalone activity starts another", hunter: bySim,
		edits: []edit{{"engine/standalone/start.go", `return id != "" && (id == r.Start.RequestID ||`, `return id == "-" && (id == r.Start.RequestID ||`}},
	},
	{
		name: "result-lost", what: "an activity completes, and its workflow does not get the result", hunter: bySim,
		edits: []edit{{"engine/workflow/event_activity_closed.go", "Result:           o.Result,", ""}},
	},
	{
		name: "retry-at-once", what: "a retry does not wait as its policy says", hunter: bySim,
		edits: []edit{{"engine/activity/attempt.go", "next.DueTime = env.Now.Add(interval)", "next.DueTime = env.Now"}},
	},
	{
		name: "cancel-not-told", what: "a worker that heartbeats is not told of a cancellation", hunter: bySim,
		edits: []edit{{"engine/workflow/activity_task.go", "\t\tCancelRequested: heard.CancelRequested,\n", ""}},
	},
}
