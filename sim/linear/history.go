package linear

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// History is what several clients have asked of one workflow id, and were told.
// Its methods may be called from any goroutine.
type History struct {
	// Forgets: closed runs may vanish while the history is made.
	Forgets bool

	mu struct {
		sync.Mutex
		calls []*made
	}
}

// made is one call of a history.
type made struct {
	client   int
	call     Call
	answer   Answer
	from, to time.Duration // to: math.MaxInt64 while it is not answered
	dropped  bool
}

// Call notes that a client, of those numbered from 0, calls now. The call stays
// open until Return or Drop.
func (h *History) Call(client int, c Call, now time.Duration) (id int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.calls = append(h.mu.calls, &made{client: client, call: c, from: now, to: math.MaxInt64, answer: Answer{Lost: true}})
	return len(h.mu.calls) - 1
}

// Return notes the answer of a call. An answer that was lost, and a call that can
// have no effect any more, is one, too; a call that may have an effect yet stays
// open.
func (h *History) Return(id int, a Answer, now time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.mu.calls[id]
	m.answer, m.to = a, now
}

// Drop takes a call back that was refused for a reason that says nothing of the
// state and without effect.
func (h *History) Drop(id int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.calls[id].dropped = true
}

// Verdict is the judgement on a history.
type Verdict struct {
	// Calls that were judged, and of how many the outcome is unknown.
	Calls, Lost int
	// Linearizable and Undecided are both false for a history without an order.
	Linearizable bool
	// Undecided: there was not enough time to find out.
	Undecided bool

	info  porcupine.LinearizationInfo
	model porcupine.Model
}

// Check judges the history within the time.
func (h *History) Check(within time.Duration) Verdict {
	var v Verdict
	var operations []porcupine.Operation
	for _, m := range h.counted() {
		v.Calls++
		if m.answer.Lost {
			v.Lost++
		}
		operations = append(operations, porcupine.Operation{
			ClientId: m.client, Input: m.call, Output: m.answer, Call: int64(m.from), Return: int64(m.to)})
	}
	v.model = modelOf(h.Forgets)
	switch porcupine.CheckOperationsTimeout(v.model, operations, within) {
	case porcupine.Ok:
		v.Linearizable = true
		return v
	case porcupine.Unknown:
		v.Undecided = true
		return v
	}
	// What can be explained is worth knowing only now: it costs more.
	_, v.info = porcupine.CheckOperationsVerbose(v.model, operations, 2*within)
	return v
}

// counted are the calls that say something: those that were not dropped, and of
// those whose answer was lost the ones that change something by themselves: what
// an update has done is told by others, or by nobody.
func (h *History) counted() []*made {
	h.mu.Lock()
	defer h.mu.Unlock()
	var some []*made
	for _, m := range h.mu.calls {
		if !m.dropped && !(m.answer.Lost && (m.call.Kind == Read || m.call.Kind == Update)) {
			some = append(some, m)
		}
	}
	return some
}

// Draw writes a picture of a history without an order, for a browser.
func (v Verdict) Draw(path string) error { return porcupine.VisualizePath(v.model, v.info, path) }

// Explain tells a person how far a history without an order can be explained.
func (v Verdict) Explain() string {
	partial := v.info.PartialLinearizationsOperations()
	if v.Undecided || len(partial) == 0 {
		return ""
	}
	var longest []porcupine.Operation // empty if not even the first call can be explained
	for _, some := range partial[0] {
		if len(some) > len(longest) {
			longest = some
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "of %d calls %d can be put in an order:\n", v.Calls, len(longest))
	state := v.model.Init()
	for _, op := range longest {
		fmt.Fprintln(&b, line(op))
		_, state = v.model.Step(state, op.Input, op.Output)
	}
	fmt.Fprintf(&b, "then the state is %s\n", v.model.DescribeState(state))
	return b.String()
}

func line(op porcupine.Operation) string {
	to := "open"
	if op.Return != math.MaxInt64 {
		to = fmt.Sprintf("%.6f", time.Duration(op.Return).Seconds())
	}
	return fmt.Sprintf("  client %d %12.6f to %12s  %v: %v", op.ClientId, time.Duration(op.Call).Seconds(), to, op.Input, op.Output)
}

// String lists the calls in the order in which they were made.
func (h *History) String() string {
	var b strings.Builder
	for _, m := range h.counted() {
		fmt.Fprintln(&b, line(porcupine.Operation{ClientId: m.client, Input: m.call, Output: m.answer, Call: int64(m.from), Return: int64(m.to)}))
	}
	return b.String()
}
