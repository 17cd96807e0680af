package doctor

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// slot is what one slot holds, by run.
type slot struct {
	current   map[engine.ID]string
	unread    map[engine.ID]bool // pointers that cannot be read
	runs      map[engine.RunKey]*run
	owners    map[string]engine.RunKey // whole names, by run id
	deadlines map[engine.RunKey][]time.Time
	tasks     map[engine.RunKey][]*engine.Task
	messages  map[engine.RunKey][]*engine.Message
	feed      map[engine.RunKey]*engine.VisibilityRecord // the latest
}

// slot reads a slot and checks all its runs.
func (e *examiner) slot(no store.Slot) error {
	s := &slot{
		current: map[engine.ID]string{}, unread: map[engine.ID]bool{}, runs: map[engine.RunKey]*run{}, owners: map[string]engine.RunKey{}, deadlines: map[engine.RunKey][]time.Time{},
		tasks: map[engine.RunKey][]*engine.Task{}, messages: map[engine.RunKey][]*engine.Message{}, feed: map[engine.RunKey]*engine.VisibilityRecord{},
	}
	for _, part := range []struct {
		family store.Family
		read   func(*slot, store.Entry) error
	}{
		{store.FamilyCurrent, e.readCurrent}, {store.FamilyDeadline, e.readDeadline}, {store.FamilyState, e.readState}, {store.FamilyHistory, e.readHistory},
		{store.FamilyTask, e.readTask}, {store.FamilyOutbox, e.readMessage}, {store.FamilyFeed, e.readFeed},
	} {
		err := e.scan(part.family, no, func(r store.Entry) {
			r.Key.Name = slices.Clone(r.Key.Name)
			if err := part.read(s, r); err != nil {
				e.report.find("key-malformed", row(r.Key), "%v", err)
			}
		})
		if err != nil {
			return err
		}
	}
	for _, r := range s.sorted() {
		e.checkRun(s, r)
	}
	e.checkPointers(s)
	e.checkLeftovers(s)
	return e.compareIndex(s)
}

// sorted are the runs in a fixed order.
func (s *slot) sorted() []*run {
	var runs []*run
	for _, r := range s.runs {
		runs = append(runs, r)
	}
	slices.SortFunc(runs, func(a, b *run) int { return compareKeys(a.key, b.key) })
	return runs
}

func compareKeys(a, b engine.RunKey) int {
	return cmp.Or(cmp.Compare(a.NamespaceID, b.NamespaceID), cmp.Compare(a.Archetype, b.Archetype), cmp.Compare(a.Name, b.Name), cmp.Compare(a.RunID, b.RunID))
}

// of is the run of a key; it is made when it is first met.
func (s *slot) of(key engine.RunKey) *run {
	r := s.runs[key]
	if r == nil {
		r = &run{key: key}
		s.runs[key] = r
	}
	return r
}

// owner is the whole name of a run. Most rows of its state and history name it by
// its run id alone; a row that names it wholly was read before, if there is one.
func (s *slot) owner(run engine.RunKey) engine.RunKey {
	if run.ID != (engine.ID{}) {
		s.owners[run.RunID] = run
		return run
	}
	if whole, ok := s.owners[run.RunID]; ok {
		return whole
	}
	return run
}

// placed makes a finding unless the id belongs into the row's slot.
func (e *examiner) placed(id engine.ID, k store.Key) {
	if id == (engine.ID{}) {
		return // a row of a run that nothing names wholly; that is a finding of its own
	}
	if want := record.SlotOf(id); want != k.Slot {
		e.report.find("wrong-slot", e.name(engine.RunKey{ID: id}), "a row of it is in %s; its slot is %d", place(k), want)
	}
}

func (e *examiner) readCurrent(s *slot, r store.Entry) error {
	id, err := record.ParseCurrentKey(r.Key)
	if err != nil {
		return err
	}
	e.placed(id, r.Key)
	c, err := record.DecodeCurrent(r.Value)
	if err != nil {
		s.unread[id] = true
		e.bad(err, e.name(engine.RunKey{ID: id}))
		return nil
	}
	s.current[id] = c.RunID
	s.owner(engine.RunKey{ID: id, RunID: c.RunID})
	return nil
}

func (e *examiner) readState(s *slot, r store.Entry) error {
	k, err := record.ParseStateKey(r.Key)
	if err != nil {
		return err
	}
	old := !e.renamed && k.Run.ID != (engine.ID{})
	if string(k.Key().Name) != string(r.Key.Name) && !old {
		return errors.New("it is not as this release writes it")
	}
	run := s.owner(k.Run)
	e.placed(run.ID, r.Key)
	s.of(run).load(r)
	return nil
}

func (e *examiner) readHistory(s *slot, r store.Entry) error {
	key, first, err := record.ParseHistoryKey(r.Key)
	if err != nil {
		return err
	}
	key = s.owner(key)
	e.placed(key.ID, r.Key)
	h := &s.of(key).history
	batch, err := record.OpenHistory(r.Value)
	if err == nil && batch.First != first {
		e.report.find("history-gap", e.name(key), "the batch at event %d says that it begins with event %d", first, batch.First)
	}
	if err != nil {
		h.unread = true
		e.bad(err, e.name(key)+", events from "+itoa(first))
		return nil
	}
	events, err := batch.Events()
	if err != nil {
		h.unread = true
		e.bad(err, e.name(key)+", events from "+itoa(first))
		return nil
	}
	if first != h.next() && !h.unread {
		e.report.find("history-gap", e.name(key), "the events from %d are followed by event %d", h.next()-1, first)
	}
	e.report.Events += len(events)
	h.add(events)
	return nil
}

func (e *examiner) readDeadline(s *slot, r store.Entry) error {
	due, key, err := record.ParseDeadlineKey(r.Key)
	if err != nil {
		return err
	}
	e.placed(key.ID, r.Key)
	s.owner(key)
	s.deadlines[key] = append(s.deadlines[key], due)
	return nil
}

func (e *examiner) readTask(s *slot, r store.Entry) error {
	named, err := record.ParseTaskKey(r.Key)
	if err != nil {
		return err
	}
	e.placed(named.Run.ID, r.Key)
	task, err := record.DecodeTask(r.Value)
	if err != nil {
		e.bad(err, "a task of "+e.name(named.Run))
		return nil
	}
	if string(record.TaskKey(task).Name) != string(r.Key.Name) {
		return errors.New("it is not that of the task it holds")
	}
	s.tasks[task.Run] = append(s.tasks[task.Run], task)
	return nil
}

func (e *examiner) readMessage(s *slot, r store.Entry) error {
	if _, _, err := record.ParseOutboxKey(r.Key); err != nil {
		return err
	}
	m, err := record.DecodeMessage(r.Value)
	if err != nil {
		e.bad(err, row(r.Key))
		return nil
	}
	e.placed(m.From.ID, r.Key)
	s.messages[m.From] = append(s.messages[m.From], m)
	return nil
}

func (e *examiner) readFeed(s *slot, r store.Entry) error {
	run, _, err := record.ParseFeedKey(r.Key)
	if err != nil {
		return err
	}
	v := &engine.VisibilityRecord{Run: run}
	if len(r.Value) > 0 {
		if v, err = record.DecodeVisibility(r.Value); err != nil {
			e.bad(err, row(r.Key))
			return nil
		}
	}
	e.placed(v.Run.ID, r.Key)
	if was := s.feed[v.Run]; was == nil || was.Version <= v.Version {
		s.feed[v.Run] = v
	}
	return nil
}
