package main

import (
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/sim/linear"
)

// linearity has clients call about one hot workflow id at a time, all at once,
// and judges what they were told: there must be an order of the calls that
// explains every answer (package linear). An episode is one id and one history;
// nobody else knows the id.
type linearity struct {
	*world
	episodes int
	current  *episode // nil between two

	judged
}

// judged counts the histories, and their calls, that were found to have an order.
// Lost are the calls whose outcome is unknown.
type judged struct {
	Histories int `json:"histories"`
	Calls     int `json:"calls"`
	Lost      int `json:"lost"`
}

func (j *judged) add(other judged) {
	j.Histories, j.Calls, j.Lost = j.Histories+other.Histories, j.Calls+other.Calls, j.Lost+other.Lost
}

// hotType is the type of the workflows that histories are made of: as package
// linear wants it, they complete when a signal says so and are canceled when they
// are asked to, and do nothing else.
const (
	hotType   = "hot"
	hotPrefix = "hot-"
	// endSignal begins the name of a signal that ends such a workflow.
	endSignal = "end "
)

// histories are judged within this real time; they take milliseconds.
const judgeWithin = time.Minute

// mostLost answers end an episode: the possibilities double with each.
const mostLost = 10

// episode is the history of one id.
type episode struct {
	*linearity
	id      engine.ID
	history linear.History
	busy    int // clients that are not through
	over    bool
	lost    int      // answers
	runs    []string // that answers have told of
}

func newLinearity(w *world) *linearity { return &linearity{world: w} }

// begin has episodes follow each other in some of the worlds: not where calls
// are refused, and workflows fail, because they are too large.
func (l *linearity) begin() {
	if l.mistaken != nil || *l.limits == *engine.DefaultLimits() && l.oneIn(3) {
		l.next()
	}
}

func (l *linearity) next() {
	gap := 20 * time.Second
	if l.mistaken != nil {
		gap = time.Second
	}
	l.after(l.between(0, gap), func() {
		if l.healed {
			return
		}
		l.episodes++
		e := &episode{linearity: l, id: idOf(fmt.Sprint(hotPrefix, l.episodes)), busy: 2 + l.chance.IntN(3)}
		e.history.Forgets = l.retention < time.Hour
		l.current = e
		pause := 5 * time.Millisecond << l.chance.IntN(10)
		for n := range e.busy {
			e.client(n, 3+l.chance.IntN(8), pause)
		}
		l.after(3*time.Minute, e.end)
	})
}

// client makes so many calls, one after the other.
func (e *episode) client(n, left int, pause time.Duration) {
	if left == 0 {
		if e.busy--; e.busy == 0 {
			e.end()
		}
		return
	}
	e.after(e.between(0, 2*pause), func() {
		if !e.over {
			e.make(n, e.draw(), func() { e.client(n, left-1, pause) })
		}
	})
}

// make makes a call and then goes on: when it is answered, or when the client has
// waited long enough. What was lost may be sent again.
func (e *episode) make(n int, c linear.Call, then func()) {
	number := e.history.Call(n, c, e.now.Sub(epoch))
	left := false
	leave := func(f func()) {
		if !left {
			left = true
			f()
		}
	}
	e.after(e.between(5*time.Second, 30*time.Second), func() { leave(then) })
	e.send(c, func(a linear.Answer, heard bool) {
		if e.over {
			return
		}
		// What was lost has had its effect by now, or will have none: the server
		// has answered, or died, or will not go on with what it was asked.
		if !heard {
			e.history.Drop(number)
		} else {
			e.history.Return(number, a, e.now.Sub(epoch))
			e.remember(a)
		}
		if a.Lost {
			e.lost++
		}
		switch {
		case e.lost > mostLost:
			e.end()
		case a.Lost && c.Kind != linear.Update && c.Request != "" && e.oneIn(2):
			leave(func() { e.after(e.between(0, time.Second), func() { e.again(n, c, then) }) })
		}
		leave(then)
	})
}

// again sends a call once more.
func (e *episode) again(n int, c linear.Call, then func()) {
	if !e.over {
		e.make(n, c, then)
	}
}

// remember keeps which runs there are.
func (e *episode) remember(a linear.Answer) {
	run := a.Run
	if a.Sight != nil {
		run = a.Sight.Run
	}
	if run != "" && (len(e.runs) == 0 || e.runs[len(e.runs)-1] != run) {
		e.runs = append(e.runs, run)
	}
}

// end judges the history. Calls nobody has heard of stay open.
func (e *episode) end() {
	if e.over {
		return
	}
	e.over = true
	v := e.history.Check(judgeWithin)
	l := e.linearity
	l.judged.add(judged{1, v.Calls, v.Lost})
	l.say("the history of %s: %d calls, the answers of %d lost", e.id.Name, v.Calls, v.Lost)
	switch {
	case v.Undecided:
		l.broken("linearizability: it could not be found out in %v whether the calls about %s have an order:\n%s", judgeWithin, e.id.Name, e.history.String())
	case !v.Linearizable:
		l.broken("linearizability: no order of the calls about %s explains their answers:\n%s%s", e.id.Name, e.history.String(), v.Explain())
	}
	l.current = nil
	if !l.healed {
		l.next()
	}
}

// finish judges the history under way: there are no more calls once all heals.
func (l *linearity) finish() {
	if l.current != nil {
		l.current.end()
	}
}

// closeRuns ends the workflows that nobody would send a signal any more.
func (l *linearity) closeRuns() {
	for _, x := range l.disk.order {
		if x.state != nil && x.state.Open() && strings.HasPrefix(x.key.Name, hotPrefix) {
			l.submit(x.key.ID, x.key.RunID, terminateInput(x.key.Name), func(any, error) {})
		}
	}
}

// draw is what a client asks for next.
func (e *episode) draw() linear.Call {
	var c linear.Call
	switch n := e.chance.IntN(100); {
	case n < 20:
		c.Kind, c.Request = linear.Start, e.unique("start")
	case n < 27:
		c.Kind, c.Request = linear.SignalWithStart, e.unique("both")
	case n < 50:
		c.Kind, c.Request = linear.Signal, e.unique("signal")
	case n < 55:
		c.Kind = linear.Cancel
	case n < 61:
		c.Kind = linear.Terminate
	case n < 73:
		c.Kind, c.Request = linear.Update, e.unique("update")
	default:
		c.Kind = linear.Read
	}
	switch c.Kind {
	case linear.Start, linear.SignalWithStart:
		c.Conflict, c.Reuse = e.drawPolicies()
	case linear.Signal, linear.Terminate, linear.Read:
		if len(e.runs) > 0 && e.oneIn(5) {
			c.Run = e.runs[e.chance.IntN(len(e.runs))]
		}
	}
	c.Ends = (c.Kind == linear.Signal || c.Kind == linear.SignalWithStart) && e.oneIn(6)
	return c
}

func (w *world) drawPolicies() (enumspb.WorkflowIdConflictPolicy, enumspb.WorkflowIdReusePolicy) {
	conflicts := []enumspb.WorkflowIdConflictPolicy{
		enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL, enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING, enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
	}
	reuses := []enumspb.WorkflowIdReusePolicy{
		enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
	}
	return conflicts[w.chance.IntN(len(conflicts))], reuses[w.chance.IntN(len(reuses))]
}
