package main

import (
	"encoding/binary"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/sim/linear"
	"github.com/perdure/perdure/store/memstore"
)

const (
	namespaceID       = "ns-id"
	namespaceName     = "sim"
	workflowQueueName = "workflows"
	activityQueueName = "activities"
	// workflowIDs is how many ids the clients share, so that they meet.
	workflowIDs = 12
)

func workflowID(n int) string { return fmt.Sprint("wf-", n) }

// options of one world.
type options struct {
	seed  uint64
	steps uint64 // events before everything heals
	tell  bool   // print the story as it happens
	// lying makes the disk break its promises at crashes, to see that it is
	// noticed; nil for an honest one.
	lying func(*world) memstore.Broken
	// crashEvery is the mean time between crashes; 0 leaves it to chance.
	crashEvery time.Duration
	// mistaken, if set, may answer a call of a history in the server's place, or
	// change what is told, to see that it is noticed (linear_clients.go).
	mistaken func(*episode, linear.Call, heard) (told heard, answered bool)
}

// world is everything: the server, its disk, and those who use it.
type world struct {
	*schedule
	options
	*story
	faults  faults
	auditor *auditor
	disk    *observer
	singles *singles
	reader  *reader
	index   *index

	receivers *receivers
	linearity *linearity
	process   *process        // nil while the server is down
	image     *memstore.Image // the disk while it is down
	lives     int
	former    []*process    // whose shards have another owner, and who do not know
	owners    []*ownedShard // of the open database
	survival  survival
	reads     int // of the disk, so far

	workers []*worker
	played  played
	// spoiled are completions that must be refused, and what is wrong with them.
	spoiled   map[*workflow.CompleteWorkflowTask]string
	callers   []*caller // whose calls wait inside the server
	rest      rest
	limits    *engine.Limits
	retention time.Duration
	// skew is how far the server's clock is off. It jumps; the order of events
	// does not depend on it.
	skew time.Duration
	// trouble is when the server last crashed, or a shard of it failed, or an
	// answer to a poll was lost: what was on its way to a worker then may be gone.
	trouble time.Time
	healed  bool
	names   int
	wrong   *violation
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newWorld(o options) *world {
	w := &world{schedule: newSchedule(o.seed, epoch), options: o}
	w.story = newStory(w)
	w.faults = drawFaults(w.schedule)
	if o.crashEvery > 0 {
		w.faults.crashEvery = o.crashEvery
	}
	w.played = played{}
	w.spoiled = map[*workflow.CompleteWorkflowTask]string{}
	w.auditor = newAuditor(w)
	w.disk = newObserver(w)
	w.singles = newSingles(w)
	w.reader = newReader(w)
	w.index = newIndex(w)
	w.receivers = newReceivers(w)
	w.linearity = newLinearity(w)
	w.retention = 72 * time.Hour
	if w.oneIn(3) {
		w.retention = 30 * time.Second
	}
	w.rest = drawRests(w.schedule)
	w.limits = drawLimits(w.schedule)
	return w
}

// violation is a broken promise: what ends a world early.
type violation struct{ what string }

// broken ends the world. The panic may end in the server, which recovers from
// bugs: so what was wrong is noted first, and nothing happens after it.
func (w *world) broken(format string, args ...any) {
	v := violation{fmt.Sprintf(format, args...)}
	if w.wrong == nil {
		first, _, _ := strings.Cut(v.what, "\n")
		w.say("VIOLATION: %s", first)
		w.wrong = &v
	}
	panic(v)
}

// step is the schedule's, as long as nothing is wrong.
func (w *world) step(limit time.Time) bool {
	if w.done > w.steps+mostEvents {
		w.broken("liveness: %d events and no end", w.done)
	}
	more := w.schedule.step(limit)
	if w.wrong != nil {
		panic(*w.wrong)
	}
	w.wakeCallers()
	return more
}

// mostEvents are what a world may take to come to its end once all heals: a
// hundred times what it usually does.
const mostEvents = 2_000_000

// live runs the world to its end and returns what was violated, or "". A panic
// outside the server's own guard is a violation too.
func (w *world) live() (wrong string) {
	defer func() {
		p := recover()
		if w.wrong != nil {
			wrong = w.wrong.what // what came of it is of no interest
		} else if p != nil {
			wrong = fmt.Sprintf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	defer w.dismissCallers()
	w.boot()
	w.populate()
	w.checkOften()
	for w.done < w.steps && w.step(forever) {
	}
	w.heal()
	return ""
}

var forever = epoch.Add(10 * 365 * 24 * time.Hour)

// heal ends faults and new work, and demands that everything ends (I6, liveness).
func (w *world) heal() {
	w.say("everything heals")
	w.healed, w.skew = true, 0
	if w.process != nil && (w.process.driver.Err() != nil || w.shortsighted()) {
		w.crash()
	}
	if w.process == nil {
		w.boot()
	}
	if w.process.driver.Full() {
		w.trouble = w.now // what it could not write it has forgotten
	}
	w.process.driver.SetFull(false)
	w.linearity.finish()
	// A callback may wait for an hour, and a workflow sleeps for days. Who waits
	// long is looked after seldom.
	limit := w.now.Add(longestHealing)
	for pause, began := 10*time.Second, w.now; w.now.Before(limit); {
		if w.now.Sub(began) > 3*time.Minute {
			pause = min(pause*3/2, longestSleep/8)
		}
		to := w.now.Add(pause)
		for w.step(to) {
		}
		w.now = to
		w.check()
		w.unpauseAll()
		w.unpauseSingles()
		w.linearity.closeRuns()
		if w.disk.quiet() {
			if w.seed%4 == 0 { // it costs as much as an eighth of a world
				w.idle()
			}
			w.index.checkAll()
			w.say("all has ended")
			w.end()
			return
		}
	}
	w.broken("liveness: %v after everything healed there is left:\n%s", longestHealing, w.disk.left())
}

// longestSleep is the longest a workflow of the simulation sleeps at a time, and
// longestHealing how long a healed world may take until all has ended.
const (
	longestSleep   = 24 * time.Hour
	longestHealing = 15 * longestSleep
)

// checkOften looks at the disk every few seconds, as long as there is load.
func (w *world) checkOften() {
	w.after(w.sometime(w.between(time.Second, 4*time.Second)), func() {
		if !w.healed {
			w.wind()
			w.check()
			w.checkOften()
		}
	})
}

// check compares the disk, as a crash at this moment would leave it, with every
// promise.
func (w *world) check() {
	w.disk.look(w.present())
	w.auditor.verify()
	w.singles.verify()
	w.reader.check()
	w.index.check()
}

// present is what is durable now.
func (w *world) present() *memstore.Image {
	if w.process == nil {
		return w.image
	}
	return w.process.driver.Image()
}

// unique makes a name no one has used.
func (w *world) unique(kind string) string {
	w.names++
	return fmt.Sprint(kind, "-", w.names)
}

// seed16 draws the seed of fresh ids.
func (w *world) seed16() (s [16]byte) {
	binary.BigEndian.PutUint64(s[:8], w.chance.Uint64())
	binary.BigEndian.PutUint64(s[8:], w.chance.Uint64())
	return s
}

// maxSkew is the most the server's clock is off.
const maxSkew = 3 * time.Second

// wall is what the server's clock shows.
func (w *world) wall() time.Time { return w.now.Add(w.skew) }

// wind sets the server's clock wrong, or right.
func (w *world) wind() {
	skew := w.skew
	if w.strikes(faultClockForward) {
		skew = w.between(skew, maxSkew+1)
	}
	if w.strikes(faultClockBack) {
		skew = w.between(-maxSkew, skew+1)
	}
	if skew != w.skew {
		w.skew = skew
		w.trouble = w.now // a time-out may strike at once
		w.say("the server's clock is off by %v", w.skew)
	}
}

func idOf(name string) engine.ID {
	return engine.ID{NamespaceID: namespaceID, Archetype: engine.ArchetypeWorkflow, Name: name}
}
