package main

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// namespaceID of every execution.
const namespaceID = "ns-id"

// world is the dumbest possible shell round the machine, and the script.
type world struct {
	seed   uint64
	rng    *rand.Rand
	now    time.Time
	steps  uint64
	limits *engine.Limits
	ns     *engine.Namespace

	current map[string]*life
	lives   []*life // that are not deleted, oldest first
	offers  []engine.Task
	// spent are offers that were taken or withdrawn, for pollers that come too late.
	spent []engine.Task
	// letters are messages not settled; posted were settled, and may come again.
	letters []*letter
	posted  []engine.Message

	// base of the reset that is under way.
	base *life

	story *story
	// wrong, if set, spoils what the machine did, to see that it is noticed.
	wrong func(*world, *life, *workflow.Change)
}

// letter is a message under way.
type letter struct {
	m engine.Message
	// answer is what its receiver said, until the sender has heard it.
	answer *workflow.Answered
}

// life is one run, what is stored of it, and what the oracle knows of it.
type life struct {
	key  engine.RunKey
	run  *workflow.Run
	book *ledger
	rows map[rowKey][]byte
	// history is what was written, decoded, and the same in its batches.
	history []*historypb.HistoryEvent
	batches [][]*historypb.HistoryEvent
	deleted bool
	// tokens were handed to workers, latest last.
	tokens   []workflow.TaskToken
	attempts []workflow.ActivityToken
}

// rowKey names a stored row of a run.
type rowKey struct {
	family store.Family
	name   string
}

// broken is the panic by which a check ends a world.
type broken struct{ what string }

func (w *world) fail(format string, args ...any) {
	panic(broken{fmt.Sprintf(format, args...)})
}

func newWorld(seed uint64) *world {
	w := &world{
		seed:   seed,
		rng:    rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), //nolint:gosec // a script, not a secret
		now:    time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		limits: engine.DefaultLimits(),
		ns: &engine.Namespace{ID: namespaceID, Name: "default", Retention: time.Hour,
			SearchAttributes: map[string]enumspb.IndexedValueType{"CustomerId": enumspb.INDEXED_VALUE_TYPE_KEYWORD}},
		current: map[string]*life{},
	}
	if w.one(3) { // small limits, so that they are reached
		w.limits.BufferedEvents = 3
		w.limits.SignalsPerRun = 12
		w.limits.UpdatesInFlight = 2
		w.limits.UpdatesPerRun = 6
		w.limits.RequestIDs = 3
	}
	if w.one(6) { // histories that get full, and never so long that runs are ended
		w.limits.HistoryFullEvents = 24
	}
	return w
}

// one is true once in n times.
func (w *world) one(n int) bool { return w.rng.IntN(n) == 0 }

func pick[T any](w *world, from []T) T { return from[w.rng.IntN(len(from))] }

func (w *world) env() *engine.Env {
	w.steps++
	return &engine.Env{Now: w.now, Fresh: w.fresh(), Namespace: w.ns, Limits: w.limits}
}

func (w *world) fresh() *engine.Fresh {
	var seed [16]byte
	binary.BigEndian.PutUint64(seed[:], w.seed)
	binary.BigEndian.PutUint64(seed[8:], w.steps)
	return engine.NewFresh(seed)
}

func idOf(name string) engine.ID {
	return engine.ID{NamespaceID: namespaceID, Archetype: engine.ArchetypeWorkflow, Name: name}
}

// stepRun gives an input to one run and holds the result against e.
func (w *world) stepRun(l *life, in workflow.Input, e *expected) any {
	w.fetch(l, in)
	w.tell("%s %s", l, describe(in))
	return w.take(l, idOf(l.key.Name), e, func() (*workflow.Result, error) { return workflow.Step(w.env(), l.run, in) })
}

// stepID gives an input to an id and holds the result against e.
func (w *world) stepID(name string, in workflow.Input, e *expected) any {
	l := w.current[name]
	var run *workflow.Run
	if l != nil {
		w.fetch(l, in)
		run = l.run
	}
	w.tell("%s: %s", name, describe(in))
	return w.take(l, idOf(name), e, func() (*workflow.Result, error) {
		return workflow.StepID(w.env(), idOf(name), run, in)
	})
}

// fetch provides what a step needs of the history, and nothing more: as if the
// run had just been loaded.
func (w *world) fetch(l *life, in workflow.Input) {
	l.run.Started, l.run.Scheduled = nil, nil
	need := workflow.Needs(l.run, in)
	if need.StartedEvent {
		l.run.Started = l.history[0]
	}
	for id := range need.Events {
		if l.run.Scheduled == nil {
			l.run.Scheduled = map[int64]*historypb.HistoryEvent{}
		}
		l.run.Scheduled[id] = l.history[id-1]
	}
}

// take carries out a step and everything that follows from it.
func (w *world) take(l *life, id engine.ID, e *expected, step func() (*workflow.Result, error)) any {
	careful := w.one(32)
	var before map[string]string
	if careful && l != nil {
		before = encoded(l.run)
	}
	res, err := step()
	if careful {
		w.sameAgain(l, before, step, res, err)
	}
	refusal, _ := err.(*engine.Refusal)
	if err != nil && refusal == nil {
		w.fail("a step ended with %T, which is no refusal: %v", err, err)
	}
	if refusal == nil {
		refusal, _ = res.Reply.(*engine.Refusal)
	}
	w.tell("    %s", verdictOf(refusal))
	e.judge(w, refusal)
	if err != nil {
		return nil
	}
	if w.wrong != nil && l != nil && res.Run != nil {
		w.wrong(w, l, res.Run)
	}
	if res.Run != nil {
		l.run.Apply(res.Run)
		w.commit(l, res.Run)
		l.book.follow(w, l, res.Run, e, res.Reply)
	} else if l != nil && e.changes(l.book) {
		w.fail("nothing changed, but %s was expected", e)
	}
	if res.Base != nil {
		w.base.run.Apply(res.Base)
		w.commit(w.base, res.Base)
		if len(res.Base.Batches) > 0 {
			w.fail("I2: a reset has written to the run it began from")
		}
	}
	if res.New != nil {
		w.birth(res.New, e)
	} else if e.born {
		w.fail("no new run")
	}
	if res.Run != nil && res.Run.Deleted {
		w.bury(l)
	}
	w.checkID(id)
	if refusal != nil {
		return nil
	}
	return res.Reply
}

// sameAgain: a step is a function, and leaves alone what it is given.
func (w *world) sameAgain(l *life, before map[string]string, step func() (*workflow.Result, error), res *workflow.Result, err error) {
	w.steps--
	again, errAgain := step()
	if fmt.Sprint(err) != fmt.Sprint(errAgain) {
		w.fail("the same step was answered %v and %v", err, errAgain)
	}
	if l != nil && !maps.Equal(before, encoded(l.run)) {
		w.fail("a step changed the state it was given")
	}
	if err == nil && !maps.Equal(encodedChange(l, res), encodedChange(l, again)) {
		w.fail("the same step gave two results")
	}
}

func encodedChange(l *life, res *workflow.Result) map[string]string {
	rows := map[string]string{}
	var b store.Batch
	if res.Run != nil {
		record.WriteChange(&b, l.key, res.Run)
	}
	if res.New != nil {
		record.WriteChange(&b, res.New.Run.Key, res.New.Change)
	}
	for _, op := range b.Ops {
		rows[op.Key.String()] = string(op.Value)
	}
	return rows
}

// birth takes a new run into the world.
func (w *world) birth(n *workflow.Newborn, e *expected) {
	l := &life{key: n.Run.Key, run: n.Run, rows: map[rowKey][]byte{}, book: newLedger(n.Run.Key)}
	was := w.current[l.key.Name]
	if was != nil && was.book.open {
		w.fail("I3: %s is born while %s is open", l, was)
	}
	switch {
	case e.started.from != nil:
		l.book.asked = e.started.from.RequestID
	case e.prefix != nil:
		l.book.asked = w.base.book.asked
	case !e.born:
		l.book.asked = was.book.asked
	}
	w.tell("    %s is born", l)
	w.current[l.key.Name] = l
	w.lives = append(w.lives, l)
	if e.prefix != nil {
		l.inherit(e.prefix)
	}
	w.commit(l, n.Change)
	l.book.begin(w, l, n.Change, e)
}

// commit takes a change's effects into the world and its rows into the store.
func (w *world) commit(l *life, c *workflow.Change) {
	var b store.Batch
	record.WriteChange(&b, l.key, c)
	for i := range b.Ops {
		op := &b.Ops[i]
		key := rowKey{op.Key.Family, string(op.Key.Name)}
		switch {
		case op.Until != nil: // all of the run; see bury
		case op.Value == nil:
			delete(l.rows, key)
		default:
			l.rows[key] = op.Value
		}
	}
	for _, batch := range c.Batches {
		l.history = append(l.history, batch...)
		l.batches = append(l.batches, batch)
	}
	for _, t := range c.Withdrawn {
		i := slices.Index(w.offers, t)
		if i < 0 {
			w.fail("I5: withdrawn, but not on offer: %+v", t)
		}
		w.offers = slices.Delete(w.offers, i, i+1)
		w.spent = append(w.spent, t)
	}
	w.offers = append(w.offers, c.Offers...)
	for _, m := range c.Messages {
		w.tell("    sends %s", describeMessage(&m))
		w.letters = append(w.letters, &letter{m: m})
	}
	if n := len(w.spent); n > 16 {
		w.spent = w.spent[n-16:]
	}
}

// bury forgets a run.
func (w *world) bury(l *life) {
	w.tell("    %s is forgotten", l)
	l.deleted = true
	w.lives = slices.DeleteFunc(w.lives, func(o *life) bool { return o == l })
	if w.current[l.key.Name] == l {
		delete(w.current, l.key.Name)
	}
	if slices.ContainsFunc(w.offers, func(t engine.Task) bool { return t.Run == l.key }) {
		w.fail("a run that is gone has tasks on offer")
	}
}

// checkID: I3, and what a run says about itself.
func (w *world) checkID(id engine.ID) {
	open := 0
	for _, l := range w.lives {
		if l.key.Name == id.Name && l.run.Open() {
			open++
			if w.current[id.Name] != l {
				w.fail("I3: %s is open and not current", l)
			}
		}
	}
	if open > 1 {
		w.fail("I3: %s has %d open runs", id.Name, open)
	}
}

func (w *world) findRun(key engine.RunKey) *life {
	for _, l := range w.lives {
		if l.key == key {
			return l
		}
	}
	return nil
}

func (l *life) String() string {
	if l == nil {
		return "nobody"
	}
	return l.key.Name + "/" + l.key.RunID[:4]
}
