// Package duration reads durations as the API sends them: with the checks and
// the cap that every request field and command field shares (spec/workflow.md
// 0.1, spec/activity.md AT-6).
package duration

import (
	"errors"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
)

// Max is 100 years of 365 days; anything longer is silently cut to it.
const Max = 100 * 365 * 24 * time.Hour

var (
	errNegative = errors.New("negative duration")
	errSigns    = errors.New("duration has seconds and nanos with different signs")
	errNanos    = errors.New("duration has out-of-range nanos")
)

// Check reports why d is no duration the API takes, with the API's texts; nil
// for a good one. An absent duration is zero and good.
func Check(d *durationpb.Duration) error {
	if d == nil {
		return nil
	}
	s, n := d.GetSeconds(), d.GetNanos()
	switch {
	case (s > 0 && n < 0) || (s < 0 && n > 0):
		return errSigns
	case n <= -1e9 || n >= 1e9:
		return errNanos
	case s < 0 || n < 0:
		return errNegative
	}
	return nil
}

// Of is d as a time.Duration, cut to Max. Absent is zero. What Check refuses
// yields zero when negative.
func Of(d *durationpb.Duration) time.Duration {
	if d == nil {
		return 0
	}
	// Seconds are compared first: AsDuration saturates, but only at 292 years,
	// and a hostile value must not wrap.
	if d.GetSeconds() >= int64(Max/time.Second) {
		return Max
	}
	return max(0, d.AsDuration())
}

// Proto is d for the wire, never nil: some SDKs take an absent duration for a
// protocol error where zero means "none" (AT-11). Nobody may change it: the two
// that nearly every event has are one object each.
func Proto(d time.Duration) *durationpb.Duration {
	switch d {
	case 0:
		return none
	case taskTimeout:
		return ofTask
	}
	return durationpb.New(d)
}

// taskTimeout is that of the workflow tasks of all runs that ask for no other.
const taskTimeout = 10 * time.Second

var none, ofTask = durationpb.New(0), durationpb.New(taskTimeout)
