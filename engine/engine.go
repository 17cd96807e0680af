// Package engine is the vocabulary of Perdure's core: the names, inputs, effects
// and refusals that the machines below this folder share with the shell around
// them.
//
// A machine is a pure function. It is given the state of one execution and one
// input, and returns what changed and what is to be done about it. It has no
// clock, no chance, no disk, no goroutine: time and fresh ids come with the
// input (Env), and the shell (package shard) makes the change durable before
// anybody hears of it. A step that returns an error has changed nothing.
//
// Effects come in two kinds. Those committed together with the state: history,
// queued tasks, messages to other executions, the visibility record, the
// deadline. And those performed once that is durable: the reply and wake-ups.
// Every effect that comes back later carries a stamp; a machine that finds the
// stamp outdated drops the input (a Refusal of KindStale).
package engine

import (
	"time"

	enumspb "go.temporal.io/api/enums/v1"
)

// Archetype is the kind of an execution. Ids of different archetypes are
// different name spaces. The numbers are part of the stored format.
type Archetype uint8

// The archetypes.
const (
	ArchetypeWorkflow Archetype = 1
	ArchetypeActivity Archetype = 2 // standing alone
)

// ID names an execution across all its runs. Inputs are serialised per ID.
type ID struct {
	NamespaceID string
	Archetype   Archetype
	Name        string // workflow id, or id of a standalone activity
}

// RunKey names one run of an execution.
type RunKey struct {
	ID
	RunID string
}

// Env is what a step may know of the world.
type Env struct {
	// Now is the shard's time: never earlier than in any step before.
	Now time.Time
	// Fresh yields ids no one has used. Its values are a function of its seed,
	// so that a step can be replayed.
	Fresh *Fresh
	// Namespace the execution lives in. Never nil.
	Namespace *Namespace
	// Limits in force. Never nil.
	Limits *Limits
}

// Namespace is what the core needs of a namespace.
type Namespace struct {
	ID        string
	Name      string
	Retention time.Duration
	// SearchAttributes are the custom attributes by the name users give them.
	SearchAttributes map[string]enumspb.IndexedValueType
	// BadBinaries are the checksums whose workflow task completions are refused.
	BadBinaries map[string]bool
}

// TaskQueue names one queue: (namespace, name, type). Comparable.
type TaskQueue struct {
	NamespaceID string
	Name        string
	Type        enumspb.TaskQueueType
	// Sticky queues belong to one worker; NormalName is the queue to fall back
	// on when that worker is gone. Both are zero for a normal queue.
	Sticky     bool
	NormalName string
}

// Task is an offer of work: a workflow task or an attempt of an activity that
// a worker may start. It is derived from the state of the run, so that dropping
// it needs no look-up. It promises nothing: the run checks Stamp at the start.
type Task struct {
	Queue TaskQueue
	Run   RunKey
	// EventID is the scheduled event's id (virtual for a transient workflow
	// task, 0 for a standalone activity).
	EventID int64
	// Stamp is the start version this offer is good for. It only grows.
	Stamp int64
	// Order is the age that decides within a priority: the time the task
	// became due.
	Order time.Time
	// Priority is 1 (first) to 5; 0 counts as 3.
	Priority       int32
	FairnessKey    string
	FairnessWeight float32
	// Volatile: the task lives in memory only (a speculative workflow task), and
	// so does its offer: it has no row in the backlog.
	Volatile bool
}

// IsWorkflow reports whether this is a workflow task (else an activity task).
func (t *Task) IsWorkflow() bool {
	return t.Queue.Type == enumspb.TASK_QUEUE_TYPE_WORKFLOW
}

// Poller is the worker that takes a task, as far as the execution records it.
type Poller struct {
	Identity string
	// RequestID is unique for each poll. Starting a task twice with the same
	// one returns the same start.
	RequestID string
	// Sticky: the poll was on a sticky queue, so the worker holds the history
	// up to its last workflow task.
	Sticky             bool
	BinaryChecksum     string
	BuildID            string
	UseVersioning      bool
	DeploymentName     string
	DeploymentVersion  string
	ControlTaskQueue   string
	ClientName         string
	ClientVersion      string
	WorkerInstanceKey  string
	MaxTasksPerSecond  float64 // 0: not sent
	HasRateLimit       bool
	DiscardSpeculative bool
}

// Limits bound what one execution may hold. The numbers are those of
// spec/workflow.md section 0.2.
type Limits struct {
	IDLengthBytes           int
	BlobBytes               int
	MemoBytes               int
	SearchAttributeKeys     int
	SearchAttributeBytes    int
	SearchAttributesBytes   int
	PendingActivities       int
	PendingChildren         int
	PendingSignals          int
	PendingCancels          int
	SignalsPerRun           int
	BufferedEvents          int
	BufferedBytes           int
	HistorySuggestBytes     int64
	HistorySuggestEvents    int64
	HistoryFullBytes        int64 // from here on a run takes no new work
	HistoryFullEvents       int64
	HistoryMaxBytes         int64 // beyond these it is terminated
	HistoryMaxEvents        int64
	TransactionBytes        int64 // events of one step
	StateBytes              int64 // of a run, in memory
	LastFailureBytes        int
	WorkflowTaskHeartbeat   time.Duration
	WorkflowTaskTimeout     time.Duration // default of a run
	WorkflowTaskTimeoutMax  time.Duration
	MinRunInterval          time.Duration // between the starts of two runs of a chain
	AutoResetPoints         int
	RequestIDs              int // kept per run, signals not counted
	CompletionCallbacks     int // of a run, waiting for its close
	UpdateCallbacks         int // of a run, of all its updates
	LinksPerRequest         int
	LinkBytes               int
	FairnessKeyBytes        int
	WorkflowTaskBackoffBase time.Duration // added to the task timeout from attempt 4 on, doubling
	WorkflowTaskBackoffMax  time.Duration
	UpdatesInFlight         int // admitted, sent or accepted at one time
	UpdatesInFlightBytes    int // their requests together
	UpdatesPerRun           int // 0: any number
	ActivityLinks           int // of a standalone activity
	ActivityCallbacks       int // of a standalone activity
	// SpeculativeScheduleToStart is how long a speculative workflow task waits
	// on a normal queue before it becomes a normal one.
	SpeculativeScheduleToStart time.Duration
}

// The history at which a run takes no new work, unless configured. The reference
// server terminates a run at 51,200 events or 50 MiB. Here a long history costs
// no more an event than a short one; what bounds it is the disk, and the
// patience of whoever has to replay it.
const (
	DefaultHistoryFullEvents = 1_000_000
	DefaultHistoryFullBytes  = 2 << 30
)

// LimitHistory sets the history at which a run takes no new work. What has begun
// may still be recorded, up to a quarter more.
func (l *Limits) LimitHistory(events, bytes int64) {
	l.HistoryFullEvents, l.HistoryMaxEvents = events, beyondFull(events)
	l.HistoryFullBytes, l.HistoryMaxBytes = bytes, beyondFull(bytes)
}

func beyondFull(full int64) int64 { return full + full/4 }

// DefaultLimits are the limits of an unconfigured server.
func DefaultLimits() *Limits {
	const mib = 1 << 20
	return &Limits{
		IDLengthBytes:           1000,
		BlobBytes:               2 * mib,
		MemoBytes:               2 * mib,
		SearchAttributeKeys:     100,
		SearchAttributeBytes:    2048,
		SearchAttributesBytes:   40960,
		PendingActivities:       2000,
		PendingChildren:         2000,
		PendingSignals:          2000,
		PendingCancels:          2000,
		SignalsPerRun:           10000,
		BufferedEvents:          100,
		BufferedBytes:           2 * mib,
		HistorySuggestBytes:     4 * mib,
		HistorySuggestEvents:    4096,
		HistoryFullBytes:        DefaultHistoryFullBytes,
		HistoryFullEvents:       DefaultHistoryFullEvents,
		HistoryMaxBytes:         beyondFull(DefaultHistoryFullBytes),
		HistoryMaxEvents:        beyondFull(DefaultHistoryFullEvents),
		TransactionBytes:        48 * mib,
		StateBytes:              8 * mib,
		LastFailureBytes:        4096,
		WorkflowTaskHeartbeat:   30 * time.Minute,
		WorkflowTaskTimeout:     10 * time.Second,
		WorkflowTaskTimeoutMax:  120 * time.Second,
		MinRunInterval:          time.Second,
		AutoResetPoints:         20,
		RequestIDs:              25,
		CompletionCallbacks:     32,
		UpdateCallbacks:         2000,
		LinksPerRequest:         10,
		LinkBytes:               4000,
		FairnessKeyBytes:        64,
		WorkflowTaskBackoffBase: 5 * time.Second,
		WorkflowTaskBackoffMax:  10 * time.Minute,
		UpdatesInFlight:         10,
		UpdatesInFlightBytes:    20 * mib,
		UpdatesPerRun:           2000,
		ActivityLinks:           2000,
		ActivityCallbacks:       2000,

		SpeculativeScheduleToStart: 5 * time.Second,
	}
}
