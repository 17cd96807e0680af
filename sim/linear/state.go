package linear

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
)

// state is the model of one workflow id: its runs, the last of which is the
// current one. A state and what it points to is never changed.
type state struct{ runs []*run }

// run is what is known of a run.
type run struct {
	// id is empty as long as no answer has told it.
	id string
	// request has started it.
	request string
	where   standing
	// signals by request id, in the order in which they came. The first shown of
	// them were seen in the history: they stay there.
	signals []string
	shown   int
	// ends: one of the signals lets it complete.
	ends bool
	// updates that somebody was told of.
	updates map[string]Progress
}

// standing is a set of situations of a run: its status, with a cancel request or
// without. It is a set because a worker closes a run without telling: an answer
// that shows more makes it smaller.
type standing uint16

// The statuses of a run of the model, each two bits of a standing.
const (
	running = iota
	completed
	canceled
	terminated
	gone // the retention is over
	statuses
)

const (
	open   = standing(3) << (2 * running)
	absent = standing(3) << (2 * gone)
	all    = standing(1)<<(2*statuses) - 1
	closed = all &^ open &^ absent
	// asked: the cancel request is in.
	asked = standing(0b1010101010) & all
)

// both are a status with and without a cancel request.
func both(status int) standing { return 3 << (2 * status) }

// to puts those of the set that have the status from into the status to.
func (s standing) to(from, to int) standing {
	return s&both(from)>>(2*from)<<(2*to) | s&^both(from)
}

// askedFor adds the cancel request to the open ones of the set.
func (s standing) askedFor() standing {
	return s&^open | (s&open|s&open<<1)&asked
}

var standingOf = map[enumspb.WorkflowExecutionStatus]standing{
	enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:    both(running),
	enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED:     both(running),
	enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:  both(completed),
	enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:   both(canceled),
	enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED: both(terminated),
}

// may is where the run may be by now, with what a worker and the retention do by
// themselves.
func (r *run) may(forgets bool) standing {
	s := r.where
	if r.ends {
		s |= s & both(running) << (2 * completed)
	}
	s |= s & both(running) & asked << (2 * canceled)
	if forgets {
		for status := completed; status < gone; status++ {
			s |= s & both(status) >> (2 * status) << (2 * gone)
		}
	}
	return s
}

// has reports whether the run has taken a request.
func (r *run) has(request string) bool {
	return r.request == request || slices.Contains(r.signals, request)
}

// signaled is the run with a signal more.
func (r *run) signaled(c Call) *run {
	next := *r
	next.where &= open
	next.signals = append(slices.Clone(r.signals), c.Request)
	next.ends = r.ends || c.Ends
	return &next
}

// at is the run in this standing.
func (r *run) at(where standing) *run {
	next := *r
	next.where = where
	return &next
}

func (s *state) current() *run {
	if len(s.runs) == 0 {
		return nil
	}
	return s.runs[len(s.runs)-1]
}

// find is the index of the run that a call means, or -1.
func (s *state) find(runID string) int {
	if runID == "" {
		return len(s.runs) - 1
	}
	return slices.IndexFunc(s.runs, func(r *run) bool { return r.id == runID })
}

// with is the state with another run in place i.
func (s *state) with(i int, r *run) *state {
	next := &state{slices.Clone(s.runs)}
	next.runs[i] = r
	return next
}

// and is the state with a further run.
func (s *state) and(r *run) *state { return &state{append(slices.Clone(s.runs), r)} }

// bind gives run i the id that an answer tells; nil if it cannot be that run's.
func (s *state) bind(i int, id string) *state {
	switch {
	case i < 0:
		return nil
	case id == "" || s.runs[i].id == id:
		return s
	case s.runs[i].id != "" || s.find(id) >= 0:
		return nil
	}
	next := *s.runs[i]
	next.id = id
	return s.with(i, &next)
}

func (s *state) equal(o *state) bool {
	return slices.EqualFunc(s.runs, o.runs, func(a, b *run) bool {
		return a == b || a.id == b.id && a.request == b.request && a.where == b.where && a.shown == b.shown &&
			a.ends == b.ends && slices.Equal(a.signals, b.signals) && maps.Equal(a.updates, b.updates)
	})
}

// hash is the same for equal states.
func (s *state) hash() uint64 {
	h := uint64(len(s.runs))
	for _, r := range s.runs {
		for _, n := range []int{len(r.id), int(r.where), len(r.signals), r.shown, len(r.updates)} {
			h = h*1099511628211 + uint64(n)
		}
	}
	return h
}

// String is the state in words.
func (s *state) String() string {
	if len(s.runs) == 0 {
		return "no run"
	}
	var b strings.Builder
	for i, r := range s.runs {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s by %s: %v, signals %v", brief(r.id), r.request, r.where, r.signals)
		for _, id := range sortedKeys(r.updates) {
			fmt.Fprintf(&b, ", %s %v", id, r.updates[id].Stage)
		}
	}
	return b.String()
}

var statusNames = []string{"running", "completed", "canceled", "terminated", "gone"}

// String is the set in words.
func (s standing) String() string {
	var names []string
	for status, name := range statusNames {
		if s&both(status)&^asked != 0 {
			names = append(names, name)
		}
		if s&both(status)&asked != 0 {
			names = append(names, name+" (cancel requested)")
		}
	}
	return strings.Join(names, " or ")
}
