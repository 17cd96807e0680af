package main

// The shell: what is promised about acknowledging, crashing and waking up.
var shardBugs = []bug{
	{
		name: "reply-before-commit", what: "callers are told before the batch is durable", hunter: bySim,
		edits: []edit{{"shard/batch.go", "if no <= s.durable {", "if no <= s.durable+1 {"}},
	},
	{
		name: "task-before-commit", what: "a worker gets a task whose start is not durable", hunter: bySim,
		edits: []edit{{"shard/fuse.go",
			"s.open.handovers = append(s.open.handovers, handover{reservation, h, reply})",
			"s.opt.Matcher.Deliver(reservation, reply)"}},
	},
	{
		name: "pointer-not-written", what: "a run is written, the pointer to it is not", hunter: bySim,
		edits: []edit{{"shard/commit.go",
			"b.rows.Put(record.CurrentKey(e.id), record.EncodeCurrent(&record.Current{RunID: e.current}))", "_ = e.current"}},
	},
	{
		name: "deadline-not-written", what: "a deadline is kept in memory only", hunter: bySim,
		edits: []edit{{"shard/deadlines.go", "b.rows.Put(record.DeadlineKey(next, h.key), record.DeadlineValue)", "_ = next"}},
	},
	{
		name: "earlier-deadline-not-written", what: "a deadline that moves closer leaves the old row", hunter: bySim,
		edits: []edit{{"shard/deadlines.go", "(armed.IsZero() || next.Before(armed))", "armed.IsZero()"}},
	},
	{
		name: "deadlines-not-recovered", what: "after a start nobody looks for what fell due meanwhile", hunter: bySim,
		edits: []edit{{"shard/recover.go", "s.addDeadlines(rows, end)", "s.addDeadlines(rows[:0], end)"}},
	},
	{
		name: "tasks-not-recovered", what: "after a start the backlog is not offered", hunter: bySim,
		edits: []edit{{"shard/recover.go", `{"tasks", s.recoverBacklog},`, ""}},
	},
	{
		name: "messages-not-recovered", what: "after a start the outbox is not delivered", hunter: bySim,
		edits: []edit{{"shard/recover.go", `{"messages", s.recoverOutbox},`, ""}},
	},
	{
		name: "message-not-written", what: "a message to another execution is in memory only", hunter: bySim,
		edits: []edit{{"shard/outbox.go", "s.open.rows.Put(record.OutboxKey(l.slot, l.seq), record.EncodeMessage(m))", "_ = m"}},
	},
	{
		name: "start-taken-twice", what: "a child whose start is delivered again is started again, once another run of its id has been", hunter: hunter{sim: 300, tests: "./shard I8"},
		edits: []edit{{"shard/redelivery.go", "return state.Start.RequestID == m.RequestID, nil", "return false, nil"}},
	},
	{
		name: "idle-stays", what: "a run that nothing happens to stays in memory for good", hunter: bySim,
		edits: []edit{{"shard/recent.go", "l.room() <= room && s.now.Before(e.touched.Add(s.opt.IdleAfter))", "l.room() <= room"}},
	},
	{
		name: "batches-without-bound", what: "any number of batches are under way to the disk", hunter: bySim,
		edits: []edit{{"shard/commit.go", "len(s.flying) >= s.opt.MaxFlying || ", ""}},
	},
	{
		name: "feed-not-recovered", what: "after a start the index never hears of the last changes", hunter: bySim,
		edits: []edit{{"shard/recover.go", `{"visibility changes", s.recoverFeed},`, ""}},
	},
	{
		name: "feed-not-written", what: "a change for the index is in memory only", hunter: bySim,
		edits: []edit{{"shard/feed.go", "b.rows.Put(run.row, record.FeedValue)", "_ = run"}},
	},
	{
		name: "owed-deadline-not-recovered", what: "after a start nobody looks for the deadline of a run that had no row yet", hunter: bySim,
		edits: []edit{{"shard/feed.go", "s.recoverOwed(run, armed)", "_ = armed"}},
	},
	{
		name: "owed-deadline-not-written", what: "the row that a run has done without is not written when its row in the feed goes", hunter: bySim,
		edits: []edit{{"shard/feed.go", "s.writeOwed(h)", ""}},
	},
	{
		name: "old-id-is-new", what: "ids whose runs are not in memory count as new", hunter: bySim,
		edits: []edit{{"shard/load.go", "e.known = s.store.Absent(record.CurrentKey(e.id))", "e.known = true"}},
	},
	{
		name: "lost-wake-up", what: "who waits for a run is not told of its changes", hunter: hunter{sim: 100, tests: "./shard Follow|Wait|Watch -timeout 30s"},
		edits: []edit{{"shard/perform.go", "awaited := s.wakeWatchers(h)", "awaited := false"}},
	},
	{
		name: "change-lost-in-merge", what: "of two steps in one batch the activities of the second are not written", hunter: bySim,
		edits: []edit{{"shard/workflow.go", "mergeMap(&into.Activities, c.Activities)", ""}},
	},
	{
		name: "history-lost-in-merge", what: "of two steps in one batch the events of the second are not written", hunter: bySim,
		edits: []edit{{"shard/workflow.go", "into.Batches = append(into.Batches, c.Batches...)", ""}},
	},
	{
		name: "time-runs-back", what: "a shard follows a clock that was set back", hunter: bySim,
		edits: []edit{{"shard/alarm.go", "now.After(s.now)", "!now.Equal(s.now)"}, {"shard/recover.go", `{"time", s.recoverTime},`, ""}},
	},
	{
		name: "poller-forgotten", what: "a poller reserved for a task now and then never gets it", hunter: bySim,
		edits: []edit{{"shard/perform.go", "s.opt.Matcher.Deliver(h.reservation, h.started)",
			"if b.no%16 != 0 {\n\t\t\ts.opt.Matcher.Deliver(h.reservation, h.started)\n\t\t}"}},
	},
	{
		name: "letter-overtaken", what: "a failed delivery is given up", hunter: bySim,
		edits: []edit{{"shard/outbox.go", "if err != nil && mayComeLater(err) {\n\t\ts.later(l)", "if err != nil && mayComeLater(err) {\n\t\ts.delivered(l)"}},
	},
	{
		name: "stale-read", what: "a description shows what is in memory, durable or not", hunter: bySim,
		edits: []edit{{"shard/step.go", "\ts.tellAfter(last, r)", "\tif r.look != nil {\n\t\tlast = 0\n\t}\n\ts.tellAfter(last, r)"}},
	},
	{
		name: "news-before-commit", what: "who waits for an update is told of it before it is durable", hunter: bySim,
		edits: []edit{{"shard/updates.go", "s.after(h.entry.lastBatch, func(fault error) {\n\t\t\tif fault == nil {", "s.after(0, func(fault error) {\n\t\t\tif fault == nil {"}},
	},
	{
		name: "failed-commit-ignored", what: "a commit that has failed now and then counts as done", hunter: bySim,
		edits: []edit{{"shard/commit.go", "\tif err != nil {\n\t\ts.fail(", "\tif err != nil && b.no%4 != 0 {\n\t\ts.fail("}},
	},
	{
		name: "fence-ignored", what: "a former owner takes a commit for done that was refused because it is no owner any more", hunter: bySim,
		edits: []edit{{"shard/commit.go", "\tif err != nil {\n\t\ts.fail(", "\tif err != nil && !strings.Contains(err.Error(), \"fenced\") {\n\t\ts.fail("},
			{"shard/commit.go", "\t\"slices\"\n", "\t\"slices\"\n\t\"strings\"\n"}},
	},
	{
		name: "time-of-other-shards", what: "a start with another number of shards forgets the time of some runs, should the clock be behind", hunter: bySim,
		edits: []edit{{"shard/host.go", "\tagreeOnTime(opened)\n", ""}},
	},
	{
		name: "deadlines-late", what: "what is due comes ten minutes late, unless something else happens", hunter: bySim,
		edits: []edit{{"shard/alarm.go", "\t\tsooner(due)\n", "\t\tsooner(due.Add(600e9))\n"}},
	},
}
