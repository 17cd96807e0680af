package matching

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/shard"
)

// ledger is a shard whose starts answer from goroutines of their own and that
// offers again what is taken back, under the next stamp.
type ledger struct {
	m *Matcher
	sync.Mutex
	state map[string]int64 // by run: the stamp that is on offer; -1 once it was started
	left  sync.WaitGroup
	wrong atomic.Int64
	chaos bool
}

func (l *ledger) StartTask(task engine.Task, _ engine.Poller, done func(any, error)) {
	go func() {
		if l.chaos && rand.IntN(10) == 0 {
			done(nil, errBusy)
			return
		}
		l.Lock()
		valid := l.state[task.Run.Name] == task.Stamp
		if valid {
			l.state[task.Run.Name] = -1
		}
		l.Unlock()
		if !valid {
			done(nil, engine.Stale("void"))
			return
		}
		done(task, nil)
	}()
}

func (l *ledger) AbortTask(started any) {
	task := started.(engine.Task)
	task.Stamp++
	l.Lock()
	if l.state[task.Run.Name] != -1 {
		l.wrong.Add(1)
	}
	l.state[task.Run.Name] = task.Stamp
	l.Unlock()
	go l.m.Offer(l, []engine.Task{task})
}

func (l *ledger) Refill(engine.TaskQueue) {}

// Many goroutines offer, poll, leave and withdraw at once: every task reaches a
// worker once. Run with -race.
func TestNothingIsLostOrDoubled(t *testing.T) {
	const tasks, workers = 3000, 16
	m := New(Options{Window: tasks})
	l := &ledger{m: m, state: map[string]int64{}, chaos: true}
	l.left.Add(tasks)
	seen := make([]atomic.Int64, tasks)
	stop, end := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			for stop.Err() == nil {
				ctx, cancel := context.WithCancel(stop)
				if rand.IntN(3) == 0 {
					time.AfterFunc(time.Duration(rand.IntN(200))*time.Microsecond, cancel)
				}
				h, err := m.Poll(ctx, pollOf(orders, fmt.Sprint(i)))
				if err == nil && h != nil {
					if rand.IntN(10) == 0 {
						h.Abort()
					} else {
						var n int
						fmt.Sscan(h.Task.Run.Name, &n)
						if seen[n].Add(1) > 1 {
							l.wrong.Add(1)
						}
						l.left.Done()
					}
				}
				cancel()
			}
		})
	}
	for i := range tasks {
		task := taskOn(orders, fmt.Sprint(i), i)
		l.Lock()
		l.state[task.Run.Name] = task.Stamp
		l.Unlock()
		if i%2 == 0 {
			if _, id, ok := m.Reserve(l, task); ok {
				l.fuse(id, task)
				continue
			}
		}
		m.Offer(l, []engine.Task{task})
		if i%7 == 0 { // as a shard does that changes its mind
			m.Withdraw([]engine.Task{task})
			m.Offer(l, []engine.Task{task})
		}
	}
	l.left.Wait()
	end()
	all.Wait()
	if n := l.wrong.Load(); n != 0 {
		t.Errorf("%d tasks were handed out twice", n)
	}
	if c := m.Counters(); c.Offers != 0 || c.Pollers != 0 {
		t.Errorf("left over: %+v", c)
	}
}

func (l *ledger) fuse(id uint64, task engine.Task) {
	l.Lock()
	l.state[task.Run.Name] = -1
	l.Unlock()
	l.m.Deliver(id, task)
}

var _ shard.Backlog = (*ledger)(nil)

// at once is a shard that starts everything without delay.
type atOnce struct{}

func (atOnce) StartTask(task engine.Task, _ engine.Poller, done func(any, error)) { done("", nil) }
func (atOnce) AbortTask(any)                                                      {}
func (atOnce) Refill(engine.TaskQueue)                                            {}

// BenchmarkBacklog: an offer that waits, then a poll that takes it.
func BenchmarkBacklog(b *testing.B) {
	m := New(Options{Window: b.N + 1})
	tasks := []engine.Task{taskOn(orders, "a", 1)}
	b.ReportAllocs()
	for i := range b.N {
		tasks[0].Stamp = int64(i)
		m.Offer(atOnce{}, tasks)
		m.Begin(pollOf(orders, "w"), func(*Handover) {})
	}
}

// BenchmarkReserve: a poll that waits, then a fused task.
func BenchmarkReserve(b *testing.B) {
	m := New(Options{})
	task := taskOn(orders, "a", 1)
	b.ReportAllocs()
	for range b.N {
		m.Begin(pollOf(orders, "w"), func(*Handover) {})
		_, id, _ := m.Reserve(atOnce{}, task)
		m.Deliver(id, "")
	}
}

// BenchmarkPollers: blocked polls of many goroutines and one that offers.
func BenchmarkPollers(b *testing.B) {
	m := New(Options{Window: 1 << 20})
	stop, end := context.WithCancel(context.Background())
	var all, left sync.WaitGroup
	left.Add(b.N)
	for range 32 {
		all.Go(func() {
			for {
				if h, err := m.Poll(stop, pollOf(orders, "w")); err != nil {
					return
				} else if h != nil {
					left.Done()
				}
			}
		})
	}
	b.ReportAllocs()
	tasks := make([]engine.Task, 16)
	for i := 0; i < b.N; {
		n := min(16, b.N-i)
		for j := range n {
			tasks[j] = taskOn(orders, "a", 1)
			tasks[j].Stamp = int64(i + j)
		}
		m.Offer(atOnce{}, tasks[:n])
		i += n
	}
	left.Wait()
	end()
	all.Wait()
}
