package shard

import (
	"context"
	"fmt"
	"time"

	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// tick reads the clock. The shard's time never runs backwards.
func (s *shard) tick() {
	if now := s.opt.Clock.Now().UTC().Round(0); now.After(s.now) {
		s.now = now
	}
}

// setAlarm asks the clock to wake the loop when something falls due. What
// cannot be done now although it is due waits for a batch to end, which makes a
// turn by itself.
func (s *shard) setAlarm() {
	at := s.nextAlarm()
	if s.alarm != nil {
		if at.Equal(s.alarmAt) {
			return
		}
		s.alarm.Stop()
		s.alarm = nil
	}
	if at.IsZero() || s.state != serving {
		return
	}
	s.alarmAt = at
	s.alarmNo++
	no := s.alarmNo
	s.alarm = s.opt.Clock.AfterFunc(max(at.Sub(s.now), 0), func() {
		s.inbox.report(func() {
			if s.alarmNo == no {
				s.alarm = nil
			}
		})
	})
}

// nextAlarm is when the loop has to turn even if nothing comes in; zero for
// never.
func (s *shard) nextAlarm() (at time.Time) {
	sooner := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if s.holding() {
		sooner(s.now.Add(lookForRoom))
		return at
	}
	if due, ok := s.deadlines.queue.Next(); ok && s.deadlines.flying < s.opt.MaxDue && s.accepts() {
		sooner(due)
	}
	sooner(s.deferrals.soon.first())
	sooner(s.deferrals.late.first())
	if !s.lazySince.IsZero() && len(s.flying) < s.opt.MaxFlying {
		sooner(s.lazySince.Add(lazyFor))
	}
	sooner(s.idleAt())
	sooner(s.deadlinesAt())
	return at
}

func (s *shard) sealTime(b *batch) {
	b.rows.Put(record.MetaKey(s.slots.From, timeKind, timeName),
		record.EncodeMeta(map[int]string{timeText: s.now.Format(time.RFC3339Nano)}))
}

// recoverTime finds the latest time that any owner of these slots has written.
func (s *shard) recoverTime(ctx context.Context) error {
	from, to := record.Family(store.FamilyMeta, s.slots)
	var bad error
	err := s.store.Scan(ctx, from, to, func(e store.Entry) bool {
		if kind, name, err := record.ParseMetaKey(e.Key); err != nil || kind != timeKind || name != timeName {
			return true
		}
		texts, err := record.DecodeMeta(e.Value)
		if err != nil {
			bad = fmt.Errorf("time of slot %d: %w", e.Key.Slot, err)
			return false
		}
		if t, err := time.Parse(time.RFC3339Nano, texts[timeText]); err == nil && t.After(s.now) {
			s.now = t.UTC()
		}
		return true
	})
	if err == nil {
		err = bad
	}
	return err
}

// The time a shard has reached is kept with each batch, so that a clock that
// was set back while the server was down does not take it back in time.
const (
	timeKind = "shard"
	timeName = "time"
	timeText = 1 // field
)
