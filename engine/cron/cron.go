// Package cron reads cron schedules and computes when the next run of a cron
// workflow begins. Spec: workflow.md 1.9.
//
// The grammar is the five-field crontab with ranges, lists, steps and names,
// plus "@every 90s", "@hourly", "@daily" and the like, with an optional prefix
// "CRON_TZ=Zone " or "TZ=Zone "; without one the times are UTC.
package cron

import (
	"errors"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/perdure/perdure/engine"
)

// Check refuses a schedule that cannot be read or never comes, with the API's
// texts. The empty schedule is good: no cron.
func Check(schedule string, now time.Time) error {
	if schedule == "" {
		return nil
	}
	s, err := parse(schedule)
	if err != nil {
		return engine.Invalid("invalid CronSchedule.")
	}
	if s.Next(now.UTC()).IsZero() {
		return engine.Invalid("invalid CronSchedule, no time can be found to satisfy the schedule")
	}
	return nil
}

// Backoff is how long after now the next run begins: at the first time of the
// schedule after the last run's execution time that is not past; what was
// missed is skipped. It is rounded up to a whole second. A run that closes
// before its own execution time is followed at that time. ok is false when the
// schedule has no such time, or cannot be read.
func Backoff(schedule string, executionTime, now time.Time) (d time.Duration, ok bool) {
	s, err := parse(schedule)
	if err != nil {
		return 0, false
	}
	next := executionTime
	if !now.Before(executionTime) {
		if next = after(s, executionTime.UTC(), now.UTC()); next.IsZero() {
			return 0, false
		}
	}
	wait := next.Sub(now)
	if part := wait % time.Second; part > 0 {
		wait += time.Second - part
	}
	return wait, true
}

// after is the first time of s after executionTime that is not before now. An
// interval counts from executionTime; multiples are skipped by division, since
// a second's interval may have been missed for a month.
func after(s cron.Schedule, executionTime, now time.Time) time.Time {
	if every, ok := s.(cron.ConstantDelaySchedule); ok {
		missed := (now.Sub(executionTime) - 1) / every.Delay
		return s.Next(executionTime.Add(max(missed, 0) * every.Delay))
	}
	from := executionTime
	if t := now.Add(-time.Nanosecond); t.After(from) {
		from = t
	}
	return s.Next(from)
}

// errNoFields: the library would panic.
var errNoFields = errors.New("a time zone without a schedule")

func parse(schedule string) (cron.Schedule, error) {
	if (strings.HasPrefix(schedule, "TZ=") || strings.HasPrefix(schedule, "CRON_TZ=")) && !strings.Contains(schedule, " ") {
		return nil, errNoFields
	}
	s, err := cron.ParseStandard(schedule)
	if err != nil {
		return nil, err
	}
	if spec, ok := s.(*cron.SpecSchedule); ok && spec.Location == time.Local {
		spec.Location = time.UTC
	}
	return s, nil
}
