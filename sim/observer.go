package main

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

// observer reads the disk from outside, and remembers what it has seen.
type observer struct {
	*world
	lives map[engine.RunKey]*life
	order []*life // as they were first seen
	// rows are history rows that were decoded, by where their bytes are.
	rows map[*byte]decodedRow

	// What the last look has found.
	current map[engine.ID]string
	tasks   map[string]*engine.Task // by the name of the row
	due     map[engine.RunKey][]time.Time
	fed     map[engine.RunKey]bool
	letters int
	// owners are the whole names of runs, by run id.
	owners map[string]engine.RunKey
	// copies are history rows of runs that are being made by a reset.
	copies int
}

// piece is a history row.
type piece struct {
	run   engine.RunKey
	first int64
	value []byte
}

func newObserver(w *world) *observer {
	return &observer{world: w, lives: map[engine.RunKey]*life{}, owners: map[string]engine.RunKey{}, rows: map[*byte]decodedRow{}}
}

// look reads the disk and checks everything there is.
func (o *observer) look(img *memstore.Image) {
	o.current = map[engine.ID]string{}
	o.tasks = map[string]*engine.Task{}
	o.due = map[engine.RunKey][]time.Time{}
	o.fed = map[engine.RunKey]bool{}
	o.letters = 0
	states := map[engine.RunKey][]store.Entry{}
	history := map[engine.RunKey]int{}
	var pieces []piece
	for key, value := range img.All() {
		switch key.Family {
		case store.FamilyCurrent:
			id, err := record.ParseCurrentKey(key)
			o.must(err)
			c, err := record.DecodeCurrent(value)
			o.must(err)
			o.current[id] = c.RunID
		case store.FamilyState:
			k, err := record.ParseStateKey(key)
			o.must(err)
			run := o.owner(k.Run)
			if run.Archetype == engine.ArchetypeActivity && states[run] == nil {
				o.singles.single(run)
			}
			states[run] = append(states[run], store.Entry{Key: key, Value: value})
		case store.FamilyHistory:
			run, first, err := record.ParseHistoryKey(key)
			o.must(err)
			pieces = append(pieces, piece{run, first, value})
		case store.FamilyTask:
			t, err := record.DecodeTask(value)
			o.must(err)
			o.tasks[string(key.Name)] = t
			named, err := record.ParseTaskKey(key)
			o.must(err)
			if named.Queue != t.Queue || named.Run != t.Run || named.EventID != t.EventID || !named.Order.Equal(t.Order) {
				o.broken("a row of the backlog is named for %+v and holds %+v", *named, *t)
			}
		case store.FamilyDeadline:
			due, run, err := record.ParseDeadlineKey(key)
			o.must(err)
			o.owner(run)
			o.due[run] = append(o.due[run], due)
		case store.FamilyFeed:
			run, _, err := record.ParseFeedKey(key)
			o.must(err)
			o.fed[run] = true
		case store.FamilyOutbox:
			o.letters++
		}
	}
	o.copies = 0
	for _, p := range pieces {
		p.run = o.owner(p.run)
		if states[p.run] == nil && o.lives[p.run] == nil {
			o.copies++
			if len(o.due[p.run]) == 0 {
				o.broken("%s has a history and no state, and nobody will remove it", short(p.run))
			}
			continue
		}
		o.readHistory(o.life(p.run), p.first, p.value)
		history[p.run]++
	}
	for _, l := range o.order {
		o.settle(l, states[l.key], history[l.key])
	}
	for _, x := range o.singles.order {
		o.singles.settle(x, states[x.key])
	}
	o.checkIDs()
	o.singles.checkIDs()
	o.checkTasks()
	o.checkSignals()
	o.checkChildren()
	o.checkOrphans()
}

// owner is the whole name of a run that a row names by its run id alone; a row
// that names it wholly has said so before.
func (o *observer) owner(run engine.RunKey) engine.RunKey {
	if run.ID != (engine.ID{}) {
		o.owners[run.RunID] = run
		return run
	}
	if whole, ok := o.owners[run.RunID]; ok {
		return whole
	}
	o.broken("a row is of run %s, and nothing says of which execution", run.RunID)
	return run
}

// lookAt reads one run alone; nil when it is gone.
func (o *observer) lookAt(img *memstore.Image, run engine.RunKey) *life {
	state := o.state(img, run)
	if state == nil {
		if !o.mayBeGone(run) {
			o.broken("I1: %s is not on the disk", short(run))
		}
		return nil
	}
	l := o.life(run)
	for key, value := range img.Range(record.HistoryRows(run, 0, math.MaxInt64)) {
		_, first, err := record.ParseHistoryKey(key)
		o.must(err)
		o.readHistory(l, first, value)
	}
	l.state, l.lastly = state, o.now
	if wrong := l.compare(); wrong != "" {
		o.broken("%s of %s:\n%s", wrong, short(l.key), l.tell())
	}
	return l
}

func (o *observer) must(err error) {
	if err != nil {
		o.broken("the disk holds what cannot be read: %v", err)
	}
}

// readHistory takes a row in: new ones continue the history, old ones are as
// they were (I2).
func (o *observer) readHistory(l *life, first int64, value []byte) {
	if old, ok := l.rows[first]; ok {
		if &old[0] != &value[0] && !bytes.Equal(old, value) {
			o.broken("I2: the history of %s has changed at event %d", short(l.key), first)
		}
		return
	}
	if l.gone {
		o.broken("I2: the history of %s is back after it was deleted", short(l.key))
	}
	row := o.decoded(value)
	if first != int64(len(l.events))+1 || row.first != first {
		o.broken("I2: the history of %s goes on with event %d after %d", short(l.key), first, len(l.events))
	}
	copied := o.copied(l, first, value)
	l.retimed = o.auditor.retimed[l.key.ID]
	l.rows[first] = value
	for _, ev := range row.events {
		if ev.EventId != int64(len(l.events))+1 {
			o.broken("I2: the history of %s has event %d in the place of %d", short(l.key), ev.EventId, len(l.events)+1)
		}
		l.events = append(l.events, ev)
		o.played.event(ev.EventType)
		if wrong := cmp.Or(l.add(ev), l.checkContent(ev)); wrong != "" {
			o.broken("%s of %s, event %d:\n%s", wrong, short(l.key), ev.EventId, l.tell())
		}
		if !copied {
			o.auditor.lostStart(l, ev)
		}
	}
}

// settle compares a run's state with its history.
func (o *observer) settle(l *life, stored []store.Entry, rows int) {
	if stored == nil {
		if rows > 0 {
			o.broken("%s has a history and no state", short(l.key))
		}
		if !l.gone && !o.mayBeGone(l.key) {
			o.broken("I1: %s is gone", short(l.key))
		}
		l.gone, l.state = true, nil
		return
	}
	if rows != len(l.rows) {
		o.broken("I2: the history of %s has lost rows: %d of %d are left", short(l.key), rows, len(l.rows))
	}
	if l.atRest && sameRows(l.stored, stored) {
		l.lastly = o.now
		o.checkPunctual(l.key, l.state.NextDeadline(), l.tell)
		return
	}
	loader := record.NewLoader(l.key)
	for _, e := range stored {
		loader.Add(e)
	}
	state, err := loader.Run()
	o.must(err)
	// As a shard that opens at this moment would find it, whatever its clock.
	state.Loaded(o.now.Add(maxSkew))
	l.state, l.lastly = state, o.now
	if wrong := l.compare(); wrong != "" {
		o.broken("%s of %s:\n%s", wrong, short(l.key), l.tell())
	}
	o.checkWoken(l.key, l.state.Open(), l.state.NextDeadline(), l.state.Info.Armed, l.tell)
	for n := int64(1); l.state.Callbacks[n] != nil; n++ {
		o.checkCallback(l.key, n, l.state.Callbacks[n], l.told(l.state.Callbacks[n]), l.tell)
	}
	o.checkPaused(l)
	o.checkReset(l)
	o.checkBeginning(l)
	o.checkReplay(l)
	l.stored, l.atRest = stored, !state.Open() && !pending(state.Callbacks)
}

// mayBeGone reports whether a run was to be deleted by now.
func (o *observer) mayBeGone(key engine.RunKey) bool {
	l := o.lives[key]
	if o.auditor.deleted[key.ID] {
		return true
	}
	// It may have closed and been deleted since it was last looked at.
	return l != nil && (l.gone || l.state != nil && !l.state.Open() && !l.state.ShardTime(l.state.Info.DeleteAt).After(o.now.Add(maxSkew))) ||
		l != nil && !o.now.Before(l.lastly.Add(o.retention-2*maxSkew))
}

// anyOf reports whether the run, or any of its id when it has no run id,
// fulfils holds; also when it was deleted and so cannot be asked.
func (o *observer) anyOf(key engine.RunKey, holds func(*life) bool) bool {
	if key.RunID != "" {
		l := o.lives[key]
		return l != nil && (l.gone || holds(l)) || o.auditor.deleted[key.ID]
	}
	for _, l := range o.order {
		if l.key.ID == key.ID && (l.gone || holds(l)) {
			return true
		}
	}
	return o.auditor.deleted[key.ID]
}

// known is how many events the disk was seen to have of each run of an id.
func (o *observer) known(id engine.ID) map[string]int64 {
	all := map[string]int64{}
	for _, l := range o.order {
		if l.key.ID == id {
			all[l.key.RunID] = int64(len(l.events))
		}
	}
	return all
}

// quiet reports whether everything has ended and nothing is under way.
func (o *observer) quiet() bool {
	return o.left() == ""
}

// left lists what has not ended.
func (o *observer) left() string {
	var b strings.Builder
	for _, l := range o.order {
		if l.state != nil && l.state.Open() {
			fmt.Fprintf(&b, "%s (%s) is open:\n%s", short(l.key), l.state.Start.WorkflowType, l.tell())
		}
		if l.state != nil {
			for n := int64(1); l.state.Callbacks[n] != nil; n++ {
				if s := l.state.Callbacks[n]; s.Pending() {
					fmt.Fprintf(&b, "callback %d of %s is not delivered: %+v\n", n, short(l.key), s)
				}
			}
		}
	}
	b.WriteString(o.singles.left())
	if o.copies > 0 {
		fmt.Fprintf(&b, "%d rows of histories that no reset has finished\n", o.copies)
	}
	if o.letters > 0 {
		fmt.Fprintf(&b, "%d messages in the outbox\n", o.letters)
	}
	for _, name := range sortedKeys(o.tasks) {
		fmt.Fprintf(&b, "a task is on offer: %v\n", *o.tasks[name])
	}
	return b.String()
}
