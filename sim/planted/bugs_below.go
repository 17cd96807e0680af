package main

// What lies below: matching, records, stores, the index.
var belowBugs = []bug{
	{
		name: "poller-lost-to-stale-task", what: "a poller whose task proved void is forgotten", hunter: byMatchingTests,
		edits: []edit{{"matching/match.go", "q.forgetOffer(x.offer)\n\t\tq.mu.limiter.giveBack()\n\t\tq.waitOn(x.poller, now)", "q.forgetOffer(x.offer)\n\t\tq.mu.limiter.giveBack()"}},
	},
	{
		name: "task-lost-to-gone-poller", what: "a task started for a poller that has gone is not taken back", hunter: byMatchingTests,
		edits: []edit{{"matching/match.go", "q.abort(x.offer.owner, started)", "_ = started"}},
	},
	{
		name: "reserved-poller-gone", what: "a task fused for a poller that has gone is not taken back", hunter: byMatchingTests,
		edits: []edit{{"matching/reserve.go", "q.abort(h.owner, started)", "_ = started"}},
	},
	{
		name: "new-id-not-noted", what: "the store takes an id for new that was written while its list of ids was made", hunter: hunter{tests: "./store/pebblestore Absent|Sieve|Roll"},
		edits: []edit{{"store/pebblestore/roll.go", "now.filling.put(hash)", "_ = hash"}},
	},
	{
		name: "field-forgotten", what: "the start version of an activity is not stored", hunter: byRecordTests,
		edits: []edit{{"record/fields_run.go", "\tc.int(6, &a.Stamp)\n", ""}},
	},
	{
		name: "checksum-not-checked", what: "a damaged value is served", hunter: byRecordTests,
		edits: []edit{{"record/envelope.go", "sum != binary.LittleEndian.Uint32(tail) {", "sum == 0 && sum != binary.LittleEndian.Uint32(tail) {"}},
	},
	{
		name: "fence-not-checked", what: "a former owner may still write", hunter: hunter{tests: "./store/pebblestore Conformance|Fence|Store"},
		edits: []edit{{"store/pebblestore/pebblestore.go", "former.end(store.ErrFenced)", "_ = former"}},
	},
	{
		name: "sync-skipped", what: "batches are acknowledged without a sync of the log", hunter: hunter{tests: "./store/pebblestore CrashPoints"},
		edits: []edit{
			{"store/pebblestore/shard.go", "\t\tif d.opt.NoSync {", "\t\tif true {"},
			{"store/pebblestore/shard.go", "\tif !s.driver.opt.NoSync {", "\tif false {"},
		},
	},
	{
		name: "claimed-before-synced", what: "the store notes a log as synced before it is", hunter: hunter{tests: "./store/pebblestore CrashPoints"},
		edits: []edit{{"store/pebblestore/guard.go", "\tlength := f.length.Load()\n", "\tlength := f.length.Load()\n\tif f.number != 0 {\n\t\tf.guard.synced.synced(position{log: f.number, length: length})\n\t\tf.guard.synced.look()\n\t}\n"}},
	},
	{
		name: "claimed-for-a-copy", what: "the store notes how far the log of a backup is synced as its own", hunter: hunter{tests: "./store/pebblestore CrashPoints"},
		edits: []edit{{"store/pebblestore/guard.go", "if g.FS.PathDir(name) == g.dir {", "if true {"}},
	},
	{
		name: "simulated-disk-lies", what: "the simulator's disk applies batches of a former owner", hunter: hunter{sim: 100, tests: "./store/memstore ."},
		edits: []edit{{"store/memstore/memstore.go", "former.end(store.ErrFenced)", "_ = former"}},
	},
	{
		name: "simulated-disk-tears", what: "the simulator's disk keeps half of a batch", hunter: hunter{sim: 100, tests: "./store/memstore ."},
		edits: []edit{{"store/memstore/image.go", "if s.driver.opt.Tear != nil && !tear {", "if tear = true; s.driver.opt.Tear != nil && !tear {"}},
	},
	{
		name: "batch-in-two", what: "a batch goes to the log in two parts", hunter: hunter{tests: "./store/pebblestore CrashPoints"},
		edits: []edit{{"store/pebblestore/shard.go", "\tp := d.db.NewBatchWithSize(batchOverhead", `	if half := len(b.Ops) / 2; half > 0 {
		first := *b
		first.Ops = b.Ops[:half]
		q := d.db.NewBatch()
		_ = errors.Join(fill(q, &first), d.db.Apply(q, pebble.Sync))
	}
	p := d.db.NewBatchWithSize(batchOverhead`}},
	},
}
