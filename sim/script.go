package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	commandpb "go.temporal.io/api/command/v1"
	enumspb "go.temporal.io/api/enums/v1"
)

// script is what a workflow of the simulation does: steps one after the other.
// It is a function of the workflow's type, so that a worker needs to know
// nothing but the history, as a real one.
type script struct {
	steps []step
	// last is how it ends.
	last stepKind
	// heeds: a request to cancel ends it.
	heeds bool
	// next is the type of the run that continues it.
	next string
	seed uint64
}

type stepKind int

const (
	stepActivities stepKind = iota
	stepTimer
	stepAwaitSignal
	stepChild
	stepMarker
	stepSignalOther
	stepCancelOther
	stepCancelActivity
	stepCancelTimer
	stepUpsert
	stepRace      // a timer started and cancelled at once, an activity likewise
	stepHeartbeat // a workflow task that asks for the next one, as local activities do
	stepBad       // commands that cannot be carried out
	stepSleep     // for minutes, hours or a day
	stepLocal     // local activities
	stepMany      // a crowd of timers
	stepRichChild // a child with everything
	stepTellChild // a child that is signaled or canceled
	stepFar       // who cannot be reached, or the workflow itself
	stepKinds     // how many

	endComplete
	endFail
	endContinue

	stepAwaitEnd // a signal that ends the workflow
)

type step struct {
	kind stepKind
	n    int // activities, seconds, number of another workflow
	seed uint64
}

// typeOf names the workflow type of a script: its seed, how deep it is below a
// top-level workflow, and how often it may continue as new.
func typeOf(seed uint64, depth, continues int) string {
	return fmt.Sprintf("script-%d-%d-%d", seed, depth, continues)
}

func scriptOf(workflowType string) script {
	if workflowType == hotType {
		return script{steps: []step{{kind: stepAwaitEnd}}, last: endComplete, heeds: true}
	}
	parts := strings.Split(workflowType, "-")
	seed, _ := strconv.ParseUint(parts[1], 10, 64)
	depth, _ := strconv.Atoi(parts[2])
	continues, _ := strconv.Atoi(parts[3])
	r := rand.New(rand.NewPCG(seed, uint64(depth)))
	s := script{heeds: r.IntN(2) == 0, last: endComplete, seed: seed}
	for range 1 + r.IntN(4) {
		k := stepKind(r.IntN(int(stepKinds)))
		if (k == stepChild || k == stepRichChild || k == stepTellChild) && depth > 1 {
			k = stepActivities
		}
		s.steps = append(s.steps, step{kind: k, n: 1 + r.IntN(3), seed: r.Uint64N(1000)})
	}
	switch r.IntN(6) {
	case 0:
		s.last = endFail
	case 1, 2:
		if continues > 0 {
			s.last = endContinue
			s.next = typeOf(r.Uint64N(1000), depth, continues-1)
		}
	}
	return s
}

// decide is the worker's part: the commands that follow from a history.
func (s script) decide(p *past, namespace string) []*commandpb.Command {
	if p.cancel && s.heeds {
		return []*commandpb.Command{{
			CommandType: enumspb.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION,
			Attributes: &commandpb.Command_CancelWorkflowExecutionCommandAttributes{
				CancelWorkflowExecutionCommandAttributes: &commandpb.CancelWorkflowExecutionCommandAttributes{}},
		}}
	}
	var commands []*commandpb.Command
	for i, st := range s.steps {
		more, over := st.decide(p, fmt.Sprint("s", i), namespace)
		commands = append(commands, more...)
		if !over {
			return commands
		}
	}
	return append(commands, s.end(p.run))
}

// decide says what a step does now, and whether it is over.
func (st step) decide(p *past, name, namespace string) (commands []*commandpb.Command, over bool) {
	switch st.kind {
	case stepActivities:
		over = true
		for i := range st.n {
			more, closed := activityStep(p, fmt.Sprint(name, ".", i), st.seed)
			commands, over = append(commands, more...), over && closed
		}
		return commands, over
	case stepTimer:
		return timerStep(p, name, time.Duration(st.n*7)*time.Second)
	case stepAwaitSignal:
		if p.signals > 0 {
			return nil, true
		}
		return timerStep(p, name, 20*time.Second)
	case stepAwaitEnd:
		return nil, p.ends
	case stepMarker:
		if !p.markers[name] {
			commands = append(commands, marker(name))
		}
		return commands, true
	case stepChild:
		return childStep(p, name, st)
	case stepSignalOther, stepCancelOther:
		return otherStep(p, name, st, namespace)
	case stepCancelActivity:
		return cancelActivityStep(p, name, st)
	case stepCancelTimer:
		return cancelTimerStep(p, name)
	case stepUpsert:
		if !p.markers[name] {
			commands = append(commands, marker(name), upsertMemo(name),
				upsert(attributes(rand.New(rand.NewPCG(st.seed, uint64(st.n))))))
		}
		return commands, true
	case stepRace:
		return raceStep(p, name, st)
	case stepHeartbeat:
		// The worker sees that the marker is missing and completes the task
		// without it first: see worker.decide.
		if !p.markers[name] {
			commands = append(commands, marker(name))
		}
		return commands, true
	case stepBad:
		// The first attempt is refused, see script.spoils; later ones do better.
		if !p.markers[name] {
			commands = append(commands, marker(name))
		}
		return commands, true
	}
	return st.further(p, name)
}

// further is decide for the longer steps.
func (st step) further(p *past, name string) (commands []*commandpb.Command, over bool) {
	switch st.kind {
	case stepSleep:
		return sleepStep(p, name, st)
	case stepLocal:
		return localStep(p, name, st)
	case stepMany:
		return manyStep(p, name, st)
	case stepRichChild:
		return richChildStep(p, name, st)
	case stepTellChild:
		return tellChildStep(p, name, st)
	case stepFar:
		return farStep(p, name, st)
	}
	return nil, true
}

// at is the step the script has come to, if there is one of that kind that
// leaves a marker and has not yet.
func (s script) at(kind stepKind, p *past) (st step, is bool) {
	for i, st := range s.steps {
		name := fmt.Sprint("s", i)
		if st.kind == kind && !p.markers[name] {
			return st, true
		}
		if _, over := st.decide(p, name, namespaceName); !over {
			return st, false
		}
	}
	return step{}, false
}

// beats reports whether the script asks for a further workflow task before it
// goes on.
func (s script) beats(p *past) bool {
	_, is := s.at(stepHeartbeat, p)
	return is && p.tasks%3 != 0
}

// spoils is the completion that cannot be carried out, if it is time for one.
func (s script) spoils(p *past) *bad {
	if st, is := s.at(stepBad, p); is && !p.failed && p.attempt <= 1 {
		return &badOnes[(st.seed+uint64(st.n)*1000)%uint64(len(badOnes))]
	}
	return nil
}
