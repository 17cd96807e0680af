package cron_test

import (
	"testing"
	"time"

	"github.com/perdure/perdure/engine/cron"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestNextRunOfACronWorkflow(t *testing.T) {
	for _, row := range []struct {
		name, schedule, execution, now string
		want                           time.Duration
	}{
		{"the next minute", "* * * * *", "2026-01-01T10:00:00Z", "2026-01-01T10:00:20Z", 40 * time.Second},
		{"rounded up to a whole second", "* * * * *", "2026-01-01T10:00:00Z", "2026-01-01T10:00:20.5Z", 40 * time.Second},
		{"a tick that is now counts", "* * * * *", "2026-01-01T10:00:00Z", "2026-01-01T10:05:00Z", 0},
		{"but not that of the run itself", "* * * * *", "2026-01-01T10:00:00Z", "2026-01-01T10:00:00Z", time.Minute},
		{"missed ticks are skipped", "0 * * * *", "2026-01-01T10:00:00Z", "2026-01-01T13:59:00Z", time.Minute},
		{"closed during its own back-off", "0 * * * *", "2026-01-01T10:00:00Z", "2026-01-01T09:59:30Z", 30 * time.Second},
		{"an interval counts from the execution time", "@every 10s", "2026-01-01T10:00:00Z", "2026-01-01T10:00:03Z", 7 * time.Second},
		{"missed intervals are skipped", "@every 10s", "2026-01-01T10:00:00Z", "2026-01-03T10:00:03Z", 7 * time.Second},
		{"an interval that ends now", "@every 10s", "2026-01-01T10:00:00Z", "2026-01-01T10:00:20Z", 0},
		{"another time zone", "CRON_TZ=America/New_York 0 8 * * *", "2026-01-01T10:00:00Z", "2026-01-01T12:00:00Z", time.Hour},
		{"the older prefix", "TZ=UTC @daily", "2026-01-01T10:00:00Z", "2026-01-01T12:00:00Z", 12 * time.Hour},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, ok := cron.Backoff(row.schedule, at(row.execution), at(row.now))
			if !ok || got != row.want {
				t.Errorf("got %v, %v; want %v", got, ok, row.want)
			}
		})
	}
}

func TestSchedulesThatAreRefused(t *testing.T) {
	now := at("2026-01-01T10:00:00Z")
	for schedule, want := range map[string]string{
		"":              "",
		"@every 1h":     "",
		"*/5 1,2 * * 1": "",
		"nonsense":      "invalid CronSchedule.",
		"* * * * * *":   "invalid CronSchedule.",
		"0 0 30 2 *":    "invalid CronSchedule, no time can be found to satisfy the schedule",
	} {
		got := ""
		if err := cron.Check(schedule, now); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", schedule, got, want)
		}
	}
}
