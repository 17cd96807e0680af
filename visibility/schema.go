package visibility

import "strings"

// The file's format: applicationID tells our files from others, schemaVersion
// one release's from another's. A file of another version is set aside and the
// index is built anew; that is cheaper to get right than migrations.
const (
	applicationID = 0x50657244 // "PerD"
	schemaVersion = 3
)

// complete is what state.complete holds once every execution has been fed in: a
// number that no single flipped bit makes of 0.
const complete = 1668246896

// openClose is the close time stored for open runs: the last second of the year
// 9999, in microseconds. It sorts them first and makes `CloseTime > x` match
// them (V-3, V-20).
const openClose = 253402300799_000_000

// schema of the index.
//
// Every index on run costs each row 2 to 4 microseconds. They end where new rows
// come in: SQLite is quickest at that. (A list reads them backwards.) run_status
// leaves out what most rows are, running or completed: these are found by run_order,
// which holds the status; see alsoOfStatus.
//
// Custom and predefined attributes are rows of value, one for each scalar, for
// each element of a list and for each word of a text, so that there may be any
// number of attributes. SQLite stores each value in its own type. A field is an
// attribute of one type in one namespace: registered again with another type it
// is another field.
//
// We first had a fixed set of typed columns and aliases onto them, as the
// reference does; that is where its quota of three Ints comes from.
const schema = `
CREATE TABLE namespace (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE);
CREATE TABLE run (
  id                 INTEGER PRIMARY KEY,
  namespace          INTEGER NOT NULL,
  archetype          INTEGER NOT NULL,
  workflow_id        TEXT NOT NULL,
  run_id             TEXT NOT NULL,
  type               TEXT NOT NULL,
  task_queue         TEXT NOT NULL,
  status             INTEGER NOT NULL,
  start              INTEGER NOT NULL, -- times in microseconds
  execution          INTEGER NOT NULL,
  close              INTEGER NOT NULL, -- open runs: the year 9999
  duration           INTEGER,          -- nanoseconds; this and the next three only when closed
  history_length     INTEGER,
  history_size       INTEGER,
  transitions        INTEGER,
  parent_workflow_id TEXT,
  parent_run_id      TEXT,
  root_workflow_id   TEXT,             -- NULL: the run is its own root
  root_run_id        TEXT,
  division           TEXT,
  version            INTEGER NOT NULL,
  details            BLOB NOT NULL,    -- WorkflowExecutionInfo as it is listed
  checksum           INTEGER NOT NULL
);
CREATE UNIQUE INDEX run_key ON run(run_id, namespace, archetype, workflow_id);
CREATE INDEX run_order ON run(namespace, archetype, close, start, run_id DESC, division, status);
CREATE INDEX run_workflow ON run(namespace, archetype, workflow_id);
CREATE INDEX run_type ON run(namespace, archetype, type, close, start, run_id DESC);
CREATE INDEX run_status ON run(namespace, archetype, status, close, start, run_id DESC) WHERE status > 2;
CREATE INDEX run_parent ON run(namespace, parent_workflow_id) WHERE parent_workflow_id IS NOT NULL;
CREATE INDEX run_root ON run(namespace, root_workflow_id) WHERE root_workflow_id IS NOT NULL;
CREATE TABLE field (
  id        INTEGER PRIMARY KEY,
  namespace INTEGER NOT NULL,
  name      TEXT NOT NULL,
  kind      INTEGER NOT NULL,
  UNIQUE (namespace, name, kind)
);
CREATE TABLE value (run INTEGER NOT NULL, field INTEGER NOT NULL, value, PRIMARY KEY (run, field, value)) WITHOUT ROWID;
CREATE INDEX value_run ON value(field, value, run);
CREATE TABLE position (slot INTEGER PRIMARY KEY, sequence INTEGER NOT NULL);
CREATE TABLE state (only INTEGER PRIMARY KEY CHECK (only = 1), complete INTEGER NOT NULL, synced INTEGER NOT NULL);
INSERT INTO state VALUES (1, 0, 0);
`

// statistics tell SQLite what a large index looks like: how many rows there are,
// and how many are alike in the first column of an index, in the first two, and so
// on. Without any it takes two equal columns for selective, and looked for a
// workflow id among all runs of its namespace, because they come in the right order.
// (10,000 runs that close at the same time are those that are open.)
// They are made up, not measured: plans shall not depend on what was there when
// somebody measured.
const statistics = `ANALYZE;
INSERT INTO sqlite_stat1 VALUES
 ('run', 'run_key', '1000000 1 1 1 1'),
 ('run', 'run_order', '1000000 1000000 1000000 10000 1 1 1 1'),
 ('run', 'run_workflow', '1000000 1000000 1000000 2'),
 ('run', 'run_type', '1000000 1000000 1000000 100000 1000 1 1'),
 ('run', 'run_status', '100000 100000 100000 20000 2 1 1'),
 ('run', 'run_parent', '100000 100000 10'),
 ('run', 'run_root', '100000 100000 10'),
 ('value', 'value', '3000000 3 1 1'),
 ('value', 'value_run', '3000000 1000000 10 1');`

// statisticsTables are as ANALYZE makes them.
var statisticsTables = []string{
	"CREATE TABLE sqlite_stat1(tbl,idx,stat)",
	"CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)",
}

// The writer's statements.
const (
	plainRunColumns = `namespace, archetype, workflow_id, run_id, type, task_queue, status, start, execution, close,
 duration, history_length, history_size, transitions, version, details, checksum`
	runColumns = plainRunColumns + `, parent_workflow_id, parent_run_id, root_workflow_id, root_run_id, division`
	// updateRun takes a row, and the id it has; it changes nothing if that is of another
	// run.
	updateRun = `UPDATE run SET type=?5, task_queue=?6, status=?7, start=?8, execution=?9, close=?10, duration=?11,
 history_length=?12, history_size=?13, transitions=?14, version=?15, details=?16, checksum=?17, parent_workflow_id=?18,
 parent_run_id=?19, root_workflow_id=?20, root_run_id=?21, division=?22 WHERE id=?23 AND version<?15 AND run_id=?4`
	findRun         = `SELECT id FROM run WHERE run_id=? AND namespace=? AND archetype=? AND workflow_id=?`
	deleteRun       = `DELETE FROM run WHERE id=?`
	deleteValues    = `DELETE FROM value WHERE run=?`
	insertNamespace = `INSERT INTO namespace (uuid) VALUES (?) ON CONFLICT DO UPDATE SET uuid=uuid RETURNING id`
	insertField     = `INSERT INTO field (namespace, name, kind) VALUES (?,?,?) ON CONFLICT DO UPDATE SET name=name RETURNING id`
	countSync       = `UPDATE state SET synced = synced + 1`
	setComplete     = `UPDATE state SET complete = 1668246896`
)

// The columns of tables of which many rows are put in at once.
const (
	valueColumns    = 3
	positionColumns = 2
)

// insertRuns puts n rows in, but for those of runs that have one already. Nothing
// in it can fail halfway, so that SQLite need not keep what the pages were before.
func insertRuns(n int) string {
	return "INSERT OR IGNORE INTO run (" + runColumns + ") VALUES " + places(n, len(row{}))
}

// insertPlainRuns puts n rows in that have only their first places: a seventh of
// what a row costs is handing its values to SQLite.
func insertPlainRuns(n int) string {
	return "INSERT OR IGNORE INTO run (" + plainRunColumns + ") VALUES " + places(n, plainColumns)
}

// insertValues puts n rows in.
func insertValues(n int) string {
	return "INSERT OR IGNORE INTO value VALUES " + places(n, valueColumns)
}

// setPositions puts n rows in, or moves those that are there ahead.
func setPositions(n int) string {
	return "INSERT INTO position VALUES " + places(n, positionColumns) + " ON CONFLICT DO UPDATE SET sequence=max(sequence, excluded.sequence)"
}

// places are those of the arguments for a number of rows.
func places(rows, columns int) string {
	one := "(" + strings.Repeat(",?", columns)[1:] + ")"
	return strings.Repeat(","+one, rows)[1:]
}
