package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
)

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

// localStep is some work the worker does itself, and tells of in markers.
func localStep(p *past, name string, st step) (commands []*commandpb.Command, over bool) {
	for i := range 2 * st.n {
		if id := fmt.Sprint(name, ".", i); !p.markers[id] {
			commands = append(commands, localActivity(id))
		}
	}
	return commands, true
}
