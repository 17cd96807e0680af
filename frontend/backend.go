package frontend

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/operatorservice/v1"
	querypb "go.temporal.io/api/query/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/callbacks"
	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/internal/clock"
	"github.com/perdure/perdure/matching"
	"github.com/perdure/perdure/shard"
	"github.com/perdure/perdure/visibility"
)

// Executions is what the edge needs of the shards; *shard.Host provides it.
// Every method returns once what it tells is durable. Errors are refusals
// (*engine.Refusal), those of the context, or faults.
type Executions interface {
	// Do has the input carried out by the run (runID empty: the current one)
	// and returns the input's reply.
	Do(ctx context.Context, id engine.ID, runID string, in engine.Input) (reply any, err error)
	// View calls read with the run's present state. read runs on the shard's
	// loop: it must be quick and keep no map of the run.
	View(ctx context.Context, id engine.ID, runID string, read func(*workflow.Run)) error
	// Follow waits until enough says so of the run's state, or it is closed, and
	// reads it then. shard.ErrOver when over is closed first. After an error read
	// may still be called.
	Follow(ctx context.Context, over <-chan struct{}, key engine.RunKey, enough func(*workflow.Run) bool, read func(*workflow.Run)) error
	// Closing waits like Follow until the run is closed, and tells how.
	Closing(ctx context.Context, over <-chan struct{}, key engine.RunKey) (shard.Closed, error)
	// ViewActivity is View for a standalone activity.
	ViewActivity(ctx context.Context, id engine.ID, runID string, read func(*standalone.Run)) error
	// FollowActivity is Follow for a standalone activity.
	FollowActivity(ctx context.Context, over <-chan struct{}, key engine.RunKey, enough func(*standalone.Run) bool, read func(*standalone.Run)) error
	// History reads at most maxBatches whole stored batches, from the one that
	// holds event from up to event to; NextEventID is 0 at the end.
	History(ctx context.Context, key engine.RunKey, from, to int64, maxBatches int) (shard.HistoryPage, error)
	// HistoryReverse reads batches downwards, newest event first, beginning
	// with event from; next is 0 when event 1 was among them.
	HistoryReverse(ctx context.Context, key engine.RunKey, from int64, maxBatches int) (events []*historypb.HistoryEvent, next int64, err error)
	// Event reads one event of the batch that begins with batchID.
	Event(ctx context.Context, key engine.RunKey, batchID, eventID int64) (*historypb.HistoryEvent, error)
	// Update has a run take an update and waits for it as long as patience
	// lasts; the status says how far it has come.
	Update(ctx context.Context, id engine.ID, runID string, in *workflow.UpdateWorkflow, p shard.Patience) (*workflow.UpdateStatus, error)
	// UpdateWithStart does so with the run that a start yields. With an error
	// and a reply, the waiting for the update has failed.
	UpdateWithStart(ctx context.Context, id engine.ID, in *workflow.UpdateWithStart, p shard.Patience) (*workflow.UpdatedWithStart, error)
	// PollUpdate waits for an update that was admitted before.
	PollUpdate(ctx context.Context, id engine.ID, runID, updateID string, p shard.Patience) (*workflow.UpdateStatus, error)
	// Query has a worker answer a query.
	Query(ctx context.Context, id engine.ID, runID string, req *workflowservice.QueryWorkflowRequest) (*workflowservice.QueryWorkflowResponse, error)
	// AnswerQuery brings the answer to a query that was delivered on its own.
	AnswerQuery(ctx context.Context, queryID string, req *workflowservice.RespondQueryTaskCompletedRequest) error
	// TaskQueries are the queries that ride on a started workflow task.
	TaskQueries(token workflow.TaskToken) map[string]*querypb.WorkflowQuery
}

// Queues is what the edge needs of the task queues; *matching.Matcher provides it.
type Queues interface {
	// Poll waits for a task until ctx ends; a nil Handover is an empty poll. It
	// keeps the margin before ctx's deadline itself.
	Poll(ctx context.Context, req matching.PollRequest) (*matching.Handover, error)
	// Describe tells who polls a queue and how much waits in it.
	Describe(queue engine.TaskQueue) matching.Description
	// ShutdownWorker makes a worker's sticky queue unusable and ends its polls.
	ShutdownWorker(s matching.Shutdown)
	// DrainPolls ends every poll, present and to come, with an empty answer.
	DrainPolls()
}

// Visibility is what the edge needs of the index; *visibility.Index provides it.
type Visibility interface {
	// List returns a page of the executions that match a query.
	List(ctx context.Context, req visibility.ListRequest) (*visibility.Page, error)
	// Count counts them, by group when the query has GROUP BY.
	Count(ctx context.Context, req visibility.CountRequest) (*visibility.Count, error)
}

// Registry is what the edge needs of the namespaces; *registry.Registry
// provides it. Its methods check their requests and answer as the API does.
type Registry interface {
	shard.Namespaces
	// Usable is the namespace a request names, refused when it is unknown or in
	// a state that serves no such request; starts is set for new work.
	Usable(name string, starts bool) (*engine.Namespace, error)
	Describe(name, id string) (*workflowservice.DescribeNamespaceResponse, error)
	List(req *workflowservice.ListNamespacesRequest) (*workflowservice.ListNamespacesResponse, error)
	Register(ctx context.Context, req *workflowservice.RegisterNamespaceRequest) (id string, err error)
	Update(ctx context.Context, req *workflowservice.UpdateNamespaceRequest) (*workflowservice.UpdateNamespaceResponse, error)
	Deprecate(ctx context.Context, name string) error
	Delete(ctx context.Context, name, id string) (deletedName string, err error)
	AddSearchAttributes(ctx context.Context, namespace string, attributes map[string]enumspb.IndexedValueType) error
	RemoveSearchAttributes(ctx context.Context, namespace string, names []string) error
	ListSearchAttributes(namespace string) (*operatorservice.ListSearchAttributesResponse, error)
	AllSearchAttributes() map[string]enumspb.IndexedValueType
	ClusterID() string
	ClusterName() string
}

// Options are the parts a Frontend is built of: the four backends are required.
type Options struct {
	Executions Executions
	Queues     Queues
	Visibility Visibility
	Registry   Registry
	// Limits bound what requests may hold. Defaults to engine.DefaultLimits.
	Limits *engine.Limits
	// MaxWaitingPerNamespace bounds the calls of one namespace that wait at the
	// same time: task polls, history long polls, queries. A caller beyond it is
	// told RESOURCE_EXHAUSTED. One place in four is for task polls alone. Lower it
	// on a machine with little memory (a waiting call costs some 20 KB). Defaults
	// to 20000: a large fleet's pollers fit.
	MaxWaitingPerNamespace int
	// TimeSkipping names the namespaces in which clients may have the time of
	// workflows skipped. Defaults to none.
	TimeSkipping []string
	// CallbackAddresses are those that completion callbacks may use. Defaults to
	// none: the server may reach what its clients cannot.
	CallbackAddresses callbacks.Addresses
	// Pressure says why new work must wait, or nil when it is welcome (I11). It
	// is asked for every call that brings some, and must be cheap; what runs
	// already is always served. Defaults to welcome.
	Pressure func() error
	// Shards, Persistence, Address and HTTPAddress are shown to operators as
	// they are: the number of shards, the name of the store, where we listen.
	Shards      int
	Persistence string
	Address     string
	HTTPAddress string
	// Clock tells the time. Defaults to the machine's.
	Clock clock.Clock
	// Log takes faults and, at debug level, one line a call. Defaults to none.
	Log *slog.Logger
	// Metrics takes the request metrics. Defaults to none.
	Metrics prometheus.Registerer
}
