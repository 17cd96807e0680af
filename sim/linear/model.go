package linear

import (
	"maps"
	"slices"

	"github.com/anishathalye/porcupine"

	enumspb "go.temporal.io/api/enums/v1"
)

// modelOf is the model for porcupine. It is not deterministic: of a call whose
// answer was lost it may be unknown which of two effects it had.
func modelOf(forgets bool) porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{&state{}} },
		Step: func(s, c, a any) []any {
			var next []any
			for _, n := range step(s.(*state), c.(Call), a.(Answer), forgets) {
				next = append(next, n)
			}
			return next
		},
		Equal:             func(a, b any) bool { return a.(*state).equal(b.(*state)) },
		Hash:              func(s any) uint64 { return s.(*state).hash() },
		DescribeOperation: func(c, a any) string { return c.(Call).String() + ": " + a.(Answer).String() },
		DescribeState:     func(s any) string { return s.(*state).String() },
	}
	return m.ToModel()
}

// step are the states that may follow when the call happens now and is answered
// so: none when it cannot be answered so. A call whose answer was lost may have
// had every effect it can have, or none.
func step(s *state, c Call, a Answer, forgets bool) []*state {
	switch {
	case a.Lost:
		return append(effects(s, c, forgets), s)
	case c.Kind == Start, c.Kind == SignalWithStart:
		return start(s, c, a, forgets)
	case c.Kind == Update:
		return update(s, c, a, forgets)
	case c.Kind == Read:
		return read(s, c, a, forgets)
	}
	i := s.find(c.Run)
	if i < 0 {
		if a.Refused == NotFound {
			return []*state{s}
		}
		return nil
	}
	return s.tells(i, "", change(s.runs[i], c, a, forgets))
}

// effects are the states to which a call of unknown outcome may have led.
func effects(s *state, c Call, forgets bool) []*state {
	switch i := s.find(c.Run); {
	case c.Kind == Start, c.Kind == SignalWithStart:
		return append(start(s, c, Answer{Started: true}, forgets), start(s, c, Answer{}, forgets)...)
	case i < 0:
		return nil
	default:
		return s.tells(i, "", change(s.runs[i], c, Answer{}, forgets))
	}
}

// change is the run after a signal, cancel request or termination; nil if that
// cannot be answered so.
func change(r *run, c Call, a Answer, forgets bool) *run {
	switch c.Kind {
	case Signal:
		return signal(r, c, a, forgets)
	case Cancel:
		return cancel(r, a, forgets)
	}
	return terminate(r, a, forgets)
}

// signal is taken by an open run; one that has it takes it as done, open or not.
func signal(r *run, c Call, a Answer, forgets bool) *run {
	may, again := r.may(forgets), slices.Contains(r.signals, c.Request)
	switch {
	case a.Refused == NotFound && again:
		return r.only(may & absent)
	case a.Refused == NotFound:
		return r.only(may &^ open)
	case again:
		return r.only(may &^ absent)
	case may&open == 0:
		return nil
	}
	return r.at(may).signaled(c)
}

// cancel is asked of an open run; a closed one takes it and does nothing.
func cancel(r *run, a Answer, forgets bool) *run {
	may := r.may(forgets)
	if a.Refused == NotFound {
		return r.only(may & absent)
	}
	return r.only((may &^ absent).askedFor())
}

func terminate(r *run, a Answer, forgets bool) *run {
	may := r.may(forgets)
	if a.Refused == NotFound {
		return r.only(may &^ open)
	}
	return r.only((may & open).to(running, terminated))
}

// only is the run in this standing; nil for none.
func (r *run) only(where standing) *run {
	if where == 0 {
		return nil
	}
	return r.at(where)
}

// reusable are the standings of a closed run in which the policy lets another
// begin.
func reusable(p enumspb.WorkflowIdReusePolicy) standing {
	switch p {
	case enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE:
		return absent
	case enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY:
		return all &^ open &^ both(completed)
	}
	return all &^ open
}

// start begins a run, or is answered by the one there is.
func start(s *state, c Call, a Answer, forgets bool) []*state {
	cur := s.current()
	if cur == nil {
		if a.Started {
			return begin(s, c, a)
		}
		return nil
	}
	last, may := len(s.runs)-1, cur.may(forgets)
	if cur.has(c.Request) {
		next := repeated(s, last, c, a, may)
		if fresh := may & absent; fresh != 0 && a.Started {
			next = append(next, begin(s.with(last, cur.at(fresh)), c, a)...)
		}
		return next
	}
	replaces := c.Conflict == enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
	switch {
	case a.Refused == AlreadyStarted:
		refusing := may &^ open &^ reusable(c.Reuse)
		if c.Kind == Start && c.Conflict == enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL {
			refusing |= may & open
		}
		return s.tells(last, a.Run, cur.only(refusing))
	case a.Refused != Taken:
		return nil
	case a.Started:
		before := may & reusable(c.Reuse)
		if replaces {
			before |= (may & open).to(running, terminated)
		}
		if before == 0 {
			return nil
		}
		return begin(s.with(last, cur.at(before)), c, a)
	case replaces || may&open == 0:
		return nil
	case c.Kind == SignalWithStart: // the open run is used
		return s.tells(last, a.Run, cur.at(may).signaled(c))
	case c.Conflict == enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING:
		return s.tells(last, a.Run, cur.at(may&open))
	}
	return nil
}

// begin is a new run.
func begin(s *state, c Call, a Answer) []*state {
	if a.Run != "" && s.find(a.Run) >= 0 {
		return nil
	}
	r := &run{id: a.Run, request: c.Request, where: open &^ asked}
	if c.Kind == SignalWithStart {
		r = r.signaled(c)
	}
	return []*state{s.and(r)}
}

// repeated is a start whose request the current run has taken.
func repeated(s *state, last int, c Call, a Answer, may standing) []*state {
	r := s.runs[last]
	if a.Refused != Taken || a.Started != (r.request == c.Request) {
		return nil
	}
	return s.tells(last, a.Run, r.only(may&^absent))
}

// tells is the state with run r in place i, whose id the answer tells.
func (s *state) tells(i int, id string, r *run) []*state {
	if r == nil {
		return nil
	}
	if next := s.with(i, r).bind(i, id); next != nil {
		return []*state{next}
	}
	return nil
}

// update is told of an update. What is told for the first time has happened since
// the call, to a run that was open then and, if the call names none, current.
func update(s *state, c Call, a Answer, forgets bool) []*state {
	i := s.find(a.Run)
	if i < 0 {
		i = len(s.runs) - 1 // its id may be unknown
	}
	if s = s.bind(i, a.Run); s == nil {
		return nil
	}
	r := s.runs[i]
	known := r.updates[c.Request]
	if known.Outcome != "" && a.Progress.Outcome != "" && known.Outcome != a.Progress.Outcome {
		return nil
	}
	if known.Stage < a.Progress.Stage {
		if may := r.may(forgets); may&open == 0 || i < len(s.runs)-1 {
			return nil
		} else {
			r = r.at(may & open)
		}
	}
	return []*state{s.with(i, r.told(c.Request, a.Progress))}
}

// told is the run, of which somebody knows that an update has come so far.
func (r *run) told(id string, p Progress) *run {
	known := r.updates[id]
	next := *r
	next.updates = maps.Clone(r.updates)
	if next.updates == nil {
		next.updates = map[string]Progress{}
	}
	if p.Outcome == "" {
		p.Outcome = known.Outcome
	}
	next.updates[id] = Progress{max(p.Stage, known.Stage), p.Outcome}
	return &next
}

// read shows a run as it is.
func read(s *state, c Call, a Answer, forgets bool) []*state {
	i := s.find(c.Run)
	if i < 0 {
		if a.Refused == NotFound {
			return []*state{s}
		}
		return nil
	}
	r := s.runs[i]
	may := r.may(forgets)
	if a.Refused == NotFound {
		return s.tells(i, "", r.only(may&absent))
	}
	x := a.Sight
	where := may & standingOf[x.Status]
	switch {
	case x.CancelRequested:
		where &= asked
	case x.Whole || where&open == 0:
		where &^= asked
	}
	if where == 0 || x.Request != "" && x.Request != r.request || !r.shows(x) {
		return nil
	}
	next := r.at(where)
	next.shown = len(x.Signals)
	for id, p := range x.Updates {
		next = next.told(id, p)
	}
	return s.tells(i, x.Run, next)
}

// shows reports whether the run can be seen so: it shows the first of its signals,
// never fewer than it has shown before, and all that somebody was told of its
// updates.
func (r *run) shows(x *Sight) bool {
	n := len(x.Signals)
	if n < r.shown || n > len(r.signals) || !slices.Equal(x.Signals, r.signals[:n]) {
		return false
	}
	if x.Whole {
		rest, waiting := slices.Sorted(slices.Values(r.signals[n:])), slices.Sorted(slices.Values(x.Waiting))
		if !slices.Equal(rest, waiting) {
			return false
		}
	}
	if x.Updates == nil {
		return true
	}
	for id, p := range r.updates {
		seen := x.Updates[id]
		if seen.Stage < p.Stage || seen.Outcome != "" && p.Outcome != "" && seen.Outcome != p.Outcome {
			return false
		}
	}
	return true
}
