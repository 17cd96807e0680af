package activitytest

// What can happen to an activity, by name of who does it.

// Start: a worker takes the attempt, which is on offer.
func (o *Oracle) Start(now int) {
	o.Running, o.begun, o.start, o.beat, o.loaded, o.wait, o.given = true, true, now, 0, 0, 0, false
}

// Abort: the worker was gone before it got the attempt.
func (o *Oracle) Abort() {
	o.stop()
	if o.CancelAsked {
		o.end("Canceled", "")
	}
}

// Fail: the worker reports a failure, which may be final or ask for a delay.
func (o *Oracle) Fail(now int, final bool, delay int) { o.lostWith(now, "Failed", final, delay) }

// Beat: the worker reports, with details or without, and hears what is asked of
// it. Standing alone that is one thing.
func (o *Oracle) Beat(now int, details bool) (canceled, paused, reset bool) {
	o.beat, o.Details = now, details
	if o.Alone {
		return o.CancelAsked, o.Paused && !o.ResetAsked, o.ResetAsked
	}
	return o.CancelAsked, o.Paused, o.ResetAsked
}

// Complete: a result.
func (o *Oracle) Complete() { o.end("Completed", "") }

// AskCancel asks for cancellation. Standing alone that takes everything else
// back. Nobody asks twice.
func (o *Oracle) AskCancel() {
	o.CancelAsked = true
	if o.Alone {
		o.Paused, o.ResetAsked, o.forget, o.restore = false, false, false, false
	}
	if !o.Running {
		o.end("Canceled", "")
	}
}

// AcceptCancel: the worker agrees to a cancellation, which was asked for.
func (o *Oracle) AcceptCancel() { o.end("Canceled", "") }

// Terminate ends it at once; so does the end of the workflow it belongs to.
func (o *Oracle) Terminate() { o.end("Terminated", "") }

// Pause it. It is not paused.
func (o *Oracle) Pause() { o.Paused = true }

// Unpause it; no matter if it is not paused. In a workflow what was left of a
// back-off is skipped.
func (o *Oracle) Unpause(now int, resetAttempts, resetDetails bool) {
	if !o.Paused {
		return
	}
	o.Paused = false
	o.Details = o.Details && !resetDetails
	if resetAttempts {
		o.Attempt = 1
	}
	if !o.Running && !(o.Alone && o.Due > now) {
		o.handOut(now)
	}
	o.HandedOut(now)
}

// handOut: nobody has it, and it is to be done now.
func (o *Oracle) handOut(now int) { o.Due, o.failed, o.wait, o.given = max(now, o.Delay), 0, 0, false }

// Reset begins the attempts anew.
func (o *Oracle) Reset(now int, resetDetails, keepPaused, restore bool) {
	keepDelay := !o.Delayable(now)
	o.Paused = o.Paused && keepPaused
	if o.Running {
		o.ResetAsked, o.forget, o.restore = true, resetDetails, restore
		if !o.Alone {
			o.anew(restore, keepDelay)
		}
		return
	}
	o.anew(restore, keepDelay)
	o.Details = o.Details && !resetDetails
	o.handOut(now)
	o.HandedOut(now)
}

// Update sets start-to-close, what the heartbeat timeout is cut to by that, and
// the first interval. A back-off ends when the new interval after the failure is
// over, if that is another than before; standing alone not if the failure asked
// for it.
func (o *Oracle) Update(now, startToClose, heartbeat, initial int) {
	before := o.interval(o.Attempt - 1)
	o.StartToClose, o.Heartbeat, o.Initial = startToClose, heartbeat, initial
	after := o.interval(o.Attempt - 1)
	switch {
	case o.Running:
	case o.wait == 0:
		o.Due = max(min(o.Due, now), o.Delay)
	case o.given && o.Alone:
	case before != after:
		o.wait = after
		o.Due = o.failed + o.wait
		if !o.Paused {
			o.Due = max(o.Due, now)
		}
	}
	o.HandedOut(now)
}

// Delayable reports whether the start delay may still be changed.
func (o *Oracle) Delayable(now int) bool {
	return !o.begun && o.Attempt == 1 && (o.Paused || now < o.Due)
}

// UpdateDelay sets the start delay, which is counted from second 0.
func (o *Oracle) UpdateDelay(now, delay int) {
	o.Delay = delay
	o.Due = max(min(o.Due, now), delay)
	o.HandedOut(now)
}

// Load: read from the store by an owner that opened it now. Heartbeats may be
// lost, so their clock begins anew.
func (o *Oracle) Load(now int) {
	if o.Running {
		o.loaded = now
	}
}
