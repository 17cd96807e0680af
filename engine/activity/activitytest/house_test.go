package activitytest_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/activity/activitytest"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// house is a whole execution with one activity, stored as a shell stores it: a
// workflow that waits for it, or the activity by itself. Each method is one thing
// that happens; the error is a refusal, which has changed nothing.
type house interface {
	// activity is its present state; nil once it has ended. It ended how, and why.
	activity() *activity.State
	ended() (how, why string)
	// offer is the attempt that is on offer.
	offer() (engine.Task, bool)

	start(t engine.Task, poll string) (stamp int64, err error)
	abort(stamp int64) error
	beat(stamp int64, details *commonpb.Payloads) (canceled, paused, reset bool, err error)
	complete(stamp int64) error
	fail(stamp int64, f *failurepb.Failure) error
	acceptCancel(stamp int64) error

	askCancel() error
	terminate() error
	pause() error
	unpause(resetAttempts, resetDetails bool) error
	reset(resetDetails, keepPaused, restore bool) error
	update(o *activitypb.ActivityOptions, paths ...string) error

	// due does what is due, if anything is; deadline is when something will be.
	due() error
	deadline() time.Time
	// stored reports whether all is written; after a heartbeat it need not be. sync
	// writes it, crash forgets what is in memory.
	stored() bool
	sync()
	crash()
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// clock is the time of a house, in seconds, and its source of ids.
type clock struct {
	testing.TB

	now  int
	seed uint64
}

func (c *clock) env() *engine.Env {
	c.seed++
	var seed [16]byte
	binary.BigEndian.PutUint64(seed[:], c.seed)
	return &engine.Env{
		Now: epoch.Add(seconds(c.now)), Fresh: engine.NewFresh(seed), Limits: engine.DefaultLimits(),
		Namespace: &engine.Namespace{ID: "ns", Name: "default", Retention: 24 * time.Hour},
	}
}

// rows are what is stored.
type rows map[string]store.Entry

func (r rows) write(b *store.Batch) {
	for _, op := range b.Ops {
		switch {
		case op.Until != nil:
			for s, row := range r {
				if row.Key.Family == op.Key.Family && row.Key.Slot == op.Key.Slot &&
					bytes.Compare(row.Key.Name, op.Key.Name) >= 0 && bytes.Compare(row.Key.Name, op.Until) < 0 {
					delete(r, s)
				}
			}
		case op.Value == nil:
			delete(r, op.Key.String())
		default:
			r[op.Key.String()] = store.Entry{Key: op.Key, Value: op.Value}
		}
	}
}

// state are the rows of a run's state, in order.
func (r rows) state(run engine.RunKey) []store.Entry {
	begin := record.BeginKey(run)
	from, to := record.StateRows(run)
	var found []store.Entry
	for _, e := range r {
		if e.Key.Compare(begin) == 0 || e.Key.Compare(from) >= 0 && e.Key.Compare(to) < 0 {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b store.Entry) int { return a.Key.Compare(b.Key) })
	return found
}

// offers are the tasks of activities that matching would know.
type offers []engine.Task

func (o *offers) take(e *engine.Effects) {
	for _, w := range e.Withdrawn {
		*o = slices.DeleteFunc(*o, func(t engine.Task) bool { return t == w })
	}
	for _, t := range e.Offers {
		if !t.IsWorkflow() {
			*o = append(*o, t)
		}
	}
}

// retryPolicy of an activity with these options.
func retryPolicy(o activitytest.Options) *commonpb.RetryPolicy {
	p := &commonpb.RetryPolicy{
		InitialInterval: durationpb.New(seconds(o.Initial)), MaximumInterval: durationpb.New(seconds(o.MaxInterval)),
		MaximumAttempts: int32(o.MaxAttempts), //nolint:gosec // small
	}
	if o.FinalTimeout {
		p.NonRetryableErrorTypes = []string{"TemporalTimeout:StartToClose"}
	}
	return p
}

func timeout(n int) *durationpb.Duration { return durationpb.New(seconds(n)) }

// howFailed names the end that has left this failure.
func howFailed(f *failurepb.Failure, otherwise string) string {
	switch {
	case f.GetTimeoutFailureInfo() != nil:
		return f.GetTimeoutFailureInfo().GetTimeoutType().String()
	case f.GetCanceledFailureInfo() != nil:
		return "Canceled"
	case f.GetTerminatedFailureInfo() != nil:
		return "Terminated"
	}
	return otherwise
}
