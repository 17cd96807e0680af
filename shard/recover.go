package shard

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// recover finds what is outstanding in the slots: tasks on offer, messages on
// their way, changes the index has not got, deadlines that come soon. Its cost
// follows these, not the number of executions. Nothing else runs meanwhile.
func (s *shard) recover(ctx context.Context) error {
	for _, part := range []struct {
		name string
		find func(context.Context) error
	}{
		{"time", s.recoverTime},
		{"tasks", s.recoverBacklog},
		{"messages", s.recoverOutbox},
		{"visibility changes", s.recoverFeed},
		{"deadlines", s.recoverDeadlines},
	} {
		if err := part.find(ctx); err != nil {
			return fmt.Errorf("recover %s of shard %d: %w", part.name, s.index, err)
		}
	}
	return nil
}

// begin offers what was found and starts the loop.
func (s *shard) begin() {
	s.inbox.report(func() {
		// In order: what happens must not depend on that of a map.
		for _, name := range slices.SortedFunc(maps.Keys(s.backlog.queues), compareQueues) {
			s.refill(name)
		}
		s.dispatchMore()
	})
}

// recoverBacklog reads the rows of all tasks once and keeps the first of each
// queue.
func (s *shard) recoverBacklog(ctx context.Context) error {
	from, to := record.Family(store.FamilyTask, s.slots)
	var bad error
	err := s.store.Scan(ctx, from, to, func(e store.Entry) bool {
		t, err := record.DecodeTask(e.Value)
		if err != nil {
			bad = fmt.Errorf("task %v: %w", e.Key, err)
			return false
		}
		s.backlog.depths.of[nickname(t.Queue)]++
		q := s.queueOf(t.Queue)
		if !q.beyond || compareTasks(t, q.bound) < 0 {
			q.waiting = append(q.waiting, *t)
		}
		if len(q.waiting) > 2*s.opt.Window {
			sortTasks(q.waiting)
			q.waiting = append([]engine.Task(nil), q.waiting[:s.opt.Window]...)
			bound := q.waiting[s.opt.Window-1]
			q.bound, q.beyond = &bound, true
		}
		return true
	})
	for _, q := range s.backlog.queues {
		sortTasks(q.waiting)
	}
	if err == nil {
		err = bad
	}
	return err
}

func (s *shard) recoverDeadlines(ctx context.Context) error {
	s.tick()
	rows, end, err := scanDeadlines(ctx, s.store, time.Unix(0, 0), s.now.Add(s.opt.Horizon), s.maxHorizon())
	if err == nil {
		s.addDeadlines(rows, end)
	}
	return err
}
