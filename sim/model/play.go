package main

import (
	"fmt"
	"time"

	commandpb "go.temporal.io/api/command/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// scriptLength is how many happenings a world has before it heals.
const scriptLength = 250

// played is what became of a world.
type played struct {
	steps  uint64
	broken string // what does not hold; empty for nothing
	story  []string
}

// play lets the world of a seed live, and, if it breaks, once more to tell of it.
func play(seed uint64, spoil func(*world, *life, *workflow.Change)) played {
	p := live(newWorld(seed), spoil)
	if p.broken != "" {
		again := newWorld(seed)
		again.story = &story{}
		told := live(again, spoil)
		p.story = told.story
		if told.broken != p.broken {
			p.broken += "; played again: " + told.broken
		}
	}
	return p
}

func live(w *world, spoil func(*world, *life, *workflow.Change)) (p played) {
	w.wrong = spoil
	defer func() {
		p.steps = w.steps
		switch r := recover().(type) {
		case nil:
		case broken:
			p.broken = r.what
		default:
			p.broken = fmt.Sprint("panic: ", r)
		}
		if w.story != nil {
			p.story = w.story.lines
		}
	}()
	for range scriptLength {
		w.anything()
	}
	w.heal()
	return p
}

// heal lets everything come to its end: messages, tasks, deadlines; then every
// run is closed by its worker, which nothing may prevent.
func (w *world) heal() {
	w.tell("the world heals")
	w.checkMail()
	for _, l := range append([]*life(nil), w.lives...) {
		if l.book.paused && l.book.open {
			w.unpauseRun(l, "healed")
		}
	}
	for round := 0; ; round++ {
		if round > 200 {
			w.fail("the world does not come to rest: %d letters, %d offers, open are %v", len(w.letters), len(w.offers), w.openRuns())
		}
		if !w.calm() {
			continue
		}
		if len(w.openRuns()) == 0 {
			break
		}
		w.now = w.now.Add(time.Second)
	}
	w.crash()
}

func (w *world) openRuns() (open []*life) {
	for _, l := range w.lives {
		if l.book.open {
			open = append(open, l)
		}
	}
	return open
}

// calm delivers and serves what there is; it reports whether there was nothing.
func (w *world) calm() bool {
	calm := true
	for n := len(w.letters); n > 0 && len(w.letters) > 0; n-- {
		calm = false
		w.forward(0, false)
		if len(w.letters) > 0 { // a letter that must come later goes to the end
			w.letters = append(w.letters[1:], w.letters[0])
		}
	}
	for _, l := range append([]*life(nil), w.lives...) {
		if l.book.open && w.endRun(l) {
			calm = false
		} else if at := l.run.NextDeadline(); l.book.open && !at.IsZero() {
			calm = false
			if at.After(w.now) && at.Sub(w.now) < time.Minute {
				w.now = at
			}
			w.look(l)
		}
	}
	return calm
}

// endRun has a worker take the run's task and close it, so that no retry or cron
// schedule goes on. A run that has no task
// is sent a signal first: then it must have one.
func (w *world) endRun(l *life) bool {
	if l.book.live != 0 && len(l.tokens) > 0 && l.tokens[len(l.tokens)-1].Stamp == l.book.live {
		x := &answer{world: w, l: l, b: l.book, names: map[string]bool{}}
		x.closeWith(enumspb.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
			enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, &commandpb.Command{Attributes: &commandpb.Command_CancelWorkflowExecutionCommandAttributes{
				CancelWorkflowExecutionCommandAttributes: &commandpb.CancelWorkflowExecutionCommandAttributes{}}})
		x.send(l.tokens[len(l.tokens)-1], false, false, false)
		return true
	}
	for _, t := range w.offers {
		if t.Run == l.key && t.IsWorkflow() {
			w.takeTask(l, t, false)
			return true
		}
	}
	switch {
	case !l.run.Info.FirstTaskDone || l.run.Info.AwaitsParent || l.book.live != 0:
	case l.book.signals >= w.limits.SignalsPerRun || l.book.full(w):
		w.stepRun(l, &workflow.Terminate{Request: &workflowservice.TerminateWorkflowExecutionRequest{}}, l.book.expectTerminate())
		return true
	default:
		w.stepRun(l, signalInput(""), l.book.expectSignal(w, ""))
		if !offered(w.offers, l.key) {
			w.fail("%s was signalled, and no worker hears of it", l)
		}
		return true
	}
	return false
}

func offered(offers []engine.Task, key engine.RunKey) bool {
	for _, t := range offers {
		if t.Run == key && t.IsWorkflow() {
			return true
		}
	}
	return false
}
