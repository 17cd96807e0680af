package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	updatepb "go.temporal.io/api/update/v1"
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

// past is what a history says about the things a script does.
type past struct {
	id, run    string
	activities map[string]*activityPast // by activity id
	timers     map[string]*timerPast    // by timer id
	children   map[string]*bool         // closed, by workflow id
	others     map[string]*bool         // answered, by control
	byID       map[int64]*bool          // children and others by initiated event id
	markers    map[string]bool
	signals    int
	ends       bool // a signal says so
	cancel     bool
	failed     bool // a workflow task has failed
	tasks      int  // completed
	attempt    int32
	scheduled  map[int64]*activityPast
	updates    map[string]bool              // accepted: answered or not, by update id
	admitted   map[string]*updatepb.Request // by an event, after a reset
}

type activityPast struct {
	scheduledID       int64
	cancelled, closed bool
}

type timerPast struct {
	started int64
	over    bool
}

func read(id, run string, events []*historypb.HistoryEvent) *past {
	p := &past{
		id: id, run: run, activities: map[string]*activityPast{}, timers: map[string]*timerPast{},
		children: map[string]*bool{}, others: map[string]*bool{}, byID: map[int64]*bool{},
		markers: map[string]bool{}, scheduled: map[int64]*activityPast{}, updates: map[string]bool{},
		admitted: map[string]*updatepb.Request{},
	}
	for _, ev := range events {
		p.read(ev)
	}
	return p
}

func (p *past) read(ev *historypb.HistoryEvent) {
	switch ev.GetEventType() {
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		a := &activityPast{scheduledID: ev.EventId}
		p.activities[ev.GetActivityTaskScheduledEventAttributes().ActivityId] = a
		p.scheduled[ev.EventId] = a
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED:
		p.scheduled[ev.GetActivityTaskCancelRequestedEventAttributes().ScheduledEventId].cancelled = true
	case enumspb.EVENT_TYPE_TIMER_STARTED:
		p.timers[ev.GetTimerStartedEventAttributes().TimerId] = &timerPast{started: ev.EventId}
	case enumspb.EVENT_TYPE_TIMER_FIRED:
		p.timers[ev.GetTimerFiredEventAttributes().TimerId].over = true
	case enumspb.EVENT_TYPE_TIMER_CANCELED:
		p.timers[ev.GetTimerCanceledEventAttributes().TimerId].over = true
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		p.signals++
		p.ends = p.ends || strings.HasPrefix(ev.GetWorkflowExecutionSignaledEventAttributes().SignalName, endSignal)
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
		p.cancel = true
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED:
		p.failed = true
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
		p.tasks++
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED:
		req := ev.GetWorkflowExecutionUpdateAdmittedEventAttributes().Request
		p.admitted[req.GetMeta().GetUpdateId()] = req
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
		delete(p.admitted, ev.GetWorkflowExecutionUpdateAcceptedEventAttributes().ProtocolInstanceId)
		p.updates[ev.GetWorkflowExecutionUpdateAcceptedEventAttributes().ProtocolInstanceId] = false
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
		p.updates[ev.GetWorkflowExecutionUpdateCompletedEventAttributes().GetMeta().GetUpdateId()] = true
	case enumspb.EVENT_TYPE_MARKER_RECORDED:
		p.markers[ev.GetMarkerRecordedEventAttributes().MarkerName] = true
	case enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
		done := new(bool)
		p.children[ev.GetStartChildWorkflowExecutionInitiatedEventAttributes().WorkflowId] = done
		p.byID[ev.EventId] = done
	case enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED:
		p.other(ev.GetSignalExternalWorkflowExecutionInitiatedEventAttributes().Control, ev.EventId)
	case enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED:
		p.other(ev.GetRequestCancelExternalWorkflowExecutionInitiatedEventAttributes().Control, ev.EventId)
	}
	if id, ok := closes(ev); ok {
		p.scheduled[id].closed = true
	}
	if id, ok := answers(ev); ok {
		*p.byID[id] = true
	}
}

func (p *past) other(control string, id int64) {
	done := new(bool)
	p.others[control] = done
	p.byID[id] = done
}

// closes is the scheduled event id of the activity that ev ends.
func closes(ev *historypb.HistoryEvent) (scheduledID int64, ok bool) {
	switch ev.GetEventType() {
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		return ev.GetActivityTaskCompletedEventAttributes().ScheduledEventId, true
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		return ev.GetActivityTaskFailedEventAttributes().ScheduledEventId, true
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		return ev.GetActivityTaskTimedOutEventAttributes().ScheduledEventId, true
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
		return ev.GetActivityTaskCanceledEventAttributes().ScheduledEventId, true
	}
	return 0, false
}

// answers is the initiated event id of the child or request that ev ends.
func answers(ev *historypb.HistoryEvent) (initiatedID int64, ok bool) {
	switch ev.GetEventType() {
	case enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED:
		return ev.GetStartChildWorkflowExecutionFailedEventAttributes().InitiatedEventId, true
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:
		return ev.GetChildWorkflowExecutionCompletedEventAttributes().InitiatedEventId, true
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED:
		return ev.GetChildWorkflowExecutionFailedEventAttributes().InitiatedEventId, true
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:
		return ev.GetChildWorkflowExecutionCanceledEventAttributes().InitiatedEventId, true
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT:
		return ev.GetChildWorkflowExecutionTimedOutEventAttributes().InitiatedEventId, true
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:
		return ev.GetChildWorkflowExecutionTerminatedEventAttributes().InitiatedEventId, true
	case enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED:
		return ev.GetExternalWorkflowExecutionSignaledEventAttributes().InitiatedEventId, true
	case enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED:
		return ev.GetSignalExternalWorkflowExecutionFailedEventAttributes().InitiatedEventId, true
	case enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
		return ev.GetExternalWorkflowExecutionCancelRequestedEventAttributes().InitiatedEventId, true
	case enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED:
		return ev.GetRequestCancelExternalWorkflowExecutionFailedEventAttributes().InitiatedEventId, true
	}
	return 0, false
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

// raceStep starts a timer that is about to fire when it is cancelled, and
// schedules an activity that may not have started when it is.
func raceStep(p *past, name string, st step) ([]*commandpb.Command, bool) {
	commands, fired := timerStep(p, name+".t", time.Duration(st.n*50)*time.Millisecond)
	more, closed := activityStep(p, name+".a", st.seed)
	commands = append(commands, more...)
	more, slow := activityStep(p, name+".b", st.seed+1)
	commands = append(commands, more...)
	a, b := p.activities[name+".a"], p.activities[name+".b"]
	if a == nil || b == nil {
		return commands, false
	}
	if !fired && (closed || slow) {
		commands = append(commands, cancelTimer(name+".t"))
		fired = true
	}
	for _, x := range []*activityPast{a, b} {
		if fired && !x.closed && !x.cancelled {
			commands = append(commands, cancelActivity(x.scheduledID))
		}
	}
	return commands, fired && closed && slow
}

func activityStep(p *past, id string, seed uint64) ([]*commandpb.Command, bool) {
	if a := p.activities[id]; a != nil {
		return nil, a.closed
	}
	r := rand.New(rand.NewPCG(seed, uint64(len(id))))
	attributes := &commandpb.ScheduleActivityTaskCommandAttributes{
		ActivityId:          id,
		ActivityType:        &commonpb.ActivityType{Name: "work"},
		TaskQueue:           &taskqueuepb.TaskQueue{Name: activityQueueName, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
		StartToCloseTimeout: durationpb.New(time.Duration(2+r.IntN(8)) * time.Second),
		RetryPolicy: &commonpb.RetryPolicy{
			InitialInterval: durationpb.New(time.Second), BackoffCoefficient: 2,
			MaximumAttempts: int32(1 + r.IntN(4)), NonRetryableErrorTypes: []string{"hopeless"},
		},
		RequestEagerExecution: r.IntN(4) == 0,
		Priority:              &commonpb.Priority{PriorityKey: int32(r.IntN(6)), FairnessKey: []string{"", "", "f0", "f1"}[r.IntN(4)]},
		Input:                 payloads(id), Header: header(id),
	}
	switch r.IntN(8) {
	case 0:
		attributes.RetryPolicy.MaximumInterval = durationpb.New(2 * time.Second)
		attributes.RetryPolicy.NonRetryableErrorTypes = []string{"TemporalTimeout:StartToClose", "TemporalTimeout:Heartbeat"}
	case 1:
		attributes.RetryPolicy, attributes.ScheduleToCloseTimeout = nil, durationpb.New(30*time.Second)
	case 2:
		attributes.StartToCloseTimeout, attributes.ScheduleToCloseTimeout = nil, durationpb.New(20*time.Second)
	}
	if r.IntN(2) == 0 {
		attributes.HeartbeatTimeout = durationpb.New(2 * time.Second)
	}
	if r.IntN(3) == 0 {
		attributes.ScheduleToCloseTimeout = durationpb.New(30 * time.Second)
	}
	if r.IntN(4) == 0 {
		attributes.ScheduleToStartTimeout = durationpb.New(5 * time.Second)
	}
	return []*commandpb.Command{scheduleActivity(attributes)}, false
}

func timerStep(p *past, id string, d time.Duration) ([]*commandpb.Command, bool) {
	if t := p.timers[id]; t != nil {
		return nil, t.over
	}
	return []*commandpb.Command{startTimer(id, d)}, false
}

func childStep(p *past, name string, st step) ([]*commandpb.Command, bool) {
	id := fmt.Sprint("child-", p.run[:8], "-", name)
	if st.n == 3 {
		id = fmt.Sprint("child-", st.seed%5) // somebody else may have one of that name
	}
	if closed := p.children[id]; closed != nil {
		return nil, *closed
	}
	policies := []enumspb.ParentClosePolicy{
		enumspb.PARENT_CLOSE_POLICY_TERMINATE, enumspb.PARENT_CLOSE_POLICY_ABANDON, enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
	}
	return []*commandpb.Command{startChild(&commandpb.StartChildWorkflowExecutionCommandAttributes{
		WorkflowId:          id,
		WorkflowType:        &commonpb.WorkflowType{Name: typeOf(st.seed, 2, 1)},
		TaskQueue:           &taskqueuepb.TaskQueue{Name: workflowQueueName, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
		ParentClosePolicy:   policies[st.seed%3],
		WorkflowTaskTimeout: durationpb.New(10 * time.Second),
	})}, false
}

func otherStep(p *past, name string, st step, namespace string) ([]*commandpb.Command, bool) {
	if answered := p.others[name]; answered != nil {
		return nil, *answered
	}
	to := &commonpb.WorkflowExecution{WorkflowId: workflowID(int(st.seed % workflowIDs))}
	if st.kind == stepCancelOther {
		return []*commandpb.Command{cancelExternal(&commandpb.RequestCancelExternalWorkflowExecutionCommandAttributes{
			Namespace: namespace, WorkflowId: to.WorkflowId, Control: name})}, false
	}
	return []*commandpb.Command{signalExternal(&commandpb.SignalExternalWorkflowExecutionCommandAttributes{
		Namespace: namespace, Execution: to, SignalName: fmt.Sprint("from-", p.run, "-", name), Control: name})}, false
}

// cancelActivityStep schedules an activity, and asks to cancel it when a timer
// has fired first.
func cancelActivityStep(p *past, name string, st step) ([]*commandpb.Command, bool) {
	commands, _ := timerStep(p, name+".t", 1500*time.Millisecond)
	more, closed := activityStep(p, name, st.seed)
	commands = append(commands, more...)
	a, t := p.activities[name], p.timers[name+".t"]
	if a != nil && t != nil && t.over && !closed && !a.cancelled {
		commands = append(commands, cancelActivity(a.scheduledID))
	}
	return commands, closed
}

// cancelTimerStep starts a long timer and a short one, and cancels the long one
// after the short one.
func cancelTimerStep(p *past, name string) ([]*commandpb.Command, bool) {
	commands, short := timerStep(p, name+".short", time.Second)
	more, long := timerStep(p, name+".long", time.Hour)
	commands = append(commands, more...)
	if !short || long {
		return commands, long
	}
	return append(commands, cancelTimer(name+".long")), true
}
