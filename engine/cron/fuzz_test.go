package cron

import (
	"testing"
	"time"
)

// A schedule comes from outside. One that is accepted says when it fires next,
// never before now.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{"* * * * *", "@every 1s", "CRON_TZ=Europe/Berlin 0 0 29 2 *", "@yearly", "TZ= * * * * *", "TZ=", "0 0 31 2 *"} {
		f.Add(s)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, schedule string) {
		err := Check(schedule, now)
		wait, ok := Backoff(schedule, now, now)
		if err == nil && schedule != "" && (!ok || wait < 0) {
			t.Errorf("%q is accepted and fires %v in %v", schedule, ok, wait)
		}
	})
}
