package main

import (
	"slices"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine/workflow"
)

// TestModel plays worlds and expects none to break. It plays few steps, so that
// `go test ./...` stays quick; `make model` plays a million.
func TestModel(t *testing.T) {
	steps := uint64(100_000)
	if testing.Short() {
		steps = 10_000
	}
	var played uint64
	for seed := uint64(1); played < steps; seed++ {
		p := play(seed, nil)
		played += p.steps
		if p.broken != "" {
			t.Fatalf("seed %d: %s\n%s", seed, p.broken, strings.Join(p.story, "\n"))
		}
	}
}

// TestSameSeedSameWorld plays a world twice.
func TestSameSeedSameWorld(t *testing.T) {
	tell := func() []string {
		w := newWorld(7)
		w.story = &story{}
		return live(w, nil).story
	}
	once, again := tell(), tell()
	if len(once) == 0 || !slices.Equal(addressless(once), addressless(again)) {
		t.Error("the same seed told two stories")
	}
}

// addressless takes pointers out of a story.
func addressless(lines []string) []string {
	var out []string
	for _, line := range lines {
		var words []string
		for _, word := range strings.Fields(line) {
			if before, _, cut := strings.Cut(word, "0x"); cut {
				word = before
			}
			words = append(words, word)
		}
		out = append(out, strings.Join(words, " "))
	}
	return out
}

// TestMistakesAreNoticed spoils what the machine did in one way after another:
// the oracle must notice each within a few hundred worlds, and tell a story.
func TestMistakesAreNoticed(t *testing.T) {
	for name, spoil := range map[string]func(*world, *life, *workflow.Change){
		"an event is lost":              losesAnEvent,
		"an event comes twice":          repeatsAnEvent,
		"an offer is lost":              losesAnOffer,
		"a message is lost":             losesAMessage,
		"a timer fires early":           firesEarly,
		"a buffered event is lost":      losesABufferedEvent,
		"the workflow task is lost":     losesTheTask,
		"a timer is forgotten":          forgetsATimer,
		"a start is good for two":       keepsAStamp,
		"an update is told of twice":    tellsTwice,
		"what is stored is not lived":   forgetsToStore,
		"a flush is in the wrong order": flushesBackwards,
	} {
		t.Run(name, func(t *testing.T) {
			for seed := uint64(1); seed < 400; seed++ {
				if p := play(seed, spoil); p.broken != "" {
					if len(p.story) == 0 {
						t.Error("noticed, but no story was told")
					}
					return
				}
			}
			t.Error("nobody noticed")
		})
	}
}

func losesAnEvent(_ *world, _ *life, c *workflow.Change) {
	if n := len(c.Batches); n > 0 && len(c.Batches[n-1]) > 1 {
		c.Batches[n-1] = c.Batches[n-1][:len(c.Batches[n-1])-1]
	}
}

func repeatsAnEvent(_ *world, _ *life, c *workflow.Change) {
	for i, batch := range c.Batches {
		if ev := batch[len(batch)-1]; ev.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED {
			c.Batches[i] = append(slices.Clone(batch), &historypb.HistoryEvent{
				EventId: ev.EventId + 1, EventType: ev.EventType, EventTime: ev.EventTime, Attributes: ev.Attributes})
			info := *c.Info
			info.NextEventID++
			c.Info = &info
		}
	}
}

func losesAnOffer(_ *world, _ *life, c *workflow.Change) { c.Offers = nil }

func losesAMessage(_ *world, _ *life, c *workflow.Change) { c.Messages = nil }

func firesEarly(w *world, l *life, c *workflow.Change) {
	for _, name := range sortedKeys(l.book.timers) {
		if c.Timers[name] == nil && len(c.Batches) == 0 && l.book.timers[name].due.After(w.now) {
			ev := &historypb.HistoryEvent{EventId: c.Info.NextEventID, EventType: enumspb.EVENT_TYPE_TIMER_FIRED,
				Attributes: &historypb.HistoryEvent_TimerFiredEventAttributes{TimerFiredEventAttributes: &historypb.TimerFiredEventAttributes{
					TimerId: name, StartedEventId: l.book.timers[name].startedID}}}
			c.Batches = append(c.Batches, []*historypb.HistoryEvent{ev})
			info := *c.Info
			info.NextEventID++
			c.Info, c.Timers = &info, map[string]*workflow.Timer{name: nil}
			return
		}
	}
}

func losesABufferedEvent(_ *world, _ *life, c *workflow.Change) { c.Buffered = nil }

func losesTheTask(_ *world, _ *life, c *workflow.Change) {
	if c.Info.Task != nil && c.Info.Task.Type == workflow.TaskTransient {
		info := *c.Info
		info.Task = nil
		c.Info, c.Offers = &info, nil
	}
}

func forgetsATimer(_ *world, _ *life, c *workflow.Change) { c.Timers = nil }

func keepsAStamp(_ *world, l *life, c *workflow.Change) {
	for id, s := range c.Activities {
		if was := l.run.Activities[id]; s != nil && was != nil && s.Stamp > was.Stamp {
			next := *s
			next.Stamp = was.Stamp
			c.Activities[id] = &next
		}
	}
}

func tellsTwice(_ *world, _ *life, c *workflow.Change) { c.News = append(c.News, c.News...) }

func forgetsToStore(_ *world, l *life, c *workflow.Change) {
	for id := range c.Requests {
		if l.run.Requests[id] == nil {
			l.run.Requests[id] = c.Requests[id] // lived, and not written
			delete(c.Requests, id)
		}
	}
}

func flushesBackwards(_ *world, _ *life, c *workflow.Change) {
	for _, batch := range c.Batches {
		n := len(batch)
		if n < 3 {
			continue
		}
		a, b := batch[n-3], batch[n-2] // before the task that follows
		if arrivalOf(a).comesLast() != arrivalOf(b).comesLast() && sorts[a.EventType] == arrivalEvent && sorts[b.EventType] == arrivalEvent {
			batch[n-3], batch[n-2] = b, a
			a.EventId, b.EventId = b.EventId, a.EventId
		}
	}
}
