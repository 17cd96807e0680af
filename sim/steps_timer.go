package main

import (
	"fmt"
	"time"

	commandpb "go.temporal.io/api/command/v1"
)

func timerStep(p *past, id string, d time.Duration) ([]*commandpb.Command, bool) {
	if t := p.timers[id]; t != nil {
		return nil, t.over
	}
	return []*commandpb.Command{startTimer(id, d)}, false
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

// sleepStep waits for a long time, as most workflows do most of the time.
func sleepStep(p *past, name string, st step) ([]*commandpb.Command, bool) {
	sleeps := []time.Duration{time.Minute, 3 * time.Minute, 10 * time.Minute, time.Hour, 3 * time.Hour, 10 * time.Hour, longestSleep}
	return timerStep(p, name, sleeps[st.seed%uint64(len(sleeps))])
}

// manyStep starts a crowd of timers, waits for the first of them and cancels the
// rest.
func manyStep(p *past, name string, st step) (commands []*commandpb.Command, over bool) {
	fired := false
	for i := range 4 * st.n {
		t := p.timers[fmt.Sprint(name, ".", i)]
		fired = fired || t != nil && t.over
	}
	for i := range 4 * st.n {
		id := fmt.Sprint(name, ".", i)
		switch t := p.timers[id]; {
		case t == nil && !fired:
			commands = append(commands, startTimer(id, time.Duration(1+i)*time.Second))
		case t != nil && fired && !t.over:
			commands = append(commands, cancelTimer(id))
		}
	}
	return commands, fired
}
