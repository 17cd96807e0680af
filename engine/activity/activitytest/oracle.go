// Package activitytest has a second activity, which knows nothing of deadlines,
// stamps or states: it lives through every second and asks of each timeout
// whether it has passed. It is short enough to be seen to be right, and the real
// ones are compared with it: the machine by itself in package activity, and whole
// executions, stored and read again, here.
//
// Time is in whole seconds; a timeout of zero is none.
package activitytest

// Options of an activity.
type Options struct {
	// Alone: it stands alone. What differs then is said where it does.
	Alone bool
	// The timeouts, start delay, first interval and its maximum; the interval
	// doubles.
	ScheduleToClose, ScheduleToStart, StartToClose, Heartbeat int
	Delay, Initial, MaxInterval, MaxAttempts                  int
	// FinalTimeout: start-to-close is not retried.
	FinalTimeout bool
}

// Oracle is an activity, asked for at second 0.
type Oracle struct {
	Options
	original Options

	Running, Ended                  bool
	CancelAsked, Paused, ResetAsked bool
	Attempt, Due                    int
	Details                         bool // some are recorded
	How, Why                        string
	start, beat, loaded             int
	forget, restore, given          bool
	failed, wait                    int // the last failure, and the back-off after it
	begun                           bool
}

// New is an activity that has just been asked for.
func New(o Options) *Oracle {
	return &Oracle{Options: o, original: o, Attempt: 1, Due: o.Delay}
}

// Tick does what is due at second now.
func (o *Oracle) Tick(now int) {
	for o.timeOut(now) {
	}
	o.HandedOut(now)
}

// timeOut is one timeout. Of what is overdue the earliest comes first, and of
// several of one second the first in the list.
func (o *Oracle) timeOut(now int) bool {
	if o.Ended || o.Paused && !o.Alone {
		return false
	}
	closeAt := o.Delay + o.ScheduleToClose
	// A worker that is quick must not turn schedule-to-close into start-to-close.
	covered := o.ScheduleToClose > 0 && o.StartToClose >= o.ScheduleToClose
	earliest, what := now+1, func() {}
	for _, t := range []struct {
		applies bool
		at      int
		happens func()
	}{
		{o.Running && !covered, o.start + o.StartToClose, func() { o.lost(now, "StartToClose", o.FinalTimeout) }},
		{!o.Running && !o.Paused && o.ScheduleToStart > 0, o.Due + o.ScheduleToStart, func() { o.end("ScheduleToStart", o.cancelOr("Timeout")) }},
		{o.ScheduleToClose > 0, closeAt, func() { o.end("ScheduleToClose", o.cancelOr("Timeout")) }},
		{o.Running && o.Heartbeat > 0, max(o.start, o.beat, o.loaded) + o.Heartbeat, func() { o.lost(now, "Heartbeat", false) }},
	} {
		if t.applies && t.at < earliest {
			earliest, what = t.at, t.happens
		}
	}
	what()
	return earliest <= now
}

// HandedOut: whatever is due is offered to workers, and then it backs off no more.
func (o *Oracle) HandedOut(now int) {
	if !o.Ended && !o.Running && !o.Paused && now >= o.Due {
		o.wait, o.given = 0, false
	}
}

func (o *Oracle) cancelOr(why string) string {
	if o.CancelAsked {
		return "CancelRequested"
	}
	return why
}

// lost is an attempt that failed or timed out.
func (o *Oracle) lost(now int, how string, final bool) { o.lostWith(now, how, final, 0) }

func (o *Oracle) lostWith(now int, how string, final bool, delay int) {
	interval := o.interval(o.Attempt)
	if delay > 0 {
		interval = delay
	}
	next := now + interval
	late := o.ScheduleToClose > 0 && (next > o.Delay+o.ScheduleToClose || o.Alone && next == o.Delay+o.ScheduleToClose)
	switch {
	case o.Alone && o.ResetAsked: // attempt 1, whatever it was
		o.again(now, 0)
	case o.CancelAsked:
		o.end(how, "CancelRequested")
	case final:
		o.end(how, "NonRetryableFailure")
	case o.Paused && !o.Alone:
		o.again(now, 0)
	case o.MaxAttempts > 0 && o.Attempt >= o.MaxAttempts:
		o.end(how, "MaximumAttemptsReached")
	case late && how == "Failed":
		o.end(how, "Timeout")
	case late:
		o.end("ScheduleToClose", "Timeout")
	default:
		o.again(now, interval)
		o.given = delay > 0
	}
}

// interval is the back-off after that attempt.
func (o *Oracle) interval(attempt int) int {
	interval := o.Initial
	for i := 1; i < attempt && interval < o.MaxInterval; i++ {
		interval *= 2
	}
	return min(interval, o.MaxInterval)
}

func (o *Oracle) again(now, wait int) {
	o.Attempt++
	o.Due, o.failed, o.wait, o.given = now+wait, now, wait, false
	o.stop()
}

// stop is the end of a running attempt that the activity outlives. A reset that
// was asked for is then complete; standing alone it begins only here.
func (o *Oracle) stop() {
	if o.ResetAsked && o.Alone {
		o.anew(o.restore, true)
	}
	o.Details = o.Details && !o.forget
	o.Running, o.ResetAsked, o.forget, o.restore = false, false, false, false
}

func (o *Oracle) anew(restore, keepDelay bool) {
	o.Attempt = 1
	if restore {
		delay := o.Delay
		o.Options = o.original
		if keepDelay {
			o.Delay = delay
		}
	}
}

func (o *Oracle) end(how, why string) {
	o.Ended, o.Running, o.How, o.Why = true, false, how, why
}
