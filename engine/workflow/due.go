package workflow

// due carries out whatever is due. After an outage that can be much at once:
// the end of the run comes before all else, since what else would have happened
// can no longer be told; then the workflow task, so that timers and activities
// find it ended and append rather than buffer.
func (d *draft) due() (any, error) {
	if !d.isOpen() {
		if at := d.info.DeleteAt; !at.IsZero() && !at.After(d.env.Now) {
			d.forget()
		} else {
			d.untouched = !d.dueCallbacks()
		}
		return nil, nil
	}
	if at := d.fixed().RunDeadline; !at.IsZero() && !at.After(d.env.Now) {
		d.timeOut()
		return nil, nil
	}
	worked := d.backoffOver() || d.forwardDue() // which skip records
	worked = d.taskDue() || worked
	worked = d.dueCallbacks() || worked
	timers, activities := d.base.due(d.env.Now)
	if len(timers) > 0 {
		worked = d.fireTimers(timers) || worked
	}
	if len(activities) > 0 {
		worked = d.dueActivities(activities) || worked
	}
	d.untouched = !worked
	return nil, nil
}

// backoffOver lets the first workflow task begin when its time has come.
func (d *draft) backoffOver() bool {
	if d.info.FirstTaskDone || d.info.AwaitsParent || d.fixed().ExecutionTime().After(d.env.Now) {
		return false
	}
	d.endBackoff()
	return true
}

// endBackoff schedules the first workflow task now, whatever was left of the
// back-off. A child still waits for its parent.
func (d *draft) endBackoff() {
	if !d.info.FirstTaskDone {
		d.info.FirstTaskDone = true
		d.wantTask()
	}
}
