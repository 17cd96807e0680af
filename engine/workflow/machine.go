package workflow

import (
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
)

// Need is what a step must be given beyond the run's own parts. The shell asks
// first, fetches without blocking its loop, and then steps.
type Need struct {
	// StartedEvent: Run.Started must be set (a successor may be born from it).
	StartedEvent bool
	// Events of this run that must be in memory, by event id and the history
	// batch they are in; put them into Run.Scheduled.
	Events map[int64]int64
}

// Needs says what Step or StepID would read of the run's history. run may be nil.
func Needs(run *Run, in Input) Need {
	if run == nil || !run.Open() {
		return Need{}
	}
	return Need{StartedEvent: needsStarted(run, in), Events: activityNeeds(run, in)}
}

// needsStarted: retry and cron copy the run's Started event into the next run,
// continue-as-new its links.
func needsStarted(run *Run, in Input) bool {
	s := run.Start
	if run.Started != nil || !s.repeats() && !s.Linked {
		return false
	}
	switch in := in.(type) {
	case *Due:
		return s.repeats() && !s.RunDeadline.IsZero()
	case *CompleteWorkflowTask:
		for _, cmd := range in.Request.GetCommands() {
			switch cmd.GetCommandType() {
			case enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION, enumspb.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION:
				return s.repeats()
			case enumspb.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION:
				return s.Linked
			}
		}
	}
	return false
}

// StepID carries out an input that concerns an id: StartWorkflow and
// SignalWithStart and UpdateWithStart. current is the newest run of the id, open or closed, or nil.
// Result.Run is then the change of current. An error is always an
// *engine.Refusal and means that nothing changed.
func StepID(env *engine.Env, id engine.ID, current *Run, in Input) (*Result, error) {
	var res *Result
	var err error
	switch in := in.(type) {
	case *StartWorkflow:
		res, err = startWorkflow(env, id, current, in)
	case *SignalWithStart:
		res, err = signalWithStart(env, id, current, in)
	case *UpdateWithStart:
		res, err = updateWithStart(env, id, current, in)
	case *ResetWorkflow:
		res, err = resetWorkflow(env, id, current, in)
	default:
		return nil, engine.Refuse(engine.KindUnimplemented, "input %T does not concern an id", in)
	}
	if err != nil {
		return nil, asRefusal(err)
	}
	return withinLimits(env, current, in, res)
}

// Step carries out an input that concerns one run. An error is always an
// *engine.Refusal and means that nothing changed.
func Step(env *engine.Env, run *Run, in Input) (*Result, error) {
	if complete, ok := in.(*CompleteWorkflowTask); ok {
		res, err := completeWorkflowTask(env, run, complete)
		if err != nil {
			return nil, asRefusal(err)
		}
		return withinLimits(env, run, in, res)
	}
	d := newDraft(run.own(env), run)
	reply, err := d.step(in)
	if err != nil {
		return nil, asRefusal(err)
	}
	return withinLimits(env, run, in, d.result(reply))
}

// step is the switch over the inputs of one run; there is no logic in it.
func (d *draft) step(in Input) (reply any, err error) {
	switch in := in.(type) {
	case *Signal:
		return d.signal(in)
	case *RequestCancel:
		return d.requestCancel(in)
	case *Terminate:
		return d.terminate(in)
	case *UpdateWorkflow:
		return d.updateWorkflow(in)
	case *Delete:
		return d.delete()
	case *StartWorkflowTask:
		return d.startWorkflowTask(in)
	case *FailWorkflowTask:
		return d.failWorkflowTask(in)
	case *AbortWorkflowTask:
		return d.abortWorkflowTask(in)
	case *ResetSticky:
		return d.resetSticky()
	case *StartActivity:
		return d.startActivity(in)
	case *AbortActivity:
		return d.abortActivity(in)
	case *HeartbeatActivity:
		return d.heartbeatActivity(in)
	case *CompleteActivity:
		return d.completeActivity(in)
	case *FailActivity:
		return d.failActivity(in)
	case *CancelActivity:
		return d.cancelActivity(in)
	case *PauseWorkflow:
		return d.pauseWorkflow(in)
	case *UnpauseWorkflow:
		return d.unpauseWorkflow(in)
	case *UpdateOptions:
		return d.updateOptions(in)
	case *PauseActivity:
		return d.pauseActivity(in)
	case *UnpauseActivity:
		return d.unpauseActivity(in)
	case *ResetActivity:
		return d.resetActivity(in)
	case *UpdateActivityOptions:
		return d.updateActivityOptions(in)
	case *Due:
		return d.due()
	case *FirstWorkflowTask:
		return d.firstWorkflowTask(in)
	case *ChildClosed:
		return d.childClosed(in)
	case *Reconnect:
		return d.reconnected(in)
	case *Answered:
		return d.answered(in)
	case *CallbackAnswered:
		return d.callbackAnswered(in)
	}
	return nil, engine.Refuse(engine.KindUnimplemented, "input %T does not concern a run", in)
}

// asRefusal keeps the promise that steps fail with refusals only.
func asRefusal(err error) error {
	if r, ok := err.(*engine.Refusal); ok {
		return r
	}
	panic(fmt.Sprintf("workflow: a step returned %T: %v", err, err))
}

// Offers are the tasks that are on offer in the run's present state. The shell
// makes them again after a restart; every one has a row in the task backlog.
func (r *Run) Offers() []engine.Task {
	if !r.Open() {
		return nil
	}
	var offers []engine.Task
	if t := r.Info.Task; t.onOffer() {
		offers = append(offers, taskOffer(r.Key, r.Start, r.Info, t))
	}
	for _, id := range sorted(r.Activities) {
		if o, ok := activityOffer(r, r.Activities[id]); ok {
			offers = append(offers, o)
		}
	}
	return offers
}
