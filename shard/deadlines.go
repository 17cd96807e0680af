package shard

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/timers"
)

// deadlines knows when which run must be looked at.
//
// A run has one row in the deadline family, at the time it is armed for. A run in
// memory is woken by its true next deadline, and its row may be earlier, never
// later: a deadline that moves closer is written with the step that moves it, one
// that moves away only when the run leaves memory or closes. So a row found for a
// run that is not in memory is exact, or was left by a crash and early; then
// looking at the run does no harm and sets it right.
//
// An open run that is in memory, and had no row when it came into the feed, goes
// without one for as long as it is there: who opens the slots finds it by its row
// in the feed. Most runs are over when the index has heard of them, and of the
// thirteen rows of the shortest these were two.
//
// Rows beyond the horizon stay on disk. The queue holds every run in memory
// that has a deadline, every row before the horizon, and those that recovery owed;
// when these become too many the horizon comes closer. Of a run in memory it
// may hold an earlier time than the true one, as the row may: a deadline that
// moves away with each heartbeat costs nothing until the old one comes.
type deadlines struct {
	queue timers.Queue[engine.RunKey]
	// horizon: all rows due before it have been read. While reading further
	// goes on, next is where the horizon is going to be.
	horizon time.Time
	next    time.Time
	reading bool
	retryAt time.Time // after a read that went wrong
	// trimAt is how long the queue must be to be trimmed again.
	trimAt int
	// flying counts the runs being looked at.
	flying int
}

// remember notes when a run in memory is to be looked at.
func (s *shard) remember(h *held) {
	next := time.Time{}
	if h.run != nil {
		next = h.run.NextDeadline()
	}
	switch {
	case next.IsZero():
		h.noted = time.Time{}
		s.deadlines.queue.Remove(h.key)
	case h.noted.IsZero() || next.Before(h.noted):
		s.lookAt(h, next)
	}
}

// lookAt has a run in memory looked at, then and not before.
func (s *shard) lookAt(h *held, at time.Time) {
	h.noted = at
	s.deadlines.queue.Set(h.key, at)
}

// left notes that a run has left memory, and what its row says.
func (s *shard) left(key engine.RunKey, due time.Time) {
	d := &s.deadlines
	end := d.horizon
	if d.reading {
		end = d.next
	}
	// Before the first batch is durable the row may be one that recovery owed: the
	// horizon may reach it before the row is there to be read.
	if due.IsZero() || !due.Before(end) && s.durable > 0 {
		d.queue.Remove(key)
		return
	}
	d.queue.Set(key, due)
	s.trimDeadlines()
}

// trimDeadlines brings the horizon closer when there are three times as many rows
// before it as are read at once. Two times as many stay, so that neither a trim
// nor a read follows another before as many have come or gone.
func (s *shard) trimDeadlines() {
	d := &s.deadlines
	if most := 3 * s.maxHorizon(); d.reading || d.queue.Len() < max(d.trimAt, most+s.held) {
		return
	}
	if s.durable == 0 {
		return // rows that recovery owed are in the first batch: nobody could read them yet
	}
	// What is due soon may be a second look, which the rows know nothing of.
	soon := s.now.Add(2 * retryDue)
	from, ok := d.queue.Trim(2*s.maxHorizon(), func(key engine.RunKey, due time.Time) bool {
		return due.Before(soon) || s.inMemory(key) != nil
	})
	// Those that recovery owed may be due beyond the horizon. Let go, they are read
	// when it comes to them; it must not move there over rows that were not read.
	if ok && from.Before(d.horizon) {
		d.horizon = from
	}
	d.trimAt = d.queue.Len() + s.maxHorizon()
}

// maxHorizon is this shard's part of Options.MaxHorizon.
func (s *shard) maxHorizon() int { return max(1, s.opt.MaxHorizon/s.opt.Shards) }

// sealDeadline writes the run's row if it must be written, and notes in the run
// for when it is armed.
func (s *shard) sealDeadline(b *batch, h *held) {
	next, armed := h.run.NextDeadline(), h.run.armed()
	exact := h.exact || !h.run.Open()
	h.exact = false
	earlier := !next.IsZero() && (armed.IsZero() || next.Before(armed))
	if !earlier && (!exact || next.Equal(armed) && !h.owed) {
		return
	}
	h.run.arm(next)
	if !exact && (h.owed || armed.IsZero() && h.fedIn != 0) {
		h.owed = true
		return
	}
	if !armed.IsZero() && !h.owed {
		b.rows.Delete(record.DeadlineKey(armed, h.key))
	}
	if !next.IsZero() {
		b.rows.Put(record.DeadlineKey(next, h.key), record.DeadlineValue)
	}
	h.owed = false
}

// writeOwed writes the row of a run that has gone without, because its row in the
// feed is removed by the same batch.
func (s *shard) writeOwed(h *held) {
	if !h.owed {
		return
	}
	s.lazy.Put(record.DeadlineKey(h.run.armed(), h.key), record.DeadlineValue)
	h.owed = false
	h.lastBatch, h.entry.lastBatch = s.open.no, s.open.no // it must not leave before
}

// recoverOwed is about a run whose row in the feed was found when the shard was
// opened: it may have no deadline row, and gets it with the first batch.
func (s *shard) recoverOwed(key engine.RunKey, armed time.Time) {
	s.lazy.Put(record.DeadlineKey(armed, key), record.DeadlineValue)
	s.lazyAdded()
	s.deadlines.queue.Set(key, armed)
}

// unarm removes the row of a run that is being deleted.
func (s *shard) unarm(h *held) {
	if armed := h.run.armed(); !armed.IsZero() && !h.owed {
		// Behind the row itself, which may be among these as well. They are in the
		// batch of the deletion.
		s.lazy.Delete(record.DeadlineKey(armed, h.key))
		s.lazyAdded()
	}
	h.owed = false
	s.deadlines.queue.Remove(h.key)
}

// fireDue looks at the runs that are due, not too many at once: the rest is no
// less due in the next turn.
func (s *shard) fireDue() {
	d := &s.deadlines
	for d.flying < s.opt.MaxDue && s.accepts() {
		due, ok := d.queue.Next()
		if !ok || due.After(s.now) {
			break
		}
		key, _ := d.queue.Pop(s.now)
		if s.postponed(key) {
			continue
		}
		s.opt.Metrics.Late(s.now.Sub(due))
		d.flying++
		s.admit(&request{id: key.ID, runID: key.RunID, in: machineOf(key.Archetype).due(), due: true,
			done: func(_ any, err error) { s.looked(key, due, err) }})
	}
	if at := s.deadlinesAt(); !at.IsZero() && !at.After(s.now) {
		s.readDeadlines()
	}
}

// postponed reports whether a run whose time has come is in memory and has a
// later deadline by now; then that is noted.
func (s *shard) postponed(key engine.RunKey) bool {
	h := s.inMemory(key)
	if h == nil {
		return false
	}
	h.noted = time.Time{}
	if h.run == nil {
		return false
	}
	next := h.run.NextDeadline()
	if !next.After(s.now) {
		return false
	}
	s.lookAt(h, next)
	return true
}

// deadlinesAt is when to read on: well ahead while few are in memory; with
// many, when there is no other way. Zero while a read is under way.
func (s *shard) deadlinesAt() time.Time {
	d := &s.deadlines
	if d.reading {
		return time.Time{}
	}
	at := d.horizon
	if d.queue.Len() < s.maxHorizon() {
		at = at.Add(-s.opt.Horizon / 2)
	}
	if at.Before(d.retryAt) {
		at = d.retryAt
	}
	return at
}

// retryDue is when a run is looked at again that could not be looked at, or
// that is due still after it was.
const retryDue = time.Second

// looked takes note that a run was looked at, because of a deadline at due. Its
// next one is in the queue already, if it was found.
func (s *shard) looked(key engine.RunKey, due time.Time, err error) {
	switch engine.KindOf(err) {
	case 0:
		if err == nil {
			return
		}
	case engine.KindNotFound:
		// A row left over, or what a reset has left that did not come to its end.
		machineOf(key.Archetype).erase(&s.lazy, key)
		s.lazy.Delete(record.DeadlineKey(due, key))
		s.lazyAdded()
		return
	}
	if s.aside[key.ID] != nil {
		return
	}
	if h := s.inMemory(key); h != nil {
		s.lookAt(h, s.now.Add(retryDue))
		return
	}
	s.deadlines.queue.Set(key, s.now.Add(retryDue))
}

// alreadyDue keeps a run whose look left it due from keeping the loop busy.
func (s *shard) alreadyDue(h *held) {
	if next := h.run.NextDeadline(); !next.IsZero() && !next.After(s.now) {
		s.opt.Log.Warn("a deadline remains after it was looked at", "run", h.key, "due", next)
		s.lookAt(h, s.now.Add(retryDue))
	}
}

// dueRow is a row of the deadline family.
type dueRow struct {
	due time.Time
	key engine.RunKey
}

// readDeadlines moves the horizon on, beside the loop.
func (s *shard) readDeadlines() {
	d := &s.deadlines
	from := d.horizon
	d.next = s.now.Add(s.opt.Horizon)
	d.reading = true
	to := d.next
	s.beside(func(ctx context.Context) {
		rows, end, err := scanDeadlines(ctx, s.store, from, to, s.maxHorizon())
		s.inbox.report(func() {
			d.reading = false
			if err != nil {
				s.opt.Log.Error("read deadlines", "shard", s.index, "error", err)
				d.retryAt = s.now.Add(retryDue)
				return
			}
			s.addDeadlines(rows, end)
		})
	})
}

func (s *shard) addDeadlines(rows []dueRow, end time.Time) {
	for _, r := range rows {
		if s.inMemory(r.key) != nil || machineOf(r.key.Archetype) == nil {
			continue // memory knows better
		}
		if _, ok := s.deadlines.queue.Due(r.key); !ok {
			s.deadlines.queue.Set(r.key, r.due)
		}
	}
	s.deadlines.horizon = end
}

// inMemory is what is held of a run; nil when nothing is.
func (s *shard) inMemory(key engine.RunKey) *held {
	if e := s.entries[key.ID]; e != nil {
		return e.run(key.RunID)
	}
	return nil
}

// scanDeadlines reads the rows due in [from, to) of all slots, but at most the
// earliest so many; end is how far it got. In each slot the rows are in order of
// time. A scan goes on from slot to slot until it meets a row that is not asked
// for, so that slots without rows cost nothing: most of the 4,096 have none in a
// young store, and one scan each was what opening it took longest for.
func scanDeadlines(ctx context.Context, st store.Shard, from, to time.Time, most int) (rows []dueRow, end time.Time, err error) {
	end = to
	limit := 2 * most
	slots := st.Slots()
	_, last := record.Family(store.FamilyDeadline, slots)
	for next := slots.From; next < slots.To; {
		lower, _ := record.DeadlineRows(next, from, end)
		next = slots.To // unless a row says otherwise
		var bad error
		err := st.Scan(ctx, lower, last, func(e store.Entry) bool {
			due, key, err := record.ParseDeadlineKey(e.Key)
			switch {
			case err != nil:
				bad = err
			case due.Before(from): // the first row of a later slot
				next = e.Key.Slot
			case !due.Before(end):
				next = e.Key.Slot + 1
			default:
				if rows = append(rows, dueRow{due, key}); len(rows) > limit {
					rows, end = earliest(rows, most)
					limit = len(rows) + most // there may be many due at the same time
				}
				return true
			}
			return false
		})
		if err = errors.Join(err, bad); err != nil {
			return nil, from, err
		}
	}
	if len(rows) > most {
		rows, end = earliest(rows, most)
	}
	return rows, end, nil
}

// earliest keeps so many rows, and those due at the same time as the last. All
// that is due before end is among them.
func earliest(rows []dueRow, most int) ([]dueRow, time.Time) {
	slices.SortStableFunc(rows, func(a, b dueRow) int { return a.due.Compare(b.due) })
	last := rows[most-1].due
	n := most
	for n < len(rows) && rows[n].due.Equal(last) {
		n++
	}
	return rows[:n:n], last.Add(time.Nanosecond)
}
