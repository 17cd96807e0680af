package standalone

import (
	"fmt"

	"github.com/perdure/perdure/engine"
)

// StepID carries out an input that concerns an id: StartExecution. current is the
// newest run of the id, open or closed, or nil. Result.Run is then the change of
// current. An error is always an *engine.Refusal and means that nothing changed.
func StepID(env *engine.Env, id engine.ID, current *Run, in Input) (*Result, error) {
	start, ok := in.(*StartExecution)
	if !ok {
		return nil, engine.Refuse(engine.KindUnimplemented, "input %T does not concern an id", in)
	}
	res, err := startExecution(env, id, current, start)
	if err != nil {
		return nil, asRefusal(err)
	}
	return res, nil
}

// Step carries out an input that concerns one run. An error is always an
// *engine.Refusal and means that nothing changed.
func Step(env *engine.Env, run *Run, in Input) (*Result, error) {
	d := newDraft(env, run)
	reply, err := d.step(in)
	if err != nil {
		return nil, asRefusal(err)
	}
	return d.result(reply), nil
}

// step is the switch over the inputs of one run; there is no logic in it.
func (d *draft) step(in Input) (reply any, err error) {
	switch in := in.(type) {
	case *RequestCancel:
		return d.requestCancel(in)
	case *Terminate:
		return d.terminate(in)
	case *Delete:
		return d.delete()
	case *Pause:
		return d.pause(in)
	case *Unpause:
		return d.unpause(in)
	case *Reset:
		return d.reset(in)
	case *UpdateOptions:
		return d.updateOptions(in)
	case *StartAttempt:
		return d.startAttempt(in)
	case *AbortAttempt:
		return d.abortAttempt(in)
	case *Heartbeat:
		return d.heartbeat(in)
	case *Complete:
		return d.complete(in)
	case *Fail:
		return d.fail(in)
	case *Cancel:
		return d.acceptCancel(in)
	case *CallbackAnswered:
		return d.callbackAnswered(in)
	case *Due:
		return d.due()
	}
	return nil, engine.Refuse(engine.KindUnimplemented, "input %T does not concern a run", in)
}

// asRefusal keeps the promise that steps fail with refusals only.
func asRefusal(err error) error {
	if r, ok := err.(*engine.Refusal); ok {
		return r
	}
	panic(fmt.Sprintf("standalone: a step returned %T: %v", err, err))
}
