package main

import (
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// The timeouts of every workflow and of the sticky queue.
const (
	taskTimeout   = 10 * time.Second
	stickyTimeout = 5 * time.Second
)

// ledger is what the oracle knows of one run: what was asked, what was answered,
// and which events came of it.
type ledger struct {
	key    engine.RunKey
	open   bool
	closed enumspb.WorkflowExecutionStatus
	next   int64 // id of the next event

	// firstRun of the chain, parent and the event by which it asked for this run.
	firstRun  string
	parent    engine.RunKey
	initiated int64
	asked     string // the request by which the parent asked

	begun       time.Time
	delay       time.Duration // before the first workflow task
	runTimeout  time.Duration // 0 none
	chainEnds   time.Time     // zero never
	requests    map[string]bool
	attached    int
	signals     int
	cancelAsked bool

	// live is the stamp of the one token that is good; 0 when none is.
	live      int64
	liveSince time.Time
	// scheduled, started: of the workflow task as history shows it.
	scheduled, started bool
	scheduledAt        time.Time
	// paused, and the latest requests that did and undid it.
	paused             bool
	pauseID, unpauseID string
	// closing: the worker could not close the run because of buffered events.
	closing bool
	// unseen: there is an event that no worker has completed a task after.
	unseen bool

	// buffer are the events that wait for the end of the workflow task.
	buffer   []arrival
	timers   map[string]*timer
	acts     map[int64]*act
	children map[int64]*child
	externs  map[int64]bool // signals and cancels not answered, by initiated event
	updates  map[string]stage
}

type timer struct {
	startedID int64
	due       time.Time
}

// act is an open activity.
type act struct {
	name           string
	stamp          int64 // of the start that is good; 0 while nobody has it
	request        string
	attempt        int32
	max            int32 // attempts; 0 any number
	scheduled, due time.Time
	started, beat  time.Time
	stc, s2c, hb   time.Duration
	interval       time.Duration
	cancelAsked    bool
	paused         bool
}

// child is a child that was asked for and has not closed.
type child struct {
	name    string
	run     string // first run, once known
	started bool
}

// stage of an update.
type stage int

const (
	admitted stage = iota + 1
	accepted
	completed
	readmitted // by a reset, and an event
)

func newLedger(key engine.RunKey) *ledger {
	return &ledger{
		key: key, open: true, next: 1, requests: map[string]bool{}, timers: map[string]*timer{}, acts: map[int64]*act{},
		children: map[int64]*child{}, externs: map[int64]bool{}, updates: map[string]stage{}, unseen: true,
	}
}

// crashed forgets what a restart forgets.
func (b *ledger) crashed(now time.Time, speculative bool) {
	for id, s := range b.updates {
		if s == admitted {
			delete(b.updates, id)
		}
	}
	if speculative {
		b.live = 0
	}
	for _, a := range b.acts {
		if a.stamp != 0 {
			a.beat = now // the heartbeat clock starts anew
		}
	}
}

// fireBuffered is the place in the buffer of the firing of a timer; -1 for none.
func (b *ledger) fireBuffered(name string) int {
	for i, x := range b.buffer {
		if x.what == enumspb.EVENT_TYPE_TIMER_FIRED && x.name == name {
			return i
		}
	}
	return -1
}

// inFlight counts updates that have no outcome.
func (b *ledger) inFlight() (n int) {
	for _, s := range b.updates {
		if s != completed {
			n++
		}
	}
	return n
}

// full: the history takes no new work.
func (b *ledger) full(w *world) bool { return b.next > w.limits.HistoryFullEvents }

// overdue is when the earliest timeout of the activity passes; zero for never.
func (a *act) overdue() time.Time {
	if a.paused {
		return time.Time{}
	}
	var at time.Time
	add := func(from time.Time, d time.Duration) {
		if t := from.Add(d); d > 0 && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	add(a.scheduled, a.s2c)
	if a.stamp != 0 {
		add(a.started, a.stc)
		beat := a.started
		if a.beat.After(beat) {
			beat = a.beat
		}
		add(beat, a.hb)
	}
	return at
}

// mayRetry: another attempt may follow one that ends now.
func (a *act) mayRetry(now time.Time) bool {
	switch {
	case a.cancelAsked:
		return false
	case a.paused:
		return true // whenever it is unpaused
	case a.max > 0 && a.attempt >= a.max:
		return false
	case a.s2c > 0 && now.Add(a.interval).After(a.scheduled.Add(a.s2c)):
		return false
	}
	return true
}

// learn takes over from the machine what the oracle does not work out itself.
func (a *act) learn(run *workflow.Run, id int64) {
	s := run.Activities[id]
	if s == nil {
		return
	}
	a.attempt, a.due, a.paused = s.Attempt, s.DueTime, s.Paused
	a.stc, a.s2c, a.hb = s.StartToClose, s.ScheduleToClose, s.Heartbeat
	if s.StartedTime.IsZero() {
		a.stamp, a.request = 0, ""
	}
}
