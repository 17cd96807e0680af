package shard

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/store/memstore"
)

// BenchmarkWorkflow is one workflow with one activity, 64 at a time, on the
// memory driver: what core and shell cost without disk and network. Every task
// meets a waiting poller, so that all starts are fused.
func BenchmarkWorkflow(b *testing.B) {
	m := &eagerMatcher{started: make(chan any, 1<<16)}
	host, err := Open(b.Context(), Options{
		Driver: memstore.New(memstore.Options{}), Matcher: m, Namespaces: fakeNamespaces{}, Feed: discardFeed{}, Shards: 4,
	})
	if err != nil {
		b.Fatal(err)
	}
	const atATime = 64
	slots := make(chan struct{}, atATime)
	var closed sync.WaitGroup
	do := func(run engine.RunKey, in workflow.Input, done func()) {
		host.Submit(run.ID, run.RunID, in, func(_ any, err error) {
			if err != nil {
				b.Error(err)
			}
			if done != nil {
				done()
			}
		})
	}
	go func() {
		for started := range m.started {
			switch t := started.(type) {
			case *workflow.ActivityStarted:
				do(t.Token.Run, &workflow.CompleteActivity{Ref: workflow.ActivityRef{Token: &t.Token}}, nil)
			case *workflow.TaskStarted:
				if t.PreviousStartedEventID == 0 {
					do(t.Token.Run, completeTask(t, activityCommand("a")), nil)
				} else {
					do(t.Token.Run, completeTask(t, closeCommand()), func() { <-slots; closed.Done() })
				}
			}
		}
	}()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		slots <- struct{}{}
		closed.Add(1)
		id := fmt.Sprint("w", n)
		n++
		host.Submit(idOf(id), "", startOf(id), func(_ any, err error) {
			if err != nil {
				b.Error(err)
			}
		})
	}
	closed.Wait()
	close(m.started)
	if err := host.Stop(context.Background()); err != nil {
		b.Fatal(err)
	}
}

type discardFeed struct{}

func (discardFeed) Append([]FeedEntry) {}

// eagerMatcher has a poller for everything.
type eagerMatcher struct {
	fakeMatcher
	started chan any
}

func (m *eagerMatcher) Reserve(Backlog, engine.Task) (engine.Poller, uint64, bool) {
	return engine.Poller{Identity: "worker", RequestID: "poll"}, 1, true
}
func (m *eagerMatcher) Deliver(_ uint64, started any)        { m.started <- started }
func (m *eagerMatcher) Release(uint64)                       {}
func (m *eagerMatcher) Offer(_ Backlog, t []engine.Task) int { return len(t) }
func (m *eagerMatcher) Withdraw([]engine.Task)               {}
func (m *eagerMatcher) Forget(Backlog)                       {}
