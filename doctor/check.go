package doctor

// Severity says what a finding means for the night.
type Severity string

const (
	// Damage: something acknowledged is lost or wrong.
	Damage Severity = "damage"
	// Rebuild: something derived is wrong; it can be made anew without loss.
	Rebuild Severity = "rebuild"
	// Note: nothing is wrong; the server deals with it by itself.
	Note Severity = "note"
)

// Check is a kind of finding.
type Check struct {
	Severity Severity
	// Invariant it breaks, as docs/reliability.md numbers them; empty for none.
	Invariant string
	// Means is a sentence on what such a finding means.
	Means string
	// Advice says what to do.
	Advice string
}

const (
	restore = "Keep a copy of the folder. Restore the newest checkpoint or backup; what was acknowledged after it is lost. If the disk reports errors, replace it first."
	inspect = "The execution named is affected, others are not. Look at it in the UI before trusting it; terminate it or reset it to a point before the fault. " +
		"If this happened without damage to the disk, it is a bug: please report it with the output of this command."
	rebuildIndex = "Nothing is lost. Delete visibility.db (with -wal and -shm) while the server is stopped; it is built anew at the next start."
	nothing      = "Nothing is to be done."
)

// Checks are all kinds of findings by their names, which are stable.
var Checks = map[string]Check{
	"store-unreadable": {Damage, "I1", "The store does not open; the server would not start either.", restore},
	"table-damaged":    {Damage, "I1", "A block of a table does not match its checksum.", restore},
	"rows-unreadable":  {Damage, "I1", "Rows cannot be read, because the table they are in is damaged.", restore},
	"epoch-damaged":    {Damage, "I9", "The row that numbers the owners of slots is damaged.", restore},
	"key-malformed":    {Damage, "I1", "The name of a row is none this release has written.", restore},
	"value-damaged":    {Damage, "I1", "A value does not match its checksum or its format.", restore},
	"later-release": {Damage, "", "A value was written by a later release.",
		"The folder is not damaged. Start the release that wrote it."},
	"unknown-rows": {Damage, "", "There are rows of a family that this release does not know.",
		"Start the release that wrote them."},

	"wrong-slot":     {Damage, "I3", "A row lies in a slot that is not that of its id, where nobody looks for it.", inspect},
	"unknown-kind":   {Damage, "", "An execution is neither a workflow nor an activity.", inspect},
	"state-partial":  {Damage, "I1", "Parts of a run's state are missing.", inspect},
	"dangling-run":   {Damage, "I3", "The pointer to the current run of an id names a run that does not exist.", inspect},
	"two-open-runs":  {Damage, "I3", "An open run is not the current one of its id.", inspect},
	"history-gap":    {Damage, "I2", "A history is not 1, 2, 3… without a gap.", inspect},
	"history-end":    {Damage, "I2", "A history does not end where the state of the run says.", inspect},
	"history-orphan": {Damage, "I2", "There is history of a run that has no state.", inspect},
	"pending":        {Damage, "I6", "What the state says is pending is not what the history says.", inspect},
	"event-mismatch": {Damage, "I2", "The state refers to an event that is another, or in another place.", inspect},

	"deadline-missing": {Damage, "I7", "A run has a deadline and no row that leads back to it, so that it would come late or never.", inspect},
	"deadline-late":    {Damage, "I7", "The row that leads back to a run is later than its deadline.", inspect},
	"deadline-left":    {Note, "", "A deadline's row is left over from before a crash. Looking at the run does no harm.", nothing},
	"task-missing":     {Damage, "I5", "A run offers a task that is not in the backlog: no worker will get it.", inspect},
	"task-left":        {Note, "", "A task in the backlog is void. It is dropped when a worker would get it.", nothing},
	"message-missing":  {Damage, "I8", "A run waits for an answer to a message that is not on its way.", inspect},
	"message-event":    {Damage, "I8", "A message refers to an event that its sender does not have.", inspect},

	"namespace-twice":   {Damage, "", "Two namespaces have one name.", inspect},
	"namespace-deleted": {Note, "", "Executions belong to a namespace that was deleted. The server removes them in the background.", nothing},

	"index-ahead": {Damage, "I1", "The visibility index has seen a later state of a run than the store has: the store has lost its newest changes, or is older than the index.", restore},

	"index-missing": {Note, "", "There is no whole visibility index. The server builds it at the next start.", nothing},
	"index-damaged": {Rebuild, "I10", "The visibility index is damaged. The server builds it anew at the next start, or when it meets the damage.", rebuildIndex},
	"index-differs": {Rebuild, "I10", "The visibility index does not show what the executions are.", rebuildIndex},
}
