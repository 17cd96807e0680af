package matching

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/perdure/perdure/engine"
)

// The model: one queue as two sorted lists, short enough to be obviously right.
// After every operation the real queue must have asked for exactly the same
// starts, with the same pollers, and answered the same polls.
type model struct {
	waiting []engine.Task // sorted
	pollers []int         // by number
	// starting: poller number to its task, as long as the shard has not answered.
	starting map[int]engine.Task
	void     map[string]bool // withdrawn while starting
	gone     map[int]bool
	reserved map[int]uint64
	answers  map[int]string
	asked    []string // starts asked for, in order: "poller task"
	aborted  []string
}

func before(a, b engine.Task) int {
	return cmp.Or(
		cmp.Compare(levelOf(a.Priority), levelOf(b.Priority)),
		a.Order.Compare(b.Order),
		cmp.Compare(a.Run.Name, b.Run.Name),
	)
}

func (m *model) match() {
	for len(m.waiting) > 0 && len(m.pollers) > 0 {
		p, t := m.pollers[0], m.waiting[0]
		m.pollers, m.waiting = m.pollers[1:], m.waiting[1:]
		m.starting[p] = t
		m.asked = append(m.asked, fmt.Sprint(p, " ", t.Run.Name))
	}
}

func (m *model) offer(tasks ...engine.Task) {
	m.waiting = append(m.waiting, tasks...)
	slices.SortFunc(m.waiting, before)
	m.match()
}

func (m *model) waitOn(p int) {
	if m.gone[p] {
		return
	}
	m.pollers = append(m.pollers, p)
	slices.Sort(m.pollers)
	m.match()
}

// outcome of a start: "ok", "stale" or "busy". A busy one comes back after its rest.
func (m *model) outcome(p int, what string) {
	t := m.starting[p]
	delete(m.starting, p)
	void := m.void[t.Run.Name]
	delete(m.void, t.Run.Name)
	switch {
	case what == "ok" && m.gone[p]:
		m.aborted = append(m.aborted, t.Run.Name)
	case what == "ok":
		m.answers[p] = t.Run.Name
	case what == "busy" && !void:
		m.waitOn(p)
		m.offer(t)
	default:
		m.waitOn(p)
	}
}

func (m *model) withdraw(t engine.Task) {
	same := func(o engine.Task) bool { return o.Run.Name == t.Run.Name }
	m.waiting = slices.DeleteFunc(m.waiting, same)
	for _, s := range m.starting {
		if same(s) {
			m.void[t.Run.Name] = true
		}
	}
}

func TestQueueAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		b := &backlog{hold: true}
		m := &model{
			starting: map[int]engine.Task{}, void: map[string]bool{}, gone: map[int]bool{},
			reserved: map[int]uint64{}, answers: map[int]string{},
		}
		var polls []*result
		var tasks []engine.Task
		var asked []string
		// observe takes note of the starts asked for since the last time; the
		// poller's number is its identity.
		inFlight := map[int]start{}
		observe := func() {
			for _, s := range b.held {
				asked = append(asked, s.poller.Identity+" "+s.task.Run.Name)
				var p int
				fmt.Sscan(s.poller.Identity, &p)
				inFlight[p] = s
			}
			b.held = nil
		}
		newTask := func() engine.Task {
			task := taskOn(orders, fmt.Sprint("t", len(tasks)), rapid.IntRange(0, 5).Draw(rt, "due"))
			task.Priority = rapid.Int32Range(0, 6).Draw(rt, "priority")
			tasks = append(tasks, task)
			return task
		}
		pick := func(of []int, label string) (int, bool) {
			if len(of) == 0 {
				return 0, false
			}
			slices.Sort(of)
			return rapid.SampledFrom(of).Draw(rt, label), true
		}
		rt.Repeat(map[string]func(*rapid.T){
			"poll": func(*rapid.T) {
				n := len(polls)
				polls = append(polls, w.poll(pollOf(orders, fmt.Sprint(n))))
				m.waitOn(n)
			},
			"offer": func(*rapid.T) {
				var batch []engine.Task
				for range rapid.IntRange(1, 3).Draw(rt, "n") {
					batch = append(batch, newTask())
				}
				w.offer(b, batch...)
				m.offer(batch...)
			},
			"cancel": func(*rapid.T) {
				if len(polls) == 0 {
					return
				}
				n := rapid.IntRange(0, len(polls)-1).Draw(rt, "poll")
				_, answered := m.answers[n]
				if got := polls[n].Cancel(); got == answered {
					rt.Fatalf("Cancel of poll %d says %v", n, got)
				}
				w.settle()
				if !answered {
					m.gone[n] = true
					m.pollers = slices.DeleteFunc(m.pollers, func(p int) bool { return p == n })
				}
			},
			"outcome": func(*rapid.T) {
				p, ok := pick(keys(inFlight), "start")
				if !ok {
					return
				}
				s := inFlight[p]
				delete(inFlight, p)
				what := rapid.SampledFrom([]string{"ok", "ok", "stale", "busy"}).Draw(rt, "outcome")
				switch what {
				case "ok":
					s.done(s.task.Run.Name, nil)
				case "stale":
					s.done(nil, engine.Stale("void"))
				case "busy":
					s.done(nil, errBusy)
				}
				w.settle()
				if what == "busy" {
					// The poller waits on at once, the task after its rest.
					void := m.void[s.task.Run.Name]
					m.void[s.task.Run.Name] = true
					m.outcome(p, "busy")
					delete(m.void, s.task.Run.Name)
					w.advance(5 * time.Second)
					if !void {
						m.offer(s.task)
					}
					return
				}
				m.outcome(p, what)
			},
			"withdraw": func(*rapid.T) {
				if len(tasks) == 0 {
					return
				}
				task := rapid.SampledFrom(tasks).Draw(rt, "task")
				w.Withdraw([]engine.Task{task})
				w.settle()
				m.withdraw(task)
			},
			"reserve": func(*rapid.T) {
				task := newTask()
				who, id, ok := w.Reserve(b, task)
				w.settle()
				expect := len(m.pollers) > 0 && (len(m.waiting) == 0 || before(task, m.waiting[0]) < 0)
				if ok != expect {
					rt.Fatalf("reserved %v, want %v", ok, expect)
				}
				if ok {
					p := m.pollers[0]
					m.pollers = m.pollers[1:]
					if who.Identity != fmt.Sprint(p) {
						rt.Fatalf("reserved %q, want %d", who.Identity, p)
					}
					m.reserved[p] = id
				}
			},
			"end reservation": func(*rapid.T) {
				p, ok := pick(keys(m.reserved), "reservation")
				if !ok {
					return
				}
				id := m.reserved[p]
				delete(m.reserved, p)
				if rapid.Bool().Draw(rt, "deliver") {
					w.Deliver(id, "fused")
					if m.gone[p] {
						m.aborted = append(m.aborted, "fused")
					} else {
						m.answers[p] = "fused"
					}
				} else {
					w.Release(id)
					m.waitOn(p)
				}
				w.settle()
			},
			"": func(*rapid.T) {
				observe()
				if !slices.Equal(asked, m.asked) {
					rt.Fatalf("starts asked for\n got %v\nwant %v", asked, m.asked)
				}
				if !slices.Equal(b.aborted, m.aborted) {
					rt.Fatalf("aborted %v, want %v", b.aborted, m.aborted)
				}
				for n, p := range polls {
					want, answered := m.answers[n]
					if p.answered != answered || answered && p.handover.Started != any(want) {
						rt.Fatalf("poll %d answered %v, want %v (%q)", n, p.answered, answered, want)
					}
				}
				if got := w.Describe(orders).Stats.BacklogCount; got != int64(len(m.waiting)) {
					rt.Fatalf("backlog %d, want %d", got, len(m.waiting))
				}
			},
		})
	})
}

func keys[V any](m map[int]V) []int {
	all := make([]int, 0, len(m))
	for k := range m {
		all = append(all, k)
	}
	return all
}

// Several shards hold more than their windows: all is handed out once, in the
// order of the whole queue, whatever the sizes of windows and polls.
func TestOrderOverShardsAndWindows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.IntRange(1, 5).Draw(rt, "window")
		w := newWorld(t, func(o *Options) { o.Window = size })
		var all []engine.Task
		for s := range rapid.IntRange(1, 3).Draw(rt, "shards") {
			b := new(backlog)
			var rest []engine.Task
			for i := range rapid.IntRange(0, 20).Draw(rt, "tasks") {
				task := taskOn(orders, fmt.Sprintf("%d-%d", s, i), rapid.IntRange(0, 50).Draw(rt, "due"))
				task.Priority = rapid.Int32Range(1, 2).Draw(rt, "priority")
				rest = append(rest, task)
			}
			all = append(all, rest...)
			slices.SortFunc(rest, before)
			fill := func(engine.TaskQueue) { rest = rest[w.Offer(b, rest):] }
			b.onFill = fill
			fill(orders)
			w.settle()
		}
		slices.SortFunc(all, before)
		for i, task := range all {
			p := w.poll(pollOf(orders, "w"))
			if !p.answered || p.handover.Task.Run.Name != task.Run.Name {
				rt.Fatalf("task %d of %d: got %v, want %s", i, len(all), p.handover, task.Run.Name)
			}
		}
		w.poll(pollOf(orders, "w")).wants(t, "-")
	})
}
